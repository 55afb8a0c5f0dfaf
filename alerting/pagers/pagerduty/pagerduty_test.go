package pagerduty

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/navcloud/binnacle/agent/secret"
	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/alertingtest"
)

var since = time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC)

func alarm(n int) alerting.Alarm {
	return alerting.Alarm{
		Labels: map[string]string{"alertname": fmt.Sprintf("Rule%d", n%7), "entity": fmt.Sprintf("node:api-%03d", n), "severity": "critical"},
		Annotations: map[string]string{
			"storm_id": fmt.Sprintf("A%04d", n),
			"summary":  "streams of this node fail at a rate that users notice, and have for a while",
		},
		StartsAt: since,
	}
}

func action(kind alerting.ActionKind, key string, p alerting.Priority) alerting.Action {
	return alerting.Action{ID: "a1", Kind: kind, Key: key, Route: DefaultRoute, Text: "a note", Page: alerting.Page{
		Priority: p, Sentence: "streams failing 12% (us-east-1b cut off)", Rule: "AZUnreachable", Entity: "az:us-east-1b", Service: "api",
		Impact: "12% of streams", Broken: "us-east-1b does not answer", Since: since, Guidance: "drain the zone from the ELB",
		Changed: []string{"deploy api 1.2.3 at 02:55"}, Explained: []alerting.Alarm{alarm(0), alarm(1), alarm(2)},
		Behind: []string{"P2 RabbitMQ partition"}, Reason: "users are affected now", Runbook: "https://board/runbooks/AZUnreachable",
		Links: map[string]string{"Graph": "https://board/graph", "Broken": "not a URL"},
	}}
}

func config() Config {
	c := DefaultConfig()
	c.RoutingKey, c.EventsURL, c.APIURL = secret.New(alertingtest.RoutingKey), "http://pd", "http://pd"
	return c
}

func client(t *testing.T, p *alertingtest.PagerDuty, change func(*Config)) *Client {
	t.Helper()
	cfg := config()
	if change != nil {
		change(&cfg)
	}
	c, err := New(cfg, Options{Transport: p.Transport(), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func withToken(c *Config) { c.Token, c.From = secret.New("token"), "binnacle@example.com" }

func bubble(t *testing.T, test func(t *testing.T, p *alertingtest.PagerDuty)) {
	synctest.Test(t, func(t *testing.T) {
		p := alertingtest.NewPagerDuty()
		defer p.Close()
		test(t, p)
	})
}

func TestSendTellsTheAnswersApart(t *testing.T) {
	for name, tc := range map[string]struct {
		set  func(p *alertingtest.PagerDuty)
		key  string
		want alerting.Outcome
		text string
	}{
		"taken":                    {nil, "k", alerting.Accepted, ""},
		"too many":                 {func(p *alertingtest.PagerDuty) { p.SetRate(0) }, "k", alerting.Throttled, "429: Requests for this service"},
		"its own fault":            {func(p *alertingtest.PagerDuty) { p.Set(alertingtest.Fail) }, "k", alerting.Unknown, "500: internal error"},
		"no answer":                {func(p *alertingtest.PagerDuty) { p.Set(alertingtest.Stall) }, "k", alerting.Unknown, "no answer"},
		"answer lost":              {func(p *alertingtest.PagerDuty) { p.Set(alertingtest.LostReply) }, "k", alerting.Unknown, "no answer"},
		"down":                     {func(p *alertingtest.PagerDuty) { p.Set(alertingtest.Down) }, "k", alerting.Unknown, "no answer"},
		"refused, even plain":      {nil, "", alerting.Refused, "'dedup_key' is missing or blank"},
		"refused, accepted plain":  {func(p *alertingtest.PagerDuty) { p.Set(alertingtest.Refuse) }, "k", alerting.Accepted, "plain form"},
		"a key too long is hashed": {nil, strings.Repeat("k", 300), alerting.Accepted, ""},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, p *alertingtest.PagerDuty) {
				if tc.set != nil {
					tc.set(p)
				}
				kind := alerting.Trigger
				if tc.key == "" {
					kind = alerting.Resolve
				}
				start := time.Now()
				got := client(t, p, nil).Send(t.Context(), action(kind, tc.key, alerting.P1))
				if got.Outcome != tc.want || !strings.Contains(got.Detail, tc.text) || got.ActionID != "a1" {
					t.Errorf("Send = %+v; want %v with %q", got, tc.want, tc.text)
				}
				if took := time.Since(start); took > 3*time.Second {
					t.Errorf("Send took %v; want at most its timeout of 3s", took)
				}
			})
		})
	}
}

