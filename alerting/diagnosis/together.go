package diagnosis

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/navcloud/binnacle/alerting"
)

// foldTogether finds which alarms of others are folded together, in which group each is from now on, and sets Joined of each. What
// brings two together is in the package's essay; of two that the graph has a place for only edges are believed. list must be in a
// fixed order.
func foldTogether(in Input, list []*candidate) *together {
	t := &together{
		now: in.Now, wake: alerting.Wake{Now: in.Now}, after: in.Settings.Resolve.AfterCause, walks: in.Walks, groups: map[string]*group{}, owners: map[string]*roster{},
		rules: map[string]*roster{}, lately: map[ofRule][]alerting.Passed{}, all: list, found: map[*group]alerting.Joined{},
	}
	t.gather(list, in.Passed)
	t.restart(list)
	for _, id := range sortedGroups(t.groups) {
		t.release(t.groups[id])
	}
	t.place(list)
	for _, a := range list {
		a.Joined.Rolled = t.rolled(a)
		a.Joined.Notified = t.group(a.Joined.With).notified
		t.due(a)
	}
	return t
}

// gather puts those that have a group into it.
func (t *together) gather(list []*candidate, passed []alerting.Passed) {
	for _, p := range passed {
		k := ofRule{p.Rule, p.Scope}
		t.lately[k] = append(t.lately[k], p)
	}
	for _, a := range list {
		if a.Joined.With != "" {
			t.group(a.Joined.With).add(a)
		}
	}
}

// place finds groups for those that have none. Those that wake go first: they are what the others follow.
func (t *together) place(list []*candidate) {
	var fresh []*candidate
	for _, a := range list {
		if a.Joined.With == "" {
			fresh = append(fresh, a)
		}
	}
	if len(fresh) == 0 {
		return
	}
	t.index()
	slices.SortStableFunc(fresh, older)
	for _, wakes := range []bool{true, false} {
		for _, a := range fresh {
			if a.wakes() == wakes {
				t.join(a)
			}
		}
	}
	t.absorb()
}

// due notes when time alone changes what an alarm is folded with.
func (t *together) due(a *candidate) {
	if a.guessed() && a.Fact.Firing() && a.wakes() {
		t.wake.Add(a.Joined.At.Add(guessHolds))
	}
	if a.Joined.Leads && !a.Fact.Firing() {
		for _, ago := range [2]time.Duration{t.after, t.linger(t.group(a.Joined.With))} {
			t.wake.Add(a.Fact.Ended.Add(ago + time.Second))
		}
	}
}

// restart takes alarms that began anew out of groups of which nothing else fires: they are about something new.
func (t *together) restart(list []*candidate) {
	anew := map[*group]map[*candidate]bool{}
	for _, a := range list {
		if g := t.groups[a.Joined.With]; g != nil && a.began() {
			if anew[g] == nil {
				anew[g] = map[*candidate]bool{}
			}
			anew[g][a] = true
		}
	}
	for g, gone := range anew {
		if slices.ContainsFunc(g.members, func(m *candidate) bool { return m.Fact.Firing() && !m.began() }) {
			continue
		}
		g.keep(slices.DeleteFunc(g.members, func(m *candidate) bool { return gone[m] }))
		for a := range gone {
			a.Joined = alerting.Joined{}
		}
	}
}

type together struct {
	now    time.Time
	after  time.Duration // for which the end of a cause explains
	walks  *Walks
	wake   alerting.Wake
	groups map[string]*group

	owners map[string]*roster // who is in a group, by what they name together
	rules  map[string]*roster // and by rule and place
	waking []*group           // groups that wake, in the order in which they came up
	came   []*group           // of them, those to which something came in this step; see absorb
	again  bool               // what is compared was compared with all others in an earlier step: only those that came count
	lately map[ofRule][]alerting.Passed
	all    []*candidate
	hosts  map[string]map[string]bool // see hostsOf; nil: to be found
	both   map[[2]string]int          // see shared
	found  map[*group]alerting.Joined // by join for one alarm, and used again: an alarm may be related to hundreds of groups
}

// ofRule are the alarms of one rule in one scope.
type ofRule struct{ rule, scope string }

func (t *together) group(id string) *group {
	if t.groups[id] == nil {
		t.groups[id] = &group{id: id}
	}
	return t.groups[id]
}

