package diagnosis

import (
	"time"

	"github.com/navcloud/binnacle/alerting"
)

// folded is what fold found.
type folded struct {
	root map[string]*alerting.Verdict // the best cause of each group of what is told together
	next time.Time                    // when time alone changes it
}

// fold finds which alarms of others, on subjects that the graph does not know, are told together, and notes it in new Facts.
func fold(in Input, s *standing, verdicts []*alerting.Verdict) folded {
	out := folded{root: map[string]*alerting.Verdict{}}
	var list []*Alone
	by := map[string]*alerting.Verdict{}
	w := &weighed{ephemeral: in.Settings.Wait.Ephemeral}
	for _, v := range verdicts {
		if _, harm := harmIn(v.Fact); v.Known || v.Reading == nil || len(v.Entity.Parents) > 0 && !v.Foreign() || v.Always() || harm || v.Labels[alerting.LabelImpact] != "" {
			continue
		}
		w.weigh(in, s, v)
		v.Steadfast = steadfast(v.Fact, w.impact)
		v.Symptom = symptom(v.Fact, w.impact)
		p, _ := w.priority(in.Settings)
		list = append(list, &Alone{Fact: v.Fact, Reading: v.Reading, Priority: p, Told: v.Past.Page, Joined: v.Joined})
		by[v.ID] = v
	}
	if len(list) == 0 {
		return out
	}
	joined, next := Together(in.Now, in.Settings.Resolve.AfterCause, list, in.Passed)
	out.next = next
	groups := map[string][]*Alone{}
	for _, a := range list {
		j := joined[a.Fact.ID]
		if v := by[a.Fact.ID]; v.Joined != j {
			f := *v.Fact
			f.Joined, v.Fact = j, &f
		}
		groups[j.With] = append(groups[j.With], a)
	}
	for id, g := range groups {
		out.root[id] = by[Root(g).Fact.ID]
	}
	return out
}

// of is what explains an alarm that is told together with others, or a group alarm of such: the root of its group.
func (f folded) of(v *alerting.Verdict) (by *alerting.Verdict, why string) {
	joined := v.Joined
	if len(v.Parts) > 0 {
		joined = v.Parts[0].Joined
	}
	root := f.root[joined.With]
	if root == nil {
		return nil, ""
	}
	for root.In != nil {
		root = root.In
	}
	if root == v {
		return nil, ""
	}
	return root, joined.Why
}
