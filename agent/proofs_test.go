package agent

import (
	"context"
	"image/png"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/navcloud/binnacle/agent/query"
	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/dashboards/oncall"
)

// proving is a proofs over a store that answers after a while.
func proving(t *testing.T, took time.Duration) (*proofs, *Config, *int) {
	cfg, asked := Default(), new(int)
	cfg.Web.ExternalURL, cfg.Route.ChartLinks = "https://board.example/b", true
	dir := t.TempDir()
	p := &proofs{config: func() Config { return cfg }, dir: func() string { return dir }, log: slog.New(slog.DiscardHandler)}
	p.use(oncall.New(oncall.Options{
		Expr: func(rule string, _ map[string]string) (string, time.Duration, bool) {
			return "queue_messages > 50", time.Minute, rule == "QueueGrows"
		},
		Threshold: threshold,
		Range: func(ctx context.Context, _ string, from, to time.Time, step time.Duration) ([]query.Series, error) {
			*asked++
			select {
			case <-time.After(took):
			case <-ctx.Done():
				return nil, ctx.Err()
			}
			s := query.Series{}
			for at := from; !at.After(to); at = at.Add(step) {
				s.Points = append(s.Points, query.Point{T: at, V: 481})
			}
			return []query.Series{s}, nil
		},
	}))
	return p, &cfg, asked
}

func pageOf(rule string) alerting.Page {
	a := alerting.Alarm{Labels: map[string]string{"alertname": rule}, StartsAt: time.Now().Add(-time.Minute)}
	return alerting.Page{Priority: alerting.P2, Sentence: "The queue grows", Rule: rule, Explained: []alerting.Alarm{a}}
}

func TestAPageIsSentWithItsEvidence(t *testing.T) {
	p, cfg, asked := proving(t, 0)
	got := p.prove(t.Context(), alerting.Trigger, "fleet:QueueGrows:queue:a/b:1", pageOf("QueueGrows"))
	if want := "Queue messages: 481. The alarm fires above 50 for 1 min. Yesterday, same time: 481."; got.Evidence != want {
		t.Errorf("evidence is %q, want %q", got.Evidence, want)
	}
	link, err := url.Parse(got.Chart)
	if err != nil || !strings.HasPrefix(got.Chart, "https://board.example/b/charts/") || strings.Contains(got.Chart, "QueueGrows") {
		t.Fatalf("the chart is at %q, %v; want an address at the board that says nothing of the incident", got.Chart, err)
	}
	before := *asked
	mux := http.NewServeMux()
	mux.HandleFunc("GET /charts/{name}", p.serve)
	fetch := func(path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, strings.TrimPrefix(path, "/b"), nil))
		return w
	}
	w := fetch(link.RequestURI())
	if img, err := png.Decode(w.Body); w.Code != http.StatusOK || err != nil || img.Bounds().Dx() != 800 {
		t.Errorf("GET %s: %d, %v; want a picture of 800 pixels", link.RequestURI(), w.Code, err)
	}
	if *asked != before {
		t.Error("the picture asked the store, want a file")
	}
	q := link.Query()
	q.Set("until", "99999999999")
	for what, path := range map[string]string{
		"without its signature": link.Path, "with another end": link.Path + "?" + q.Encode(),
		"of another picture": "/charts/" + strings.Repeat("0", 32) + ".png?" + link.RawQuery,
	} {
		if w := fetch(path); w.Code != http.StatusNotFound {
			t.Errorf("the link %s: %d, want 404", what, w.Code)
		}
	}
	if err := cfg.chartLinks().check(filepath.Base(link.Path), link.Query(), time.Now().Add(chartFor+time.Second)); err == nil {
		t.Error("a link works after 7 days")
	}
	cfg.Route.ChartLinks = false
	if got := p.prove(t.Context(), alerting.Trigger, "k", pageOf("QueueGrows")); got.Evidence == "" || got.Chart != "" {
		t.Errorf("without chart_links: evidence %q and chart %q, want words alone", got.Evidence, got.Chart)
	}
	if got := p.prove(t.Context(), alerting.Trigger, "k", pageOf("OfOthers")); got.Evidence != "" || got.Chart != "" {
		t.Errorf("an alarm without expression has %q, %q, want nothing", got.Evidence, got.Chart)
	}
}

// TestASlowStoreHoldsNoPageUp sends two pages while the store hangs: the first waits for half a second, the second for nothing.
func TestASlowStoreHoldsNoPageUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _, asked := proving(t, time.Hour)
		start := time.Now()
		for range 2 {
			if got := p.prove(t.Context(), alerting.Trigger, "k", pageOf("QueueGrows")); got.Evidence != "" || got.Chart != "" {
				t.Errorf("a page has %q, %q of a store that does not answer", got.Evidence, got.Chart)
			}
		}
		if took := time.Since(start); took != proofTime || *asked > 2 {
			t.Errorf("two pages waited %v in %d questions, want %v for both", took, *asked, proofTime)
		}
		time.Sleep(proofPause)
		if p.ask() == nil {
			t.Error("the store is not asked again after a pause")
		}
	})
}

func TestOldPicturesAreRemoved(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	for name, age := range map[string]time.Duration{"old.png": chartFor + time.Hour, "new.png": time.Hour} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, now.Add(-age), now.Add(-age)); err != nil {
			t.Fatal(err)
		}
	}
	prune(dir, now)
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 || left[0].Name() != "new.png" {
		t.Errorf("left are %v, %v; want the new one", left, err)
	}
}
