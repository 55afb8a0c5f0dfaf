package agent

import (
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/rules"
)

func TestAHistoryThatIsNotWrittenRings(t *testing.T) {
	full := errors.New("no space left on device")
	h := &history{node: "n", data: "/d", runbook: "http://b/runbooks/" + ruleHistory, log: slog.New(slog.DiscardHandler)}
	at := time.Unix(1_800_000_000, 0)
	var raised alerting.Alarm
	for _, step := range []struct {
		after time.Duration
		err   error
		want  string
	}{
		{0, nil, ""},
		{10 * time.Second, full, ""},
		{35 * time.Second, full, ""},
		{40 * time.Second, full, "firing"},
		{50 * time.Second, full, ""},
		{100 * time.Second, full, "firing"},
		{110 * time.Second, nil, "ended"},
		{120 * time.Second, nil, ""},
		{130 * time.Second, full, ""},
		{140 * time.Second, nil, ""}, // a pause is told to nobody
	} {
		got := ""
		for _, in := range h.step(at.Add(step.after), step.err, false) {
			switch in := in.(type) {
			case alerting.Firing:
				got, raised = "firing", in.Alarm
			case alerting.Ended:
				if got = "ended"; in.Fingerprint != raised.Fingerprint() {
					t.Errorf("ended %s; want %s", in.Fingerprint, raised.Fingerprint())
				}
			}
		}
		if got != step.want {
			t.Errorf("after %v, write error %v: %q; want %q", step.after, step.err, got, step.want)
		}
	}
	if raised.StartsAt != at.Add(10*time.Second) {
		t.Errorf("began at %v; want the first write that failed", raised.StartsAt)
	}
	if got := raised.Annotations[alerting.AnnotationRunbook]; got != "http://b/runbooks/BinnacleHistoryNotWritten" {
		t.Errorf("it links to the runbook %q", got)
	}
	if _, ok := rules.Runbook(raised.Rule()); !ok {
		t.Errorf("%s has no runbook", raised.Rule())
	}
}
