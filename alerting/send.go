package alerting

import (
	"fmt"
	"time"
)

// route is one routing key at the pager: its order on the wire and its rate.
type route struct {
	flight  *Action   // that has no answer yet
	subject *incident // of flight
	tokens  float64
	filled  time.Time
	slow    float64   // share of the rate after it was refused, 1 when all is well
	blocked time.Time // nothing goes out before
	fails   int       // answers lost in a row
}

// send picks the first wish that the route has room for and makes an action of it.
func (r *Router) send(now time.Time, name string, ws []wish) (Action, bool) {
	rt := r.routes[name]
	if rt == nil {
		rt = &route{tokens: float64(r.set.Rate.PerMinute), filled: now, slow: 1}
		r.routes[name] = rt
	}
	if rt.flight != nil || len(ws) == 0 {
		return Action{}, false
	}
	if now.Before(rt.blocked) {
		r.due(rt.blocked)
		return Action{}, false
	}
	perSecond := float64(r.set.Rate.PerMinute) / 60 * rt.slow
	rt.tokens = min(float64(r.set.Rate.PerMinute), rt.tokens+now.Sub(rt.filled).Seconds()*perSecond)
	rt.filled = now
	for _, w := range ws {
		keep := float64(r.set.Rate.Reserve)
		if w.class == classP1 || w.class == classResolve {
			keep = 0 // independent P1s are never held for a rate of ours; the pager's own 429 answers
		}
		if rt.tokens-keep < 1 && w.class != classP1 {
			r.due(now.Add(time.Duration((keep + 1 - rt.tokens) / perSecond * float64(time.Second))))
			continue
		}
		rt.tokens = max(rt.tokens-1, 0)
		a := r.action(now, name, w)
		rt.flight, rt.subject = &a, w.inc
		if a.Kind == Trigger {
			rt.subject = r.incidents[a.Key]
		}
		return a, true
	}
	return Action{}, false
}

// action makes the call and the record of what will be true once it was accepted.
func (r *Router) action(now time.Time, name string, w wish) Action {
	r.seq++
	a := Action{ID: fmt.Sprintf("%d-%d", r.begun.UnixNano(), r.seq), Kind: w.kind, Route: name, Text: w.text}
	inc := w.inc
	if w.kind == Trigger {
		inc = r.trigger(now, name, w)
	}
	rec := inc.rec
	rec.Kind, rec.UpdatedAt, rec.Pending = w.kind, now, ""
	switch w.kind {
	case Trigger:
		rec.Open = true
		if rec.OpenedAt.IsZero() {
			rec.OpenedAt = now
		}
	case Retitle:
		rec.Page = r.page(now, w.prob)
	case Resolve:
		rec.Open = false
	}
	if w.kind == Trigger || w.kind == Retitle {
		rec.Page.Behind = r.waiting(w.prob)
	}
	a.Key, a.Page, a.Record = rec.Key, rec.Page, rec
	return a
}

// trigger finds or makes the incident of a problem and puts today's page into it.
func (r *Router) trigger(now time.Time, name string, w wish) *incident {
	p, inc := w.prob, w.inc
	if inc == nil || inc.sent {
		old := inc
		inc = r.newIncident(now, name, p)
		if old != nil { // its acknowledgement is to be broken
			inc.supersede = old.rec.Key
			for fp := range old.fps {
				inc.fps[fp] = true
			}
		}
		p.incident = inc
	}
	inc.rec.Page = r.page(now, p)
	inc.rec.Page.Reason = p.reason + returned(inc.rec.Returns)
	inc.rootFP, inc.headFP = p.root.fp, p.head().fp
	for _, m := range p.members {
		inc.fps[m.fp] = true
	}
	inc.fps[p.root.fp], inc.fps[p.head().fp] = true, true
	inc.problem, inc.quiet, inc.quietSeen = p, time.Time{}, 0
	return inc
}

func returned(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("; it came back %d times within the time", n)
}

// newIncident gives a problem its dedup key: fleet:rule:root entity:generation.
func (r *Router) newIncident(now time.Time, name string, p *problem) *incident {
	base := fmt.Sprintf("%s:%s:%s", r.set.Fleet, p.root.Rule(), first(p.root.entity, p.root.fp))
	past, seen := r.past[base]
	rec := Record{Base: base, Route: name, Generation: 1}
	if seen {
		rec.Generation = past.Generation + 1
		if now.Sub(past.UpdatedAt) < r.set.Resolve.ReturnWithin {
			rec.Returns = past.Returns + 1
		}
	}
	rec.Key = fmt.Sprintf("%s:%d", shorten(base), rec.Generation)
	inc := &incident{rec: rec, fps: map[string]bool{}}
	r.incidents[rec.Key] = inc
	r.forgetPast(now)
	return inc
}

