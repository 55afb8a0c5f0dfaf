package alerting

import "time"

// Restore tells of an earlier life, before the first Step or, when the ledger was late, after it. Keys that
// are known already are left alone. The alarms behind open incidents hold until somebody tells otherwise: not
// heard is not ended.
func (r *Router) Restore(recs []Record) {
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
		i := &incident{rec: rec}
		for n, a := range rec.Page.Explained {
			fp := a.Fingerprint()
			if n < maxCore {
				i.core = append(i.core, fp)
			}
			if r.alarms[fp] == nil && rec.Kind != Resolve {
				r.alarms[fp] = &alarm{fp: fp, Alarm: a, unheard: true}
			}
		}
		if len(i.core) > 0 {
			i.headed = i.core[0]
		} else {
			i.core = []string{rec.Key}
		}
		if rec.Pending != "" { // it may have had its effect, or not
			i.rec.Pending = ""
			switch rec.Kind {
			case Trigger:
				i.tried, i.rec.Open = true, false
			case Resolve:
				i.resolving, i.rec.Open = true, true
			default:
				i.stale = true
			}
		}
		i.digest = rec.Page.Priority >= P3
		r.incidents = append(r.incidents, i)
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
