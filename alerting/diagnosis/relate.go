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

// join finds the group of an alarm that has none.
func (t *together) join(a *candidate) {
	var best alerting.Joined
	var to *group
	clear(t.found)
	for g, j := range t.relations(a, t.found) {
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
	} else {
		best.Why = because(a, to, best)
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
		t.wakes(to)
	}
}

// relations puts into out the groups that an alarm may belong to, and by what, and returns it.
func (t *together) relations(a *candidate, out map[*group]alerting.Joined) map[*group]alerting.Joined {
	if a.Priority == alerting.P5 || a.Fact.Silence != "" {
		return out
	}
	for _, name := range a.Reading.Names {
		t.named(a, name, out)
	}
	t.ruled(a, out)
	if !a.own() && (!a.chore() || !a.wakes() || a.watches()) {
		t.disturbed(a, out)
	}
	return out
}

// named adds the groups with which an alarm shares a name.
func (t *together) named(a *candidate, name string, out map[*group]alerting.Joined) {
	for _, b := range t.owners[name].list() {
		t.walks.asked++
		if _, have := out[b.of]; have || !t.open(a, b.of) {
			continue
		}
		for _, m := range b.members[:min(len(b.members), mostGuesses)] {
			t.walks.asked++
			if why, ok := t.sharing(a, m, b.of, name); ok {
				out[b.of] = alerting.Joined{Trust: alerting.Certain, Why: why, Leads: a.wakes() && !a.Fact.Flapping}
				break
			}
		}
	}
}

// sharing says whether an alarm belongs to the group of another one since both name the same thing, and why.
func (t *together) sharing(a, m *candidate, of *group, name string) (why string, ok bool) {
	if m == a || !m.Fact.Firing() && t.now.Sub(m.Fact.Ended) > t.after || namesakes(a.Reading, m.Reading, name) {
		return "", false
	}
	why, ok = labelEdge(a, m, of, name)
	if !ok && strings.HasPrefix(name, "node:") && !graver(a, of) {
		why, ok = t.sameHosts(a, m, of)
	}
	return why, ok
}

// ruled adds the groups in which the rule of an alarm fires in the same place.
func (t *together) ruled(a *candidate, out map[*group]alerting.Joined) {
	for _, b := range t.rules[a.Reading.Place].list() {
		t.walks.asked++
		if _, have := out[b.of]; have || !t.open(a, b.of) || !inTime(a, b.of) || graver(a, b.of) {
			continue
		}
		n := slices.IndexFunc(b.members[:min(len(b.members), mostGuesses)], func(m *candidate) bool {
			t.walks.asked++
			return m != a && !placed(a.Fact, m.Fact) && m.Fact.Firing() && !m.Fact.Flapping
		})
		if n < 0 {
			continue
		}
		m := b.members[n]
		out[b.of] = alerting.Joined{Trust: alerting.Certain, Why: oneRule(a.Reading.Rule, false), Leads: m.Joined.Leads && !a.Fact.Flapping}
		if a.Priority == alerting.P1 && differ(a.Reading, m.Reading, "service") { // users of another service: a cause of both is a guess
			out[b.of] = alerting.Joined{Trust: alerting.Guessed, Why: oneRule(a.Reading.Rule, true)}
		}
	}
}

// disturbed adds the groups that came up in the time of an alarm and may be one disturbance with it.
func (t *together) disturbed(a *candidate, out map[*group]alerting.Joined) {
	at := a.Fact.Began()
	from := at.Add(-joinWithin - a.Reading.Wait)
	list := t.waking
	if t.again {
		list = t.came
	}
	n, _ := slices.BinarySearchFunc(list, from, func(g *group, at time.Time) int { return g.first.Compare(at) })
	seen := 0
	for _, g := range list[n:] {
		if g.first.After(at.Add(joinWithin)) || seen == mostGuesses {
			break
		}
		t.walks.asked++
		if _, have := out[g]; have || !inTime(a, g) || !t.open(a, g) {
			continue
		}
		seen++
		j, ok := t.declared(a, g)
		if !ok && !placed(a.Fact, g.root().Fact) {
			j, ok = t.guess(a, g)
		}
		if ok {
			out[g] = j
		}
	}
}

// open says that an alarm may join a group: it was not released from it, and the group is not what was released from another.
func (t *together) open(a *candidate, g *group) bool {
	if len(g.members) == 0 || a.Joined.Left == g.id || a.Joined.With == g.id || t.again && !g.fresh {
		return false
	}
	return g.members[0].Joined.Left == "" || g.members[0].Fact.Rule() == a.Fact.Rule()
}

