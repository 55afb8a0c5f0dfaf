package diagnosis

import (
	"cmp"
	"time"

	"github.com/navcloud/binnacle/alerting"
)

// fold finds which alarms of others are folded together, and notes it in new Facts, and the best cause of each group in the verdicts.
// anew are those that are folded with others than before, or otherwise; next is when time alone changes it.
func (p *past) fold(in Input) (anew map[*alerting.Verdict]bool, next time.Time) {
	anew = map[*alerting.Verdict]bool{}
	var list []*candidate
	var left []*alerting.Verdict // that read otherwise now
	for _, j := range p.list {
		if v := j.verdict; j.candidate != nil {
			*j.candidate = candidate{Fact: v.Fact, Reading: v.Reading, Priority: v.Alone, Notified: v.Past.Page, Joined: v.Joined, judged: j}
			list = append(list, j.candidate)
		} else if v.Joined.With != "" {
			left = append(left, v)
		}
	}
	if len(list) == 0 {
		return anew, next
	}
	t := foldTogether(in, list)
	for _, a := range list {
		v := a.judged.verdict
		if v.Joined != a.Joined {
			f := *v.Fact
			f.Joined, v.Fact, anew[v] = a.Joined, &f, true
		}
		v.Lead = t.groups[a.Joined.With].root().judged.verdict
	}
	for _, v := range left {
		if g := t.groups[v.Joined.With]; g != nil && len(g.members) > 0 {
			v.Lead = g.root().judged.verdict
		}
	}
	return anew, t.wake.At
}

// folds says that an alarm may be folded with others by what it reads: it is of others, or the graph does not know its subject, and its
// rule does not say that it stands for itself. That hangs on its Fact alone.
func folds(v *alerting.Verdict) bool {
	if v.Reading == nil || (v.Known || len(v.Entity.Parents) > 0) && !v.Foreign() || v.Always() || v.Impact() != "" {
		return false
	}
	_, harm := harmIn(v.Fact)
	return !harm && !saysP1(v)
}

// ledBy is what explains an alarm that is folded with others, or a group alarm of such: the root of its group.
func ledBy(v *alerting.Verdict) (by *alerting.Verdict, why string) {
	root := v.Spokesman().Lead
	if root == nil {
		return nil, ""
	}
	for root.In != nil {
		root = root.In
	}
	if root == v {
		return nil, ""
	}
	return root, cmp.Or(v.Spokesman().Joined.Why, root.Spokesman().Joined.Why)
}
