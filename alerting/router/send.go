package router

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/navcloud/binnacle/alerting"
)

// route is the way to one on-call: one action unanswered at most, and no more in a minute than the pager takes.
type route struct {
	action   *alerting.Action // unanswered
	incident *incident
	sent     []time.Time // events of the last minute
	limit    int         // events a minute, now
	limited  time.Time   // when limit last changed
	until    time.Time   // no events before
	fails    int         // answers lost in a row
}

// DefaultRoute is where alarms go that no other route is for.
const DefaultRoute = "default"

func (r *Router) route(p *problem) string {
	if p.incident != nil && !p.incident.digest && !r.outgrew(p) {
		return p.incident.rec.Route
	}
	if p.priority >= alerting.P3 && r.set.LowRoute != "" {
		return r.set.LowRoute
	}
	if r.set.RouteBy == nil {
		return DefaultRoute
	}
	return cmp.Or(r.set.RouteBy(p.head.Labels), DefaultRoute)
}

// outgrew says that what was told, or tried, on the route that wakes nobody must wake somebody now.
func (r *Router) outgrew(p *problem) bool {
	return !p.told && p.priority <= alerting.P2 && r.set.LowRoute != "" && p.incident.rec.Route == r.set.LowRoute
}

// want is one thing that could be sent now. The least goes first.
type want struct {
	class    int
	kind     alerting.ActionKind
	problem  *problem
	incident *incident
	more     []*problem // of a digest
}

const (
	classTriggerP1 = iota
	classTitleP1
	classTriggerP2
	classTitle
	classResolve
	classTriggerP3
	classNote
)

// send chooses for each route what goes out next. It is decided anew each time, so that order, title and priority
// are those of the moment.
func (r *Router) send() []alerting.Action {
	wants := map[string][]want{}
	r.wantPages(wants)
	r.wantRest(wants)
	var out []alerting.Action
	for _, name := range slices.Sorted(maps.Keys(wants)) {
		rt := r.routes[name]
		if rt == nil {
			rt = &route{limit: r.set.Rate.PerMinute}
			r.routes[name] = rt
		}
		if rt.action != nil {
			continue
		}
		list := wants[name]
		slices.SortStableFunc(list, func(a, b want) int { return cmp.Compare(a.class, b.class) })
		for _, w := range list {
			if !r.allowed(rt, w) {
				continue
			}
			a := r.act(name, w)
			rt.action, rt.incident = &a, w.incident
			if rt.incident == nil {
				rt.incident = w.problem.incident
			}
			if a.Kind == alerting.Trigger || a.Kind == alerting.Resolve {
				rt.sent = append(rt.sent, r.now)
			}
			out = append(out, a)
			break
		}
	}
	return out
}

// wantPages adds triggers that are due, the P3 ones of a route as one, and changes of title.
func (r *Router) wantPages(wants map[string][]want) {
	digest := map[string]int{}
	for _, p := range r.problems {
		name := r.route(p)
		switch {
		case p.told && p.incident.rec.Open && r.retitled(p):
			w := want{class: classTitle, kind: alerting.Retitle, problem: p, incident: p.incident}
			if p.priority == alerting.P1 {
				w.class = classTitleP1
			}
			wants[name] = append(wants[name], w)
		case p.told || p.state != alerting.Waiting || !p.until.IsZero():
		case p.incident != nil && p.incident.tried && !r.passed(p.incident.after):
		case p.priority <= alerting.P2:
			class := classTriggerP1
			if p.priority == alerting.P2 {
				class = classTriggerP2
			}
			wants[name] = append(wants[name], want{class: class, kind: alerting.Trigger, problem: p})
		default:
			if n, ok := digest[name]; ok && p.incident == nil {
				w := &wants[name][n]
				w.more = append(w.more, p)
				continue
			}
			if p.incident == nil {
				digest[name] = len(wants[name])
			}
			wants[name] = append(wants[name], want{class: classTriggerP3, kind: alerting.Trigger, problem: p})
		}
	}
}