// labelEdge is a label edge between two alarms: both name shared, a thing that is no wider than a host or a workload. A host that is down
// explains all on it at any time, anything else what began within minutes of it, or is of its rule, or would wake nobody.
func labelEdge(a, m *candidate, g *group, shared string) (string, bool) {
	if a.Reading.Identity == m.Reading.Identity {
		return oneAlarm, !graver(a, g)
	}
	why := shares(shared, false, false)
	switch {
	case graver(a, g):
		return "", false
	case m.down() && strings.HasPrefix(shared, "node:"):
		return shares(shared, true, false), true
	case near(a.Fact.Began(), m.Fact.Began()) || a.onset(m.Fact.Began()):
		return why, !a.own() || a.Reading.Subject.ID() == m.Reading.Subject.ID() || a.Reading.Rule == m.Reading.Rule
	case repeats(a, m):
		return shares(shared, false, true), true
	}
	return why, !a.wakes() && a.Reading.Follows && m.Reading.Rank <= a.Reading.Rank
}

// repeats says that a is the rule of m once more, about the same thing as far as anybody can tell.
func repeats(a, m *candidate) bool {
	return a.Reading.Rule == m.Reading.Rule && a.Reading.Severity.Value == m.Reading.Severity.Value && !(a.wakes() && otherThing(a.Fact, m.Fact))
}

// otherThing says that two alarms of one rule differ in a label that may name what they are about, as far as anybody can tell who does
// not know the rule: its service, unit, tenant, provider, cluster behind an operator. Hours apart these are two faults.
func otherThing(a, b *alerting.Fact) bool {
	for name, value := range a.Labels {
		if other, ok := b.Labels[name]; ok && other != value && !detail[name] && !sends(name) && !strings.HasPrefix(name, "exported_") {
			return true
		}
	}
	return false
}

// sends says that a label names which of several servers sent an alarm, as a pair has it whose label is not among the replica labels.
func sends(name string) bool {
	return strings.Contains(name, "prom") || strings.Contains(name, "replica") || strings.Contains(name, "shard") || strings.Contains(name, "agent")
}

// detail are labels that tell parts of one thing apart, or how it fails.
var detail = func() map[string]bool {
	out := map[string]bool{}
	for _, name := range strings.Fields("pod container container_id image image_id uid id instance endpoint port node host hostname nodename exporter " +
		"device mountpoint fstype disk volume persistentvolumeclaim interface ifName ifDescr ifIndex sensor chip cpu core mode slot " +
		"code status status_code method handler path route uri le quantile percentile window long short severity level priority " +
		"type reason state phase condition result error error_type value current threshold direction version alertname alertstate " +
		"metrics_path scrape_job receive monitor ha sender region zone availability_zone") {
		out[name] = true
	}
	return out
}()

// sameHosts says that a rule fires on the very hosts on which another one fires, where both read that hosts or what runs on them
// went down or are not well, or nothing is read of what is wrong. That as many hosts have a fault of their own each within minutes
// is no likely story, whatever the rules are called; of one or two it may be.
func (t *together) sameHosts(a, m *candidate, g *group) (string, bool) {
	x, y := a.Reading, m.Reading
	down := func(r *alerting.Reading) bool { return r.Kind.Value == "down" || !r.Kind.Known() }
	if x.Rule == y.Rule || !down(x) && x.Kind.Value != "liveness" || !down(y) || g.first.IsZero() || a.Fact.Began().Sub(g.first) > guessHolds {
		return "", false
	}
	these := t.hostsOf(x.Place)
	both := t.shared(x.Place, y.Place)
	if both < severalHosts || 4*both < 3*len(these) {
		return "", false
	}
	return sharesHosts(both), true
}

// shared counts the hosts on which the rules of two places both fire.
func (t *together) shared(a, b string) int {
	n, ok := t.both[[2]string{a, b}]
	if !ok {
		those := t.hostsOf(b)
		for h := range t.hostsOf(a) {
			if those[h] {
				n++
			}
		}
		if t.both == nil {
			t.both = map[[2]string]int{}
		}
		t.both[[2]string{a, b}] = n
	}
	return n
}

// hostsOf are the hosts on which a rule fires in one place.
func (t *together) hostsOf(place string) map[string]bool {
	if t.hosts == nil {
		t.hosts = map[string]map[string]bool{}
		for _, a := range t.all {
			if h := a.Reading.Owner("node"); h != "" && a.Fact.Firing() {
				if t.hosts[a.Reading.Place] == nil {
					t.hosts[a.Reading.Place] = map[string]bool{}
				}
				t.hosts[a.Reading.Place][h] = true
			}
		}
	}
	return t.hosts[place]
}

