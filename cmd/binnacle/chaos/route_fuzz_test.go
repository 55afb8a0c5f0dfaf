package chaos

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/navcloud/binnacle/agent/secret"
	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/alertingtest"
	"github.com/navcloud/binnacle/alerting/intake"
	"github.com/navcloud/binnacle/alerting/pagers/pagerduty"
	"github.com/navcloud/binnacle/alerting/router"
)

// FuzzAlarmToPage posts any body to the intake, lets the router decide and the pager send: whatever is taken and wakes somebody
// is a page that PagerDuty's documented bounds accept, with a title that a person can read.
func FuzzAlarmToPage(f *testing.F) {
	f.Add(`[{"labels":{"alertname":"A","severity":"critical","instance":"a:1"},"annotations":{"summary":"s","description":"d"},"startsAt":"2026-11-24T03:00:00Z"}]`)
	f.Add(`[{"labels":{"alertname":"` + strings.Repeat("A", 1000) + `","severity":"page"},"annotations":{"summary":"` + strings.Repeat("é", 2000) + `"}}]`)
	f.Add(`[{"labels":{"severity":"P1"}},{"labels":{"alertname":"\u202e\u0000","severity":"disaster","namespace":"{{ x }}"},"annotations":{"runbook_url":"javascript:x"}}]`)
	f.Add(`[{"labels":{"alertname":"A","priority":"P1","entity":"node:a"},"generatorURL":"::","endsAt":"2000-01-01T00:00:00Z"},7]`)
	f.Fuzz(func(t *testing.T, body string) {
		if len(body) > 64<<10 {
			return
		}
		pd := alertingtest.NewPagerDuty()
		defer pd.Close()
		cfg := pagerduty.DefaultConfig()
		cfg.RoutingKey, cfg.EventsURL = secret.New(alertingtest.RoutingKey), pd.URL()
		pager, err := pagerduty.New(cfg, pagerduty.Options{})
		if err != nil {
			t.Fatal(err)
		}
		var in []alerting.Input
		i := intake.New(intake.Options{
			Put:  func(_ context.Context, more ...alerting.Input) error { in = append(in, more...); return nil },
			View: func() alerting.View { return alerting.View{} },
		})
		mux := http.NewServeMux()
		i.Register(mux)
		w := httptest.NewRecorder()
		r := httptest.NewRequest("POST", "/api/v2/alerts", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		mux.ServeHTTP(w, r)
		if w.Code >= 500 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		route := router.New(alerting.DefaultSettings())
		now := time.Now()
		for range 40 {
			out, _ := route.Step(now, in)
			in = nil
			for _, a := range out {
				res := pager.Send(t.Context(), a)
				if res.ActionID = a.ID; res.Outcome != alerting.Accepted || res.Detail != "" {
					t.Errorf("%s %q: %s %s", a.Kind, a.Page.Sentence, res.Outcome, res.Detail)
				}
				in = append(in, res)
			}
			now = now.Add(15 * time.Second)
		}
		for _, c := range pd.Calls() {
			if c.Action == "trigger" && (strings.TrimSpace(c.Summary) == "" || !utf8.ValidString(c.Summary) || utf8.RuneCountInString(c.Summary) > 1024) {
				t.Errorf("a page with the title %q", c.Summary)
			}
			if c.Details != "" && !json.Valid([]byte(c.Details)) {
				t.Errorf("details are no JSON: %.200q", c.Details)
			}
		}
	})
}
