package intake

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/people"
)

// clientBoard is what clients of Alertmanager look at: a root with a symptom, an alarm under a silence, and one of another route.
func clientBoard() (*Intake, *board) {
	b := newBoard()
	alarm := func(labels ...string) alerting.Alarm {
		a := alerting.Alarm{Labels: map[string]string{}, Annotations: map[string]string{"summary": labels[1] + " is wrong"}, StartsAt: time.Now().Add(-time.Minute), EndsAt: time.Now().Add(4 * time.Minute), Generator: "http://p:9090/graph"}
		for i := 0; i < len(labels); i += 2 {
			a.Labels[labels[i]] = labels[i+1]
		}
		return a
	}
	view := func() alerting.View {
		v := b.view()
		v.Problems = []alerting.ProblemView{
			{ID: "p-1", Route: "team-db", Root: alarm("alertname", "DbDown", "team", "db", "severity", "critical"), Explained: []alerting.ExplainedAlarm{{Alarm: alarm("alertname", "ApiErrors", "team", "web")}}},
			{ID: "p-2", Root: alarm("alertname", "DiskFull", "instance", "a:9100")},
		}
		return v
	}
	i := New(Options{
		Put: b.put, View: view, Version: "test", Routes: func() []string { return []string{"team-db", "team-web"} },
		Desk: &people.Desk{Router: viewing{b, view}, Ended: b.ended, Vital: func() []map[string]string { return nil }},
	})
	return i, b
}

// viewing is a board with another view.
type viewing struct {
	*board
	view func() alerting.View
}

func (v viewing) View() alerting.View { return v.view() }

