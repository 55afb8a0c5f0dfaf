package alerting

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// wish is an action that would be right now, with its place in the queue. It is made anew at each step,
// so that what goes out is decided when it goes out, never when it was queued.
type wish struct {
	kind  ActionKind
	inc   *incident
	prob  *problem
	text  string
	class int // 0 first
}

// Classes of wishes: what goes first on a route.
const (
	classP1 = iota
	classRetitle
	classResolve
	classP2
	classP3
	classNote
)

// decide returns the next action of each route that has none unanswered.
func (r *Router) decide(now time.Time) (out []Action) {
	r.plan(now)
	wishes := map[string][]wish{}
	for _, p := range r.problems {
		if p.state == stateReady {
			class := pick(p.priority == P1, classP1, pick(p.priority == P2, classP2, classP3))
			name := r.set.RouteBy(p.head().Labels)
			wishes[name] = append(wishes[name], wish{kind: Trigger, prob: p, inc: p.incident, class: class})
		}
	}
	for _, inc := range r.sortedIncidents() {
		if w, ok := r.incidentWish(now, inc); ok {
			wishes[inc.rec.Route] = append(wishes[inc.rec.Route], w)
		}
	}
	names := make([]string, 0, len(wishes))
	for n := range wishes {
		names = append(names, n)
	}
	slices.Sort(names)
	for _, name := range names {
		ws := wishes[name]
		slices.SortStableFunc(ws, func(a, b wish) int { return cmp.Compare(a.class, b.class) })
		if a, ok := r.send(now, name, ws); ok {
			out = append(out, a)
		}
	}
	return out
}

// stateReady is a problem whose page may go out.
const stateReady State = "ready"

// plan puts every problem into its state.
func (r *Router) plan(now time.Time) {
	worst := map[string][]*problem{} // by route: what others may be held behind, in order
	for _, p := range r.problems {
		name := r.set.RouteBy(p.head().Labels)
		p.state, p.until, p.behind = Board, time.Time{}, ""
		switch inc := p.incident; {
		case p.silenced != nil:
			p.state, p.until = Quiet, p.silenced.EndsAt
			continue
		case inc != nil && inc.sent && !r.breaks(p, inc):
			r.planOpen(p, inc)
		case inc != nil && inc.maybe && !inc.sent && p.live():
			p.state = stateReady // the answer was lost: the same key again does no harm
		case p.root.Labels[LabelPage] == "never" || p.priority > P3 || !p.live() || p.lostOnly():
			r.markUrgent(now, p, false)
			continue
		default:
			r.markUrgent(now, p, true)
			r.planNew(now, p, worst[name])
		}
		if p.priority <= P2 && !(p.state == AckedState) {
			worst[name] = append(worst[name], p)
		}
	}
}

// lostOnly says that nobody was told of a problem and its sender is gone: there is no telling whether it holds.
func (p *problem) lostOnly() bool {
	return p.root.lost && p.incident == nil && len(p.symptoms) == 0 && p.root.effect()
}

func (r *Router) planOpen(p *problem, inc *incident) {
	p.state = Paged
	switch {
	case inc.rec.AckedBy != "":
		p.state = AckedState
	case !inc.quiet.IsZero():
		p.state, p.until = Recovering, inc.quiet.Add(r.set.Resolve.Quiet)
	}
}

// breaks says whether a problem got worse than what was acknowledged, so that a new incident must say so: an
// acknowledged one stays silent whatever is sent.
func (r *Router) breaks(p *problem, inc *incident) bool {
	return inc.sent && inc.rec.AckedBy != "" && p.priority == P1 && inc.rec.Page.Priority > P1
}

// markUrgent notes since when an alarm makes a problem that wakes.
func (r *Router) markUrgent(now time.Time, p *problem, wakes bool) {
	for _, a := range append([]*alarm{p.root}, p.symptoms...) {
		switch {
		case !wakes && !a.symptom():
			a.urgent = time.Time{}
		case wakes && a.urgent.IsZero():
			a.urgent = now
		}
	}
}

