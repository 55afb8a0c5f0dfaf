package rules

import (
	"context"
	"sync"
	"time"

	promrules "github.com/prometheus/prometheus/rules"

	"github.com/navcloud/binnacle/agent/clock"
)

// jumps keeps how long an alert has lasted right while the machine's clock is set. The library reckons with times of day: after a
// jump forward an alert that has just begun would have lasted for hours, after one back a firing alert would be pending again, and
// none would be sent anew until the clock is where it had been.
// Source: rules v0.316, alerting.go, AlertingRule.Eval and Alert.needsSending; read 30 November 2026.
type jumps struct {
	shift func() time.Duration // of the time of day against the time that passed, since some begin

	mu   sync.Mutex
	seen map[string]jump // the last one of a group
}

// jump is when a group saw the clock set, and how far it was from the time that passed then.
type jump struct {
	shift time.Duration
	at    time.Time
}

const (
	smallJump = 5 * time.Second  // what a clock may be set by without any of that
	settle    = 20 * time.Second // for samples of the new time: to the rules all others are hours old, and every alarm would end
)

func newJumps() *jumps {
	return &jumps{seen: map[string]jump{}, shift: clock.Shift()}
}

// evaluate is the iteration of a group: the library's own, after its alerts were moved to where the clock is now. Just after that
// there is none.
func (j *jumps) evaluate(ctx context.Context, g *promrules.Group, at time.Time) {
	by, settling := j.since(promrules.GroupKey(g.File(), g.Name()))
	if by != 0 {
		for _, r := range g.AlertingRules() {
			r.ForEachActiveAlert(func(a *promrules.Alert) { move(a, by) })
		}
	}
	if !settling {
		promrules.DefaultEvalIterationFunc(ctx, g, at)
	}
}

// since is how far the clock jumped since the last evaluation of a group, 0 where it was not set, and whether that was just now.
func (j *jumps) since(group string) (by time.Duration, settling bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	last := j.seen[group] // a group that is new has no alerts yet
	now := jump{j.shift(), time.Now()}
	if by = now.shift - last.shift; by.Abs() >= smallJump {
		j.seen[group] = now
		return by, true
	}
	return 0, !last.at.IsZero() && now.at.Sub(last.at) < settle
}

func move(a *promrules.Alert, by time.Duration) {
	for _, t := range []*time.Time{&a.ActiveAt, &a.FiredAt, &a.ResolvedAt, &a.LastSentAt, &a.ValidUntil, &a.KeepFiringSince} {
		if !t.IsZero() {
			*t = t.Add(by)
		}
	}
}
