package intake

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/people"
)

// TestAnAlertmanagersWebhook takes what Alertmanager 0.25 and 0.35 post to a webhook.
func TestAnAlertmanagersWebhook(t *testing.T) {
	const firing = `{"receiver":"slack","status":"firing","alerts":[` +
		`{"status":"firing","labels":{"alertname":"High","instance":"web-1"},"annotations":{"summary":"s"},"startsAt":"2026-11-30T10:00:00Z","endsAt":"0001-01-01T00:00:00Z","generatorURL":"http://prom:9090/graph","fingerprint":"a1"},` +
		`{"status":"resolved","labels":{"alertname":"High","instance":"web-2"},"startsAt":"2026-11-30T10:00:00Z","endsAt":"2026-11-30T10:05:00Z"}],` +
		`"groupLabels":{"alertname":"High"},"commonLabels":{},"commonAnnotations":{},"externalURL":"http://am:9093","version":"4","groupKey":"{}:{alertname=\"High\"}","truncatedAlerts":0}`
	b := newBoard()
	var told []Notice
	mux := muxOf(New(Options{Put: b.put, View: b.view, Desk: &people.Desk{Router: b}, Noticed: func(n Notice) { told = append(told, n) }}))
	if code, text := call(t, mux, "POST", PathAlertmanager, firing); code != 200 {
		t.Fatalf("%d %s", code, text)
	}
	f, ok := b.got[1].(alerting.Firing)
	if !ok || f.Sender != "alertmanager am:9093" || f.Alarm.Labels["instance"] != "web-1" || time.Until(f.Alarm.EndsAt) < 4*time.Hour || f.Alarm.StartsAt.Year() != 2026 {
		t.Errorf("input %+v; want the alarm that fires, until it is told of again", b.got[1])
	}
	if e, ok := b.got[2].(alerting.Ended); !ok || e.Sender != f.Sender {
		t.Errorf("input %+v; want the end of the other", b.got[2])
	}
	if len(told) != 1 || told[0].Receiver != "slack" || told[0].Resolved || told[0].Title != "High" || len(told[0].Alarms) != 1 || told[0].Alarms[0] != f.Alarm.Fingerprint() {
		t.Errorf("notices %+v", told)
	}
	over := strings.Replace(firing, `"status":"firing","alerts"`, `"status":"resolved","alerts"`, 1)
	if code, _ := call(t, mux, "POST", PathAlertmanager, over); code != 200 || !told[1].Resolved || told[1].Key != told[0].Key {
		t.Errorf("the end is told as %+v", told[1])
	}
	for body, want := range map[string]int{
		`{}`: 400, `[]`: 400, `{"status":"odd","groupKey":"a","receiver":"b"}`: 400,
		`{"status":"firing","groupKey":"a","receiver":"b","alerts":[{"labels":{}},{"status":"firing","labels":{"alertname":"X"}}]}`: 400,
		`{"status":"firing","groupKey":"a","receiver":"b","alerts":[]}`:                                                             200,
	} {
		if code, text := call(t, mux, "POST", PathAlertmanager, body); code != want {
			t.Errorf("%s: %d %s; want %d", body, code, text, want)
		}
	}
	if !slices.ContainsFunc(b.got, func(in alerting.Input) bool { f, ok := in.(alerting.Firing); return ok && f.Alarm.Rule() == "X" }) {
		t.Errorf("the good alarm of a bad batch is not taken: %+v", b.got)
	}
}
