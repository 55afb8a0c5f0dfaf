package rules

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/prometheus/promql/promqltest"

	"github.com/navcloud/binnacle/alerting"
)

// What a rule says of keeping and what $externalLabels holds reach the router.
func TestAlarmsSayHowLongTheyKeepAndKnowExternalLabels(t *testing.T) {
	store := promqltest.LoadedStorage(t, "")
	dir := t.TempDir()
	file := filepath.Join(dir, "own.yaml")
	if err := os.WriteFile(file, []byte(`groups: [{name: g, interval: 10ms, rules: [{alert: K, expr: vector(1), keep_firing_for: 10m, annotations: {summary: "in {{ $externalLabels.az }}"}}]}]`), 0o600); err != nil {
		t.Fatal(err)
	}
	told := make(chan alerting.Alarm, 100)
	m, err := New(t.Context(), Options{
		Interval: time.Minute, Files: []string{file}, Dir: filepath.Join(dir, "packs"), ExternalURL: "http://x", External: map[string]string{"az": "eu-1a"},
		Queryable: store, Appendable: store, Engine: promqltest.NewTestEngine(t, false, 5*time.Minute, 1e6), Log: slog.New(slog.DiscardHandler), Now: time.Now,
		Notify: func(in []alerting.Input) {
			for _, i := range in {
				if f, ok := i.(alerting.Firing); ok {
					select {
					case told <- f.Alarm:
					default:
					}
				}
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range m.RuleGroups() {
		g.Eval(t.Context(), time.Now())
	}
	a := <-told
	if a.Annotations[alerting.AnnotationKeeps] != "10m0s" || a.Summary() != "in eu-1a" {
		t.Errorf("the alarm has %v", a.Annotations)
	}
}
