package agent

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/navcloud/binnacle/agent/testport"
	"github.com/navcloud/binnacle/alerting"
)

// TestAPageGoesToAChatAndItsLinkAcknowledges walks the way from another's alarm to a message, and back from its link.
func TestAPageGoesToAChatAndItsLinkAcknowledges(t *testing.T) {
	messages := make(chan string, 10)
	chat := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		messages <- string(b)
		_, _ = io.WriteString(w, "ok")
	}))
	defer chat.Close()
	cfg := parsed(t, "data: %s\nlisten: %s\ncollect: off\nrules: {packs: []}\nroute: {pagers: {chat: {slack: {api_url: '%s/T0', channel: '#x'}}}, default: chat, order: {wait: {symptom_alone: 0s}}}\n",
		t.TempDir(), testport.Free(t), chat.URL)
	a, end := run(t, cfg)
	defer end()
	sendTo(t, "http://"+cfg.Listen+"/api/v2/alerts", "application/json",
		`[{"labels":{"alertname":"TripsFail","severity":"critical","priority":"P1","kind":"symptom","layer":"symptom","entity":"service:trips"},"annotations":{"summary":"Trips fail"}}]`, http.StatusOK)
	var got string
	select {
	case got = <-messages:
	case <-time.After(3 * time.Minute):
		t.Fatal("no message in three minutes")
	}
	var m struct {
		Attachments []struct{ Title, Text string }
	}
	if err := json.Unmarshal([]byte(got), &m); err != nil || len(m.Attachments) != 1 || !strings.Contains(m.Attachments[0].Title, "Trips fail") {
		t.Fatalf("%v: %s", err, got)
	}
	link := regexp.MustCompile(`http://\S+/ack\?\S+`).FindString(m.Attachments[0].Text)
	link = strings.ReplaceAll(link, "&amp;", "&")
	if link == "" {
		t.Fatalf("no link in %q", m.Attachments[0].Text)
	}
	acked := func() string {
		for _, p := range a.route.dispatch.View().Problems {
			return p.AckedBy
		}
		return ""
	}
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodGet} { // as whatever looks at links in messages does
		visit(t, method, link, http.StatusOK)
	}
	u, _ := url.Parse(link)
	q := u.Query()
	q.Set("until", "9999999999")
	visit(t, http.MethodGet, "http://"+u.Host+u.EscapedPath()+"?"+q.Encode(), http.StatusGone)
	visit(t, http.MethodGet, strings.Replace(link, "TripsFail", "Other", 1), http.StatusGone)
	sendTo(t, strings.Replace(link, "sig=", "sig=x", 1), "application/x-www-form-urlencoded", "", http.StatusConflict)
	if by := acked(); by != "" {
		t.Fatalf("acknowledged by %q before anybody did", by)
	}
	sendTo(t, link, "application/x-www-form-urlencoded", "", http.StatusSeeOther)
	await(t, func() bool { return acked() != "" })
}

func TestALinkEnds(t *testing.T) {
	l := RouteConfig{Order: alerting.Settings{Fleet: "f"}}.ackLinks("http://b")
	old := url.Values{"until": {"1"}, "sig": {l.sign("k", "1")}}
	if err := l.check("k", old); err == nil || !strings.Contains(err.Error(), "24 hours") {
		t.Errorf("a link of 1970: %v", err)
	}
	fresh, _ := url.Parse(l.url("k"))
	if err := l.check("k", fresh.Query()); err != nil {
		t.Errorf("a fresh link: %v", err)
	}
}

func visit(t *testing.T, method, link string, want int) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, link, nil)
	if err != nil {
		t.Fatal(err)
	}
	doRequest(t, req, want)
}

func sendTo(t *testing.T, link, kind, body string, want int) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, link, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", kind)
	doRequest(t, req, want)
}

func doRequest(t *testing.T, req *http.Request, want int) {
	t.Helper()
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, _ := io.ReadAll(resp.Body)
	if resp.StatusCode != want {
		t.Fatalf("%s %s: %d, want %d: %s", req.Method, req.URL, resp.StatusCode, want, b)
	}
}