// wantRest adds resolves and notes.
func (r *Router) wantRest(wants map[string][]want) {
	for _, i := range r.incidents {
		name := i.rec.Route
		switch {
		case r.resolvable(i):
			wants[name] = append(wants[name], want{class: classResolve, kind: alerting.Resolve, incident: i})
		case len(i.notes) > 0 && i.rec.Open && r.passed(i.after):
			wants[name] = append(wants[name], want{class: classNote, kind: alerting.Note, incident: i})
		}
	}
}

// retitlePace keeps titles from changing back and forth. A cause that was found changes one at once.
const retitlePace = 30 * time.Second

// retitled says whether an open incident should say something else: a better cause, or what users still feel when
// the cause is over. Other leftovers do not change it.
func (r *Router) retitled(p *problem) bool {
	i := p.incident
	if !p.awake || i.deaf || i.digest || i.rec.AckedBy != "" && !i.closedAt.IsZero() || !r.passed(i.after) {
		return false
	}
	same := i.headed == p.head.fp || slices.ContainsFunc(p.head.members, func(m *alarm) bool { return m.fp == i.headed })
	if same && p.priority >= i.rec.Page.Priority && !i.stale {
		return false
	}
	switch {
	case i.stale, p.priority < i.rec.Page.Priority, p.head == p.root && !p.head.derived():
		return true
	case p.head.rank == rankFelt && !r.holding(i.headed): // it outlives its cause
		return r.passed(i.titled.Add(retitlePace))
	}
	return false
}

// allowed says whether the limits let it go now. Room is kept for P1 and for resolves.
func (r *Router) allowed(rt *route, w want) bool {
	if w.kind != alerting.Trigger && w.kind != alerting.Resolve {
		return true
	}
	if !r.passed(rt.until) {
		return false
	}
	rt.sent = slices.DeleteFunc(rt.sent, func(t time.Time) bool { return r.now.Sub(t) >= time.Minute })
	if rt.limit < r.set.Rate.PerMinute && r.now.Sub(rt.limited) >= time.Minute {
		rt.limit, rt.limited = min(r.set.Rate.PerMinute, rt.limit*2), r.now
	}
	limit := rt.limit
	if w.class != classTriggerP1 && w.kind != alerting.Resolve {
		limit -= min(r.set.Rate.Reserve, limit/2)
	}
	if len(rt.sent) < limit {
		return true
	}
	r.at(rt.sent[0].Add(time.Minute))
	return false
}

// act makes the action of a want.
func (r *Router) act(name string, w want) alerting.Action {
	r.serial++
	a := alerting.Action{ID: fmt.Sprintf("%x-%d", r.now.UnixNano(), r.serial), Kind: w.kind, Route: name}
	i := w.incident
	switch w.kind {
	case alerting.Trigger:
		i = r.open(name, w)
		a.Page = r.page(w.problem, w.more)
		if n := i.rec.Returns; n > 0 {
			a.Page.Reason += fmt.Sprintf("; it came back %d times within %s", n, plain(r.set.Resolve.ReturnWithin))
		}
		i.rec.Page = a.Page
	case alerting.Retitle:
		a.Page = r.page(w.problem, nil)
		i.before, i.headed, i.titled = i.headed, w.problem.head.fp, r.now
		i.said, i.saidAt, i.newsIn = standing(a.Page), r.now, newsFirst
	case alerting.Resolve:
		i.resolving = true
		a.Page = i.rec.Page
	case alerting.Note:
		a.Page, a.Text = i.rec.Page, i.notes[0]
	}
	a.Key = i.rec.Key
	a.Record = i.rec
	a.Record.Kind, a.Record.Page, a.Record.UpdatedAt, a.Record.Pending = w.kind, a.Page, r.now, ""
	a.Record.Open = w.kind != alerting.Resolve
	a.Record.Stale = i.stale && w.kind != alerting.Retitle
	return a
}

// maxNotes wait on one incident.
const maxNotes = 8