// release ends what time alone ends: what a guess folded stands apart when it still fires after guessHolds, or when what it was thought
// to follow from has ended, as its incident does; everything does when that is over for longer. What is released at once is notified
// at once, as one.
func (t *together) release(g *group) {
	over, ended := t.over(g, t.linger(g)), t.over(g, t.after)
	if !ended && !slices.ContainsFunc(g.members, func(m *candidate) bool {
		return m.held() && t.now.Sub(m.Joined.At) >= guessHolds
	}) {
		return
	}
	g.confirm()
	var free []*candidate
	kept := g.members[:0:0]
	for _, m := range g.members {
		if m.held() || over && m.Fact.Firing() && !m.Joined.Leads {
			free = append(free, m)
		} else {
			kept = append(kept, m)
		}
	}
	if len(free) > 0 {
		g.keep(kept)
		t.part(g, free, ended)
	}
}

// confirm makes certain what was a guess: an alarm whose rule, in its place, or whose host or workload is among those that lead by now
// is one of what the page names, though it came first.
func (g *group) confirm() {
	leads := g.leads()
	for _, m := range g.members {
		if !m.held() || m.Fact.Flapping || m.Priority == alerting.P1 {
			continue
		}
		if why := m.confirmed(leads); why != "" {
			m.Joined.Trust, m.Joined.Why, m.Joined.Leads = alerting.Certain, why, true
			g.keep(g.members)
		}
	}
}

// leads are those that the page of a group names and that stay, by their rule's place and by all that they name.
func (g *group) leads() map[string]*candidate {
	out := map[string]*candidate{}
	for _, m := range g.members {
		if m.Joined.Leads && m.Fact.Firing() && !m.Fact.Flapping {
			out[m.Reading.Place] = m
			for _, name := range m.Reading.Names {
				out[name] = m
			}
		}
	}
	return out
}

// confirmed says why an alarm is one of those that lead; empty: it is not.
func (a *candidate) confirmed(leads map[string]*candidate) string {
	for _, key := range append([]string{a.Reading.Place}, a.Reading.Names...) {
		x := leads[key]
		switch {
		case x == nil || placed(a.Fact, x.Fact) || !near(a.Fact.Began(), x.Fact.Began()) || namesakes(a.Reading, x.Reading, key):
		case key == a.Reading.Place:
			return oneRule(a.Reading.Rule, false)
		default:
			return shares(key, false, false)
		}
	}
	return ""
}

// over says that all that the page of a group names has ended for longer than this.
func (t *together) over(g *group, ago time.Duration) bool {
	return !slices.ContainsFunc(g.members, func(m *candidate) bool {
		return m.Joined.Leads && (m.Fact.Firing() || t.now.Sub(m.Fact.Ended) <= ago)
	})
}

// part makes a group of what is released from another one.
func (t *together) part(from *group, free []*candidate, over bool) {
	slices.SortStableFunc(free, func(a, b *candidate) int { return cmp.Or(cmp.Compare(a.Priority, b.Priority), betterRank(a, b)) })
	id := fmt.Sprintf("%s+%d", free[0].Fact.ID, t.now.Unix())
	left := t.group(id)
	for _, m := range free {
		m.Notified = 0
		m.Joined = alerting.Joined{With: id, First: m.Fact.Began(), At: t.now, Leads: true, Trust: alerting.Certain, Why: freed(over), Left: from.id}
		left.add(m)
	}
}

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

func spoken(d time.Duration) string { return fmt.Sprintf("%d minutes", int(d.Minutes())) }

// rolled is until when an alarm is waited for because others of its rule, on other subjects, were paged and have ended by
// themselves within minutes: most likely it does so, too. Whoever is harmed or asks for a page is never waited for.
func (t *together) rolled(a *candidate) time.Time {
	if !a.Fact.Firing() || !a.wakes() || a.Priority == alerting.P1 || a.Notified != 0 {
		return time.Time{}
	}
	var longest time.Duration
	paged := false
	for _, m := range t.lately[ofRule{a.Reading.Rule, a.Reading.Scope}] {
		if m.Ended.After(a.Fact.Began()) || m.ID == a.Fact.ID {
			continue
		}
		longest = max(longest, m.Ended.Sub(m.Began))
		paged = paged || m.Paged
	}
	if !paged || longest > 2*rollMost {
		return time.Time{}
	}
	return a.Fact.Began().Add(min(max(2*longest, longest+2*time.Minute), rollMost))
}
