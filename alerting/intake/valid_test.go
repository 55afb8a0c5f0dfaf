package intake

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/go-openapi/strfmt"
	"github.com/prometheus/alertmanager/api/v2/models"

	"github.com/navcloud/binnacle/alerting"
)

// TestAnswersAreValid holds what the API answers to Alertmanager's own description of it: nothing that is required lacks.
func TestAnswersAreValid(t *testing.T) {
	h := serve(newBoard())
	call(t, h, "POST", "/api/v2/alerts", `[{"labels":{"alertname":"A","utf8.name":"ü"}},{"labels":{"alertname":"B"},"annotations":{"summary":"s"},"generatorURL":"http://p/graph"}]`)
	id := ""
	for _, annotations := range []string{"", `,"annotations":{"ticket":"OPS-1"}`} {
		_, text := call(t, h, "POST", "/api/v2/silences", `{"matchers":[{"name":"alertname","value":"A","isRegex":false}],"startsAt":"`+stamp(-time.Second)+`","endsAt":"`+stamp(time.Hour)+`","createdBy":"ann","comment":"c"`+annotations+`}`)
		var made struct{ SilenceID string }
		if err := json.Unmarshal([]byte(text), &made); err != nil || made.SilenceID == "" {
			t.Fatalf("silence: %s", text)
		}
		id = made.SilenceID
	}
	if _, text := call(t, h, "GET", "/api/v2/silences", ""); strings.Count(text, `"annotations":`) != 2 { // which the library takes to be optional
		t.Errorf("silences %s; want annotations in both", text)
	}
	type validated interface{ Validate(strfmt.Registry) error }
	check := func(path string, into validated) {
		code, text := call(t, h, "GET", path, "")
		if err := json.Unmarshal([]byte(text), into); code != 200 || err != nil {
			t.Errorf("GET %s = %d %s: %v", path, code, text, err)
		} else if err := into.Validate(strfmt.Default); err != nil {
			t.Errorf("GET %s = %s: %v", path, text, err)
		}
	}
	check("/api/v2/status", &models.AlertmanagerStatus{})
	check("/api/v2/alerts", &models.GettableAlerts{})
	check("/api/v2/alerts/groups", &models.AlertGroups{})
	check("/api/v2/silences", &models.GettableSilences{})
	check("/api/v2/silence/"+id, &models.GettableSilence{})
	call(t, h, "DELETE", "/api/v2/silence/"+id, "")
	check("/api/v2/silence/"+id, &models.GettableSilence{})
}

// TestAnAlarmThatEndedIsNotListed: its incident waits whether it comes back, but nothing fires there.
func TestAnAlarmThatEndedIsNotListed(t *testing.T) {
	alarm := func(rule string) alerting.Alarm { return alerting.Alarm{Labels: map[string]string{"alertname": rule}} }
	h := muxOf(New(Options{View: func() alerting.View {
		return alerting.View{At: time.Now(), Problems: []alerting.ProblemView{
			{Root: alarm("Over"), Ended: true, Explained: []alerting.ExplainedAlarm{{Alarm: alarm("StillFires")}}},
			{Root: alarm("OverAlone"), Ended: true},
		}}
	}}))
	_, text := call(t, h, "GET", "/api/v2/alerts", "")
	if strings.Contains(text, `"Over`) || !strings.Contains(text, `"StillFires"`) {
		t.Errorf("listed: %s", text)
	}
}
