package incidents

import (
	"time"

	"github.com/navcloud/binnacle/alerting"
)

// Restore tells of an earlier life. Keys that are known already are left alone. It says whether anything was learnt, and
// which alarms stood behind incidents that may be open: they fire until somebody says otherwise.
func (d *Desk) Restore(recs []alerting.Record) (learnt bool, behind []alerting.Alarm) {
	known := map[string]bool{}
	for _, i := range d.incidents {
		known[i.rec.Key] = true
	}
	for _, rec := range recs {
		if known[rec.Key] {
			continue
		}
		learnt, known[rec.Key] = true, rec.Open || rec.Pending != "" || rec.ClosedBy != ""
		if !rec.Open && rec.Pending == "" {
			if rec.ClosedBy != "" {
				d.revive(rec)
			}
			d.remember(rec.Base, past{rec.Generation, rec.UpdatedAt, rec.Returns})
			continue
		}
		behind = append(behind, d.revive(rec)...)
	}
	return learnt, behind
}

// revive makes the incident of a record, and returns the alarms behind it.
func (d *Desk) revive(rec alerting.Record) (behind []alerting.Alarm) {
	i := &incident{digest: rec.Page.Priority >= alerting.P3}
	for n, a := range rec.Page.Explained {
		if n < maxCore {
			i.core = append(i.core, a.Fingerprint())
		}
		if rec.Kind != alerting.Resolve && (rec.Open || rec.Pending != "") {
			behind = append(behind, a)
		}
	}
	if len(i.core) == 0 {
		i.core = []string{rec.Key}
	}
	i.rewrite(rec)
	d.incidents = append(d.incidents, i)
	return behind
}

// rewrite takes a record for the truth. What is pending may have had its effect, or not.
func (i *incident) rewrite(rec alerting.Record) {
	i.rec, i.resolving, i.stale = rec, false, rec.Stale
	switch {
	case !rec.Open && rec.ClosedBy != "":
		i.state, i.known = alerting.ClosedState, map[string]bool{}
		for _, id := range i.core {
			i.known[id] = true
		}
	case rec.SilencedBy != "":
		i.state = alerting.SilencedState
	case rec.AckedBy != "":
		i.state = alerting.AckedState
	default:
		i.state = alerting.Paged
	}
	if len(rec.Page.Explained) > 0 {
		i.headed = rec.Page.Explained[0].Fingerprint()
	}
	if rec.Pending == "" {
		return
	}
	i.rec.Pending = ""
	switch rec.Kind {
	case alerting.Trigger:
		i.state, i.rec.Open = alerting.Sending, false
	case alerting.Resolve:
		i.resolving, i.rec.Open = true, true
	case alerting.Acknowledge:
		i.ack = "silenced by " + rec.SilencedBy
	default:
		i.stale = true
	}
}

// Listen holds pages back for a while from now on, as after a restart: senders will repeat what still fires.
func (d *Desk) Listen(now time.Time) { d.listen = now }

// Leads takes or gives up the sending. What has no answer by then was another's matter in the meantime.
func (d *Desk) Leads(on bool) {
	if d.standby == !on {
		return
	}
	d.standby = !on
	for _, rt := range d.routes {
		if rt.action != nil && rt.action.Kind == alerting.Retitle {
			rt.incident.headed = rt.incident.before
		}
		rt.action, rt.incident = nil, nil
	}
}

// Recorded follows what the sending router of a fleet did, and returns alarms as Restore does.
func (d *Desk) Recorded(now time.Time, rec alerting.Record) (behind []alerting.Alarm) {
	d.now = now
	over := !rec.Open && rec.Pending == ""
	for _, i := range d.incidents {
		if i.rec.Key != rec.Key {
			continue
		}
		switch {
		case over && (rec.ClosedBy != "" || rec.Kind != alerting.Resolve) && i.rec.Open: // a person closed it at the pager
			d.Closed(now, alerting.Closed{Key: rec.Key, By: rec.ClosedBy})
		case over:
			d.close(i)
		default:
			i.rewrite(rec)
			i.titled = now
		}
		return nil
	}
	if over {
		d.remember(rec.Base, past{rec.Generation, rec.UpdatedAt, rec.Returns})
		return nil
	}
	behind = d.revive(rec)
	if rec.Page.Priority <= alerting.P2 {
		d.storm.paged(now)
	}
	return behind
}
