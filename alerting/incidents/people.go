package incidents

import (
	"cmp"
	"maps"
	"time"

	"github.com/navcloud/binnacle/alerting"
)

// claim says that a person acknowledged a problem that nobody was paged for yet. Its page still goes out, so that whoever is
// on call can see it, and is acknowledged as it does.
type claim struct {
	by string
	at time.Time
}

// Acked takes an acknowledgement, by problem or by dedup key.
func (d *Desk) Acked(now time.Time, in alerting.Acked) {
	key := in.Key
	for _, x := range d.items {
		switch {
		case x.ID != key:
		case x.incident == nil:
			d.claim(now, x, in)
		default:
			key = x.incident.rec.Key
		}
	}
	for _, i := range d.incidents {
		if i.rec.Key != key {
			continue
		}
		i.rec = i.rec.Acknowledge(in, now)
		if in.Undo {
			i.on(undone)
		} else {
			i.on(acknowledged)
		}
	}
}

// claim notes who acknowledged a problem, by the ID of its root, or that this was undone.
func (d *Desk) claim(now time.Time, x *item, in alerting.Acked) {
	delete(d.claims, x.Root.ID)
	if !in.Undo {
		d.claims[x.Root.ID] = claim{cmp.Or(in.By, "somebody"), now}
	}
}

// claimed returns who acknowledged a problem before its page: the problem may have found another root since.
func (d *Desk) claimed(x *item) (claim, bool) {
	if len(d.claims) == 0 {
		return claim{}, false
	}
	for _, v := range x.Members {
		if c, ok := d.claims[v.ID]; ok {
			return c, true
		}
	}
	return claim{}, false
}

// forgetClaims drops those of problems that are over.
func (d *Desk) forgetClaims() {
	maps.DeleteFunc(d.claims, func(id string, _ claim) bool { return d.byAlarm(id) == nil })
}

// Closed takes a person's word, at the pager, that an incident is over: what still fires is not notified again until something
// new does.
func (d *Desk) Closed(now time.Time, in alerting.Closed) {
	for _, i := range d.incidents {
		if i.rec.Key != in.Key || !i.on(dismissed) {
			continue
		}
		d.remember(i.rec.Base, past{i.rec.Generation, now, i.rec.Returns})
		i.rec, i.resolving, i.notes, i.ack = i.rec.Close(in, now), false, nil, ""
		i.known = d.members(i)
		d.over(i)
	}
}

// members are the alarms of an incident, and of the problem that it is open for.
func (d *Desk) members(i *incident) map[string]bool {
	out := map[string]bool{}
	for _, id := range i.core {
		out[id] = true
		if x := d.byAlarm(id); x != nil && x.incident == i {
			for _, v := range x.Members {
				out[v.ID] = true
			}
		}
	}
	return out
}
