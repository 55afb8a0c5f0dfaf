package rules

import (
	"testing"
	"testing/synctest"
	"time"

	promrules "github.com/prometheus/prometheus/rules"
)

// TestAClockThatIsSetMovesAlertsWithIt: what an alert has lasted is the time that passed, whatever the clock says.
func TestAClockThatIsSetMovesAlertsWithIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var shift time.Duration
		j := newJumps()
		j.shift = func() time.Duration { return shift }
		for _, step := range []struct {
			after, to, want time.Duration
			settling        bool
			why             string
		}{
			{0, 0, 0, false, "nothing was set"},
			{0, 4 * time.Second, 0, false, "by little"},
			{0, 2 * time.Hour, 2 * time.Hour, true, "forward"},
			{settle - time.Second, 2 * time.Hour, 0, true, "once alone"},
			{time.Second, 2 * time.Hour, 0, false, "there are samples of the new time"},
			{time.Minute, -time.Hour, -3 * time.Hour, true, "back"},
			{time.Second, 0, time.Hour, true, "and right"},
		} {
			time.Sleep(step.after)
			shift = step.to
			if by, settling := j.since("g"); by != step.want || settling != step.settling {
				t.Errorf("%s: since = %v, %v; want %v, %v", step.why, by, settling, step.want, step.settling)
			}
		}
	})
}

// TestATimeThatIsSetMoves, and one that is not stays so.
func TestATimeThatIsSetMoves(t *testing.T) {
	at := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	a := promrules.Alert{ActiveAt: at, LastSentAt: at.Add(time.Minute)}
	move(&a, -time.Hour)
	if !a.ActiveAt.Equal(at.Add(-time.Hour)) || !a.LastSentAt.Equal(at.Add(-59*time.Minute)) || !a.FiredAt.IsZero() || !a.ResolvedAt.IsZero() {
		t.Errorf("moved = %+v; want what was set an hour earlier, and the rest not set", a)
	}
}