// What counts is PagerDuty's own answer.
func TestSendBelievesPagerDutyAlone(t *testing.T) {
	for name, tc := range map[string]struct {
		status int
		header string // name: value
		body   string
		want   alerting.Outcome
		after  time.Duration
	}{
		"202 without a body":            {202, "", "", alerting.Unknown, 0},
		"202 in HTML":                   {202, "", "<html>accepted", alerting.Unknown, 0},
		"202 and some object":           {202, "", `{"id":"1"}`, alerting.Unknown, 0},
		"200 and the documented object": {200, "", `{"status":"success"}`, alerting.Accepted, 0},
		"200 and nothing":               {200, "", "", alerting.Unknown, 0},
		"400 of PagerDuty":              {400, "", `{"status":"invalid event","message":"no"}`, alerting.Refused, 0},
		"202 and half a body":           {202, "", `{"status":"succ`, alerting.Accepted, 0},
		"202 that breaks off":           {202, "Content-Length: 5000", `{"status":"succ`, alerting.Accepted, 0},
		"202 with another's key":        {202, "", `{"status":"success","dedup_key":"another"}`, alerting.Accepted, 0},
		"200 in HTML":                   {200, "", "<html>Please log in</html>", alerting.Unknown, 0},
		"a redirect":                    {302, "Location: http://elsewhere/", "", alerting.Unknown, 0},
		"429 without a word on when":    {429, "", "", alerting.Throttled, 0},
		"429 for 45 s":                  {429, "Retry-After: 45", "", alerting.Throttled, 45 * time.Second},
		"429 for a day":                 {429, "Retry-After: 86400", "", alerting.Throttled, 5 * time.Minute},
		"429 until a date, far off":     {429, "Retry-After: Fri, 27 Nov 2026 03:00:00 GMT", "", alerting.Throttled, 5 * time.Minute},
		"429 until a date in the past":  {429, "Retry-After: Fri, 31 Dec 1999 23:00:00 GMT", "", alerting.Throttled, 0},
		"403 of a proxy":                {403, "", "<html>", alerting.Unknown, 0},
		"404":                           {404, "", "", alerting.Unknown, 0},
		"503":                           {503, "", "<html>", alerting.Unknown, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rt, stop := alertingtest.Pipe(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					if k, v, ok := strings.Cut(tc.header, ": "); ok {
						w.Header().Set(k, v)
					}
					w.WriteHeader(tc.status)
					_, _ = io.WriteString(w, tc.body)
				}))
				defer stop()
				c, err := New(config(), Options{Transport: rt})
				if err != nil {
					t.Fatal(err)
				}
				if got := c.Send(t.Context(), action(alerting.Trigger, "k", alerting.P1)); got.Outcome != tc.want || got.After != tc.after {
					t.Errorf("Send = %+v; want %v after %v", got, tc.want, tc.after)
				}
			})
		})
	}
}

func TestTriggerSaysEverythingInOrder(t *testing.T) {
	bubble(t, func(t *testing.T, p *alertingtest.PagerDuty) {
		client(t, p, nil).Send(t.Context(), action(alerting.Trigger, "k", alerting.P2))
		got := p.Pages()[0]
		if want := "P2 streams failing 12% (us-east-1b cut off) [AZUnreachable]"; got.Summary != want || got.Severity != "error" {
			t.Errorf("summary %q, %s; want %q, error", got.Summary, got.Severity, want)
		}
		at := -1
		for _, want := range []string{
			`"impact":"12% of streams"`, `"broken":`, `"since":"2026-11-24T03:00:00Z"`, `"guidance":"drain the zone`, `"changed":["deploy`,
			`"explains":"2 alarms: 1 Rule1, 1 Rule2"`, `"next":["P2 RabbitMQ partition"]`, `"priority":"P2"`, `"reason":"users are affected now"`, `"runbook":`,
			`"alarms":[{"labels":{"alertname":"Rule0"`, `"storm_id":"A0000"`, `"storm_id":"A0002"`,
		} {
			i := strings.Index(got.Details, want)
			if i <= at {
				t.Errorf("%s is missing or out of order in %s", want, got.Details)
			}
			at = i
		}
	})
}

func TestLinkOpensExactlyTheProblem(t *testing.T) {
	e := trigger(action(alerting.Trigger, "fleet:Disk:node:a/b:1", alerting.P2), "k", false, "binnacle", "https://board/")
	if want := "https://board/problems/fleet:Disk:node:a%2Fb:1"; e.ClientURL != want {
		t.Errorf("the incident links to %s, want %s", e.ClientURL, want)
	}
}

func TestSeverityFollowsThePriority(t *testing.T) {
	for _, tc := range []struct {
		p    alerting.Priority
		low  bool
		want string
	}{{alerting.P1, false, "critical"}, {alerting.P2, false, "error"}, {alerting.P3, false, "warning"}, {alerting.P4, false, "info"}, {alerting.P1, true, "warning"}} {
		if got := severity(tc.p, tc.low); got != tc.want {
			t.Errorf("severity(%v, %v) = %s; want %s", tc.p, tc.low, got, tc.want)
		}
	}
}

