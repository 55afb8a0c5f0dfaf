package diagnosis

import (
	"cmp"
	"slices"
	"time"

	"github.com/navcloud/binnacle/alerting"
)

// group are alarms that are folded together: one problem, as far as they can be read.
type group struct {
	id       string
	first    time.Time
	notified alerting.Priority
	members  []*candidate
	counted  *tally        // of the members; nil: to be made
	linger   time.Duration // see together.linger; 0: to be found
	fresh    bool          // something joined it in this step
}

func (g *group) add(a *candidate) {
	g.members, g.linger = append(g.members, a), 0
	if g.counted != nil {
		g.counted.add(a)
	}
	if !a.Joined.First.IsZero() && (g.first.IsZero() || a.Joined.First.Before(g.first)) {
		g.first = a.Joined.First
	}
	notified := a.Joined.Notified
	if a.Joined.Leads { // another one may have been notified by itself, as something less, before it came here
		notified = gravest(notified, a.Notified)
	}
	g.notified = gravest(g.notified, notified)
}

// gravest is the worse priority of two; 0 is none.
func gravest(a, b alerting.Priority) alerting.Priority {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// keep leaves these members alone in the group.
func (g *group) keep(members []*candidate) { g.members, g.counted, g.linger = members, nil, 0 }

func (g *group) tally() *tally {
	if g.counted == nil {
		g.counted = newTally()
		for _, m := range g.members {
			g.counted.add(m)
		}
	}
	return g.counted
}

// best is the priority at which the group was notified, else at which it would be.
func (g *group) best() alerting.Priority {
	if g.notified != 0 {
		return g.notified
	}
	return g.tally().worst
}

// root is the member that makes the best cause: of those that lead and fire the one of the best rank, then of the rule that fires
// most, then the oldest. nil: there is no member.
func (g *group) root() *candidate {
	if r := g.tally().lead; r != nil {
		return r.best
	}
	return nil
}

// alive says that something in a group fires that does not always come and go: what is over is no disturbance.
func (g *group) alive() bool { return g.tally().alive }

// recent says that a group came up lately enough to be a part of what comes up now.
func (g *group) recent(now time.Time) bool {
	return g.fresh || slices.ContainsFunc(g.members, func(m *candidate) bool { return now.Sub(m.Joined.At) <= 2*joinWithin })
}

// free says that a group may follow another one: nobody was paged for it, and no member stands apart for a reason.
func (g *group) free() bool {
	if len(g.members) == 0 || g.notified != 0 && g.notified <= alerting.P2 {
		return false
	}
	return !slices.ContainsFunc(g.members, func(m *candidate) bool {
		return m.Priority == alerting.P5 || m.Joined.Left != "" || m.Fact.Silence != ""
	})
}

// tally is what all members of a group say together. A member more costs the same however many there are.
type tally struct {
	rules map[string]*rule
	lead  *rule           // that of the best cause
	sites map[string]bool // of those that lead
	alive bool
	worst alerting.Priority
}

// rule is what the members of one rule say.
type rule struct {
	firing int
	best   *candidate // the best cause among them
}

func newTally() *tally {
	return &tally{rules: map[string]*rule{}, worst: alerting.P5}
}

func (t *tally) add(m *candidate) {
	r := t.rules[m.Reading.Rule]
	if r == nil {
		r = &rule{best: m}
		t.rules[m.Reading.Rule] = r
	}
	if m.Fact.Firing() {
		r.firing++
		t.alive = t.alive || !m.Fact.Flapping
		if m.Fact.Silence == "" {
			t.worst = min(t.worst, m.Priority)
		}
	}
	if m != r.best && (rule{r.firing, m}).before(*r) {
		r.best = m
	}
	if t.lead == nil || r.before(*t.lead) { // only what m's rule says has changed
		t.lead = r
	}
	if site := m.Reading.Owner("site"); site != "" && m.Joined.Leads {
		if t.sites == nil {
			t.sites = map[string]bool{}
		}
		t.sites[site] = true
	}
}

// before is the order of causes: who leads, fires and wakes, then the better rank, then the rule that fires most, then the older.
func (r rule) before(o rule) bool {
	a, b := r.best, o.best
	if c := cmp.Compare(a.flaws(), b.flaws()); c != 0 {
		return c < 0
	}
	if c := cmp.Or(cmp.Compare(a.Reading.Rank, b.Reading.Rank), cmp.Compare(o.firing, r.firing)); c != 0 {
		return c < 0
	}
	return older(a, b) < 0
}

// anotherSite says that one that leads names another site.
func (t *tally) anotherSite(site string) bool {
	return site != "" && (len(t.sites) > 1 || len(t.sites) == 1 && !t.sites[site])
}
