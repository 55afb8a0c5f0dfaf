package router

import (
	"time"

	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/topology"
)

// schedule finds for each problem where it stands and until when.
func (r *Router) schedule() {
	for _, p := range r.problems {
		p.ready = r.ready(p)
	}
	for _, p := range r.problems {
		p.state, p.until, p.behind = r.stand(p)
		r.at(p.until)
	}
}

func (r *Router) stand(p *problem) (alerting.State, time.Time, *problem) {
	switch i := p.incident; {
	case i != nil && p.told && !p.awake && i.open():
		return alerting.Recovering, i.quiet.Add(r.quietFor(p)), nil
	case i != nil && p.told && i.rec.AckedBy != "":
		return alerting.AckedState, time.Time{}, nil
	case i != nil && p.told:
		return alerting.Paged, time.Time{}, nil
	case !p.awake && p.root.silenced != "":
		return alerting.Quiet, r.silences[p.root.silenced].EndsAt, nil
	case !p.awake:
		return alerting.Recovering, p.root.ended.Add(r.set.Resolve.AfterCause), nil
	case r.boardOnly(p):
		return alerting.Board, time.Time{}, nil
	case p.ready.After(r.now):
		return alerting.Waiting, p.ready, nil
	}
	if until, behind := r.heldUntil(p); until.After(r.now) {
		return alerting.Held, until, behind
	}
	return alerting.Waiting, time.Time{}, nil // for its turn at the pager
}

// ready says when a problem has waited long enough for its cause or its effects to show.
func (r *Router) ready(p *problem) time.Time {
	if !p.awake {
		return time.Time{}
	}
	var first, symptom time.Time
	for _, a := range p.members {
		if !p.serious(a) || a.alone > alerting.P2 {
			continue
		}
		first = earlier(first, a.first)
		if a.felt() {
			symptom = earlier(symptom, a.first)
		}
	}
	w := r.set.Wait
	var ready time.Time
	switch {
	case p.flapping():
		ready = r.now
	case !symptom.IsZero():
		ready = symptom.Add(w.SymptomAlone)
		if p.head == p.root && p.root.cause() {
			ready = earlier(ready, later(symptom, p.root.first).Add(w.SymptomWithCause))
		}
	case p.priority >= alerting.P3:
		ready = p.head.first.Add(w.Low)
	case r.speaksForWhole(p.root):
		ready = p.root.first.Add(w.RollUp)
	default:
		ready = p.head.first.Add(w.CauseAlone)
	}
	if !first.IsZero() && first.Add(w.Most).Before(ready) {
		ready = first.Add(w.Most)
	}
	if symptom.IsZero() && r.ephemeral(p.root) {
		ready = later(ready, p.root.first.Add(w.Ephemeral))
	}
	return r.listening(p, ready)
}

// speaksForWhole: what stands on parts tells of a whole that may have a rule of its own.
func (r *Router) speaksForWhole(a *alarm) bool {
	return a.derived() || (a.kind == "partition" || a.kind == "quorum") && a.entity.Kind == topology.KindNode
}

// ephemeral alarms say that one machine is gone which its group replaces.
func (r *Router) ephemeral(a *alarm) bool {
	return !a.derived() && a.entity.Group != "" && (a.kind == "liveness" || a.kind == "down")
}

// listening holds everything back for a while after a restart, until senders have told what still holds.
func (r *Router) listening(p *problem, ready time.Time) time.Time {
	if r.listen.IsZero() {
		return ready
	}
	d := r.set.Start.Listen
	if p.priority == alerting.P1 {
		d = r.set.Start.ListenP1
	}
	return later(ready, r.listen.Add(d))
}

// heldUntil says how long a problem that is ready stays behind another one.
func (r *Router) heldUntil(p *problem) (until time.Time, behind *problem) {
	if p.priority == alerting.P1 || p.always() || p.harm > 0 && p.harm < r.set.Hold.HarmIn {
		return time.Time{}, nil
	}
	for _, o := range r.problems {
		if o == p || !o.awake || r.boardOnly(o) || o.head == nil || r.route(o) != r.route(p) || o.priority >= p.priority || o.priority > alerting.P2 {
			continue
		}
		if o.told && o.incident.rec.AckedBy != "" {
			continue
		}
		d := r.set.Hold.Unrelated
		switch {
		case p.priority >= alerting.P3:
			d = r.set.Hold.P3
		case r.connected(o, p):
			d = r.set.Hold.Connected
		}
		if t := p.ready.Add(d); t.After(until) {
			until, behind = t, o
		}
	}
	if !p.root.holds() && p.incident == nil { // as a rule, what follows from a cause that is over ends soon after it
		until = later(until, p.root.ended.Add(r.set.Resolve.AfterCause))
	}
	if p.priority >= alerting.P3 && r.storm {
		until = later(until, p.ready.Add(r.set.Hold.P3))
	}
	if p.priority == alerting.P2 && r.storm && len(r.highs) >= freePages {
		until = later(until, r.highs[len(r.highs)-1].Add(r.set.Storm.Pace))
	}
	return until, behind
}

// freePages of a storm go out without pace.
const freePages = 2

// maxHighs bounds what is remembered of a storm's pages: only the last one counts.
const maxHighs = 16

// stormy enters and leaves storm mode.
func (r *Router) stormy() {
	n := 0
	for n < len(r.raw) && r.now.Sub(r.raw[n]) > r.set.Storm.Window {
		n++
	}
	r.raw = r.raw[n:]
	switch {
	case !r.storm && len(r.raw) > r.set.Storm.Enter:
		r.storm, r.highs, r.noted = true, nil, r.now
	case r.storm && len(r.raw) < r.set.Storm.Leave:
		r.storm = false
	}
	if r.storm && len(r.raw) >= r.set.Storm.Leave {
		r.at(r.raw[len(r.raw)-r.set.Storm.Leave].Add(r.set.Storm.Window + time.Second))
	}
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
