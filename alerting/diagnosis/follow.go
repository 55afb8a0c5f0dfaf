package diagnosis

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/navcloud/binnacle/alerting"
)

// roster lists alarms by group, each group where it came up first.
type roster struct {
	buckets []bucket
	at      map[*group]int
}

// bucket are the alarms of one group in a roster.
type bucket struct {
	of      *group
	members []*candidate
}

func (r *roster) list() []bucket {
	if r == nil {
		return nil
	}
	return r.buckets
}

func (r *roster) add(m *candidate, g *group) {
	n := len(r.buckets) - 1
	if n < 0 || r.buckets[n].of != g {
		at, ok := r.at[g]
		if n = at; !ok {
			n = len(r.buckets)
			r.buckets = append(r.buckets, bucket{of: g})
			r.note(g, n)
		}
	}
	r.buckets[n].members = append(r.buckets[n].members, m)
}

func (r *roster) note(g *group, n int) {
	if r.at == nil {
		r.at = map[*group]int{}
	}
	r.at[g] = n
}

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

// wakes adds a group that wakes from now on, in the order in which they came up.
func (t *together) wakes(g *group) {
	t.waking = inserted(t.waking, g)
}

// inserted puts a group behind those that came up no later.
func inserted(list []*group, g *group) []*group {
	n, _ := slices.BinarySearchFunc(list, g.first.Add(1), func(o *group, at time.Time) int { return o.first.Compare(at) })
	return slices.Insert(list, n, g)
}

func sortedGroups(groups map[string]*group) []string { return slices.Sorted(maps.Keys(groups)) }

// find adds a member to the index.
func (t *together) find(m *candidate, g *group) {
	for _, name := range m.Reading.Names {
		enlist(t.owners, name, m, g)
	}
	enlist(t.rules, m.Reading.Place, m, g)
}

func enlist(by map[string]*roster, key string, m *candidate, g *group) {
	r := by[key]
	if r == nil {
		r = &roster{}
		by[key] = r
	}
	r.add(m, g)
}

// absorb lets groups that nobody was paged for follow one that is no less grave and began within minutes of them.
func (t *together) absorb() {
	for _, g := range t.waking {
		if g.fresh {
			t.came = append(t.came, g)
		}
	}
	for _, id := range sortedGroups(t.groups) {
		low := t.groups[id]
		if !low.fresh && len(t.came) == 0 || !low.free() || !low.recent(t.now) {
			continue
		}
		t.again = !low.fresh
		t.follow(low)
	}
	t.again = false
}

// follow lets the members of one group join another one, all or none. What wakes nobody and only followed those goes with them,
// related or not.
func (t *together) follow(low *group) {
	var js []map[*group]alerting.Joined // of each member; nil: it goes where the others go
	var shared map[*group]alerting.Joined
	binds := func(m *candidate) bool { return m.Joined.Leads || m.wakes() }
	some := slices.ContainsFunc(low.members, binds)
	for _, m := range low.members {
		if some && !binds(m) {
			js = append(js, nil)
			continue
		}
		more := t.relations(m, map[*group]alerting.Joined{})
		js = append(js, more)
		if shared == nil {
			shared = maps.Clone(more)
		}
		maps.DeleteFunc(shared, func(g *group, _ alerting.Joined) bool { _, ok := more[g]; return !ok })
		if len(shared) == 0 {
			return
		}
	}
	to := low.leader(shared, js)
	if to == nil {
		return
	}
	for i, j := range low.bonds(to, js) {
		m := low.members[i]
		j.With, j.At, j.First, j.Leads = to.id, t.now, to.first, j.Leads && m.wakes()
		m.Joined = j
		to.add(m)
		t.find(m, to)
	}
	low.keep(nil)
	if !to.fresh {
		to.fresh = true
		t.came = inserted(t.came, to)
	}
}

// bonds are by what each member joins another group, before any of them is in it and may be its root. What is not related to it
// goes by what it had.
func (g *group) bonds(to *group, js []map[*group]alerting.Joined) []alerting.Joined {
	out := make([]alerting.Joined, len(g.members))
	for i, m := range g.members {
		j, related := js[i][to]
		if related {
			j.Why = because(m, to, j)
		} else {
			j = m.Joined
		}
		out[i] = j
	}
	return out
}

// leader is the group that one may follow of those that each of its members is related to: one that wakes and is no less grave.
func (g *group) leader(shared map[*group]alerting.Joined, js []map[*group]alerting.Joined) (to *group) {
	for o := range shared {
		if !g.mayFollow(o) || g.notified != 0 && slices.ContainsFunc(js, func(by map[*group]alerting.Joined) bool { return by != nil && by[o].Trust != alerting.Certain }) {
			continue
		}
		if to == nil || cmp.Or(cmp.Compare(o.best(), to.best()), o.first.Compare(to.first), cmp.Compare(o.id, to.id)) < 0 {
			to = o
		}
	}
	return to
}

// mayFollow says that another group wakes and is no less grave than this one, and that it is not the other that follows.
func (g *group) mayFollow(o *group) bool {
	if o == g || o.first.IsZero() || o.best() > g.best() {
		return false
	}
	first := !g.first.IsZero() && o.notified == 0 && o.best() == g.best() && betterRank(o.root(), g.root()) > 0
	return !first
}
