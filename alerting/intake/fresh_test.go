package intake

import (
	"testing"
	"time"

	"github.com/navcloud/binnacle/alerting"
)

// An OK that promised another result is an alarm when none comes, also after a restart, and the next result ends it.
func TestResultsThatStopAreAnAlarm(t *testing.T) {
	now := time.Date(2026, 11, 30, 3, 0, 0, 0, time.UTC)
	ok := CheckResult{Host: "web-1", Service: "backup", Fresh: "10s"}
	h := NewHeartbeats(nil, nil, now)
	h.Result(ok, 10*time.Second, now)
	if in, next := h.Due(now.Add(9 * time.Second)); len(in) != 0 || !next.Equal(now.Add(10*time.Second)) {
		t.Errorf("before it is due: %v, next at %v", in, next)
	}
	in, _ := h.Due(now.Add(10 * time.Second))
	var f alerting.Input
	if len(in) == 1 {
		f = in[0]
	}
	a, is := f.(alerting.Firing)
	if !is || a.Alarm.Rule() != "backup" || a.Alarm.Labels["state"] != "unknown" || a.Alarm.Summary() != "No result of backup on web-1 since 30 Nov 03:00 UTC, when it was OK" {
		t.Fatalf("when it is due: %+v", in)
	}
	again := NewHeartbeats(nil, h.Beats(), now.Add(time.Minute))
	if in, next := again.Due(now.Add(time.Minute)); !next.Equal(now.Add(70 * time.Second)) {
		t.Errorf("after a restart: %v, next at %v; want as long again", in, next)
	}
	for name, c := range map[string]CheckResult{
		"one without a promise": {Host: "web-1", Service: "backup"},
		"a failure":             {Host: "web-1", Service: "backup", Exit: 2, Fresh: "10s"},
	} {
		h.Result(ok, 10*time.Second, now)
		h.Result(c, 10*time.Second, now)
		if in, next := h.Due(now.Add(time.Hour)); len(in) != 0 || !next.IsZero() {
			t.Errorf("after %s: %v, next at %v", name, in, next)
		}
		ended := false
		inputs, _ := c.Inputs(now)
		for _, i := range inputs {
			e, is := i.(alerting.Ended)
			ended = ended || is && e.Fingerprint == a.Alarm.Fingerprint()
		}
		if !ended {
			t.Errorf("%s does not end the alarm", name)
		}
	}
}
