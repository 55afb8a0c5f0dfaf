package sinks

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// What answers in a destination's place has delivered nothing: the samples wait, and nobody is followed elsewhere.
func TestAnAnswerThatIsNotTheServicesDeliversNothing(t *testing.T) {
	followed := false
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { followed = true }))
	defer elsewhere.Close()
	for name, tc := range map[string]struct {
		status              int
		media, body         string
		accepted, permanent bool
	}{
		"no content":                    {status: 204, accepted: true},
		"the service's object":          {status: 200, media: "application/json", body: "{}", accepted: true},
		"a word":                        {status: 200, media: "text/plain", body: "ok", accepted: true},
		"a login page":                  {status: 200, media: "text/html; charset=utf-8", body: "log in"},
		"one that does not say so":      {status: 200, body: "<html>"},
		"a redirect":                    {status: 301},
		"a redirect of the body":        {status: 307},
		"a refusal":                     {status: 400, body: "out of order", permanent: true},
		"too large for a proxy":         {status: 413, media: "text/html", body: "<html>", permanent: true},
		"forbidden, by whomever":        {status: 403, media: "text/html", body: "<html>"},
		"a proxy without a destination": {status: 502, media: "text/html", body: "<html>"},
	} {
		t.Run(name, func(t *testing.T) {
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if tc.status/100 == 3 {
					w.Header().Set("Location", elsewhere.URL)
				}
				if tc.media != "" {
					w.Header().Set("Content-Type", tc.media)
				}
				w.WriteHeader(tc.status)
				_, _ = io.WriteString(w, tc.body)
			}))
			defer srv.Close()
			p, err := newPoster("test", HTTPOptions{URL: srv.URL}, Env{})
			if err != nil {
				t.Fatal(err)
			}
			_, _, err = p.post(t.Context(), []byte("x"), nil)
			if (err == nil) != tc.accepted || err != nil && IsPermanent(err) != tc.permanent {
				t.Errorf("post = %v; want accepted %v, permanent %v", err, tc.accepted, tc.permanent)
			}
			if err != nil && strings.Contains(err.Error(), elsewhere.URL) {
				t.Errorf("%v has an address that nobody configured", err)
			}
		})
	}
	if followed {
		t.Error("a redirect was followed")
	}
}