// TestClientsOfAlertmanagerAsk holds the requests that clients make, in the form in which they make them, and what each of them needs of
// the answer.
// Source: grafana/grafana public/app/plugins/datasource/alertmanager/DataSource.ts, read 30 November 2026. The others' requests are what
// openapi.yaml of Alertmanager lets them ask, in the forms in which they are known to ask; no recording was made of them.
func TestClientsOfAlertmanagerAsk(t *testing.T) {
	i, _ := clientBoard()
	h := muxOf(i)
	silence := func(ends time.Duration, matchers string) (int, string) {
		return call(t, h, "POST", "/api/v2/silences", `{"matchers":[`+matchers+`],"startsAt":"`+stamp(0)+`","endsAt":"`+stamp(ends)+`","createdBy":"admin","comment":"by a client"}`)
	}
	if code, text := silence(2*time.Hour, `{"name":"alertname","value":"DiskFull","isRegex":false,"isEqual":true}`); code != 200 {
		t.Fatalf("%d %s", code, text)
	}
	if code, text := silence(time.Hour, `{"name":"team","value":"nobody|none","isRegex":true}`); code != 200 { // without isEqual, as of before 0.22
		t.Fatalf("%d %s", code, text)
	}
	names := func(text string) (out []string) {
		var alerts []struct{ Labels map[string]string }
		var groups []struct {
			Alerts []struct{ Labels map[string]string }
		}
		if strings.Contains(text, `"alerts":`) {
			_ = json.Unmarshal([]byte(text), &groups) // what cannot be read is empty, and not what is wanted
		} else {
			_ = json.Unmarshal([]byte(text), &alerts)
		}
		for _, g := range groups {
			alerts = append(alerts, g.Alerts...)
		}
		for _, a := range alerts {
			if n := a.Labels["alertname"]; n != "" {
				out = append(out, n)
			}
		}
		slices.Sort(out)
		return out
	}
	all := "ApiErrors DbDown DiskFull"
	q := func(kv ...string) string {
		v := url.Values{}
		for i := 0; i < len(kv); i += 2 {
			v.Add(kv[i], kv[i+1])
		}
		return "?" + v.Encode()
	}
	for name, tc := range map[string]struct{ path, want string }{
		"karma: all groups":                            {"/api/v2/alerts/groups", all},
		"karma: all groups, by name of each":           {"/api/v2/alerts/groups" + q("active", "true", "inhibited", "true", "muted", "true", "silenced", "true"), all},
		"Alertmanager's page: not silenced":            {"/api/v2/alerts/groups" + q("silenced", "false", "inhibited", "false", "muted", "false", "active", "true"), "DbDown"},
		"Alertmanager's page: a receiver and a filter": {"/api/v2/alerts/groups" + q("filter", `severity="critical"`, "receiver", "team-db"), "DbDown"},
		"Grafana: groups":                              {"/api/v2/alerts/groups" + q("silenced", "true", "active", "true", "inhibited", "true"), all},
		"Grafana: alerts, filtered":                    {"/api/v2/alerts" + q("filter", `alertname=~"D.*"`, "filter", `team!="db"`, "silenced", "true", "active", "true", "inhibited", "true"), "DiskFull"},
		"Grafana: affected by a silence":               {"/api/v2/alerts" + q("filter", `alertname=~"DiskFull|ApiErrors"`), "ApiErrors DiskFull"},
		"Grafana: matchers in braces":                  {"/api/v2/alerts" + q("filter", `{team="web",alertname!~"X"}`), "ApiErrors"},
		"amtool alert query":                           {"/api/v2/alerts" + q("active", "true", "inhibited", "true", "silenced", "false", "unprocessed", "true"), "ApiErrors DbDown"},
		"amtool: silenced ones alone":                  {"/api/v2/alerts" + q("active", "false", "inhibited", "false", "silenced", "true"), "DiskFull"},
		"amtool: a matcher without quotes":             {"/api/v2/alerts" + q("filter", "alertname=DbDown"), "DbDown"},
		"a receiver as an expression":                  {"/api/v2/alerts" + q("receiver", "team-(db|web)"), "ApiErrors DbDown"},
		"names of UTF-8":                               {"/api/v2/alerts" + q("filter", `"my label"=""`), all},
		"nothing fits":                                 {"/api/v2/alerts" + q("filter", `alertname="None"`), ""},
	} {
		code, text := call(t, h, "GET", tc.path, "")
		if got := strings.Join(names(text), " "); code != 200 || got != tc.want || text == "null" {
			t.Errorf("%s: GET %s = %d %q; want %q", name, tc.path, code, got, tc.want)
		}
	}
	for name, tc := range map[string]struct {
		path string
		code int
		want []string
	}{
		"karma and Grafana: status":           {"/api/v2/status", 200, []string{`"version":"0.34.2"`, `"original":"route:`, `"status":"disabled"`, `"peers":[]`}},
		"karma: silences":                     {"/api/v2/silences", 200, []string{`"state":"active"`, `"isEqual":true`, `"isRegex":true`, `"createdBy":"admin"`}},
		"amtool silence query":                {"/api/v2/silences" + q("filter", `alertname="DiskFull"`), 200, []string{`"DiskFull"`}},
		"amtool silence query of others":      {"/api/v2/silences" + q("filter", `alertname="x"`), 200, []string{"[]"}},
		"Grafana: a silence that is not":      {"/api/v2/silence/8b4ab0a4-0000-4000-8000-000000000000", 404, nil},
		"Grafana: is it a Mimir or a Cortex?": {"/alertmanager/api/v2/status", 404, nil},
		"receivers":                           {"/api/v2/receivers", 200, []string{`{"name":"board"}`, `{"name":"team-db"}`, `{"name":"team-web"}`}},
		"a state that is none":                {"/api/v2/alerts" + q("silenced", "no way"), 400, []string{"silenced"}},
		"a filter that is none":               {"/api/v2/alerts/groups" + q("filter", "a=~("), 400, nil},
		"a receiver that is none":             {"/api/v2/alerts" + q("receiver", "("), 400, []string{"receiver"}},
	} {
		code, text := call(t, h, "GET", tc.path, "")
		if code != tc.code || slices.ContainsFunc(tc.want, func(w string) bool { return !strings.Contains(text, w) }) {
			t.Errorf("%s: GET %s = %d %s; want %d with %q", name, tc.path, code, text, tc.code, tc.want)
		}
	}
	_, text := call(t, h, "GET", "/api/v2/silences", "")
	if first, second := strings.Index(text, "nobody"), strings.Index(text, "DiskFull"); first > second {
		t.Errorf("silences %s; want the first to end first", text)
	}
	_, text = call(t, h, "GET", "/api/v2/alerts", "")
	var states []struct {
		Labels map[string]string
		Status struct {
			State                            string
			SilencedBy, InhibitedBy, MutedBy []string
		}
		Receivers []struct{ Name string }
	}
	if err := json.Unmarshal([]byte(text), &states); err != nil {
		t.Fatal(err)
	}
	for _, a := range states {
		got := fmt.Sprintf("%s %d %d %v %s", a.Status.State, len(a.Status.SilencedBy), len(a.Status.InhibitedBy), a.Status.MutedBy != nil, a.Receivers[0].Name)
		want := map[string]string{"DbDown": "active 0 0 true team-db", "ApiErrors": "suppressed 0 1 true team-db", "DiskFull": "suppressed 1 0 true board"}[a.Labels["alertname"]]
		if got != want {
			t.Errorf("%s is %s; want %s", a.Labels["alertname"], got, want)
		}
	}
}

