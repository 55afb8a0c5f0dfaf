package diagnosis

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/navcloud/binnacle/alerting"
)

// Bounds of what is told together without a declared edge.
// Source: DESIGN.md, "Reading alarms": a guess folds what starts within 5 minutes, and what it folded pages 15 minutes later.
const (
	joinWithin = 5 * time.Minute
	guessHolds = 15 * time.Minute
	// rollMost bounds the wait for one of several that come and go one after the other, as in an upgrade of many machines.
	rollMost = 5 * time.Minute
)

// Alone is an alarm of others, as Together sees it.
type Alone struct {
	Fact     *alerting.Fact
	Reading  *alerting.Reading
	Priority alerting.Priority // were there no other
	Told     alerting.Priority // at which its problem was told; 0: it was not
	Joined   alerting.Joined   // as Together said last

	came bool // it ended by itself within minutes, an hour ago at most
}

func (a *Alone) wakes() bool { return a.Priority <= alerting.P2 && a.Fact.Silence == "" }

// group are alarms that are told together.
type group struct {
	id      string
	first   time.Time
	told    alerting.Priority
	members []*Alone
	cause   *Alone        // see root; nil: to be found
	linger  time.Duration // see together.linger; 0: to be found
	fresh   bool          // something joined it in this step
}

// Together finds which alarms of others are told together, in which group each is from now on. Four things bring two
// together: a label edge (both name one pod, host, address or database), an edge of the graph, one rule in one place, or a guess:
// both may be parts of one disturbance, because they began within minutes of each other in one place and by what they read one can
// follow from the other. Of two that the graph has a place for only edges are believed. It sets Joined of each. after is how long the end of a cause explains; list must be in a fixed order.
func Together(now time.Time, after time.Duration, w *Walks, list []*Alone, passed []alerting.Passed) (next time.Time) {
	t := &together{now: now, after: after, walks: w, groups: map[string]*group{}, owners: map[string][]member{}, rules: map[string][]member{}, lately: map[string][]alerting.Passed{}}
	for _, p := range passed {
		t.lately[p.Rule] = append(t.lately[p.Rule], p)
	}
	for _, a := range list {
		a.came = slices.ContainsFunc(t.lately[a.Reading.Rule], func(p alerting.Passed) bool {
			return p.ID == a.Fact.ID && p.Ended.Before(a.Fact.First) && p.Ended.Sub(p.Began) <= 2*rollMost
		})
		if a.Joined.With != "" {
			t.group(a.Joined.With).add(a)
		}
	}
	t.restart(list)
	ids := slices.Sorted(maps.Keys(t.groups))
	for _, id := range ids {
		t.release(t.groups[id])
	}
	var fresh []*Alone
	for _, a := range list {
		if a.Joined.With == "" {
			fresh = append(fresh, a)
		}
	}
	if len(fresh) > 0 {
		t.index()
		slices.SortStableFunc(fresh, older)
	}
	for _, wakes := range []bool{true, false} {
		for _, a := range fresh {
			if a.wakes() == wakes { // those that wake first: they are what the others follow
				t.join(a)
			}
		}
	}
	if len(fresh) > 0 {
		t.absorb()
	}
	for _, a := range list {
		a.Joined.Rolled = t.rolled(a)
		a.Joined.Told = t.group(a.Joined.With).told
		t.due(a)
	}
	return t.wake.at
}

// due notes when time alone changes what an alarm is told with.
func (t *together) due(a *Alone) {
	if a.guessed() && a.Fact.Firing() && a.wakes() {
		t.wake.add(a.Joined.At.Add(guessHolds))
	}
	if a.Joined.Leads && !a.Fact.Firing() {
		if end := a.Fact.Ended.Add(t.linger(t.group(a.Joined.With)) + time.Second); end.After(t.now) {
			t.wake.add(end)
		}
	}
}

// restart takes alarms that began anew out of groups of which nothing else fires: they tell of something new.
func (t *together) restart(list []*Alone) {
	for _, a := range list {
		g := t.groups[a.Joined.With]
		if g == nil || !a.Fact.Firing() || !a.Fact.First.After(a.Joined.At) || slices.ContainsFunc(g.members, func(m *Alone) bool { return m != a && m.Fact.Firing() && !m.Fact.First.After(m.Joined.At) }) {
			continue
		}
		g.members, g.cause, g.linger = slices.DeleteFunc(g.members, func(m *Alone) bool { return m == a }), nil, 0
		a.Joined = alerting.Joined{}
	}
}

func older(a, b *Alone) int {
	return cmp.Or(a.Fact.Began().Compare(b.Fact.Began()), cmp.Compare(a.Reading.Rank, b.Reading.Rank), cmp.Compare(a.Fact.ID, b.Fact.ID))
}

type together struct {
	now    time.Time
	after  time.Duration
	walks  *Walks
	wake   wake
	groups map[string]*group

	owners map[string][]member // who is in a group, by what they name together
	rules  map[string][]member // and by rule and place
	waking []*group            // groups that wake, in the order in which they came up
	lately map[string][]alerting.Passed
}

// member is an alarm in a group.
type member struct {
	*Alone
	of *group
}

func (t *together) group(id string) *group {
	if t.groups[id] == nil {
		t.groups[id] = &group{id: id}
	}
	return t.groups[id]
}

