package alerting

import (
	"errors"
	"fmt"
)

// Check looks for what must never be. It runs in tests, in replay and in shadow mode; a fault it finds is one of the router.
//
//   - something fires and its problem is on its way to be resolved
//   - a P1 is hidden in a problem of which nobody is notified
//   - a problem is acknowledged by nobody, or silenced by nobody
//   - an alarm is explained, and nothing says why
//   - two problems that wake share one incident
func (v View) Check() error {
	var errs []error
	keys := map[string]string{}
	for _, p := range v.Problems {
		fault := func(format string, args ...any) {
			errs = append(errs, fmt.Errorf("%s (%s, %s %s): %s", p.ID, p.Root.Rule(), p.Priority, p.State, fmt.Sprintf(format, args...)))
		}
		switch {
		case p.Awake && p.State == Recovering:
			fault("it fires and is to be resolved")
		case p.State == AckedState && p.AckedBy == "":
			fault("it is acknowledged by nobody")
		case p.State == SilencedState && p.SilencedBy == "" && !v.silencedByNobody():
			fault("it is silenced by nobody")
		case p.Priority == P1 && p.State == Held:
			fault("a P1 waits behind %s", p.Behind)
		}
		for _, e := range p.Explained {
			if e.Priority == P1 && !e.Silenced && (p.State == Board || p.State == SilencedState) {
				fault("it hides the P1 %s", e.Alarm.Rule())
			}
			if e.Why == "" {
				fault("nothing says why it explains %s", e.Alarm.Rule())
			}
		}
		if p.Key != "" && p.Priority <= P2 && p.State != ClosedState {
			if o := keys[p.Key]; o != "" {
				fault("its incident %s is also that of %s", p.Key, o)
			}
			keys[p.Key] = p.ID
		}
	}
	return errors.Join(errs...)
}

// silencedByNobody says that a silence names nobody, as those of other tools may.
func (v View) silencedByNobody() bool {
	for _, s := range v.Silences {
		if s.CreatedBy == "" {
			return true
		}
	}
	return false
}
