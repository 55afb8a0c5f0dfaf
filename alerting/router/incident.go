package router

import (
	"cmp"
	"slices"
	"time"

	"github.com/navcloud/binnacle/alerting"
)

// incident is what a person was told, under one dedup key.
type incident struct {
	rec    alerting.Record
	core   []string // fingerprints that make it: the head, its root, what users feel
	digest bool     // it opened low for several problems at once: a digest

	tried     bool // a trigger went out that was not answered by acceptance
	resolving bool // a resolve went out: the incident may be closed at the pager
	quiet     time.Time
	closedBy  string // a person closed it at the pager
	closedAt  time.Time
	headed    string    // fingerprint that heads what was last sent
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

// incidentOf finds what a person was told of an alarm.
func (r *Router) incidentOf(a *alarm) *incident {
	for _, i := range r.incidents {
		if slices.Contains(i.core, a.fp) {
			return i
		}
	}
	return nil
}

// match binds incidents to problems. The problem that has an incident's head has the incident; of several
// incidents of one problem the worst speaks for it, the others stay until their own alarms are quiet.
func (r *Router) match() {
	slices.SortFunc(r.incidents, func(a, b *incident) int {
		return cmp.Or(cmp.Compare(a.rec.Page.Priority, b.rec.Page.Priority), a.rec.OpenedAt.Compare(b.rec.OpenedAt), cmp.Compare(a.rec.Key, b.rec.Key))
	})
	for _, i := range r.incidents {
		for _, fp := range i.core {
			p := r.byAlarm[fp]
			if p == nil {
				continue
			}
			if p.incident == nil && !i.resolving {
				p.incident = i
				p.told = i.rec.Open || !i.closedAt.IsZero()
				if p.told && r.rises(p) {
					p.told = false
				}
			}
			if !i.digest {
				break
			}
		}
	}
	r.incidents = slices.DeleteFunc(r.incidents, r.finished)
	for _, p := range r.problems {
		if i := p.incident; i != nil && p.told && !i.digest && p.awake {
			i.core = core(p)
		}
	}
}

// core are the fingerprints that make a problem, the head first.
func core(p *problem) []string {
	out := []string{p.head.fp}
	for _, a := range p.members {
		if a != p.head && (a == p.root || p.serious(a)) && len(out) < maxCore {
			out = append(out, a.fp)
		}
	}
	for _, m := range p.head.members {
		if len(out) < maxCore {
			out = append(out, m.fp)
		}
	}
	return out
}

const maxCore = 64

// rises says that a problem has become worse than its incident can say: what a person acknowledged or closed stays
// silent whatever is sent, what opened at low urgency cannot wake, and where titles are refused only a new one can tell.
func (r *Router) rises(p *problem) bool {
	i := p.incident
	if !p.awake || p.priority >= i.rec.Page.Priority || p.priority > alerting.P2 {
		return false
	}
	return i.rec.AckedBy != "" || !i.closedAt.IsZero() || i.rec.Page.Priority >= alerting.P3 || i.deaf
}

// finished says whether an incident can be forgotten, and watches how long it has been quiet.
func (r *Router) finished(i *incident) bool {
	busy := false
	for _, fp := range i.core {
		if p := r.byAlarm[fp]; p != nil && p.awake && (p.incident == i || r.holding(fp)) {
			busy = true
		}
	}
	switch {
	case busy:
		i.quiet = time.Time{}
	case i.quiet.IsZero():
		i.quiet = r.now
	}
	if !i.closedAt.IsZero() {
		return !busy && r.passed(i.quiet.Add(r.set.Resolve.Quiet)) || r.passed(i.closedAt.Add(r.set.Resolve.Reopen))
	}
	return !i.open() && !i.resolving
}

func (r *Router) holding(fp string) bool {
	a := cmp.Or(r.alarms[fp], r.rolled[fp])
	return a != nil && a.holds()
}

// quietFor is how long a problem must be quiet before its incident is resolved.
func (r *Router) quietFor(p *problem) time.Duration {
	if p != nil && p.flapping() {
		return max(r.set.Resolve.Quiet, r.set.Flap.Within)
	}
	return r.set.Resolve.Quiet
}

// resolvable says whether an incident has been quiet for long enough.
func (r *Router) resolvable(i *incident) bool {
	if i.resolving {
		return true
	}
	if i.quiet.IsZero() || !i.open() {
		return false
	}
	due := i.quiet.Add(r.quietFor(r.byAlarm[i.core[0]]))
	if !r.listen.IsZero() {
		due = later(due, r.listen.Add(r.set.Start.ListenResolve))
	}
	return r.passed(due)
}

// generation is the next one of a key, and how often what it names has come back lately.
func (r *Router) generation(base string) (generation, returns int) {
	last, ok := r.past[base]
	generation = last.generation
	if ok && r.now.Sub(last.closed) <= r.set.Resolve.ReturnWithin {
		returns = last.returns + 1
	}
	for _, i := range r.incidents {
		if i.rec.Base == base {
			generation = max(generation, i.rec.Generation)
		}
	}
	return generation + 1, returns
}

// close keeps what must be known of an incident that is over.
func (r *Router) close(i *incident) {
	p := r.past[i.rec.Base]
	if i.rec.Generation >= p.generation {
		r.past[i.rec.Base] = past{i.rec.Generation, r.now, i.rec.Returns}
	}
	i.rec.Open, i.tried, i.resolving = false, false, false
}

func (r *Router) acked(in alerting.Acked) {
	key := in.Key
	for _, p := range r.problems {
		switch {
		case p.id != key:
		case p.incident == nil:
			r.claim(p, in)
		default:
			key = p.incident.rec.Key
		}
	}
	for _, i := range r.incidents {
		if i.rec.Key != key {
			continue
		}
		i.rec.AckedBy, i.rec.AckedAt = cmp.Or(in.By, "somebody"), r.now
		if in.Undo {
			i.rec.AckedBy, i.rec.AckedAt = "", time.Time{}
		}
	}
}

// closed takes a person's word for it: what still fires keeps quiet for a while.
func (r *Router) closed(in alerting.Closed) {
	for _, i := range r.incidents {
		if i.rec.Key == in.Key && i.rec.Open {
			r.close(i)
			i.closedBy, i.closedAt = cmp.Or(in.By, "somebody"), r.now
		}
	}
}
