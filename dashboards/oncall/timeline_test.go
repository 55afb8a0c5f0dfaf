package oncall

import (
	"fmt"
	"testing"
	"time"

	"github.com/navcloud/binnacle/alerting"
)

// TestIncidents draws what ended, what began again, and what goes on.
func TestIncidents(t *testing.T) {
	at := func(min int, action, key string, p alerting.Priority) Event {
		return Event{At: time.Unix(int64(min)*60, 0), Kind: "accepted", Action: action, Key: key, Priority: p}
	}
	x := func(at time.Time) string { return fmt.Sprint(at.Unix() / 60) }
	got := incidents([]Event{
		at(1, "trigger", "a", alerting.P1), at(2, "trigger", "b", alerting.P2), at(3, "retitle", "a", alerting.P1), at(4, "resolve", "a", alerting.P1),
		at(5, "resolve", "never", alerting.P3), at(6, "trigger", "a", alerting.P1), at(7, "trigger", "a", alerting.P1),
	}, x, time.Unix(600, 0))
	if want := "[{1 4 P1} {6 10 P1} {2 10 P2}]"; fmt.Sprint(got) != want {
		t.Errorf("incidents are drawn as %v, want %s", got, want)
	}
}
