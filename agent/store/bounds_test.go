package store

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/navcloud/binnacle/agent/query"
)

// Questions that are short to send and long to answer are refused before they are parsed; one that names its origin is
// answered, and lets no page of another site read the answer.
func TestQuestionsAreBounded(t *testing.T) {
	s := open(t)
	h := s.Handler("1.0.0", func() Rules { return nil })
	ask := func(path string, form url.Values) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", "https://elsewhere.example")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	many := url.Values{}
	for range maxSelectors + 1 {
		many.Add("match[]", "up")
	}
	parens := strings.Repeat("(", 20_000) + "1" + strings.Repeat(")", 20_000)
	for name, tc := range map[string]struct {
		path   string
		form   url.Values
		status int
		want   string
	}{
		"a sum":                     {"/api/v1/query", url.Values{"query": {"1+1"}}, 200, `"2"`},
		"parentheses":               {"/api/v1/query", url.Values{"query": {parens}}, 400, "nested"},
		"parentheses over time":     {"/api/v1/query_range", url.Values{"query": {parens}, "start": {"0"}, "end": {"1"}, "step": {"1"}}, 400, "nested"},
		"parentheses to be printed": {"/api/v1/format_query", url.Values{"query": {parens}}, 400, "nested"},
		"parentheses to be read":    {"/api/v1/parse_query", url.Values{"query": {parens}}, 400, "nested"},
		"braces as a selector":      {"/api/v1/series", url.Values{"match[]": {strings.Repeat("{", 5000)}, "start": {"0"}}, 400, "nested"},
		"a program as a selector":   {"/api/v1/labels", url.Values{"match[]": {`up{a=~"` + strings.Repeat(".{1000}", 50) + `"}`}}, 400, "expressions"},
		"many selectors":            {"/api/v1/series", many, 400, "selectors"},
	} {
		w := ask(tc.path, tc.form)
		if w.Code != tc.status || !strings.Contains(w.Body.String(), tc.want) {
			t.Errorf("%s: %d %.200s; want %d, %s", name, w.Code, w.Body, tc.status, tc.want)
		}
		if o := w.Header().Get("Access-Control-Allow-Origin"); o != "" {
			t.Errorf("%s: %q may read the answer", name, o)
		}
	}
	if _, err := s.Instant(t.Context(), parens, time.Now()); err == nil || !strings.Contains(err.Error(), "nested") {
		t.Errorf("Instant = %.100v; want that it is nested too deep", err)
	}
}

func TestQuestionsStopAtTheConfiguredBounds(t *testing.T) {
	for want, q := range map[string]query.Config{
		"timed out":        {Timeout: 1, MaxSamples: 1_000_000},
		"too many samples": {Timeout: time.Minute, MaxSamples: 10},
	} {
		s, err := Open(t.TempDir(), Options{Retention: time.Hour, RetentionSize: 1 << 30, Query: q})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Instant(t.Context(), "count_over_time(vector(1)[1h:1s])", time.Now()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v; want %s", q, err, want)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}
