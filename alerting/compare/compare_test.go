package compare

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/ledger"
)

var monday = time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)

func at(clock string) time.Time {
	t, err := time.Parse("2 15:04:05", clock)
	if err != nil {
		panic(err)
	}
	return time.Date(2026, 11, t.Day(), t.Hour(), t.Minute(), t.Second(), 0, time.UTC)
}

func ours(clock, action, key string, p alerting.Priority, title string, alarms ...string) ledger.Event {
	return ledger.Event{At: at(clock), Kind: ledger.Shadowed, Action: action, Key: key, Priority: p, Title: title, Alarms: alarms}
}

func notified(clock, action, key, title string, alarms ...string) ledger.Event {
	return ledger.Event{At: at(clock), Kind: ledger.Theirs, Action: action, Key: key, Title: title, By: "slack", Alarms: alarms}
}

func fp(pairs ...string) string {
	set := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		set[pairs[i]] = pairs[i+1]
	}
	return alerting.Alarm{Labels: set}.Fingerprint()
}

// TestAWeekBesideAlertmanager holds the report that a team reads on Friday.
func TestAWeekBesideAlertmanager(t *testing.T) {
	events := []ledger.Event{
		// One dead database: they notify for each of its effects, and again when the group grows.
		ours("23 03:11:40", "trigger", "db", alerting.P1, "12 % of streams fail [StreamsFailing]", "db", "streams", "slow"),
		notified("23 03:12:10", "trigger", "g1", "StreamsFailing", "streams"),
		notified("23 03:12:40", "trigger", "g2", "SlowQueries", "slow"),
		notified("23 03:17:10", "trigger", "g1", "StreamsFailing", "streams"),
		ours("23 03:40:00", "resolve", "db", alerting.P1, "12 % of streams fail [StreamsFailing]"),
		notified("23 03:42:10", "resolve", "g1", "resolved"),
		notified("23 03:42:40", "resolve", "g2", "resolved"),
		// They were first.
		notified("24 10:00:00", "trigger", "g3", "DiskFull", "disk"),
		ours("24 10:02:00", "trigger", "disk", alerting.P2, "db-1 is full in 40 min [DiskFull]", "disk"),
		// Noise that was lowered here: it ended by itself.
		notified("25 14:00:00", "trigger", "g4", "CPUHigh", "cpu"),
		notified("25 14:03:00", "resolve", "g4", "resolved"),
		// What they have no rule for, and one of theirs while it was open.
		ours("26 23:00:00", "trigger", "clock", alerting.P2, "clock of web-3 is off [ClockOff]", "clock"),
		notified("26 23:05:00", "trigger", "g5", "LoginsFail", "logins"),
		notified("27 12:00:00", "trigger", "g4", "CPUHigh", "cpu"), // again: a second incident
	}
	r := Make("Alertmanager", monday, monday.AddDate(0, 0, 5), Ours(events), Recorded(events))
	var b strings.Builder
	r.Write(&b, time.UTC, strings.TrimSpace)
	want, err := os.ReadFile("testdata/week.txt")
	if err != nil || b.String() != string(want) {
		t.Errorf("%v; the report is\n%s", err, b.String())
	}
}

func TestPagerDutysLog(t *testing.T) {
	text, err := os.ReadFile("testdata/log_entries.json")
	if err != nil {
		t.Fatal(err)
	}
	theirs, skipped, err := PagerDuty(text)
	if err != nil || skipped != 1 || len(theirs) != 3 {
		t.Fatalf("%d incidents, %d entries skipped, %v; want 3, 1", len(theirs), skipped, err)
	}
	events := []ledger.Event{
		ours("23 03:11:40", "trigger", "a", alerting.P1, "12 % of streams fail [StreamsFailing]", fp("alertname", "StreamsFailing", "service", "api", "severity", "page")),
		ours("23 09:00:00", "trigger", "b", alerting.P2, "db-1 is full in 40 min [DiskFull]", "disk"),
	}
	r := Make("PagerDuty", monday, monday.AddDate(0, 0, 5), Ours(events), theirs)
	var b strings.Builder
	r.Write(&b, time.UTC, strings.TrimSpace)
	want, err := os.ReadFile("testdata/pagerduty.txt")
	if err != nil || b.String() != string(want) {
		t.Errorf("%v; the report is\n%s", err, b.String())
	}
	for _, bad := range []string{`{"error":{"message":"no"}}`, `<html>`, `[1]`, `{"log_entries":`} {
		if _, _, err := PagerDuty([]byte(bad)); err == nil {
			t.Errorf("%s is taken for log entries", bad)
		}
	}
}

func TestNothingToCompareWith(t *testing.T) {
	var b strings.Builder
	Make("PagerDuty", monday, monday, nil, nil).Write(&b, time.UTC, strings.TrimSpace)
	if !strings.Contains(b.String(), "there is nothing to compare with") {
		t.Error(b.String())
	}
}

// What was sent counts as well as what would have been, with the alarms that its decision named.
func TestWhatWasSent(t *testing.T) {
	list := Ours([]ledger.Event{
		{At: at("23 10:00:00"), Kind: ledger.Decided, Action: "trigger", ActionID: "1", Key: "a", Alarms: []string{"x"}},
		{At: at("23 10:00:01"), Kind: ledger.Accepted, Action: "trigger", ActionID: "1", Key: "a", Title: "t [R]", Priority: alerting.P3},
		{At: at("23 10:00:02"), Kind: ledger.Accepted, Action: "trigger", ActionID: "1", Key: "a", Title: "t [R]", Priority: alerting.P1},
		{At: at("23 10:05:00"), Kind: ledger.Accepted, Action: "resolve", ActionID: "2", Key: "a"},
		{At: at("23 11:00:00"), Kind: ledger.Accepted, Action: "trigger", ActionID: "3", Key: "a", Title: "t [R]"},
	})
	if len(list) != 2 || len(list[0].Messages) != 1 || list[0].Priority != alerting.P1 || len(list[0].Alarms) != 1 || list[0].End.IsZero() || !list[1].End.IsZero() {
		t.Errorf("%+v; want two incidents, the first of one page, P1, one alarm, ended", list)
	}
}