// planNew decides whether a problem that nobody was told of waits, is held, or may go out.
func (r *Router) planNew(now time.Time, p *problem, before []*problem) {
	ready := r.waitUntil(p)
	if listen := r.listenUntil(p); listen.After(ready) {
		ready = listen
	}
	if now.Before(ready) {
		p.state, p.until = Waiting, ready
		r.due(ready)
		return
	}
	if until, behind := r.heldUntil(now, p, before, ready); now.Before(until) {
		p.state, p.until, p.behind = Held, until, behind
		r.due(until)
		return
	}
	if p.incident != nil && now.Before(p.incident.retryAt) {
		p.state, p.until = Waiting, p.incident.retryAt
		r.due(p.incident.retryAt)
		return
	}
	p.state = stateReady
}

// waitUntil is when the title may be fixed: seconds spent here buy the right one.
func (r *Router) waitUntil(p *problem) time.Time {
	w := r.set.Wait
	start := p.root.urgent
	for _, m := range p.members { // what it explains may have waited already, under another root
		if !m.urgent.IsZero() && m.holds() && m.urgent.Before(start) {
			start = m.urgent
		}
	}
	if len(p.symptoms) > 0 {
		s := p.symptoms[0]
		alone := s.urgent.Add(w.SymptomAlone)
		if s == p.root {
			return alone
		}
		with := s.urgent.Add(w.SymptomWithCause)
		if c := p.root.since.Add(w.SymptomWithCause); c.After(with) {
			with = c
		}
		return minTime(alone, with)
	}
	if e, ok := r.graph.Get(p.root.entity); ok && e.Group != "" && (p.root.kind == "liveness" || p.root.kind == "down") {
		return p.root.urgent.Add(w.Ephemeral)
	}
	until := start.Add(w.CauseAlone)
	if fresh := p.root.urgent.Add(w.CauseAlone / 2); fresh.After(until) && (p.root.synth || len(p.members) > 0) {
		until = minTime(fresh, start.Add(2*w.CauseAlone)) // a new root gets a moment of its own
	}
	return until
}