// differ says that both name an owner of a kind, and not the same.
func differ(a, b *alerting.Reading, kind string) bool {
	x, y := a.Owner(kind), b.Owner(kind)
	return x != "" && y != "" && x != y
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

// namesakes says that two alarms name two things that are only called alike, in two clusters, regions or environments. What data systems call
// their cluster is another thing than the cluster that a host is in.
func namesakes(a, b *alerting.Reading, name string) bool {
	if strings.HasPrefix(name, "node:") && (data[a.Layer.Value] || data[b.Layer.Value]) {
		return differ(a, b, "region") || differ(a, b, "environment")
	}
	return !compatible(a, b)
}

// data are the layers of systems that have clusters of their own.
var data = map[string]bool{"database": true, "cache": true, "queue": true}

func near(a, b time.Time) bool { return a.Sub(b).Abs() <= joinWithin }

func inTime(a *candidate, g *group) bool {
	return !g.first.IsZero() && (!a.Fact.Began().After(g.first.Add(joinWithin)) && near(a.Fact.Began(), g.first) || a.onset(g.first))
}

// graver says that an alarm would hide behind less than it is. What nobody was notified of yet hides nothing.
func graver(a *candidate, g *group) bool {
	return a.wakes() && g.notified != 0 && a.Priority < g.notified
}

// guess says that an alarm may be part of the disturbance that a group is about. Its words are those of because.
func (t *together) guess(a *candidate, g *group) (alerting.Joined, bool) {
	if !mayBe(a, g) {
		return alerting.Joined{}, false
	}
	x, y := g.root().Reading, a.Reading
	apart, stays := g.tally().anotherSite(y.Owner("site")), !a.Fact.Flapping
	j := alerting.Joined{Trust: alerting.Guessed, Leads: a.felt() && !apart && stays}
	if !apart && oneScope(x, y) {
		j.Trust, j.Leads = alerting.Catalogue, j.Leads || y.Rank < x.Rank && stays
	}
	return j, true
}

// mayBe says that an alarm is no worse than what its group is about, is in the same place, and one of the two can follow from the other.
func mayBe(a *candidate, g *group) bool {
	root := g.root()
	switch {
	case !g.alive():
		return false
	case (root.chore() || a.chore() && a.wakes()) && !(root.watches() && a.watches()):
		return false
	}
	return !(a.wakes() && a.Priority < g.best()) && compatible(a.Reading, root.Reading) && follows(a, root)
}

// because says why an alarm belongs to a group. Of the many groups that a guess finds one is chosen: its words are made then.
func because(a *candidate, g *group, j alerting.Joined) string {
	switch {
	case j.Why != "":
		return j.Why
	case j.Trust == alerting.Catalogue: // by a guess this is in one scope
		return began(a, g.root(), g.root().Reading.Scope)
	}
	return began(a, g.root(), "")
}

// follows says that by what they read one of the two can follow from the other.
func follows(a, root *candidate) bool {
	x, y := root.Reading, a.Reading
	return x.Rank <= y.Rank || x.Users() && y.Users() || !root.own()
}

// oneScope says that the catalogue knows both, as parts of one disturbance, and that their labels name one place.
func oneScope(x, y *alerting.Reading) bool {
	if x.Scope == "" || x.Scope != y.Scope || x.Kind.Trust < alerting.Catalogue || y.Kind.Trust < alerting.Catalogue {
		return false
	}
	return x.Rank != y.Rank || x.Users() && y.Users() || x.Effect() && y.Effect()
}

// placed says that the graph has a place for the subjects of both: it knows what ties them, and a guess would know no better.
func placed(a, b *alerting.Fact) bool {
	has := func(f *alerting.Fact) bool { return f.Known || len(f.Entity.Parents) > 0 }
	return has(a) && has(b)
}

// declared says that the graph ties an alarm to the cause of a group, whichever of the two needs the other. What harms users is
// explained only by what nothing stands in for.
func (t *together) declared(a *candidate, g *group) (alerting.Joined, bool) {
	root := g.root()
	if !placed(a.Fact, root.Fact) || !g.alive() || graver(a, g) || root.chore() || a.Fact.Flapping {
		return alerting.Joined{}, false
	}
	firm := func(of *candidate) topology.Edge {
		if of.felt() {
			return topology.Hurt
		}
		return topology.Member
	}
	j := alerting.Joined{Trust: alerting.Certain}
	switch {
	case root.Fact.Known && root.Reading.Rank <= a.Reading.Rank && t.walks.edge(root.Fact.Entity.ID, a.Fact) >= firm(a):
		j.Why, j.Leads = standsOn(a, root), a.felt()
	case a.Fact.Known && a.Reading.Rank <= root.Reading.Rank && t.walks.edge(a.Fact.Entity.ID, root.Fact) >= firm(root):
		j.Why, j.Leads = standsOn(root, a), a.wakes()
	default:
		return alerting.Joined{}, false
	}
	return j, true
}
