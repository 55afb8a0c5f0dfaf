package diagnosis

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
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

// Alone is an alarm whose subject the graph does not know, as Together sees it.
type Alone struct {
	Fact     *alerting.Fact
	Reading  *alerting.Reading
	Priority alerting.Priority // were there no other
	Told     alerting.Priority // at which its problem was told; 0: it was not
	Joined   alerting.Joined   // as Together said last
}

func (a *Alone) wakes() bool { return a.Priority <= alerting.P2 && a.Fact.Silence == "" }

// group are alarms that are told together.
type group struct {
	id      string
	first   time.Time
	told    alerting.Priority
	members []*Alone
}

// Together finds which of the alarms that no graph knows are told together, in which group each is from now on. Three things
// bring two together: a label edge (both name one pod, host, address or database), one rule in one place, or a guess: both
// may be parts of one disturbance, because they began within minutes of each other in one place and by what they read one can
// follow from the other. after is how long the end of a cause explains; list must be in a fixed order.
func Together(now time.Time, after time.Duration, list []*Alone, passed []alerting.Passed) (out map[string]alerting.Joined, next time.Time) {
	t := &together{now: now, after: after, passed: passed, groups: map[string]*group{}}
	for _, a := range list {
		if a.Joined.With != "" {
			t.group(a.Joined.With).add(a)
		}
	}
	t.restart(list)
	for _, id := range slices.Sorted(maps.Keys(t.groups)) {
		t.release(t.groups[id])
	}
	var fresh []*Alone
	for _, a := range list {
		if a.Joined.With == "" {
			fresh = append(fresh, a)
		}
	}
	slices.SortStableFunc(fresh, older)
	for _, wakes := range []bool{true, false} {
		for _, a := range fresh {
			if a.wakes() == wakes { // those that wake first: they are what the others follow
				t.join(a)
			}
		}
	}
	t.absorb()
	out = make(map[string]alerting.Joined, len(list))
	for _, a := range list {
		a.Joined.Rolled = t.rolled(a)
		a.Joined.Told = t.group(a.Joined.With).told
		out[a.Fact.ID] = a.Joined
		t.due(a)
	}
	return out, t.wake.at
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
		g.members = slices.DeleteFunc(g.members, func(m *Alone) bool { return m == a })
		a.Joined = alerting.Joined{}
	}
}

func older(a, b *Alone) int {
	return cmp.Or(a.Fact.Began().Compare(b.Fact.Began()), cmp.Compare(a.Reading.Rank, b.Reading.Rank), cmp.Compare(a.Fact.ID, b.Fact.ID))
}

type together struct {
	now    time.Time
	after  time.Duration
	passed []alerting.Passed
	wake   wake
	groups map[string]*group
}

func (t *together) group(id string) *group {
	if t.groups[id] == nil {
		t.groups[id] = &group{id: id}
	}
	return t.groups[id]
}

func (g *group) add(a *Alone) {
	g.members = append(g.members, a)
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
	return Root(g.members)
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
	g.members = kept
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
	var longest time.Duration
	for _, m := range g.members {
		if m.Joined.Leads && !m.Fact.Firing() {
			longest = max(longest, m.Fact.Ended.Sub(m.Fact.Began()))
		}
	}
	return min(max(t.after, longest/5), max(t.after, LingerMost))
}

func (a *Alone) guessed() bool { return a.Joined.Trust == alerting.Guessed && !a.Joined.Leads }

func spoken(d time.Duration) string { return fmt.Sprintf("%d minutes", int(d.Minutes())) }

// join finds the group of an alarm that has none.
func (t *together) join(a *Alone) {
	var best alerting.Joined
	var to *group
	for _, id := range slices.Sorted(maps.Keys(t.groups)) {
		g := t.groups[id]
		if a.wakes() && g.first.IsZero() {
			continue // what wakes nobody follows it, see absorb
		}
		j, ok := t.relate(a, g)
		if !ok {
			continue
		}
		if to == nil || cmp.Or(cmp.Compare(best.Trust, j.Trust), cmp.Compare(g.best(), to.best()), g.first.Compare(to.first)) < 0 {
			best, to = j, g
		}
	}
	if to == nil {
		to = t.group(a.Fact.ID + "@" + fmt.Sprint(a.Fact.Began().Unix()))
		best = alerting.Joined{Leads: true, Trust: alerting.Certain}
	}
	best.With, best.At, best.First = to.id, t.now, to.first
	if a.wakes() && to.first.IsZero() {
		best.First = a.Fact.Began()
	}
	a.Joined = best
	to.add(a)
}

// absorb lets groups that nobody was paged for follow one that is no less grave and began within minutes of them.
func (t *together) absorb() {
	ids := slices.Sorted(maps.Keys(t.groups))
	for _, id := range ids {
		low := t.groups[id]
		if !low.free() {
			continue
		}
		for _, other := range ids {
			g := t.groups[other]
			if g == low || len(g.members) == 0 || g.first.IsZero() || g.best() > low.best() || !low.first.IsZero() && g.told == 0 && (g.best() == low.best() && older(g.root(), low.root()) > 0) {
				continue
			}
			if t.move(low, g) {
				break
			}
		}
	}
}

// free says that a group may follow another one: nobody was paged for it, and no member stands apart for a reason.
func (g *group) free() bool {
	if len(g.members) == 0 || g.told != 0 && g.told <= alerting.P2 {
		return false
	}
	return !slices.ContainsFunc(g.members, func(m *Alone) bool { return m.Priority == alerting.P5 || m.Joined.Left != "" || m.Fact.Silence != "" })
}