// maxKey is the longest dedup key without its generation.
// Source: PagerDuty Events API v2, dedup_key, 255 characters, read August 2026.
const maxKey = 240

func shorten(base string) string {
	if len(base) <= maxKey {
		return base
	}
	return base[:maxKey-17] + "~" + Alarm{Labels: map[string]string{"key": base}}.Fingerprint()
}

// forgetPast bounds the memory of closed incidents.
func (r *Router) forgetPast(now time.Time) {
	if len(r.past) <= 10_000 {
		return
	}
	for base, rec := range r.past {
		if !rec.Open && now.Sub(rec.UpdatedAt) > 24*time.Hour {
			delete(r.past, base)
		}
	}
}

// waiting lists what waits behind a page.
func (r *Router) waiting(p *problem) (out []string) {
	for _, o := range r.problems {
		if o != p && (o.state == Held || o.state == Waiting) && o.priority <= P3 {
			out = append(out, fmt.Sprintf("%s %s", o.priority, sentence(o, o.head())))
		}
		if len(out) == 5 {
			break
		}
	}
	return out
}

// result takes the answer to an action.
func (r *Router) result(now time.Time, res Result) {
	for _, rt := range r.routes {
		if rt.flight == nil || rt.flight.ID != res.ActionID {
			continue
		}
		a, inc := rt.flight, rt.subject
		rt.flight, rt.subject = nil, nil
		switch res.Outcome {
		case Accepted:
			rt.fails = 0
			rt.slow = min(1, rt.slow*1.25)
			r.accepted(now, a, inc)
		case Refused:
			rt.fails = 0
			r.refusedBy(now, a, inc)
		case Throttled:
			rt.slow = max(rt.slow/2, 1.0/32)
			rt.blocked = now.Add(max(res.After, r.set.Rate.Probe))
			rt.tokens = min(rt.tokens, 1)
		default:
			rt.fails++
			rt.blocked = now.Add(min(r.set.Rate.RetryMax, time.Second<<min(rt.fails-1, 6)))
			inc.maybe = inc.maybe || a.Kind == Trigger
		}
	}
}

func (r *Router) accepted(now time.Time, a *Action, inc *incident) {
	acked, at := inc.rec.AckedBy, inc.rec.AckedAt
	switch a.Kind {
	case Trigger:
		inc.rec = a.Record
		inc.rec.AckedBy, inc.rec.AckedAt = acked, at
		inc.rec.OpenedAt = now
		inc.sent, inc.maybe = true, false
		r.past[inc.rec.Base] = inc.rec
		if old := r.incidents[inc.supersede]; old != nil {
			old.broken = true
		}
	case Retitle:
		inc.rec.Page = a.Page
		r.renamed(inc)
		inc.notes = append(inc.notes, fmt.Sprintf("%s: %s First: %s", a.Page.Priority, a.Page.Sentence+" ["+a.Page.Rule+"].", a.Page.Guidance))
	case Resolve:
		r.closed(now, inc)
	case Note:
		if len(inc.notes) > 0 {
			inc.notes = inc.notes[1:]
		}
	}
}

// renamed notes what an incident is called now.
func (r *Router) renamed(inc *incident) {
	if p := inc.problem; p != nil {
		inc.rootFP, inc.headFP = p.root.fp, p.head().fp
	}
	inc.wanted, inc.changed = "", time.Time{}
}

// refusedBy handles what repeating will not cure. A title or a note is given up: the page itself is
// there. A trigger, of which the pager already tried the plain form, is tried again later.
func (r *Router) refusedBy(now time.Time, a *Action, inc *incident) {
	switch a.Kind {
	case Retitle:
		inc.rec.Page = a.Page
		r.renamed(inc)
	case Note:
		if len(inc.notes) > 0 {
			inc.notes = inc.notes[1:]
		}
	case Resolve:
		r.closed(now, inc)
	default:
		inc.retryAt = now.Add(time.Minute)
	}
}

// closed ends an incident.
func (r *Router) closed(now time.Time, inc *incident) {
	inc.rec.Open, inc.rec.UpdatedAt = false, now
	r.past[inc.rec.Base] = inc.rec
	delete(r.incidents, inc.rec.Key)
}
