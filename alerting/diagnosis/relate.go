package diagnosis

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/topology"
)

// mostGuesses bounds the groups that one alarm is compared with by a guess: the first that came up in its time.
const mostGuesses = 256

// index makes the groups findable by what their members name.
func (t *together) index() {
	for _, id := range sortedGroups(t.groups) {
		g := t.groups[id]
		for _, m := range g.members {
			t.find(m, g)
		}
		if !g.first.IsZero() && len(g.members) > 0 {
			t.waking = append(t.waking, g)
		}
	}
	slices.SortStableFunc(t.waking, func(a, b *group) int { return a.first.Compare(b.first) })
}

func sortedGroups(groups map[string]*group) []string {
	ids := make([]string, 0, len(groups))
	for id := range groups {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// find adds a member to the index.
func (t *together) find(m *Alone, g *group) {
	for _, name := range m.Reading.Names {
		t.owners[name] = append(t.owners[name], member{m, g})
	}
	t.rules[m.Reading.Place] = append(t.rules[m.Reading.Place], member{m, g})
}

// join finds the group of an alarm that has none.
func (t *together) join(a *Alone) {
	var best alerting.Joined
	var to *group
	for g, j := range t.relations(a) {
		if a.wakes() && g.first.IsZero() {
			continue // what wakes nobody follows it, see absorb
		}
		if to == nil || cmp.Or(cmp.Compare(best.Trust, j.Trust), cmp.Compare(g.best(), to.best()), g.first.Compare(to.first), cmp.Compare(g.id, to.id)) < 0 {
			best, to = j, g
		}
	}
	if to == nil {
		to = t.group(a.Fact.ID + "@" + fmt.Sprint(a.Fact.Began().Unix()))
		best = alerting.Joined{Leads: true, Trust: alerting.Certain}
	}
	best.With, best.At, best.First = to.id, t.now, to.first
	woke := !to.first.IsZero()
	if a.wakes() && !woke {
		best.First = a.Fact.Began()
	}
	a.Joined = best
	to.add(a)
	to.fresh = true
	t.find(a, to)
	if !woke && !to.first.IsZero() {
		t.waking = append(t.waking, to)
	}
}

// relations are the groups that an alarm may belong to, and by what.
func (t *together) relations(a *Alone) map[*group]alerting.Joined {
	out := map[*group]alerting.Joined{}
	if a.Priority == alerting.P5 || a.Fact.Silence != "" {
		return out
	}
	for _, name := range a.Reading.Names {
		for _, m := range t.owners[name] {
			if _, have := out[m.of]; have || !t.open(a, m.of) || m.Alone == a || !m.Fact.Firing() && t.now.Sub(m.Fact.Ended) > t.after {
				continue
			}
			if why, ok := edge(a, m.Alone, m.of, name); ok {
				out[m.of] = alerting.Joined{Trust: alerting.Certain, Why: why, Leads: a.wakes() && !a.comesAndGoes()}
			}
		}
	}
	for _, m := range t.rules[a.Reading.Place] {
		if _, have := out[m.of]; !have && m.Alone != a && !placed(a.Fact, m.Fact) && t.open(a, m.of) && m.Fact.Firing() && !m.comesAndGoes() && inTime(a, m.of) && !graver(a, m.of) {
			out[m.of] = alerting.Joined{Trust: alerting.Certain, Why: "one rule, one place", Leads: m.Joined.Leads && !a.comesAndGoes()}
			if a.Priority == alerting.P1 && differ(a.Reading, m.Reading, "service") { // users of another service: a cause of both is a guess
				out[m.of] = alerting.Joined{Trust: alerting.Guessed, Why: "one rule, one place, another service"}
			}
		}
	}
	if a.own() || a.chore() && a.wakes() {
		return out
	}
	seen := 0
	for _, g := range t.waking {
		if _, have := out[g]; have || !inTime(a, g) || !t.open(a, g) {
			continue
		}
		if seen++; seen > mostGuesses {
			break
		}
		j, ok := t.declared(a, g)
		if !ok && !placed(a.Fact, g.root().Fact) {
			j, ok = t.guess(a, g)
		}
		if ok {
			out[g] = j
		}
	}
	return out
}

// open says that an alarm may join a group: it was not released from it, and the group is not what was released from another.
func (t *together) open(a *Alone, g *group) bool {
	if len(g.members) == 0 || a.Joined.Left == g.id || a.Joined.With == g.id {
		return false
	}
	return g.members[0].Joined.Left == "" || g.members[0].Fact.Rule() == a.Fact.Rule()
}

// absorb lets groups that nobody was paged for follow one that is no less grave and began within minutes of them.
func (t *together) absorb() {
	var fresh []*group
	for _, g := range t.waking {
		if g.fresh {
			fresh = append(fresh, g)
		}
	}
	for _, id := range sortedGroups(t.groups) {
		low := t.groups[id]
		if !low.free() || !low.fresh && len(fresh) == 0 || !low.recent(t.now) {
			continue
		}
		t.follow(low)
	}
}

// alive says that something in a group fires that does not always come and go: what is over tells of no disturbance.
func (g *group) alive() bool {
	return slices.ContainsFunc(g.members, func(m *Alone) bool { return m.Fact.Firing() && !m.comesAndGoes() })
}

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

// follow lets the members of one group join another one, all or none.
func (t *together) follow(low *group) {
	shared := t.relations(low.members[0])
	js := []map[*group]alerting.Joined{shared}
	for _, m := range low.members[1:] {
		more := t.relations(m)
		js = append(js, more)
		for g := range shared {
			if _, ok := more[g]; !ok {
				delete(shared, g)
			}
		}
		if len(shared) == 0 {
			return
		}
	}
	var to *group
	for g := range shared {
		before := !low.first.IsZero() && g.told == 0 && g.best() == low.best() && betterRank(g.root(), low.root()) > 0
		told := low.told != 0 && slices.ContainsFunc(js, func(by map[*group]alerting.Joined) bool { return by[g].Trust != alerting.Certain })
		if g == low || g.first.IsZero() || g.best() > low.best() || before || told {
			continue
		}
		if to == nil || cmp.Or(cmp.Compare(g.best(), to.best()), g.first.Compare(to.first), cmp.Compare(g.id, to.id)) < 0 {
			to = g
		}
	}
	if to == nil {
		return
	}
	for i, m := range low.members {
		j := js[i][to]
		j.With, j.At, j.First, j.Leads = to.id, t.now, to.first, j.Leads && m.wakes()
		m.Joined = j
		to.add(m)
		t.find(m, to)
	}
	low.members, low.cause, to.fresh = nil, nil, true
}

// edge is a label edge between two alarms: both name shared, a thing that is no wider than a host or a workload. A host that is down
// explains all on it at any time, anything else what began within minutes of it, or is of its rule, or would wake nobody.
func edge(a, m *Alone, g *group, shared string) (string, bool) {
	if a.Reading.Identity == m.Reading.Identity {
		return "one alarm under several labels", !graver(a, g)
	}
	why := "both name " + shared
	down := m.Reading.Kind.Value == "down" && m.Reading.Layer.Value == "node" && m.Reading.Kind.Trust >= alerting.Catalogue && strings.HasPrefix(shared, "node:")
	switch {
	case graver(a, g):
		return "", false
	case down:
		return why + ", which is down", true
	case near(a.Fact.Began(), m.Fact.Began()) || a.onset(m.Fact.Began()):
		return why, !a.own() || a.Reading.Subject.ID() == m.Reading.Subject.ID() || a.Reading.Rule == m.Reading.Rule
	case a.Reading.Rule == m.Reading.Rule && a.Reading.Severity.Value == m.Reading.Severity.Value:
		return why + " by one rule", true
	}
	return why, !a.wakes() && a.Reading.Follows && m.Reading.Rank <= a.Reading.Rank
}

// differ says that both name an owner of a kind, and not the same.
func differ(a, b *alerting.Reading, kind string) bool {
	x, y := a.Owner(kind), b.Owner(kind)
	return x != "" && y != "" && x != y
}

// comesAndGoes says that an alarm has started several times lately, or ended by itself within minutes an hour ago at most: it
// tells of itself, and of no disturbance.
func (a *Alone) comesAndGoes() bool { return a.Fact.Flapping || len(a.Fact.Starts) >= 3 || a.came }

// compatible says that no label puts two alarms into two places: clusters, zones, regions, environments.
func compatible(a, b *alerting.Reading) bool {
	ka, va, _ := strings.Cut(a.Scope, ":")
	kb, vb, _ := strings.Cut(b.Scope, ":")
	if ka == kb && va != vb {
		return false
	}
	for _, kind := range []string{"zone", "region", "environment"} {
		if differ(a, b, kind) {
			return false
		}
	}
	return true
}

func near(a, b time.Time) bool { return a.Sub(b).Abs() <= joinWithin }

// onset says that the condition of an alarm whose rule waits began near a time.
func (a *Alone) onset(at time.Time) bool {
	return a.Reading.Wait > 0 && near(a.Fact.Began().Add(-a.Reading.Wait), at)
}

func inTime(a *Alone, g *group) bool {
	return !g.first.IsZero() && (!a.Fact.Began().After(g.first.Add(joinWithin)) && near(a.Fact.Began(), g.first) || a.onset(g.first))
}

// graver says that an alarm would hide behind less than it is. What nobody was told of yet hides nothing.
func graver(a *Alone, g *group) bool { return a.wakes() && g.told != 0 && a.Priority < g.told }

// own says that an alarm is about a thing that fails by itself: nothing else brings it about.
func (a *Alone) own() bool { return !a.Reading.Follows }

// felt says that users are harmed, as far as more than a word of a text says.
func (a *Alone) felt() bool {
	return a.Reading.Users() && a.wakes() && a.Reading.Impact.Trust >= alerting.Catalogue
}

// guess says that an alarm may be part of the disturbance that a group tells of: it is no worse, began within minutes of it in
// the same place, and one of the two can follow from the other.
func (t *together) guess(a *Alone, g *group) (alerting.Joined, bool) {
	root := g.root()
	if !g.alive() || a.wakes() && a.Priority < g.best() || !compatible(a.Reading, root.Reading) || root.chore() || a.chore() && a.wakes() {
		return alerting.Joined{}, false
	}
	x, y := root.Reading, a.Reading
	switch {
	case x.Rank <= y.Rank:
	case x.Users() && y.Users():
	case y.Rank < x.Rank && !root.own():
	default:
		return alerting.Joined{}, false
	}
	j := alerting.Joined{Trust: alerting.Guessed, Why: fmt.Sprintf("began within %s of %s, from which it can follow", spoken(joinWithin), x.Rule), Leads: a.felt()}
	if y.Rank < x.Rank {
		j.Why = fmt.Sprintf("began within %s of %s, which can follow from it", spoken(joinWithin), x.Rule)
	}
	apart := slices.ContainsFunc(g.members, func(m *Alone) bool { return m.Joined.Leads && differ(m.Reading, y, "site") })
	if apart || a.comesAndGoes() {
		j.Leads = false
	}
	if !apart && x.Scope != "" && x.Scope == y.Scope && (x.Rank != y.Rank || x.Users() && y.Users() || x.Effect() && y.Effect()) && x.Kind.Trust >= alerting.Catalogue && y.Kind.Trust >= alerting.Catalogue {
		j.Trust, j.Why, j.Leads = alerting.Catalogue, j.Why+", in "+x.Scope, j.Leads || y.Rank < x.Rank && !a.comesAndGoes()
	}
	return j, true
}

// placed says that the graph has a place for the subjects of both: it knows what ties them, and a guess would know no better.
func placed(a, b *alerting.Fact) bool {
	has := func(f *alerting.Fact) bool { return f.Known || len(f.Entity.Parents) > 0 }
	return has(a) && has(b)
}

// declared says that the graph ties an alarm to the cause of a group, whichever of the two needs the other. What harms users is
// explained only by what nothing stands in for.
func (t *together) declared(a *Alone, g *group) (alerting.Joined, bool) {
	root := g.root()
	if !placed(a.Fact, root.Fact) || !g.alive() || graver(a, g) || root.chore() || a.comesAndGoes() {
		return alerting.Joined{}, false
	}
	firm := func(of *Alone) topology.Edge {
		if of.felt() {
			return topology.Hurt
		}
		return topology.Member
	}
	j := alerting.Joined{Trust: alerting.Certain}
	switch {
	case root.Fact.Known && root.Reading.Rank <= a.Reading.Rank && t.walks.edge(root.Fact.Entity.ID, a.Fact) >= firm(a):
		j.Why, j.Leads = "it stands on "+root.Fact.Entity.ID, a.felt()
	case a.Fact.Known && a.Reading.Rank <= root.Reading.Rank && t.walks.edge(a.Fact.Entity.ID, root.Fact) >= firm(root):
		j.Why, j.Leads = root.Reading.Rule+" stands on "+a.Fact.Entity.ID, a.wakes()
	default:
		return alerting.Joined{}, false
	}
	return j, true
}

// chore alarms are of the alerting system, of batch jobs or of housekeeping: they bring nothing else about.
func (a *Alone) chore() bool {
	switch a.Reading.Layer.Value {
	case "job", "monitoring":
		return true
	}
	return a.Reading.Kind.Value == "hygiene" || a.Reading.Kind.Value == "heartbeat" || a.Reading.Idle
}
