package diagnosis

import (
	"cmp"
	"time"

	"github.com/navcloud/binnacle/alerting"
)

// folded is what fold found.
type folded struct {
	root map[string]*alerting.Verdict // the best cause of each group of what is told together
	next time.Time                    // when time alone changes it
}

// fold finds which alarms of others are told together, and notes it in new Facts.
func fold(in Input, verdicts []*alerting.Verdict) folded {
	out := folded{root: map[string]*alerting.Verdict{}}
	var list []*Alone
	var whose []*alerting.Verdict
	for _, v := range verdicts {
		if !folds(v) {
			continue
		}
		list = append(list, &Alone{Fact: v.Fact, Reading: v.Reading, Priority: v.Alone, Told: v.Past.Page, Joined: v.Joined})
		whose = append(whose, v)
	}
	if len(list) == 0 {
		return out
	}
	out.next = Together(in.Now, in.Settings.Resolve.AfterCause, in.Walks, list, in.Passed)
	groups := map[string][]*Alone{}
	at := make(map[*Alone]*alerting.Verdict, len(list))
	for n, a := range list {
		v := whose[n]
		if v.Joined != a.Joined {
			f := *v.Fact
			f.Joined, v.Fact = a.Joined, &f
		}
		groups[a.Joined.With] = append(groups[a.Joined.With], a)
		at[a] = v
	}
	for id, g := range groups {
		out.root[id] = at[Root(g)]
	}
	return out
}

// folds says that an alarm may be told with others by what it reads: it is of others, or the graph does not know its subject, and its
// rule does not say that it stands for itself.
func folds(v *alerting.Verdict) bool {
	if v.Reading == nil || (v.Known || len(v.Entity.Parents) > 0) && !v.Foreign() || v.Always() || v.Impact() != "" {
		return false
	}
	if saysP1(v) {
		return false
	}
	_, harm := harmIn(v.Fact)
	return !harm
}

// of is what explains an alarm that is told together with others, or a group alarm of such: the root of its group.
func (f folded) of(v *alerting.Verdict) (by *alerting.Verdict, why string) {
	root := f.root[joinedOf(v).With]
	if root == nil {
		return nil, ""
	}
	for root.In != nil {
		root = root.In
	}
	if root == v {
		return nil, ""
	}
	return root, cmp.Or(joinedOf(v).Why, joinedOf(root).Why)
}

// joinedOf is with what an alarm is told; a group alarm is told with what its spokesman is.
func joinedOf(v *alerting.Verdict) alerting.Joined {
	if len(v.Parts) > 0 {
		return v.Parts[0].Joined
	}
	return v.Joined
}