// move lets the members of one group join another one, all or none.
func (t *together) move(low, g *group) bool {
	var js []alerting.Joined
	for _, m := range low.members {
		j, ok := t.relate(m, g)
		if !ok || low.told != 0 && j.Trust != alerting.Certain {
			return false
		}
		js = append(js, j)
	}
	for i, m := range low.members {
		js[i].With, js[i].At, js[i].First = g.id, t.now, g.first
		js[i].Leads = js[i].Leads && m.wakes()
		m.Joined = js[i]
		g.add(m)
	}
	low.members = nil
	return true
}

// relate says whether an alarm belongs to a group, and by what.
func (t *together) relate(a *Alone, g *group) (alerting.Joined, bool) {
	if len(g.members) == 0 || a.Priority == alerting.P5 || a.Fact.Silence != "" || a.Joined.Left == g.id || slices.ContainsFunc(g.members, func(m *Alone) bool { return m.Joined.Left != "" && !oneRule(a, m) }) {
		return alerting.Joined{}, false
	}
	for _, m := range g.members {
		if !m.Fact.Firing() && t.now.Sub(m.Fact.Ended) > t.after {
			continue
		}
		if why, ok := edge(a, m, g); ok {
			return alerting.Joined{Trust: alerting.Certain, Why: why, Leads: a.wakes()}, true
		}
	}
	if !slices.ContainsFunc(g.members, func(m *Alone) bool { return m.Fact.Firing() && !m.comesAndGoes() }) {
		return alerting.Joined{}, false // what is over, or always comes and goes, tells of no disturbance
	}
	for _, m := range g.members {
		if m.Fact.Firing() && oneRule(a, m) && inTime(a, g) && !graver(a, g) {
			return alerting.Joined{Trust: alerting.Certain, Why: "one rule, one place", Leads: m.Joined.Leads}, true
		}
	}
	return t.guess(a, g)
}

// edge is a label edge between two alarms: both name one thing that is no wider than a host or a workload. A host that is down
// explains all on it at any time, anything else what began within minutes of it, or is of its rule, or would wake nobody.
func edge(a, m *Alone, g *group) (string, bool) {
	if a.Reading.Identity == m.Reading.Identity {
		return "one alarm under several labels", !graver(a, g)
	}
	shared := sharedOwner(a.Reading, m.Reading)
	if shared == "" {
		return "", false
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

// narrow are the kinds of owners that two alarms of one fault share; wider ones hold too much.
var narrow = []string{"container", "pod", "device", "volume", "target", "database", "queue", "workload", "node"}

func sharedOwner(a, b *alerting.Reading) string {
	for _, x := range a.Owners {
		if x.Trust < alerting.Certain || !slices.Contains(narrow, x.Kind) {
			continue
		}
		if slices.ContainsFunc(b.Owners, func(y alerting.Owner) bool {
			return y.Kind == x.Kind && y.Name == x.Name && y.Trust == alerting.Certain
		}) {
			return x.ID()
		}
	}
	if a.Subject.ID() == b.Subject.ID() && !slices.Contains([]string{"", "cluster", "namespace", "region", "zone"}, a.Subject.Kind) {
		return a.Subject.ID()
	}
	return ""
}

// oneRule says that two alarms are of one rule in one place: one namespace where they have one, one site, one cluster.
func oneRule(a, m *Alone) bool {
	if a.Reading.Rule != m.Reading.Rule && a.Fact.Rule() != m.Fact.Rule() || a.Fact.Rule() == "" || a.Reading.Severity.Value != m.Reading.Severity.Value || !compatible(a.Reading, m.Reading) {
		return false
	}
	return !differ(a.Reading, m.Reading, "namespace") && !differ(a.Reading, m.Reading, "site")
}

// differ says that both name an owner of a kind, and not the same.
func differ(a, b *alerting.Reading, kind string) bool {
	x, y := ownerOf(a, kind), ownerOf(b, kind)
	return x != "" && y != "" && x != y
}

// comesAndGoes says that an alarm has started several times lately: it tells of itself.
func (a *Alone) comesAndGoes() bool { return a.Fact.Flapping || len(a.Fact.Starts) >= 3 }

func ownerOf(r *alerting.Reading, kind string) string {
	for _, o := range r.Owners {
		if o.Kind == kind {
			return o.Name
		}
	}
	return ""
}

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
	if a.own() || !inTime(a, g) || graver(a, g) || !compatible(a.Reading, root.Reading) || root.chore() || a.chore() && a.wakes() {
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
	if apart {
		j.Leads = false
	}
	if !apart && x.Scope != "" && x.Scope == y.Scope && (x.Rank != y.Rank || x.Users() && y.Users()) && x.Kind.Trust >= alerting.Catalogue && y.Kind.Trust >= alerting.Catalogue {
		j.Trust, j.Why, j.Leads = alerting.Catalogue, j.Why+", in "+x.Scope, j.Leads || y.Rank < x.Rank
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

// rolled is until when an alarm is waited for because others of its rule, on other subjects, were told and have ended by
// themselves within minutes: most likely it does so, too. Whoever is harmed or asks for a page is never waited for.
func (t *together) rolled(a *Alone) time.Time {
	if !a.Fact.Firing() || !a.wakes() || a.Priority == alerting.P1 || a.Told != 0 {
		return time.Time{}
	}
	var longest time.Duration
	told := false
	for _, m := range t.passed {
		if m.Rule != a.Reading.Rule || m.Scope != a.Reading.Scope || m.Ended.After(a.Fact.Began()) || m.ID == a.Fact.ID {
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
