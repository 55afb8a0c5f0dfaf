package router

import (
	"fmt"
	"testing"
	"time"

	"github.com/navcloud/binnacle/alerting"
)

// TestNothingStaysOfAlarmsThatEnded lets 300 alarms of each kind come and go, and looks at what is kept between steps.
func TestNothingStaysOfAlarmsThatEnded(t *testing.T) {
	r := New(alerting.DefaultSettings())
	now := start
	r.Step(now, []alerting.Input{alerting.Topology{Graph: bigFleet(t, 100)}})
	empty := r.memory.walks.Kept()
	var fire, end []alerting.Input
	for kind := range unlike {
		for i := range 300 {
			a := unlike[kind](100, i)
			a.Labels["n"] = fmt.Sprint(kind, i)
			fire, end = append(fire, alerting.Firing{Alarm: a}), append(end, alerting.Ended{Fingerprint: a.Fingerprint()})
		}
	}
	r.Step(now, fire)
	if got := r.memory.walks.Kept(); got <= empty {
		t.Fatalf("of %d alarms %d things are kept", len(fire), got)
	}
	r.Step(now.Add(time.Minute), end)
	for h := range 30 {
		r.Step(now.Add(time.Hour*time.Duration(h+1)), []alerting.Input{alerting.Heard{Sender: "s"}})
	}
	if got := r.memory.walks.Kept(); got != empty || len(r.memory.ids)+len(r.memory.alarms) > 0 {
		t.Errorf("after all ended %d things are kept, and %d alarms; want %d", got, len(r.memory.alarms), empty)
	}
}
