package alerting

import (
	"fmt"
	"strings"
	"time"
)

// incident is what a person was told, or is about to be: one dedup key.
type incident struct {
	rec    Record
	rootFP string
	headFP string
	fps    map[string]bool // all alarms that were ever behind it

	sent   bool // the pager has it
	maybe  bool // it may have it: an answer was lost
	merged bool // another incident speaks for the same problem

	problem   *problem
	quiet     time.Time // since when all is quiet; zero: it is not
	quietSeen int       // steps that found it quiet
	changed   time.Time // since when its title should be another
	wanted    string    // that title, to see whether it stands
	notes     []string  // to be told
	retryAt   time.Time // after a refusal
	broken    bool      // its acknowledgement was broken by a new generation
	supersede string    // key of the incident whose acknowledgement this one breaks
}

func (i *incident) open() bool { return i.sent || i.maybe }

// attach finds the problem that each incident is about now: the one of its root, else of its head,
// else the one with most of its alarms.
func (r *Router) attach(now time.Time) {
	of := map[string]*problem{}
	for _, p := range r.problems {
		of[p.root.fp] = p
		for _, m := range p.members {
			of[m.fp] = p
		}
	}
	taken := map[*problem]*incident{}
	for _, inc := range r.sortedIncidents() {
		inc.problem, inc.merged = mine(inc, of), false
		if p := inc.problem; p != nil {
			if taken[p] != nil && !inc.broken {
				inc.merged = true
			} else if !inc.broken {
				taken[p] = inc
			}
			inc.fps[p.root.fp] = true
			for _, m := range p.members {
				inc.fps[m.fp] = true
			}
		}
		r.calm(now, inc)
		if !inc.open() && !r.inFlight(inc) && (inc.problem == nil || !inc.problem.live()) {
			delete(r.incidents, inc.rec.Key) // the pager never saw it and there is nothing to tell any more
			delete(taken, inc.problem)
		}
	}
	for _, p := range r.problems {
		p.incident = taken[p]
	}
}

func (r *Router) inFlight(inc *incident) bool {
	for _, rt := range r.routes {
		if rt.subject == inc {
			return true
		}
	}
	return false
}

func mine(inc *incident, of map[string]*problem) *problem {
	for _, fp := range []string{inc.rootFP, inc.headFP} {
		if p := of[fp]; p != nil && p.live() {
			return p
		}
	}
	var best *problem
	count := map[*problem]int{}
	for fp := range inc.fps {
		p := of[fp]
		if p == nil {
			continue
		}
		count[p]++
		if best == nil || count[p] > count[best] && p.priority <= best.priority || p.priority < best.priority ||
			count[p] == count[best] && p.priority == best.priority && p.root.fp < best.root.fp {
			best = p
		}
	}
	return best
}

// live says that a problem still asks for a person: its root holds, or users are hurt.
func (p *problem) live() bool { return p.root.holds() || len(p.symptoms) > 0 }

// calm notes since when an incident is quiet: nothing of it holds that would have been told.
func (r *Router) calm(now time.Time, inc *incident) {
	p := inc.problem
	loud := p != nil && p.live() && p.priority <= P3 && !inc.merged && !inc.broken
	if inc.merged && p.live() { // told in another incident too; its own alarms end it
		for _, fp := range []string{inc.rootFP, inc.headFP} {
			a := r.alarms[fp]
			loud = loud || a != nil && a.holds()
		}
	}
	if loud {
		inc.quiet, inc.quietSeen = time.Time{}, 0
		return
	}
	if inc.quiet.IsZero() {
		inc.quiet = now
	}
	inc.quietSeen++
	r.due(inc.quiet.Add(r.set.Resolve.Quiet))
}

// page composes what a person reads of a problem.
func (r *Router) page(now time.Time, p *problem) Page {
	head := p.head()
	pg := Page{
		Priority: p.priority, Rule: head.Rule(), Entity: first(head.entity, head.Labels["instance"]), Service: head.service(),
		Broken: summary(p.root), Since: p.root.since, Reason: p.reason, Runbook: head.Annotations[AnnotationRunbook],
		Guidance: first(head.Annotations[AnnotationGuidance], p.root.Annotations[AnnotationGuidance]),
	}
	if p.root != head && p.root.Annotations[AnnotationGuidance] != "" {
		pg.Guidance, pg.Runbook = p.root.Annotations[AnnotationGuidance], first(p.root.Annotations[AnnotationRunbook], pg.Runbook)
	}
	if pg.Guidance == "" {
		pg.Guidance = "This alarm's rule has no guidance: look at " + first(pg.Entity, pg.Rule) + " first."
	}
	pg.Impact = "No user is known to be hurt."
	if len(p.symptoms) > 0 {
		pg.Impact = summary(p.symptoms[0])
		pg.Since = p.symptoms[0].since
		if p.root.since.Before(pg.Since) {
			pg.Since = p.root.since
		}
	}
	pg.Sentence = sentence(p, head)
	pg.Explained = p.explained(head)
	pg.Changed = r.changes(now)
	return pg
}

// head is the alarm whose rule stands in the title: the root, but a root that is only a guess, or
// that is over, leaves the title to what users feel.
func (p *problem) head() *alarm {
	if len(p.symptoms) > 0 && p.symptoms[0].severity() == "critical" && (p.root.synth || !p.root.holds()) {
		return p.symptoms[0]
	}
	return p.root
}

func summary(a *alarm) string {
	return first(a.Annotations[AnnotationSummary], a.Annotations["description"], strings.TrimSpace(a.Rule()+" on "+place1(a)))
}

// maxSentence is what a locked phone shows of a title, less the priority and the rule.
const maxSentence = 80

// sentence says who is hurt and what is broken.
func sentence(p *problem, head *alarm) string {
	what := summary(head)
	if len(p.symptoms) == 0 {
		return cut(what, maxSentence)
	}
	if head.symptom() && head != p.root && p.root.holds() {
		return cut(cut(what, maxSentence/2)+": "+summary(p.root), maxSentence)
	}
	if head.symptom() {
		return cut(what, maxSentence)
	}
	return cut("Users hurt: "+what, maxSentence)
}

// cut shortens text to n characters, at a word where there is one.
func cut(text string, n int) string {
	text = strings.Join(strings.Fields(text), " ")
	rs := []rune(text)
	if len(rs) <= n {
		return text
	}
	short := string(rs[:n-1])
	if i := strings.LastIndexByte(short, ' '); i > n/2 {
		short = short[:i]
	}
	return short + "…"
}

// maxExplained bounds the alarms in one page; the board has all.
const maxExplained = 1000

// explained lists the alarms behind a problem, the head first; roll-ups are told by their members.
func (p *problem) explained(head *alarm) []Alarm {
	out := []Alarm{head.Alarm}
	add := func(a *alarm) {
		if a != head && (a.holds() || a == p.root) && len(out) < maxExplained {
			out = append(out, a.Alarm)
		}
	}
	if !p.root.synth {
		add(p.root)
	}
	for _, s := range p.symptoms {
		if s != p.root {
			add(s)
		}
	}
	for _, m := range p.members {
		if !m.synth && !m.symptom() {
			add(m.alarm)
		}
	}
	return out
}

// changes lists what changed lately: deploys and configuration.
func (r *Router) changes(now time.Time) (out []string) {
	for _, a := range r.sorted() {
		if a.kind == "change" && (a.holds() || now.Sub(a.endedAt) < time.Hour) {
			out = append(out, fmt.Sprintf("%s, %s ago", summary(a), now.Sub(a.since).Round(time.Second)))
		}
	}
	return out
}
