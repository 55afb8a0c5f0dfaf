package diagnosis

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/navcloud/binnacle/alerting"
)

// judged is one alarm with the verdict on it, and with all that these were made from. In a storm nearly all alarms of a step are those
// of the step before, and their Facts are the same, which are never changed. So a judged lives as long as its Fact does, and what hangs
// on the Fact alone is found once: what it has in common with others (gatherer), and where it stands among causes (past.arrange).
type judged struct {
	fact    *alerting.Fact
	verdict *alerting.Verdict // of this step
	due     time.Time         // see weighed
	stays   time.Time
	ends    time.Time // of the silence that covers it, for a P1

	moved    bool      // it is new, or its place among causes is not where it was
	gone     bool      // its alarm is gone, or is another Fact now
	gathered bool      // in, where and with are found
	in       []*common // what it has in common with others
	where    string    // where it is, see common
	with     string    // Joined.With of the alarm, when it was gathered

	candidate *candidate // of this step; nil: it is not folded with others, see folds
}

// past is what the step before judged.
type past struct {
	list      []*judged       // by ID
	groups    []*judged       // group alarms: they are judged anew in each step
	order     []*judged       // all of them, the best cause first
	lost      map[string]bool // see standing
	ephemeral time.Duration   // the one setting that a verdict hangs on
	gatherer  *gatherer
}

// judgeAll judges the alarms one by one, in the order of in.Facts. It returns when time alone changes an answer.
func (p *past) judgeAll(in Input, s *standing) time.Time {
	holds := p.ephemeral == in.Settings.Wait.Ephemeral && maps.Equal(p.lost, s.lost)
	was := p.list
	*p = past{list: make([]*judged, len(in.Facts)), order: p.order, groups: p.groups, lost: s.lost, ephemeral: in.Settings.Wait.Ephemeral, gatherer: p.gatherer}
	slab := make([]alerting.Verdict, len(in.Facts))
	wake := alerting.Wake{Now: in.Now}
	for n, f := range in.Facts {
		for len(was) > 0 && was[0].fact.ID < f.ID {
			was[0].leave()
			was = was[1:]
		}
		j := &judged{fact: f, moved: true}
		if len(was) > 0 && was[0].fact == f {
			j, was = was[0], was[1:]
		}
		p.list[n] = j
		j.next(in, s, &slab[n], holds)
		wake.Add(j.changes(in.Now))
	}
	for _, j := range was {
		j.leave()
	}
	return wake.At
}

// next makes the verdict of this step: that of the step before, where it holds.
func (j *judged) next(in Input, s *standing, v *alerting.Verdict, holds bool) {
	was := j.verdict
	j.verdict, v.Fact = v, j.fact
	switch {
	case was == nil:
		j.judge(in, s)
		if folds(v) {
			j.candidate = &candidate{}
		}
	case holds && j.still(was, in.Now):
		v.Judgement, j.moved = was.Judgement, false
		j.hush(in.Now)
	default:
		j.judge(in, s)
		j.moved = v.Alone != was.Alone || v.Rank != was.Rank
	}
}

// still says that no time has come at which time alone changes a verdict.
func (j *judged) still(was *alerting.Verdict, now time.Time) bool {
	passed := func(at time.Time) bool { return !at.IsZero() && !at.After(now) }
	return passed(j.due) == was.Unreplaced && passed(j.stays) == was.Steady
}

// judge writes the verdict on an alarm.
func (j *judged) judge(in Input, s *standing) {
	w := &weighed{ephemeral: in.Settings.Wait.Ephemeral}
	w.weigh(in, s, j.verdict)
	w.judge()
	j.due, j.stays = w.due, w.Stays
	j.hush(in.Now)
}

// hush says whether a silence covers the alarm.
func (j *judged) hush(now time.Time) {
	v := j.verdict
	j.ends = time.Time{}
	if v.Silenced = v.Silence != ""; v.Silenced && v.Alone == alerting.P1 {
		v.Silenced, j.ends = now.Before(v.SilencedUntil), v.SilencedUntil
	}
}

// changes is when time alone changes the verdict; zero: never.
func (j *judged) changes(now time.Time) time.Time {
	wake := alerting.Wake{Now: now}
	for _, at := range [3]time.Time{j.due, j.stays, j.ends} {
		wake.Add(at)
	}
	return wake.At
}

// leave takes an alarm out of all that it was in.
func (j *judged) leave() {
	j.gone = true
	j.part()
}

// judgeGroups judges group alarms, after their parts. It returns when time alone changes an answer.
func (p *past) judgeGroups(in Input, s *standing, groups []*alerting.Verdict) time.Time {
	for _, j := range p.groups {
		j.gone = true
	}
	p.groups = nil
	wake := alerting.Wake{Now: in.Now}
	for _, v := range groups {
		j := &judged{fact: v.Fact, verdict: v, moved: true}
		j.judge(in, s)
		wake.Add(j.changes(in.Now))
		p.groups = append(p.groups, j)
	}
	return wake.At
}

// arrange puts all alarms into the order of causes. Those that have not moved are in order already.
func (p *past) arrange() []*alerting.Verdict {
	fresh := slices.Clone(p.groups)
	for _, j := range p.list {
		if j.moved {
			fresh = append(fresh, j)
		}
	}
	kept := slices.DeleteFunc(p.order, func(j *judged) bool { return j.gone || j.moved })
	p.order = Merge(kept, fresh, func(a, b *judged) int { return before(a.verdict, b.verdict) })
	out := make([]*alerting.Verdict, len(p.order))
	for n, j := range p.order {
		out[n], j.verdict.Order = j.verdict, n
	}
	return out
}

// Merge puts fresh, in any order, among kept, which are in order: the cost is that of the fresh ones, and one pass over the others.
func Merge[T any](kept, fresh []T, order func(a, b T) int) []T {
	if len(fresh) == 0 {
		return kept
	}
	slices.SortFunc(fresh, order)
	out := make([]T, 0, len(kept)+len(fresh))
	for _, f := range fresh {
		n, _ := slices.BinarySearchFunc(kept, f, order)
		out = append(append(out, kept[:n]...), f)
		kept = kept[n:]
	}
	return append(out, kept...)
}

// before is the total order of explaining. Of equals the worse goes first, so that a certainty takes over from the
// suspicion that came before it, and its title with it. What others stand behind goes before them: a switch shows last where its
// hosts are checked more often.
func before(a, b *alerting.Verdict) int {
	if c := cmp.Compare(a.Rank, b.Rank); c != 0 {
		return c
	}
	if c := cmp.Compare(a.Behind, b.Behind); c != 0 {
		return c
	}
	if c := cmp.Compare(a.Alone, b.Alone); c != 0 {
		return c
	}
	if c := a.Began().Compare(b.Began()); c != 0 {
		return c
	}
	return cmp.Compare(a.ID, b.ID)
}

// Kept is how many alarms, and what several of them have in common, are kept for the next step.
func (w *Walks) Kept() int {
	n := len(w.past.list) + len(w.past.groups) + len(w.past.order)
	if g := w.past.gatherer; g != nil {
		n += len(g.groups) + len(g.unknown) + len(g.zones)
	}
	return n
}
