package scrape

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/navcloud/binnacle/agent/metric"
)

// TestAnswersThatAreNotAsTheyShouldBe: a target that cannot be read is down and named; one that can be read in part is up, and
// what was left out is counted.
func TestAnswersThatAreNotAsTheyShouldBe(t *testing.T) {
	t.Parallel()
	const text = "text/plain; version=0.0.4"
	for name, tc := range map[string]struct {
		kind, body string
		up         float64
		dropped    string // reason
		note       string
	}{
		"no content type":     {"", "a 1\nb 2\n", 1, "", ""},
		"another one":         {"application/json", "a 1\n", 1, "", ""},
		"a page for people":   {"text/html", "<html></html>", 0, "", "expected a valid start token"},
		"two values":          {text, "a{x=\"1\"} 1\na{x=\"1\"} 2\nb 1\n", 1, "duplicate", ""},
		"ahead":               {text, fmt.Sprintf("a 1 %d\nb 1\n", time.Now().Add(time.Hour).UnixMilli()), 1, "bounds", ""},
		"half a line":         {text, "a 1\nb{x=\"1\" 2\n", 0, "", "expected"},
		"OpenMetrics cut":     {"application/openmetrics-text; version=1.0.0", "# TYPE a gauge\na 1\n", 0, "", "# EOF"},
		"bytes that are none": {text, "a{x=\"\xff\"} 1\n", 0, "", "UTF-8"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header()["Content-Type"] = []string{tc.kind}
				fmt.Fprint(w, tc.body)
			}))
			defer s.Close()
			w := start(t, fmt.Sprintf("jobs: [{job_name: odd, scrape_interval: 1s, scrape_timeout: 1s, static_configs: [{targets: ['%s']}]}]", address(s)))
			w.until(up(tc.up))
			b := &metric.Batch{Time: time.Now()}
			if err := w.c.Collect(t.Context(), b); err != nil {
				t.Fatal(err)
			}
			lost := map[string]float64{}
			for _, s := range b.Samples {
				if s.Desc == descDropped {
					lost[s.Labels.Get("reason")] = s.Value
				}
			}
			if len(lost) != len(dropped) || tc.dropped != "" && lost[tc.dropped] == 0 || tc.dropped == "" && lost["duplicate"]+lost["bounds"]+lost["order"] > 0 {
				t.Errorf("dropped %v; want some by %q", lost, tc.dropped)
			}
			notes := strings.Join(w.c.Notes(), "\n")
			if (notes == "") != (tc.note == "") || !strings.Contains(notes, tc.note) {
				t.Errorf("notes %q; want %q", notes, tc.note)
			}
		})
	}
}

func TestTheSameOfATargetIsLoggedOnceAnHour(t *testing.T) {
	var out bytes.Buffer
	l := quietly(slog.New(slog.NewTextHandler(&out, nil)))
	for range 3 {
		for _, target := range []string{"a", "b"} {
			l.With("target", target).Warn("its answer is bad", "num", 1)
			l.With("target", target).Info("fine")
		}
	}
	if bad, fine := strings.Count(out.String(), "bad"), strings.Count(out.String(), "fine"); bad != 2 || fine != 6 {
		t.Errorf("%d warnings and %d others; want 2 and 6\n%s", bad, fine, out.String())
	}
	s := &said{at: map[string]time.Time{}}
	now := time.Now()
	if !s.isNews("x", now) || s.isNews("x", now.Add(sayAgain-1)) || !s.isNews("x", now.Add(sayAgain)) {
		t.Error("a text is no news within the hour, and news after it")
	}
}