// TestSendersOfAlertsPost holds the posts of those that send to an Alertmanager, in the form in which they come, and what becomes of them.
// The bodies are written after what these senders are known to post to /api/v2/alerts; no recording was made of them.
func TestSendersOfAlertsPost(t *testing.T) {
	now := time.Now().UTC()
	at := func(d time.Duration) string { return now.Add(d).Format(time.RFC3339Nano) }
	for name, tc := range map[string]struct {
		agent, content, body string
		firing               int
	}{
		"Prometheus":                      {"Prometheus/3.16.0", "application/json", `[{"annotations":{"summary":"s"},"endsAt":"` + at(4*time.Minute) + `","startsAt":"` + at(-time.Minute) + `","generatorURL":"http://p:9090/graph?g0.expr=up","labels":{"alertname":"A"}}]`, 1},
		"Prometheus, resolved":            {"Prometheus/3.16.0", "application/json", `[{"annotations":{},"endsAt":"` + at(-time.Second) + `","startsAt":"` + at(-time.Minute) + `","generatorURL":"","labels":{"alertname":"A"}}]`, 0},
		"Mimir's ruler":                   {"Mimir/2.17", "application/json", `[{"annotations":{"__alertId__":"x"},"endsAt":"` + at(3*time.Minute) + `","startsAt":"` + at(0) + `","generatorURL":"https://grafana/explore?left=%7B%7D","labels":{"alertname":"A","__tenant_id__":"t"}}]`, 1},
		"Loki's ruler":                    {"Loki/3.5", "application/json", `[{"annotations":{"message":"m"},"endsAt":"` + at(3*time.Minute) + `","startsAt":"` + at(0) + `","generatorURL":"/graph?g0.expr=sum","labels":{"alertname":"A","level":"error"}}]`, 1},
		"vmalert":                         {"vmalert", "application/json", "[{\"startsAt\":\"" + at(-time.Minute) + "\",\"generatorURL\":\"http://vm/vmalert/alert?group_id=1&alert_id=2\",\"endsAt\":\"" + at(5*time.Minute) + "\",\"labels\":{\"alertgroup\":\"g\",\"alertname\":\"A\"},\"annotations\":{\"summary\":\"s\"}}]\n", 1},
		"Grafana":                         {"Grafana/12", "application/json", `[{"annotations":{"__dashboardUid__":"d","__value_string__":"[ var='A' labels={} value=1 ]"},"endsAt":"` + at(4*time.Minute) + `","startsAt":"` + at(-time.Minute) + `","generatorURL":"http://g/alerting/grafana/u/view?orgId=1","labels":{"__alert_rule_uid__":"u","alertname":"A","grafana_folder":"f"}}]`, 1},
		"Thanos's ruler, of two replicas": {"thanos-rule", "application/json", `[{"endsAt":"` + at(4*time.Minute) + `","startsAt":"` + at(-time.Minute) + `","labels":{"alertname":"A","replica":"0"}},{"endsAt":"` + at(4*time.Minute) + `","startsAt":"` + at(-time.Minute) + `","labels":{"alertname":"A","replica":"1"}}]`, 2},
		"no times":                        {"curl/8", "application/x-www-form-urlencoded", `[{"labels":{"alertname":"A"}}]`, 1},
		"an empty list":                   {"Prometheus/3.16.0", "application/json", `[]`, 0},
		"charset":                         {"amtool", "application/json; charset=utf-8", `[{"labels":{"alertname":"A"},"startsAt":"0001-01-01T00:00:00.000Z","endsAt":"0001-01-01T00:00:00.000Z"}]`, 1},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBoard()
			h := serve(b)
			if err := b.put(context.Background()); err != nil {
				t.Fatal(err)
			}
			r := httptest.NewRequest("POST", "/api/v2/alerts", strings.NewReader(tc.body))
			r.Header.Set("User-Agent", tc.agent)
			r.Header.Set("Content-Type", tc.content)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != http.StatusOK || strings.TrimSpace(w.Body.String()) != "" {
				t.Errorf("%d %s; want 200 and nothing", w.Code, w.Body)
			}
			if n := b.count(); n != tc.firing {
				t.Errorf("%d fire; want %d", n, tc.firing)
			}
		})
	}
}
