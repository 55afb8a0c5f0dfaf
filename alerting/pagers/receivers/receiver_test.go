package receivers

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/navcloud/binnacle/alerting"
)

// service stands in for every service that speaks HTTP: it keeps what it is sent, in the order of arrival, and misbehaves as told.
type service struct {
	*httptest.Server
	mu     sync.Mutex
	mode   string // "", 429, 500, 400, page, redirect, stall, lost
	answer string
	status int
	got    []string
	paths  []string
}

func newService(t *testing.T) *service {
	s := &service{status: 200}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *service) set(mode string) { s.mu.Lock(); s.mode = mode; s.mu.Unlock() }

func (s *service) bodies() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.got...)
}

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	mode := s.mode
	if mode == "" || mode == "lost" || mode == "stall" { // it has it, whatever it answers
		s.got, s.paths = append(s.got, string(body)+r.URL.RawQuery), append(s.paths, r.Method+" "+r.URL.Path)
	}
	answer, status := s.answer, s.status
	s.mu.Unlock()
	switch mode {
	case "429":
		w.Header().Set("Retry-After", "7")
		http.Error(w, "slow down", http.StatusTooManyRequests)
	case "429 for an hour":
		w.Header().Set("Retry-After", "3600")
		http.Error(w, "slow down", http.StatusTooManyRequests)
	case "429 until":
		w.Header().Set("Retry-After", time.Now().Add(90*time.Second).UTC().Format(http.TimeFormat))
		http.Error(w, "slow down", http.StatusTooManyRequests)
	case "502":
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusBadGateway)
		fmt.Fprint(w, "<html><body>502 Bad Gateway</body></html>")
	case "half":
		w.Header().Set("Content-Length", "5000")
		w.WriteHeader(http.StatusInternalServerError)
		fmt.Fprint(w, "an error that brea")
	case "gzip":
		w.Header().Set("Content-Encoding", "gzip")
		w.WriteHeader(http.StatusInternalServerError)
		fmt.Fprint(w, "no gzip at all")
	case "zipped page":
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		fmt.Fprint(z, "<!DOCTYPE html><title>Log in</title>")
		_ = z.Close()
	case "500":
		http.Error(w, "broken", http.StatusInternalServerError)
	case "400":
		http.Error(w, `{"message":"bad key"}`, http.StatusForbidden)
	case "page":
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, "<html>please log in</html>")
	case "redirect":
		http.Redirect(w, r, "/login", http.StatusFound)
	case "stall":
		<-r.Context().Done()
	case "lost":
		c, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			_ = c.Close()
		}
	default:
		w.WriteHeader(status)
		fmt.Fprint(w, answer)
	}
}

// RoundTrip leads every host to the stand-in.
func (s *service) RoundTrip(r *http.Request) (*http.Response, error) {
	u, _ := url.Parse(s.URL)
	r = r.Clone(r.Context())
	r.URL.Scheme, r.URL.Host = u.Scheme, u.Host
	return http.DefaultTransport.RoundTrip(r)
}

