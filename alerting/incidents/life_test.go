package incidents

import (
	"fmt"
	"testing"

	"github.com/navcloud/binnacle/alerting"
)

// TestTransitions is the table of life.go the other way round: each state with each event, whatever has no entry changes nothing.
func TestTransitions(t *testing.T) {
	names := map[event]string{
		accepted: "accepted", acknowledged: "acknowledged", undone: "undone", fires: "fires", unsent: "unsent", silenced: "silenced", calmed: "calmed",
		dismissed: "dismissed",
	}
	const (
		sending, open, acked    = alerting.Sending, alerting.Paged, alerting.AckedState
		lost, recovering, quiet = alerting.LostState, alerting.Recovering, alerting.SilencedState
		resolved                = alerting.ClosedState
	)
	want := map[alerting.State]map[event]alerting.State{
		sending:    {accepted: open, dismissed: resolved},
		open:       {acknowledged: acked, unsent: lost, silenced: quiet, calmed: recovering, dismissed: resolved},
		acked:      {undone: open, unsent: lost, silenced: quiet, calmed: recovering, dismissed: resolved},
		lost:       {fires: open, silenced: quiet, calmed: recovering, dismissed: resolved},
		recovering: {fires: open, unsent: lost, silenced: quiet, dismissed: resolved},
		quiet:      {calmed: recovering, dismissed: resolved},
		resolved:   {},
		"":         {},
	}
	for from, row := range want {
		for e, name := range names {
			for _, by := range []string{"", "ann"} {
				t.Run(fmt.Sprintf("%s, %s, by %q", from, name, by), func(t *testing.T) {
					to, changes := row[e], true
					if to == "" {
						to, changes = from, false
					}
					if changes && to == open && by != "" && e != undone { // it comes back to whoever has it
						to = acked
					}
					i := &incident{state: from, rec: alerting.Record{AckedBy: by}}
					if changed := i.on(e); changed != changes || i.state != to {
						t.Errorf("it is %q, changed %v; want %q, %v", i.state, changed, to, changes)
					}
				})
			}
		}
	}
}

func TestWhatThePagerHasOpen(t *testing.T) {
	for state, want := range map[alerting.State][2]bool{
		alerting.Sending: {true, false}, alerting.Paged: {true, true}, alerting.AckedState: {true, true}, alerting.LostState: {true, true},
		alerting.SilencedState: {true, true}, alerting.Recovering: {true, true}, alerting.ClosedState: {false, false}, "": {false, false},
	} {
		if i := (&incident{state: state}); i.open() != want[0] || i.shown() != want[1] {
			t.Errorf("%q: open %v, shown %v; want %v", state, i.open(), i.shown(), want)
		}
	}
}