func (g *group) add(a *Alone) {
	g.members, g.cause, g.linger = append(g.members, a), nil, 0
	if !a.Joined.First.IsZero() && (g.first.IsZero() || a.Joined.First.Before(g.first)) {
		g.first = a.Joined.First
	}
	for _, p := range []alerting.Priority{a.Told, a.Joined.Told} {
		if p != 0 && (g.told == 0 || p < g.told) {
			g.told = p
		}
	}
}

// best is the priority that the group was told at, else what it would be told at.
func (g *group) best() alerting.Priority {
	if g.told != 0 {
		return g.told
	}
	p := alerting.P5
	for _, m := range g.members {
		if m.Fact.Firing() && m.Fact.Silence == "" && m.Priority < p {
			p = m.Priority
		}
	}
	return p
}

// root is the member that makes the best cause, of those that lead and fire; of those that lead where none fires.
func (g *group) root() *Alone {
	if g.cause == nil {
		g.cause = Root(g.members)
	}
	return g.cause
}

// Root is the best cause among alarms that are told together: of those that lead and fire the one of the best rank, then of the
// rule that fires most, then the oldest.
func Root(members []*Alone) *Alone {
	many := map[string]int{}
	for _, m := range members {
		if m.Fact.Firing() {
			many[m.Reading.Rule]++
		}
	}
	score := func(m *Alone) int {
		n := 0
		for _, bad := range []bool{!m.Joined.Leads, !m.Fact.Firing(), !m.wakes()} {
			n *= 2
			if bad {
				n++
			}
		}
		return n
	}
	return slices.MinFunc(members, func(a, b *Alone) int {
		return cmp.Or(cmp.Compare(score(a), score(b)), cmp.Compare(a.Reading.Rank, b.Reading.Rank), cmp.Compare(many[b.Reading.Rule], many[a.Reading.Rule]), older(a, b))
	})
}

func betterRank(a, b *Alone) int {
	return cmp.Or(cmp.Compare(a.Reading.Rank, b.Reading.Rank), older(a, b))
}

// release ends what time alone ends: what a guess folded stands apart when it still fires after guessHolds, and everything
// does when all that the page names has ended. What is released at once is told at once, as one.
func (t *together) release(g *group) {
	over, due, linger := true, false, t.linger(g)
	for _, m := range g.members {
		if m.Joined.Leads && (m.Fact.Firing() || t.now.Sub(m.Fact.Ended) <= linger) {
			over = false
		}
	}
	for _, m := range g.members {
		due = due || m.guessed() && m.Fact.Firing() && m.wakes() && t.now.Sub(m.Joined.At) >= guessHolds
	}
	if !over && !due {
		return
	}
	var free []*Alone
	kept := g.members[:0:0]
	for _, m := range g.members {
		if m.Fact.Firing() && !m.Joined.Leads && (over || m.guessed() && m.wakes()) {
			free = append(free, m)
		} else {
			kept = append(kept, m)
		}
	}
	g.members, g.cause, g.linger = kept, nil, 0
	if len(free) == 0 {
		return
	}
	slices.SortStableFunc(free, func(a, b *Alone) int { return cmp.Or(cmp.Compare(a.Priority, b.Priority), betterRank(a, b)) })
	id := fmt.Sprintf("%s+%d", free[0].Fact.ID, t.now.Unix())
	why := "still fires " + spoken(guessHolds) + " after it was thought to follow from something else"
	if over {
		why = "still fires after what it was thought to follow from has ended"
	}
	left := t.group(id)
	for _, m := range free {
		m.Told = 0
		m.Joined = alerting.Joined{With: id, First: m.Fact.Began(), At: t.now, Leads: true, Trust: alerting.Certain, Why: why, Left: g.id}
		left.add(m)
	}
}

// LingerMost bounds how long after a long trouble its effects may take to end.
const LingerMost = 15 * time.Minute

// linger is how long what a group explains may outlive it: what was down for an hour takes minutes to catch up.
func (t *together) linger(g *group) time.Duration {
	if g.linger != 0 {
		return g.linger
	}
	var longest time.Duration
	for _, m := range g.members {
		if m.Joined.Leads && !m.Fact.Firing() {
			longest = max(longest, m.Fact.Ended.Sub(m.Fact.Began()))
		}
	}
	g.linger = min(max(t.after, longest/5), max(t.after, LingerMost))
	return g.linger
}

func (a *Alone) guessed() bool { return a.Joined.Trust == alerting.Guessed && !a.Joined.Leads }

func spoken(d time.Duration) string { return fmt.Sprintf("%d minutes", int(d.Minutes())) }

// rolled is until when an alarm is waited for because others of its rule, on other subjects, were told and have ended by
// themselves within minutes: most likely it does so, too. Whoever is harmed or asks for a page is never waited for.
func (t *together) rolled(a *Alone) time.Time {
	if !a.Fact.Firing() || !a.wakes() || a.Priority == alerting.P1 || a.Told != 0 {
		return time.Time{}
	}
	var longest time.Duration
	told := false
	for _, m := range t.lately[a.Reading.Rule] {
		if m.Scope != a.Reading.Scope || m.Ended.After(a.Fact.Began()) || m.ID == a.Fact.ID {
			continue
		}
		longest = max(longest, m.Ended.Sub(m.Began))
		told = told || m.Told
	}
	if !told || longest > 2*rollMost {
		return time.Time{}
	}
	return a.Fact.Began().Add(min(max(2*longest, longest+2*time.Minute), rollMost))
}
