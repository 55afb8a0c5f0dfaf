package incidents

import (
	"time"

	"github.com/navcloud/binnacle/alerting"
)

// ease notes since when nothing as grave as the page of an incident fires. Where that lasted as long as a resolve waits for, what
// begins then is an outage of its own, whatever lesser thing held the incident open.
func (d *Desk) ease(i *incident) {
	if i.rec.Page.Priority > alerting.P2 || !i.shown() {
		return
	}
	grave, own := d.grave(i)
	switch {
	case !grave:
		if i.eased.IsZero() {
			i.eased = d.now
		}
		i.due = later(i.eased.Add(d.set.Resolve.Quiet), i.keep)
	case !i.eased.IsZero():
		i.spent = i.spent || own && d.come(i.due)
		i.eased = time.Time{}
	}
}

// grave says that something as grave as the page of an incident fires, and whether that is an outage.
func (d *Desk) grave(i *incident) (grave, own bool) {
	var last *item // all of an incident but a digest are of one problem, which is looked through once
	for _, id := range i.core {
		x := d.byAlarm(id)
		if x == nil || x == last || x.incident != i {
			continue
		}
		last = x
		for _, v := range x.Members {
			if v.Firing() && !v.Silenced && v.Alone <= i.rec.Page.Priority {
				grave, own = true, own || outage(v)
			}
		}
	}
	return grave, own
}

// outage says that an alarm says by its own labels that something fails, and does so now. How alarms of others hang together
// is guessed, so that what joins them later is no outage of its own.
func outage(v *alerting.Verdict) bool {
	return v.Serious && v.Reading == nil && !v.Lost && !v.Unheard
}