func config(t *testing.T, kind, fields string) Config {
	t.Helper()
	var n yaml.Node
	if err := yaml.Unmarshal([]byte(fields), &n); err != nil {
		t.Fatal(err)
	}
	c, err := ReadConfig(kind, n.Content[0])
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// newTest makes a receiver that waits for an answer as long as a busy machine may take for it.
func newTest(t *testing.T, s *service, kind, fields string) *Receiver {
	t.Helper()
	return newWaiting(t, s, kind, fields, time.Minute)
}

// newHasty makes one for a service that never answers.
func newHasty(t *testing.T, s *service, kind, fields string) *Receiver {
	t.Helper()
	return newWaiting(t, s, kind, fields, 300*time.Millisecond)
}

func newWaiting(t *testing.T, s *service, kind, fields string, timeout time.Duration) *Receiver {
	t.Helper()
	r, err := New(config(t, kind, fields), Options{
		Name: "team", BoardURL: "https://board.example", Transport: s, Timeout: timeout,
		AckURL: func(key string) string { return "https://board.example/problems/" + key + "/ack?sig=x" },
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

var outage = alerting.Page{
	Priority: alerting.P1, Sentence: "Uploads fail for 12 % of users <!channel>: disk full on db-1", Rule: "DiskFull", Entity: "host:db-1", Impact: "12 % of uploads fail",
	Broken: "disk 99 % full", Guidance: "delete old logs", Since: time.Date(2026, 11, 30, 3, 0, 0, 0, time.UTC),
	Explained: []alerting.Alarm{{Labels: map[string]string{"alertname": "DiskFull", "team": "db"}, StartsAt: time.Date(2026, 11, 30, 3, 0, 0, 0, time.UTC)}},
}

func act(kind alerting.ActionKind) alerting.Action {
	return alerting.Action{ID: "a1", Kind: kind, Key: "fleet:DiskFull:db-1:1", Route: "team", Page: outage}
}

// speaking are receivers over HTTP with what their services answer.
var speaking = []struct{ kind, fields, answer string }{
	{"slack", "{api_url: 'https://hooks.slack.com/services/T/B/x', send_resolved: true}", "ok"},
	{"webhook", "{url: 'https://example.org/hook'}", ""},
	{"opsgenie", "{api_key: k}", `{"result":"Request will be processed","requestId":"1"}`},
	{"jsm", "{api_key: k}", `{"result":"Request will be processed","requestId":"1"}`},
	{"msteams", "{webhook_url: 'https://x.webhook.office.com/y'}", "1"},
	{"msteamsv2", "{webhook_url: 'https://x.webhook.office.com/y'}", ""},
	{"incidentio", "{url: 'https://api.incident.io/v2/alert_events/alertmanager/x', alert_source_token: t}", `{"status":"success"}`},
	{"telegram", "{bot_token: 't', chat_id: 1, parse_mode: HTML}", `{"ok":true,"result":{"message_id":1,"chat":{"id":1}}}`},
	{"pushover", "{user_key: u, token: t}", `{"status":1}`},
	{"discord", "{webhook_url: 'https://discord.com/api/webhooks/1/x'}", ""},
	{"victorops", "{api_key: k, routing_key: r}", `{"result":"success"}`},
	{"mattermost", "{webhook_url: 'https://chat.example/hooks/x'}", "ok"},
	{"rocketchat", "{api_url: 'https://chat.example/', token_id: i, token: t, channel: '#ops'}", `{"success":true}`},
	{"webex", "{room_id: r, http_config: {authorization: {credentials: t}}}", `{"id":"1"}`},
	{"wechat", "{api_url: 'https://wx.example/', corp_id: c, api_secret: s, agent_id: '1', to_user: u}", `{"errcode":0,"access_token":"x"}`},
	{"jira", "{api_url: 'https://jira.example/rest/api/2/', project: OPS, issue_type: Bug, http_config: {basic_auth: {username: u, password: p}}}", `{"issues":[],"id":"1","key":"OPS-1"}`},
}

func TestEachSaysWhatBecameOfIt(t *testing.T) {
	for _, k := range speaking {
		t.Run(k.kind, func(t *testing.T) {
			s := newService(t)
			s.answer = k.answer
			r, hasty := newTest(t, s, k.kind, k.fields), newHasty(t, s, k.kind, k.fields)
			if r.wire == nil {
				t.Fatal("the library's client was not found: nothing checks its answers")
			}
			res := r.Send(t.Context(), act(alerting.Trigger))
			if res.Outcome != alerting.Accepted || len(s.bodies()) == 0 {
				t.Fatalf("trigger: %+v, %d messages", res, len(s.bodies()))
			}
			sent := strings.ReplaceAll(strings.Join(s.bodies(), "\n"), "+", " ") // of a form
			for _, want := range []string{"Uploads fail", "DiskFull"} {
				if !strings.Contains(sent, want) && !strings.Contains(sent, strings.ReplaceAll(want, " ", "%20")) {
					t.Errorf("the message lacks %q: %s (%q)", want, sent, s.paths)
				}
			}
			for mode, want := range map[string]alerting.Outcome{
				"429": alerting.Throttled, "500": alerting.Unknown, "400": alerting.Refused, "page": alerting.Unknown,
				"redirect": alerting.Unknown, "stall": alerting.Unknown, "lost": alerting.Unknown,
				"429 for an hour": alerting.Throttled, "429 until": alerting.Throttled, "502": alerting.Unknown, "half": alerting.Unknown, "gzip": alerting.Unknown,
				"zipped page": alerting.Unknown,
			} {
				s.set(mode)
				sender := r
				if mode == "stall" {
					sender = hasty
				}
				if res := sender.Send(t.Context(), act(alerting.Trigger)); res.Outcome != want {
					t.Errorf("%s: %v (%s), want %v", mode, res.Outcome, res.Detail, want)
				} else if mode == "429" && res.After != 7*time.Second {
					t.Errorf("429: after %v, want 7s", res.After)
				} else if mode == "429 until" && (res.After <= 0 || res.After > 90*time.Second) {
					t.Errorf("%s: after %v, want what is left of 90 s", mode, res.After)
				} else if res.Detail == "" {
					t.Errorf("%s: nothing is said of it", mode)
				}
			}
			s.set("")
			if res := r.Send(t.Context(), act(alerting.Resolve)); res.Outcome != alerting.Accepted {
				t.Errorf("resolve: %+v", res)
			}
		})
	}
}

func TestASlackMessageMentionsNobody(t *testing.T) {
	s := newService(t)
	s.answer = "ok"
	newTest(t, s, "slack", speaking[0].fields).Send(t.Context(), act(alerting.Trigger))
	var m struct {
		Attachments []struct{ Title, Text, Fallback string }
	}
	if err := json.Unmarshal([]byte(s.bodies()[0]), &m); err != nil || len(m.Attachments) != 1 {
		t.Fatal(err, s.bodies())
	}
	if a := m.Attachments[0]; strings.Contains(a.Title+a.Text+a.Fallback, "<!channel>") || !strings.Contains(a.Text, "Acknowledge: https://board.example/problems/fleet:DiskFull:db-1:1/ack") {
		t.Errorf("%+v", a)
	}
}

// TestAMessageShowsItsChart puts the picture where a receiver can show one, and its address where not.
func TestAMessageShowsItsChart(t *testing.T) {
	a := act(alerting.Trigger)
	a.Page.Evidence, a.Page.Chart = "481. The alarm fires above 50.", "https://board.example/charts/a.png?sig=1"
	s := newService(t)
	s.answer = "ok"
	newTest(t, s, "slack", speaking[0].fields).Send(t.Context(), a)
	var m struct {
		Attachments []struct {
			Text  string
			Image string `json:"image_url"`
		}
	}
	if err := json.Unmarshal([]byte(s.bodies()[0]), &m); err != nil || len(m.Attachments) != 1 {
		t.Fatal(err, s.bodies())
	}
	if got := m.Attachments[0]; got.Image != a.Page.Chart || strings.Contains(got.Text, "Chart:") || !strings.Contains(got.Text, "Evidence: 481. The alarm") {
		t.Errorf("Slack is sent %+v, want the picture itself beside the words", got)
	}
	s = newService(t)
	s.answer = `{"ok":true,"result":{"message_id":1}}`
	newTest(t, s, "telegram", "{bot_token: 't', chat_id: 1}").Send(t.Context(), a)
	if sent := strings.Join(s.bodies(), ""); !strings.Contains(sent, "Chart: https://board.example/charts/a.png") {
		t.Errorf("Telegram is sent %s, want the address of the picture", sent)
	}
}

func TestARepetitionInAChatSaysSo(t *testing.T) {
	s := newService(t)
	s.answer = "ok"
	r := newTest(t, s, "slack", speaking[0].fields)
	s.set("lost")
	r.Send(t.Context(), act(alerting.Trigger))
	s.set("")
	r.Send(t.Context(), act(alerting.Trigger))
	r.Send(t.Context(), act(alerting.Resolve))
	b := s.bodies()
	if n := len(b); n < 3 || strings.Contains(b[0], "Repeated") || !strings.Contains(b[n-2], "Repeated, the answer to the first was lost") || strings.Contains(b[n-1], "Repeated") {
		t.Errorf("messages: %q", b)
	}
}

// TestAnAnswerThatTheLibraryDoesNotExpect has Telegram accept a message and say so without its chat.
func TestAnAnswerThatTheLibraryDoesNotExpect(t *testing.T) {
	s := newService(t)
	s.answer = `{"ok":true,"result":{"message_id":1}}`
	if res := newTest(t, s, "telegram", "{bot_token: 't', chat_id: 1}").Send(t.Context(), act(alerting.Trigger)); res.Outcome != alerting.Accepted {
		t.Errorf("%+v, want accepted: it was", res)
	}
}

// TestOneIncidentWhateverTheAnswer has a service that knows a key misbehave in each way before it accepts.
func TestOneIncidentWhateverTheAnswer(t *testing.T) {
	s := newService(t)
	s.answer = speaking[2].answer
	r := newTest(t, s, "opsgenie", speaking[2].fields)
	s.set("stall")
	if res := newHasty(t, s, "opsgenie", speaking[2].fields).Send(t.Context(), act(alerting.Trigger)); res.Outcome == alerting.Accepted {
		t.Error("stall: accepted")
	}
	for _, mode := range []string{"429", "500", "lost", "page", ""} {
		s.set(mode)
		if got := r.Send(t.Context(), act(alerting.Trigger)).Outcome == alerting.Accepted; got != (mode == "") {
			t.Errorf("%q: accepted %v", mode, got)
		}
	}
	if res := r.Send(t.Context(), act(alerting.Acknowledge)); res.Outcome != alerting.Accepted {
		t.Errorf("acknowledge: %+v", res)
	}
	aliases := map[string]bool{}
	for _, b := range s.bodies() {
		var m struct{ Alias string }
		if json.Unmarshal([]byte(b), &m) == nil && m.Alias != "" {
			aliases[m.Alias] = true
		}
	}
	if len(aliases) != 1 || !aliases[alias("fleet:DiskFull:db-1:1")] {
		t.Errorf("aliases %v, want one, %s", aliases, alias("fleet:DiskFull:db-1:1"))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if last := s.paths[len(s.paths)-1]; last != "POST /v2/alerts/"+alias("fleet:DiskFull:db-1:1")+"/acknowledge" {
		t.Errorf("acknowledged by %s", last)
	}
}

func TestWhoAcknowledgedAtOpsgenie(t *testing.T) {
	s := newService(t)
	s.answer = `{"data":{"status":"open","acknowledged":true,"owner":"o@x","report":{"acknowledgedBy":"ann@x"}},"requestId":"1"}`
	r := newTest(t, s, "jsm", speaking[3].fields)
	if got, want := r.State(t.Context(), "k"), (State{Acked: true, By: "ann@x"}); got != want {
		t.Errorf("State: %+v, want %+v", got, want)
	}
	s.set("page")
	if got := r.State(t.Context(), "k"); got != (State{}) {
		t.Errorf("behind a login page: %+v, want nothing", got)
	}
}

func TestBadFieldsAreNamed(t *testing.T) {
	for kind, tc := range map[string][2]string{
		"slack":    {"{api_url: 'https://x/SECRETVALUE1', chanel: '#x'}", "chanel"},
		"opsgenie": {"{}", "API Key"},
		"email":    {"{to: a@b.c, smarthost: 'x:25'}", "from"},
		"pager":    {"{}", "no such receiver"},
	} {
		var n yaml.Node
		if err := yaml.Unmarshal([]byte(tc[0]), &n); err != nil {
			t.Fatal(err)
		}
		_, err := ReadConfig(kind, n.Content[0])
		if err == nil || !strings.Contains(err.Error(), tc[1]) || strings.Contains(err.Error(), "SECRETVALUE1") {
			t.Errorf("%s: %v, want %q in it", kind, err, tc[1])
		}
	}
}

func TestNothingShowsSecrets(t *testing.T) {
	for _, k := range speaking {
		b, err := yaml.Marshal(config(t, k.kind, k.fields))
		if err != nil {
			t.Errorf("%s: %v", k.kind, err)
		}
		for _, secret := range []string{"services/T/B/x", "webhooks/1/x", "office.com/y", "api_key: k", "bot_token: t", "user_key: u"} {
			if strings.Contains(string(b), secret) {
				t.Errorf("%s shows %q:\n%s", k.kind, secret, b)
			}
		}
	}
}
