package incidents

import (
	"cmp"
	"slices"
	"time"

	"github.com/navcloud/binnacle/alerting"
)

// incident is what a person was told, under one dedup key.
type incident struct {
	rec    alerting.Record
	core   []string // IDs of the alarms that make it: the head, its root, what users notice
	digest bool     // it opened low for several problems at once: a digest

	tried     bool // a trigger went out that was not answered by acceptance
	resolving bool // a resolve went out: the incident may be closed at the pager
	quiet     time.Time
	closedBy  string // a person closed it at the pager
	closedAt  time.Time
	headed    string    // ID of the alarm that heads what was last sent
	before    string    // the one before it, until a new title was accepted
	titled    time.Time // when the title last changed
	stale     bool      // the pager may show another title than rec.Page has
	deaf      bool      // the pager refused the title
	notes     []string  // to be sent
	said      string    // how it stands, as last told
	saidAt    time.Time
	newsIn    time.Duration // after saidAt
	after     time.Time     // nothing is sent for it before
	tries     int
}

// past is what is kept of an incident that was resolved, by the key without its generation.
type past struct {
	generation int
	closed     time.Time
	returns    int
}

func (i *incident) open() bool { return i.rec.Open || i.tried }

// match binds incidents to problems. The problem that has an incident's head has the incident; of several
// incidents of one problem the worst speaks for it, the others stay until their own alarms are quiet.
func (d *Desk) match() {
	slices.SortFunc(d.incidents, func(a, b *incident) int {
		return cmp.Or(cmp.Compare(a.rec.Page.Priority, b.rec.Page.Priority), a.rec.OpenedAt.Compare(b.rec.OpenedAt), cmp.Compare(a.rec.Key, b.rec.Key))
	})
	for _, i := range d.incidents {
		for _, id := range i.core {
			x := d.byAlarm[id]
			if x == nil {
				continue
			}
			if x.incident == nil && !i.resolving {
				x.incident = i
				x.told = (i.rec.Open || !i.closedAt.IsZero()) && !outgrown(x)
			}
			if !i.digest {
				break
			}
		}
	}
	for _, i := range d.incidents {
		d.calm(i)
	}
	d.incidents = slices.DeleteFunc(d.incidents, func(i *incident) bool {
		over, at := d.finished(i)
		d.wake.add(at)
		return over
	})
	for _, x := range d.items {
		if i := x.incident; i != nil && x.told && !i.digest && x.Awake {
			i.core = core(x.Problem)
		}
	}
}

// maxCore bounds the alarms that make an incident.
const maxCore = 64

// core are the IDs of the alarms that make a problem, the head first.
func core(p *alerting.Problem) []string {
	out := []string{p.Head.ID}
	for _, v := range p.Members {
		if v != p.Head && (v == p.Root || v.Serious || v.Joined.Leads) && len(out) < maxCore {
			out = append(out, v.ID)
		}
	}
	for _, m := range p.Head.Parts {
		if len(out) < maxCore {
			out = append(out, m.ID)
		}
	}
	return out
}

// outgrown reports whether x needs a new incident because its current one can no longer alert anyone: what a person
// acknowledged or closed stays silent whatever is sent, what opened at low urgency cannot wake, and where titles are refused
// only a new one can tell.
func outgrown(x *item) bool {
	i := x.incident
	if !x.Awake || x.Priority >= i.rec.Page.Priority || x.Priority > alerting.P2 {
		return false
	}
	return i.rec.AckedBy != "" || !i.closedAt.IsZero() || i.rec.Page.Priority >= alerting.P3 || i.deaf
}

// calm notes since when nothing of an incident fires.
func (d *Desk) calm(i *incident) {
	switch {
	case d.fires(i):
		i.quiet = time.Time{}
	case i.quiet.IsZero():
		i.quiet = d.now
	}
}

// fires says that something that makes the incident fires, and nothing silences it.
func (d *Desk) fires(i *incident) bool {
	for _, id := range i.core {
		if x := d.byAlarm[id]; x != nil && x.Awake && (x.incident == i || d.in.Firing(id)) {
			return true
		}
	}
	return false
}

// finished says whether an incident can be forgotten, and when time alone will make it so.
func (d *Desk) finished(i *incident) (yes bool, at time.Time) {
	if i.closedAt.IsZero() {
		return !i.open() && !i.resolving, at
	}
	at = i.closedAt.Add(d.set.Resolve.Reopen)
	if quiet := i.quiet.Add(d.set.Resolve.Quiet); !i.quiet.IsZero() && quiet.Before(at) {
		at = quiet
	}
	return d.come(at), at
}

// quietFor is how long a problem must be quiet before its incident is resolved.
func (d *Desk) quietFor(x *item) time.Duration {
	if x != nil && x.Flapping {
		return max(d.set.Resolve.Quiet, d.set.Flap.Within)
	}
	return d.set.Resolve.Quiet
}

// resolvable says whether an incident has been quiet for long enough, and when time alone will make it so.
func (d *Desk) resolvable(i *incident) (yes bool, at time.Time) {
	if i.resolving {
		return true, at
	}
	if i.quiet.IsZero() || !i.open() {
		return false, at
	}
	at = i.quiet.Add(d.quietFor(d.byAlarm[i.core[0]]))
	if !d.listen.IsZero() {
		at = later(at, d.listen.Add(d.set.Start.ListenResolve))
	}
	return d.come(at), at
}

// generation is the next one of a key, and how often what it names has come back lately.
func (d *Desk) generation(base string) (generation, returns int) {
	last, ok := d.past[base]
	generation = last.generation
	if ok && d.now.Sub(last.closed) <= d.set.Resolve.ReturnWithin {
		returns = last.returns + 1
	}
	for _, i := range d.incidents {
		if i.rec.Base == base {
			generation = max(generation, i.rec.Generation)
		}
	}
	return generation + 1, returns
}

// close keeps what must be known of an incident that is over.
func (d *Desk) close(i *incident) {
	d.remember(i.rec.Base, past{i.rec.Generation, d.now, i.rec.Returns})
	i.rec.Open, i.tried, i.resolving = false, false, false
}

// remember keeps the newest generation of a key.
func (d *Desk) remember(base string, p past) {
	if p.generation >= d.past[base].generation {
		d.past[base] = p
	}
}

// maxPast bounds the keys whose generations are known.
const maxPast = 20_000

// forgetPast drops the oldest where there are too many.
func (d *Desk) forgetPast() {
	for limit := 24 * time.Hour; len(d.past) > maxPast; limit /= 2 {
		for base, p := range d.past {
			if d.now.Sub(p.closed) >= limit {
				delete(d.past, base)
			}
		}
	}
}
