package oncall

import (
	"fmt"
	"testing"
	"time"

	"github.com/navcloud/binnacle/alerting"
)

func pageAt(ago time.Duration, key, rule string, p alerting.Priority) Event {
	return Event{At: noon.Add(-ago), Kind: "accepted", Action: "trigger", Key: key, Priority: p, Title: "It is bad [" + rule + "]"}
}

func TestReckon(t *testing.T) {
	var events []Event
	for i := range 12 { // a flood in one period of ten minutes
		events = append(events, pageAt(2*time.Hour-time.Duration(i)*time.Second, fmt.Sprint("k", i), "HostDiskFull", alerting.P3))
	}
	events = append(events,
		Event{At: noon.Add(-110 * time.Minute), Kind: "acked", Key: "k0", By: "ann"},
		pageAt(time.Hour, "r", "RiakSlow", alerting.P1),
		Event{At: noon.Add(-58 * time.Minute), Kind: "acked", Key: "r", By: "ann"},
		Event{At: noon.Add(-57 * time.Minute), Kind: "accepted", Action: "retitle", Key: "r", Title: "Other [RiakSlow]"},
		pageAt(50*time.Minute, "r", "RiakSlow", alerting.P1), // again: nobody acted on this one
		pageAt(40*time.Minute, "q", "HostUnitFailed", alerting.P2),
		Event{At: noon.Add(-30 * time.Minute), Kind: "silenced", Key: "s1", Title: "alertname=HostUnitFailed", By: "jo"},
		Event{At: noon.Add(-20 * time.Minute), Kind: "refused", Action: "trigger", Key: "x"},
	)
	s := reckon(events, noon.Add(-2*time.Hour), noon)
	for what, ok := range map[string]bool{
		"15 pages":                       s.Pages == 15,
		"7.5 an hour":                    s.PerHour == 7.5 && s.TooMany(),
		"one flood in 12 periods":        s.Periods == 12 && s.Floods == 1 && s.MostAtOnce == 12 && s.Flooded(),
		"P1 twice, P2 once, P3 12 times": s.ByPriority[0].Count == 2 && s.ByPriority[1].Count == 1 && s.ByPriority[2].Count == 12,
		"HostDiskFull first":             len(s.Rules) == 3 && s.Rules[0].Rule == "HostDiskFull" && s.Rules[0].Count == 12 && !s.TopHeavy(),
		"12 pages without action":        len(s.Idle) == 12,
		"two taken, after 10 min":        s.Taken == 2 && s.Wait == 10*time.Minute,
	} {
		if !ok {
			t.Errorf("want %s, have %+v", what, s)
		}
	}
	if s := reckon(nil, noon.Add(-time.Hour), noon); s.Pages != 0 || s.PerHour != 0 || s.Periods != 6 || s.TopHeavy() || s.Flooded() {
		t.Errorf("a shift without pages: %+v", s)
	}
}

// noon is when everything in these tests happens.
var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
