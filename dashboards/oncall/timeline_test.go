package oncall

import (
	"fmt"
	"testing"
	"time"

	"github.com/navcloud/binnacle/alerting"
)

// TestIncidents finds what ended, what began again, who had it, and what goes on.
func TestIncidents(t *testing.T) {
	at := func(min int, action, key string, p alerting.Priority) Event {
		return Event{At: time.Unix(int64(min)*60, 0), Kind: "accepted", Action: action, Key: key, Priority: p, Title: key + " is full [Rule]"}
	}
	var got []string
	for _, s := range incidents([]Event{
		at(1, "trigger", "a", alerting.P1), at(2, "trigger", "b", alerting.P2),
		{At: time.Unix(150, 0), Kind: "acked", Key: "a", By: "mara"},
		at(3, "retitle", "a", alerting.P1), at(4, "resolve", "a", alerting.P1),
		at(5, "resolve", "never", alerting.P3), at(6, "trigger", "a", alerting.P1), at(7, "trigger", "a", alerting.P1),
	}, time.Unix(600, 0)) {
		got = append(got, fmt.Sprintf("%s %v: %s, %s", s.Title, s.Priority, s.Took(), s.Had()))
	}
	want := "[a is full P1: 3 min, mara after 1 min b is full P2: open for 8 min, nobody acknowledged a is full P1: open for 4 min, nobody acknowledged]"
	if fmt.Sprint(got) != want {
		t.Errorf("incidents are %v, want %s", got, want)
	}
}

// A short incident in a long time is still to be seen, and in its place.
func TestAnIncidentIsNeverALineOfOnePixel(t *testing.T) {
	end := time.Unix(86400, 0)
	tl := timeline{}
	tl.From, tl.To = time.Unix(0, 0), end
	tl.draw([]stretch{{From: end.Add(-20 * time.Second), To: end, Open: true}, {From: time.Unix(43200, 0), To: time.Unix(43260, 0)}})
	if got := fmt.Sprint(tl.Incidents[0].X, " ", tl.Incidents[0].Wide, " ", tl.Incidents[1].X, " ", tl.Incidents[1].Wide, " ", tl.Counts); got != "500 6 994 6 2 incidents in 1 d, 1 open" {
		t.Errorf("drawn as %s", got)
	}
}

// Without a choice the time is as short as shows all of the day.
func TestTheTimelineShowsWhatHappened(t *testing.T) {
	now := time.Unix(1e9, 0)
	for ago, want := range map[time.Duration]time.Duration{
		2 * time.Minute: 15 * time.Minute, 40 * time.Minute: time.Hour, 3 * time.Hour: 6 * time.Hour, 20 * time.Hour: defaultDay,
	} {
		e := Event{At: now.Add(-ago), Kind: "accepted", Action: "trigger"}
		if got := fitting([]Event{{At: now.Add(-23 * time.Hour), Kind: "decided"}, e}, now); got != want {
			t.Errorf("%v ago is shown in %v, want %v", ago, got, want)
		}
	}
	if got := fitting(nil, now); got != defaultDay {
		t.Errorf("nothing is shown in %v", got)
	}
}