func TestTitleKeepsTheRule(t *testing.T) {
	for name, tc := range map[string]struct{ sentence, rule, want string }{
		"short":             {"all is\nlost\x00 here", "R", "P1 all is lost here [R]"},
		"a long sentence":   {strings.Repeat("ä", 5000), "TheRule", "… [TheRule]"},
		"a long rule":       {"s", strings.Repeat("r", 5000), "…]"},
		"both are long":     {strings.Repeat("s", 5000), strings.Repeat("r", 5000), "…]"},
		"rubbish in UTF-8":  {"a\xffb", "R", "P1 a�b [R]"},
		"nothing to say":    {"", "R", "P1 b [R]"},
		"no rule whatever":  {"s", "", "P1 s"},
		"a rule of letters": {"s", "Häfen", "[Häfen]"},
	} {
		got := Title(alerting.Page{Priority: alerting.P1, Sentence: tc.sentence, Broken: "b", Rule: tc.rule})
		if n := utf8.RuneCountInString(got); !strings.HasSuffix(got, tc.want) || !strings.HasPrefix(got, "P1 ") || n > maxSummary {
			t.Errorf("%s: Title = %.60q (%d runes); want it to end in %q", name, got, n, tc.want)
		}
	}
}

func TestDetailsCutProseBeforeNames(t *testing.T) {
	for _, n := range []int{1, 60, 300, 1000, 20_000} {
		p := action(alerting.Trigger, "k", alerting.P1).Page
		p.Guidance = strings.Repeat("drain ", 2000)
		p.Explained = nil
		for i := range n {
			p.Explained = append(p.Explained, alarm(i))
		}
		data, err := json.Marshal(details(p, maxDetails))
		if err != nil || len(data) > maxDetails {
			t.Fatalf("%d alarms: %d bytes, %v; want at most %d", n, len(data), err, maxDetails)
		}
		var got struct {
			Guidance string            `json:"guidance"`
			Alarms   []json.RawMessage `json:"alarms"`
			Cut      int               `json:"alarms_cut"`
		}
		if err := json.Unmarshal(data, &got); err != nil {
			t.Fatal(err)
		}
		if len(got.Alarms)+got.Cut != n || got.Guidance == "" {
			t.Errorf("%d alarms: %d there and %d cut, guidance of %d bytes", n, len(got.Alarms), got.Cut, len(got.Guidance))
		}
		if n <= 1000 && got.Cut != 0 {
			t.Errorf("%d alarms: the names of %d are cut", n, got.Cut)
		}
		if last := string(got.Alarms[len(got.Alarms)-1]); !strings.Contains(last, fmt.Sprintf("A%04d", len(got.Alarms)-1)) {
			t.Errorf("%d alarms: the last one is %s; want its ID in it", n, last)
		}
		if !strings.Contains(string(got.Alarms[0]), "labels") && n <= 300 {
			t.Errorf("%d alarms: the head is %s; want it in full", n, got.Alarms[0])
		}
	}
}

func TestChangeEvent(t *testing.T) {
	bubble(t, func(t *testing.T, p *alertingtest.PagerDuty) {
		got := client(t, p, nil).SendChange(t.Context(), Change{Summary: "api 1.2.3", Source: "ci", At: since, Details: map[string]string{"by": "ann"}, Link: "https://ci/1"})
		if calls := p.Calls(); got.Outcome != alerting.Accepted || len(calls) != 1 || calls[0].Action != "change" || calls[0].Summary != "api 1.2.3" {
			t.Errorf("SendChange = %+v, calls %+v; want one change accepted", got, calls)
		}
	})
}

func TestRoutesHaveTheirOwnKeys(t *testing.T) {
	bubble(t, func(t *testing.T, p *alertingtest.PagerDuty) {
		other := strings.Repeat("b", 32)
		cfg := config()
		cfg.Routes = map[string]Route{
			"data": {RoutingKey: secret.New(other), Services: []string{"riak"}},
			"apps": {RoutingKey: secret.New(strings.Repeat("c", 32)), Teams: []string{"apps"}, Services: []string{"riak"}},
		}
		for _, tc := range []struct {
			labels map[string]string
			want   string
		}{
			{map[string]string{"service": "riak", "team": "apps"}, "apps"},
			{map[string]string{"service": "riak"}, "apps"}, // by name where two fit
			{map[string]string{"service": "api"}, DefaultRoute},
			{nil, DefaultRoute},
		} {
			if got := cfg.RouteOf(tc.labels); got != tc.want {
				t.Errorf("RouteOf(%v) = %s; want %s", tc.labels, got, tc.want)
			}
		}
		c, err := New(cfg, Options{Transport: p.Transport()})
		if err != nil {
			t.Fatal(err)
		}
		a := action(alerting.Trigger, "k", alerting.P1)
		a.Route = "data"
		c.Send(t.Context(), a)
		if got := p.Calls()[0].Route; got != other {
			t.Errorf("routing key %s; want %s", got, other)
		}
	})
}

