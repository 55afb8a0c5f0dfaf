package diagnosis

import (
	"cmp"
	"slices"
	"time"

	"github.com/navcloud/binnacle/alerting"
)

// group are alarms that are told together.
type group struct {
	id      string
	first   time.Time
	told    alerting.Priority
	members []*Alone
	counted *tally        // of the members; nil: to be made
	linger  time.Duration // see together.linger; 0: to be found
	fresh   bool          // something joined it in this step
}

func (g *group) add(a *Alone) {
	g.members, g.linger = append(g.members, a), 0
	if g.counted != nil {
		g.counted.add(a)
	}
	if !a.Joined.First.IsZero() && (g.first.IsZero() || a.Joined.First.Before(g.first)) {
		g.first = a.Joined.First
	}
	told := a.Joined.Told
	if a.Joined.Leads { // another one may have been told of by itself, as something less, before it came here
		told = gravest(told, a.Told)
	}
	g.told = gravest(g.told, told)
}

// gravest is the worse priority of two; 0 is none.
func gravest(a, b alerting.Priority) alerting.Priority {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// keep leaves these members alone in the group.
func (g *group) keep(members []*Alone) { g.members, g.counted, g.linger = members, nil, 0 }

func (g *group) tally() *tally {
	if g.counted == nil {
		g.counted = newTally()
		for _, m := range g.members {
			g.counted.add(m)
		}
	}
	return g.counted
}

// best is the priority that the group was told at, else what it would be told at.
func (g *group) best() alerting.Priority {
	if g.told != 0 {
		return g.told
	}
	return g.tally().worst
}

// root is the member that makes the best cause, of those that lead and fire; of those that lead where none fires.
func (g *group) root() *Alone { return g.tally().root }

// alive says that something in a group fires that does not always come and go: what is over tells of no disturbance.
func (g *group) alive() bool { return g.tally().alive }

// recent says that a group came up lately enough to be a part of what comes up now.
func (g *group) recent(now time.Time) bool {
	return g.fresh || slices.ContainsFunc(g.members, func(m *Alone) bool { return now.Sub(m.Joined.At) <= 2*joinWithin })
}

// free says that a group may follow another one: nobody was paged for it, and no member stands apart for a reason.
func (g *group) free() bool {
	if len(g.members) == 0 || g.told != 0 && g.told <= alerting.P2 {
		return false
	}
	return !slices.ContainsFunc(g.members, func(m *Alone) bool { return m.Priority == alerting.P5 || m.Joined.Left != "" || m.Fact.Silence != "" })
}

// tally is what all members of a group say together. A member more costs the same however many there are.
type tally struct {
	root  *Alone
	many  map[string]int    // members that fire, by rule
	best  map[string]*Alone // the best cause of each rule
	sites map[string]bool   // of those that lead
	alive bool
	worst alerting.Priority
}

func newTally() *tally {
	return &tally{many: map[string]int{}, best: map[string]*Alone{}, worst: alerting.P5}
}

func (t *tally) add(m *Alone) {
	rule := m.Reading.Rule
	if m.Fact.Firing() {
		t.many[rule]++
		t.alive = t.alive || !m.comesAndGoes()
		if m.Fact.Silence == "" {
			t.worst = min(t.worst, m.Priority)
		}
	}
	if was := t.best[rule]; was == nil || t.compare(m, was) < 0 {
		t.best[rule] = m
	}
	if best := t.best[rule]; t.root == nil || t.compare(best, t.root) < 0 { // only what m's rule says has changed
		t.root = best
	}
	if site := m.Reading.Owner("site"); site != "" && m.Joined.Leads {
		if t.sites == nil {
			t.sites = map[string]bool{}
		}
		t.sites[site] = true
	}
}

// compare is the order of causes, the best first.
func (t *tally) compare(a, b *Alone) int {
	return cmp.Or(cmp.Compare(a.flaws(), b.flaws()), cmp.Compare(a.Reading.Rank, b.Reading.Rank), cmp.Compare(t.many[b.Reading.Rule], t.many[a.Reading.Rule]), older(a, b))
}

// elsewhere says that one that leads names another site.
func (t *tally) elsewhere(site string) bool {
	return site != "" && (len(t.sites) > 1 || len(t.sites) == 1 && !t.sites[site])
}

// flaws are what keeps an alarm from being the root, the gravest first.
func (a *Alone) flaws() (n int) {
	for _, bad := range []bool{!a.Joined.Leads, !a.Fact.Firing(), !a.wakes()} {
		n *= 2
		if bad {
			n++
		}
	}
	return n
}

// Root is the best cause among alarms that are told together: of those that lead and fire the one of the best rank, then of the
// rule that fires most, then the oldest.
func Root(members []*Alone) *Alone {
	t := newTally()
	for _, m := range members {
		t.add(m)
	}
	return t.root
}

func betterRank(a, b *Alone) int {
	return cmp.Or(cmp.Compare(a.Reading.Rank, b.Reading.Rank), older(a, b))
}