func minTime(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// listenUntil is how long to listen before speaking, after a restart.
func (r *Router) listenUntil(p *problem) time.Time {
	if !r.earlier {
		return time.Time{}
	}
	if p.priority == P1 {
		return r.begun.Add(r.set.Start.ListenP1)
	}
	return r.begun.Add(r.set.Start.Listen)
}

// heldUntil is until when a problem is held back behind a worse one, and which.
func (r *Router) heldUntil(now time.Time, p *problem, before []*problem, ready time.Time) (until time.Time, behind string) {
	if p.priority == P1 || p.root.Labels[LabelPage] == "always" {
		return until, ""
	}
	if harm, ok := harmIn(p.root); ok && harm < r.set.Hold.HarmIn {
		return until, ""
	}
	for _, b := range before {
		var limit time.Time
		switch {
		case p.priority == P3:
			limit = ready.Add(r.set.Hold.P3)
		case b.priority == P1 && r.connected(p, b):
			limit = ready.Add(r.set.Hold.Connected)
		case b.priority == P1 || b.state != Paged && b.state != Recovering:
			limit = ready.Add(r.set.Hold.Unrelated)
		default: // a P2 behind another P2 that was told
			limit = ready.Add(r.set.Storm.Pace)
		}
		if limit.After(until) {
			until, behind = limit, b.root.fp
		}
	}
	if r.storm && r.recentPages(now) >= 2 {
		if paced := r.lastPage().Add(r.set.Storm.Pace); paced.After(until) {
			until = paced
		}
	}
	return until, behind
}

// connected says whether a problem has to do with another: the same service, or an edge between them.
func (r *Router) connected(p, b *problem) bool {
	if p.root.service() != "" && (p.root.service() == b.root.service() || p.head().service() == b.head().service()) {
		return true
	}
	x, y := r.relate(p.root.entity, b.root.entity), r.relate(b.root.entity, p.root.entity)
	return x.same || x.machine || x.depends > 0 || y.depends > 0
}

// recentPages counts the pages that went out within the storm window.
func (r *Router) recentPages(now time.Time) (n int) {
	for _, inc := range r.incidents {
		if inc.open() && now.Sub(inc.rec.OpenedAt) < r.set.Storm.Window && inc.rec.Page.Priority <= P2 {
			n++
		}
	}
	return n
}

func (r *Router) lastPage() (t time.Time) {
	for _, inc := range r.incidents {
		if inc.open() && inc.rec.OpenedAt.After(t) {
			t = inc.rec.OpenedAt
		}
	}
	return t
}

// incidentWish is what an open incident wants next.
func (r *Router) incidentWish(now time.Time, inc *incident) (wish, bool) {
	if now.Before(inc.retryAt) {
		r.due(inc.retryAt)
		return wish{}, false
	}
	if inc.open() && r.over(now, inc) {
		return wish{kind: Resolve, inc: inc, class: classResolve}, true
	}
	if !inc.sent {
		return wish{}, false
	}
	if p := inc.problem; p != nil && p.incident == inc && r.betterTitle(now, inc, p) {
		return wish{kind: Retitle, inc: inc, prob: p, class: classRetitle}, true
	}
	r.noteHidden(now, inc)
	if len(inc.notes) > 0 {
		return wish{kind: Note, inc: inc, prob: inc.problem, text: inc.notes[0], class: classNote}, true
	}
	return wish{}, false
}

// over says whether an incident is to be resolved.
func (r *Router) over(now time.Time, inc *incident) bool {
	if inc.broken {
		return true
	}
	if inc.quiet.IsZero() || inc.quietSeen < 2 || now.Sub(inc.quiet) < r.set.Resolve.Quiet {
		return false
	}
	if r.earlier && now.Sub(r.begun) < r.set.Start.ListenResolve {
		r.due(r.begun.Add(r.set.Start.ListenResolve))
		return false // who was not heard since the start is unknown, not resolved
	}
	return true
}

// betterTitle says whether the incident should be called something else: a better cause came, users
// began to be hurt, or what is left is another thing. It must have stood for a moment.
func (r *Router) betterTitle(now time.Time, inc *incident, p *problem) bool {
	if !p.live() || p.priority > P3 {
		return false // what nobody would be told of gives no title: the incident is on its way out
	}
	head := p.head()
	better := p.priority < inc.rec.Page.Priority
	other := head.fp != inc.headFP && head.Rule() != inc.rec.Page.Rule
	if old := r.alarms[inc.headFP]; other && old != nil && old.holds() && rootRank(old) >= rootRank(head) && !head.symptom() {
		other = false
	}
	want := fmt.Sprint(head.Rule(), p.priority)
	if !better && !other {
		inc.wanted = ""
		return false
	}
	if inc.wanted != want {
		inc.wanted, inc.changed = want, now
	}
	if now.Sub(inc.changed) < r.set.Wait.Retitle {
		r.due(inc.changed.Add(r.set.Wait.Retitle))
		return false
	}
	return true
}

// noteHidden tells once, on the root's incident, what has been hidden for long.
func (r *Router) noteHidden(now time.Time, inc *incident) {
	if inc.problem == nil || len(inc.notes) > 0 {
		return
	}
	var long []string
	for _, m := range inc.problem.members {
		if m.holds() && !m.synth && !m.told && !m.hidden.IsZero() && now.Sub(m.hidden) > r.set.HiddenFor && severityRank(m.alarm) == 3 {
			m.told = true
			long = append(long, m.Rule()+" on "+place1(m.alarm))
		}
	}
	if len(long) == 0 {
		return
	}
	slices.Sort(long)
	text := fmt.Sprintf("%d alarms explained by this have been firing for over %v: ", len(long), r.set.HiddenFor)
	for i, l := range long {
		if i == 20 {
			text += fmt.Sprintf("and %d more", len(long)-i)
			break
		}
		text += pickText(i > 0, "; ", "") + l
	}
	inc.notes = append(inc.notes, text)
}

func pickText(cond bool, yes, no string) string {
	if cond {
		return yes
	}
	return no
}