// open finds the incident that a trigger is for, or makes it: one that was tried keeps its key, so that trying
// again is harmless.
func (r *Router) open(name string, w want) *incident {
	p := w.problem
	if i := p.incident; i != nil && i.tried && !r.outgrew(p) {
		if i.headed != p.head.fp {
			i.stale = true // should the first try have had its effect
		}
		i.core, i.headed = core(p), p.head.fp
		return i
	}
	base := strings.Join([]string{r.set.Fleet, p.head.Rule(), cmp.Or(p.head.entity.ID, p.head.fp)}, ":")
	generation, returns := r.generation(base)
	i := &incident{core: core(p), headed: p.head.fp, titled: r.now, tried: true, digest: len(w.more) > 0}
	i.rec = alerting.Record{
		Key: fmt.Sprintf("%s:%d", base, generation), Base: base, Generation: generation, Route: name, OpenedAt: r.now,
		Returns: returns, Page: alerting.Page{Priority: p.priority},
	}
	if c, ok := r.claimed(p); ok && !i.digest {
		i.rec.AckedBy, i.rec.AckedAt = c.by, c.at
	}
	p.incident = i
	for _, m := range w.more {
		m.incident = i
		i.core = append(i.core, m.head.fp)
	}
	r.incidents = append(r.incidents, i)
	return i
}

// result takes the answer to an action.
func (r *Router) result(in alerting.Result) {
	for _, name := range slices.Sorted(maps.Keys(r.routes)) {
		rt := r.routes[name]
		if rt.action == nil || rt.action.ID != in.ActionID {
			continue
		}
		a, i := *rt.action, rt.incident
		rt.action, rt.incident = nil, nil
		event := a.Kind == alerting.Trigger || a.Kind == alerting.Resolve
		switch {
		case in.Outcome == alerting.Accepted:
			r.accepted(rt, a, i)
		case in.Outcome == alerting.Refused:
			r.refusedFor(a, i)
		case !event:
			if a.Kind == alerting.Retitle {
				i.headed = i.before // else it would pass for told
			}
			i.tries++
			i.after = r.now.Add(max(in.After, min(time.Second<<min(i.tries, 5), 30*time.Second)))
		case in.Outcome == alerting.Throttled:
			rt.limit, rt.limited = max(1, rt.limit/2), r.now
			rt.until = r.now.Add(max(in.After, r.set.Rate.Probe))
		default:
			rt.until = r.now.Add(max(in.After, min(time.Second<<min(rt.fails, 8), r.set.Rate.RetryMax)))
			rt.fails++
		}
	}
}

func (r *Router) accepted(rt *route, a alerting.Action, i *incident) {
	i.tries = 0
	if a.Kind == alerting.Trigger || a.Kind == alerting.Resolve {
		rt.fails = 0
	}
	switch a.Kind {
	case alerting.Trigger, alerting.Retitle:
		by, at := i.rec.AckedBy, i.rec.AckedAt
		if !i.closedAt.IsZero() { // closed by a person while the answer was under way
			return
		}
		if a.Kind == alerting.Retitle && i.rec.Page.Rule != a.Page.Rule {
			i.note(fmt.Sprintf("New title: %s [%s]. First: %s", a.Page.Sentence, a.Page.Rule, a.Page.Guidance))
		}
		i.rec = a.Record
		i.rec.AckedBy, i.rec.AckedAt = by, at
		i.tried = false
		if a.Kind == alerting.Retitle {
			i.stale = false
		} else if r.storm && a.Page.Priority <= alerting.P2 {
			r.highs = append(r.highs, r.now)
			if len(r.highs) > maxHighs {
				r.highs = r.highs[1:]
			}
		}
	case alerting.Resolve:
		r.close(i)
	case alerting.Note:
		i.notes = i.notes[1:]
	}
}

// refusedFor takes a refusal: a page is tried again at growing intervals, since a wrong key may be put right; the
// rest is given up. Package pagerduty has tried the plain form by then.
func (r *Router) refusedFor(a alerting.Action, i *incident) {
	switch a.Kind {
	case alerting.Trigger:
		i.after = r.now.Add(min(time.Minute<<min(i.tries, 4), 10*time.Minute))
		i.tries++
	case alerting.Resolve:
		r.close(i)
	case alerting.Retitle:
		i.deaf = true
	case alerting.Note:
		i.notes = i.notes[1:]
	}
}
