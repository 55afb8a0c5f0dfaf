package diagnosis

import (
	"cmp"
	"maps"
	"time"

	"github.com/navcloud/binnacle/alerting"
)

// folded is what fold found.
type folded struct {
	anew map[*alerting.Verdict]bool // those that are told with others than before, or otherwise
	next time.Time                  // when time alone changes it
}

// told are alarms of others that are told together, over steps.
type told struct {
	with    string // their Joined.With
	members []*judged
	count   int     // of members in the step before
	moved   bool    // one of members is not as it was
	root    *judged // the best cause
}

// fold finds which alarms of others are told together, and notes it in new Facts, and the best cause of each group in the verdicts.
func (p *past) fold(in Input) folded {
	out := folded{anew: map[*alerting.Verdict]bool{}}
	var list []*Alone
	var left []*alerting.Verdict // that read otherwise now
	for _, j := range p.list {
		if v := j.verdict; j.folds() {
			*j.alone = Alone{Fact: v.Fact, Reading: v.Reading, Priority: v.Alone, Told: v.Past.Page, Joined: v.Joined, judged: j}
			list = append(list, j.alone)
		} else if v.Joined.With != "" {
			left = append(left, v)
		}
	}
	if len(list) == 0 {
		p.told = nil
		return out
	}
	out.next = Together(in.Now, in.Settings.Resolve.AfterCause, in.Walks, list, in.Passed)
	for _, a := range list {
		j, v := a.judged, a.judged.verdict
		if v.Joined != a.Joined {
			f := *v.Fact
			f.Joined, v.Fact, out.anew[v] = a.Joined, &f, true
			j.told = nil
		}
		p.tell(j, a.Joined.With)
	}
	maps.DeleteFunc(p.told, func(_ string, t *told) bool { return !t.lead() })
	for _, v := range left {
		if t := p.told[v.Joined.With]; t != nil {
			v.Lead = t.root.verdict
		}
	}
	return out
}

// tell puts an alarm among those that it is told together with.
func (p *past) tell(j *judged, with string) {
	if j.told == nil {
		if j.told = p.told[with]; j.told == nil {
			if p.told == nil {
				p.told = map[string]*told{}
			}
			j.told = &told{with: with}
			p.told[with] = j.told
		}
		j.told.moved = true
	}
	j.told.members = append(j.told.members, j)
	j.told.moved = j.told.moved || j.moved
}

// lead finds the best cause, where not all are as they were, and tells it to all. It says whether there is one.
func (t *told) lead() bool {
	if t.moved || len(t.members) != t.count {
		all := make([]*Alone, len(t.members))
		for n, j := range t.members {
			all[n] = j.alone
		}
		if t.root = nil; len(all) > 0 {
			t.root = Root(all).judged
		}
	}
	for _, j := range t.members {
		j.verdict.Lead = t.root.verdict
	}
	t.count, t.moved, t.members = len(t.members), false, t.members[:0]
	return t.count > 0
}

// folds says whether an alarm may be told with others by what it reads, which hangs on its Fact alone.
func (j *judged) folds() bool {
	if !j.asked {
		j.asked = true
		if folds(j.verdict) {
			j.alone = &Alone{}
		}
	}
	return j.alone != nil
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

// ledBy is what explains an alarm that is told together with others, or a group alarm of such: the root of its group.
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
