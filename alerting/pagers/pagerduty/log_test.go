package pagerduty

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/navcloud/binnacle/agent/secret"
)

func TestLog(t *testing.T) {
	var asked []string
	answer := func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		asked = append(asked, q.Get("since")+" "+q.Get("offset"))
		if r.Header.Get("Authorization") != "Token token=t0ken" || q["include[]"][0] != "incidents" {
			http.Error(w, "no", http.StatusUnauthorized)
			return
		}
		fmt.Fprintf(w, `{"log_entries":[{"id":"R%s"}],"more":%v}`, q.Get("offset"), q.Get("offset") == "0" && strings.HasPrefix(q.Get("since"), "2026-11-23"))
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { answer(w, r) }))
	defer srv.Close()
	cfg := DefaultConfig()
	cfg.From = "ops@example.com"
	cfg.Token, cfg.APIURL = secret.New("t0ken"), srv.URL
	c, err := New(cfg, Options{Transport: http.DefaultTransport})
	if err != nil {
		t.Fatal(err)
	}
	monday := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	text, err := c.Log(t.Context(), monday, monday.Add(36*time.Hour))
	if want := "2026-11-23T00:00:00Z 0, 2026-11-23T00:00:00Z 100, 2026-11-24T00:00:00Z 0"; err != nil || strings.Join(asked, ", ") != want || strings.Count(string(text), "log_entries") != 3 {
		t.Errorf("asked %q, %v; want %q", asked, err, want)
	}
	for name, body := range map[string]string{"a login page": "<html>", "another answer": `{"incidents":[]}`} {
		answer = func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) }
		if _, err := c.Log(t.Context(), monday, monday.Add(time.Hour)); err == nil {
			t.Errorf("%s is taken for the log", name)
		}
	}
	answer = func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "too many", http.StatusTooManyRequests) }
	if _, err := c.Log(t.Context(), monday, monday.Add(time.Hour)); err == nil || !strings.Contains(err.Error(), "429") {
		t.Errorf("429 gives %v", err)
	}
	cfg.Token, cfg.From = secret.Secret{}, ""
	if c, err = New(cfg, Options{Transport: http.DefaultTransport}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Log(t.Context(), monday, monday.Add(time.Hour)); err == nil || !strings.Contains(err.Error(), "token") {
		t.Errorf("without a token: %v", err)
	}
}
