package router

import (
	"time"

	"github.com/navcloud/binnacle/alerting"
)

// Restore tells of an earlier life, before the first Step or, when the ledger was late, after it. Keys that
// are known already are left alone. The alarms behind open incidents hold until somebody tells otherwise: not
// heard is not ended.
func (r *Router) Restore(recs []alerting.Record) {
	for _, rec := range recs {
		if r.known(rec.Key) {
			continue
		}
		r.restored = true
		if !rec.Open && rec.Pending == "" {
			if p := r.past[rec.Base]; rec.Generation >= p.generation {
				r.past[rec.Base] = past{rec.Generation, rec.UpdatedAt, rec.Returns}
			}
			continue
		}
		r.revive(rec)
	}
}

// revive makes the incident of a record. The alarms behind it hold until somebody tells otherwise.
func (r *Router) revive(rec alerting.Record) {
	i := &incident{digest: rec.Page.Priority >= alerting.P3}
	for n, a := range rec.Page.Explained {
		fp := a.Fingerprint()
		if n < maxCore {
			i.core = append(i.core, fp)
		}
		if r.alarms[fp] == nil && rec.Kind != alerting.Resolve {
			r.alarms[fp] = &alarm{fp: fp, Alarm: a, unheard: true}
		}
	}
	if len(i.core) == 0 {
		i.core = []string{rec.Key}
	}
	i.rewrite(rec)
	r.incidents = append(r.incidents, i)
}

// rewrite takes a record for the truth. What is pending may have had its effect, or not.
func (i *incident) rewrite(rec alerting.Record) {
	i.rec, i.tried, i.resolving, i.stale = rec, false, false, rec.Stale
	if len(rec.Page.Explained) > 0 {
		i.headed = rec.Page.Explained[0].Fingerprint()
	}
	if rec.Pending == "" {
		return
	}
	i.rec.Pending = ""
	switch rec.Kind {
	case alerting.Trigger:
		i.tried, i.rec.Open = true, false
	case alerting.Resolve:
		i.resolving, i.rec.Open = true, true
	default:
		i.stale = true
	}
}

// leads takes or gives up the sending. What has no answer by then was another's matter in the meantime.
func (r *Router) leads(on bool) {
	if r.standby == !on {
		return
	}
	r.standby = !on
	for _, rt := range r.routes {
		if rt.action != nil && rt.action.Kind == alerting.Retitle {
			rt.incident.headed = rt.incident.before
		}
		rt.action, rt.incident = nil, nil
	}
}

// recorded follows what the sending router did.
func (r *Router) recorded(rec alerting.Record) {
	over := !rec.Open && rec.Pending == ""
	for _, i := range r.incidents {
		switch {
		case i.rec.Key != rec.Key:
			continue
		case over && rec.Kind != alerting.Resolve && i.rec.Open: // a person closed it at the pager
			r.closed(alerting.Closed{Key: rec.Key})
		case over:
			r.close(i)
		default:
			i.rewrite(rec)
			i.titled = r.now
		}
		return
	}
	if over {
		if p := r.past[rec.Base]; rec.Generation >= p.generation {
			r.past[rec.Base] = past{rec.Generation, rec.UpdatedAt, rec.Returns}
		}
		return
	}
	r.revive(rec)
	r.unheard(r.now)
	if r.storm && rec.Page.Priority <= alerting.P2 {
		r.highs = append(r.highs, r.now)
	}
}

func (r *Router) known(key string) bool {
	for _, i := range r.incidents {
		if i.rec.Key == key {
			return true
		}
	}
	return false
}

// unheard places what was restored, once there is a time.
func (r *Router) unheard(now time.Time) {
	for _, a := range r.alarms {
		if a.unheard && a.first.IsZero() {
			a.first = now
			r.locate(a)
		}
	}
}