func TestConfigTellsEveryFault(t *testing.T) {
	c := DefaultConfig()
	if err := c.Validate(); err != nil {
		t.Errorf("the default: %v", err)
	}
	c.RoutingKey, c.Region, c.EventsURL, c.Timeout, c.AckPoll, c.Token = secret.New("short"), "mars", "pd.example", time.Hour, time.Second, secret.New("t")
	c.Second = Second{RoutingKey: secret.New("short"), Webhook: secret.New("chat")}
	c.Routes = map[string]Route{"x": {}}
	err := c.Validate()
	if err == nil {
		t.Fatal("no fault found")
	}
	for _, want := range []string{"routing_key: has 5", "routes.x.routing_key", "routes.x: want services", "second.routing_key", "second.webhook", "second: want a routing_key or", "region:", "events_url:", "timeout:", "ack_poll:", "from:"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v lacks %q", err, want)
		}
	}
	if strings.Contains(err.Error(), "short") {
		t.Errorf("%v shows the secret", err)
	}
}

func TestLogShowsThePage(t *testing.T) {
	var out, logged strings.Builder
	l := NewLog(slog.New(slog.NewTextHandler(&logged, nil)), &out)
	got := l.Send(t.Context(), action(alerting.Trigger, "k", alerting.P1))
	if got.Outcome != alerting.Accepted || !strings.Contains(out.String(), "do first  drain the zone") || !strings.Contains(logged.String(), "AZUnreachable") {
		t.Errorf("Send = %+v, out %q, log %q; want the guidance out and the title logged", got, out.String(), logged.String())
	}
}

func TestTheSecondChannelHasItsOwnKey(t *testing.T) {
	bubble(t, func(t *testing.T, p *alertingtest.PagerDuty) {
		cfg := config()
		if second, err := NewSecond(cfg, Options{}); second != nil || err != nil {
			t.Errorf("without a setting: %v, %v; want none", second, err)
		}
		cfg.Second.RoutingKey = secret.New(strings.Repeat("2", 32))
		second, err := NewSecond(cfg, Options{Transport: p.Transport()})
		if err != nil {
			t.Fatal(err)
		}
		second.Send(t.Context(), action(alerting.Trigger, "k", alerting.P1))
		if got := p.Calls()[0].Route; got != strings.Repeat("2", 32) {
			t.Errorf("routing key %s; want that of the second channel", got)
		}
	})
}

func TestChatPostsTheText(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got map[string]string
		rt, stop := alertingtest.Pipe(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if err := json.NewDecoder(r.Body).Decode(&got); err != nil {
				t.Error(err)
			}
		}))
		defer stop()
		cfg := config()
		cfg.Second.Webhook = secret.New("http://chat/hook")
		c, err := NewSecond(cfg, Options{Transport: rt})
		if err != nil {
			t.Fatal(err)
		}
		if r := c.Send(t.Context(), action(alerting.Trigger, "k", alerting.P1)); r.Outcome != alerting.Accepted || !strings.HasPrefix(got["text"], "P1 streams failing") {
			t.Errorf("Send = %+v, text %q; want accepted and the title first", r, got["text"])
		}
	})
}

func TestWhatWakesNobodyGoesToTheChat(t *testing.T) {
	bubble(t, func(t *testing.T, p *alertingtest.PagerDuty) {
		var texts []string
		rt, stop := alertingtest.Pipe(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			var got struct{ Text string }
			if err := json.NewDecoder(r.Body).Decode(&got); err != nil {
				t.Error(err)
			}
			texts = append(texts, got.Text)
		}))
		defer stop()
		c := client(t, p, func(c *Config) { c.Low.Webhook = secret.New("http://chat/hook") })
		c.low.wire.client.Transport = rt
		for _, kind := range []alerting.ActionKind{alerting.Trigger, alerting.Note, alerting.Resolve} {
			a := action(kind, "k", alerting.P3)
			a.Route = LowRoute
			if r := c.Send(t.Context(), a); r.Outcome != alerting.Accepted {
				t.Errorf("%v = %+v; want accepted", kind, r)
			}
		}
		if len(p.Calls()) != 0 || len(texts) != 2 || !strings.HasPrefix(texts[0], "P3 ") || !strings.HasPrefix(texts[1], "Over: P3 ") {
			t.Errorf("%d calls, texts %q; want none, and the page and its end", len(p.Calls()), texts)
		}
		c.Send(t.Context(), action(alerting.Trigger, "k", alerting.P1))
		if len(p.Pages()) != 1 {
			t.Error("a P1 did not reach PagerDuty")
		}
	})
}
