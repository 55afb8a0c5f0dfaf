package diagnosis

import (
	"maps"
	"time"

	"github.com/navcloud/binnacle/alerting"
)

// judged is the verdict on one alarm, with all that it was made from. In a storm nearly all alarms of a step are those of the
// step before; of those the verdict is taken over, by the rule in still.
type judged struct {
	fact    *alerting.Fact
	verdict *alerting.Verdict
	due     time.Time // see weighed
	stays   time.Time
	ends    time.Time // of the silence that covers it, for a P1
}

// past is what the step before judged.
type past struct {
	list      []judged        // by ID
	lost      map[string]bool // see standing
	ephemeral time.Duration   // the one setting that a verdict hangs on
}

// judgeAll judges the alarms one by one. The verdicts are in the order of in.Facts.
func judgeAll(in Input, s *standing, verdicts []*alerting.Verdict) time.Time {
	was := in.Walks.past
	if was.ephemeral != in.Settings.Wait.Ephemeral || !maps.Equal(was.lost, s.lost) {
		was.list = nil
	}
	next := past{make([]judged, len(verdicts)), s.lost, in.Settings.Wait.Ephemeral}
	var wake wake
	for n, v := range verdicts {
		j := &next.list[n]
		*j = judged{fact: v.Fact, verdict: v}
		for len(was.list) > 0 && was.list[0].fact.ID < v.ID {
			was.list = was.list[1:]
		}
		if len(was.list) > 0 && was.list[0].still(v.Fact, in.Now) {
			j.take(was.list[0], in.Now)
		} else {
			j.judge(in, s)
		}
		wake.add(j.next(in.Now))
	}
	in.Walks.past = next
	return wake.at
}

// still says that a verdict holds: the fact is the same, which is never changed, graph and losses are, and no time has come at
// which time alone changes it.
func (j *judged) still(f *alerting.Fact, now time.Time) bool {
	passed := func(at time.Time) bool { return !at.IsZero() && !at.After(now) }
	return j.fact == f && passed(j.due) == j.verdict.Unreplaced && passed(j.stays) == j.verdict.Steady
}

// take takes over what judging found.
func (j *judged) take(o judged, now time.Time) {
	v, w := j.verdict, o.verdict
	v.Alone, v.Reason, v.Rank = w.Alone, w.Reason, w.Rank
	v.Symptom, v.Cause, v.Effect, v.Steadfast, v.Steady, v.Stays = w.Symptom, w.Cause, w.Effect, w.Steadfast, w.Steady, w.Stays
	v.ForWhole, v.Ephemeral, v.Unreplaced = w.ForWhole, w.Ephemeral, w.Unreplaced
	j.due, j.stays = o.due, o.stays
	j.hush(now)
}

// hush says whether a silence covers the alarm.
func (j *judged) hush(now time.Time) {
	v := j.verdict
	if v.Quiet = v.Silence != ""; v.Quiet && v.Alone == alerting.P1 {
		v.Quiet, j.ends = now.Before(v.Silenced), v.Silenced
	}
}

// next is when time alone changes the verdict; zero: never.
func (j *judged) next(now time.Time) time.Time {
	var wake wake
	for _, at := range [3]time.Time{j.due, j.stays, j.ends} {
		if at.After(now) {
			wake.add(at)
		}
	}
	return wake.at
}
