package rules

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/promql/promqltest"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/util/teststorage"

	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/reading"
)

func TestNeeds(t *testing.T) {
	for expr, want := range map[string]string{
		"gone > 0":                        "gone",
		"here > 0":                        "",
		"rate(gone[5m]) > 1":              "gone",
		"here / gone > 1":                 "gone",
		"gone or here":                    "",
		"gone or gone2":                   "gone gone2",
		"here unless gone":                "",
		"gone unless here":                "gone",
		"here and gone":                   "gone",
		"absent(gone)":                    "",
		"absent_over_time(gone[5m])":      "",
		"(gone > 0) or vector(1)":         "",
		"sum by (x) (gone) > 0":           "gone",
		"max_over_time(gone[1h:1m]) > 0":  "gone",
		"histogram_quantile(0.9, gone)":   "gone",
		"vector(1)":                       "",
		"here > scalar(gone)":             "gone",
		"here * on (a) group_left gone":   "gone",
		"-gone > 1":                       "gone",
		"count(here) - count(gone) > 0.5": "gone",
	} {
		e, err := promParser.ParseExpr(expr)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, s := range needs(e, func(s *parser.VectorSelector) bool { return strings.HasPrefix(s.Name, "gone") }) {
			got = append(got, s.Name)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s needs %v, want %q", expr, got, want)
		}
	}
}

// TestCover looks at rules over two days of samples.
func TestCover(t *testing.T) {
	store := promqltest.LoadedStorage(t, `
load 4m
  binnacle_node_info{node="n1"}    1x720
  binnacle_node_info{node="n2"}    1x720
  disk_used_ratio{node="n1"}       0.1+0.00005x720
  requests_total{node="n1", code="500"} 0+1x720
  ended_total{node="n1"}           0+1x500
  ALERTS{alertname="Standing", alertstate="firing"} 1x720
`)
	dir := t.TempDir()
	file := filepath.Join(dir, "own.yaml")
	if err := os.WriteFile(file, []byte(`
groups:
- name: g
  rules:
  - {alert: Fine, expr: 'disk_used_ratio{mode!="x"} > 0.2', labels: {severity: critical}}
  - {alert: Typo, expr: disk_used_ration > 0.9, labels: {severity: critical}}
  - {alert: NoSuchCode, expr: 'rate(requests_total{code="503"}[30m]) > 1', labels: {severity: critical}}
  - {alert: NoSuchNode, expr: 'rate(requests_total{node="n9"}[30m]) > 1', labels: {severity: critical}}
  - {alert: FirstError, expr: 'increase(requests_errors_total[30m]) > 1', labels: {severity: critical}}
  - {alert: Strange, expr: 'increase(payments_errors_total[30m]) > 1', labels: {severity: critical}}
  - {alert: NoSuchLabel, expr: 'rate(requests_total{status="503"}[30m]) > 1', labels: {severity: critical}}
  - {alert: Percent, expr: disk_used_ratio > 90, labels: {severity: critical}}
  - {alert: Least, expr: 10 > disk_used_ratio, labels: {severity: warning}}
  - {alert: Stopped, expr: ended_total > 1e9, labels: {severity: warning}}
  - {alert: Standing, expr: vector(1), labels: {severity: critical}}
  - {alert: Watchdog, expr: vector(1), labels: {severity: none}}
`), 0o600); err != nil {
		t.Fatal(err)
	}
	begin, now := time.Unix(0, 0), time.Unix(0, 0).Add(48*time.Hour)
	engine := promqltest.NewTestEngine(t, false, 5*time.Minute, 1e6)
	m, err := New(t.Context(), Options{
		Interval: time.Minute, Files: []string{file}, Dir: filepath.Join(dir, "packs"), ExternalURL: "http://x", Queryable: storage.Queryable(store), Engine: engine,
		Notify: func([]alerting.Input) {}, Log: slog.New(slog.DiscardHandler), Now: time.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	matchers := func() (out []*labels.Matcher) {
		for _, r := range m.manager.AlertingRules() {
			inspect(r.Query(), func(s *parser.VectorSelector, _ time.Duration) { out = append(out, s.LabelMatchers...) })
		}
		return out
	}
	before := matchers()
	rested := 0
	c, err := m.Cover(t.Context(), CoverOptions{
		Queryable: store, Engine: engine, Now: now, Oldest: begin, Dir: filepath.Join(dir, "packs"), Read: reading.New(reading.DefaultSettings()).Read,
		Acts: map[string]Acts{"Fine": {7, 0}, "Percent": {7, 1}},
		Rest: func(context.Context, time.Duration) error { rested++; return nil },
	})
	if err != nil || rested != 13 {
		t.Fatalf("%v, after %d rules", err, rested)
	}
	if !slices.Equal(matchers(), before) {
		t.Error("the matchers of a rule that is evaluated are in another order")
	}
	for rule, want := range map[string]string{
		"Fine":        "never acted on: 7 incidents",
		"Typo":        "no series: disk_used_ration was never stored; did you mean disk_used_ratio?",
		"NoSuchCode":  `comes later: requests_total has code 500, and none yet that fits code="503"`,
		"NoSuchNode":  `matches nothing: no series of requests_total has node="n9", it has n1`,
		"FirstError":  "comes later: requests_errors_total was never stored, others such as requests_total are",
		"Strange":     "no series: payments_errors_total was never stored",
		"NoSuchLabel": `matches nothing: no series of requests_total has status="503": it has no label status`,
		"Percent":     "never near: the most in 2",
		"Least":       "",
		"Stopped":     "no series: ended_total is gone: its last sample is less than 1",
		"Standing":    "fires always: ",
		"Watchdog":    "",
	} {
		n := slices.IndexFunc(c.Rules, func(r Covered) bool { return r.Rule == rule })
		if n < 0 {
			t.Fatalf("nothing is said of %s", rule)
		}
		found := slices.DeleteFunc(c.Rules[n].Findings, func(f Finding) bool { return f.Kind == Unsaid })
		text := ""
		for _, f := range found {
			text += string(f.Kind) + ": " + f.Text
		}
		if want == "" && text != "" || !strings.HasPrefix(text, want) {
			t.Errorf("%s: %q, want %q", rule, text, want)
		}
	}
	if !slices.Equal(c.Hosts, []string{"n2"}) {
		t.Errorf("hosts without a rule that could wake: %v, want n2", c.Hosts)
	}
	if n := len(c.Dead()); n != 5 {
		t.Errorf("%d rules cannot fire, want 5", n)
	}
}

// BenchmarkCover looks at 100 rules over 20,000 series and two days: what a look costs, of which the agent spends 5 % of a core at most.
func BenchmarkCover(b *testing.B) {
	store := teststorage.New(b)
	app := store.Appender(b.Context())
	begin, now := time.Unix(0, 0), time.Unix(0, 0).Add(48*time.Hour)
	for n := range 20_000 {
		set := labels.FromStrings("__name__", fmt.Sprintf("metric_%d_total", n%200), "node", fmt.Sprintf("n%d", n/200), "code", "200")
		for at := begin; !at.After(now); at = at.Add(4 * time.Hour) {
			if _, err := app.Append(0, set, at.UnixMilli(), float64(at.Unix())); err != nil {
				b.Fatal(err)
			}
		}
	}
	if err := app.Commit(); err != nil {
		b.Fatal(err)
	}
	var text strings.Builder
	text.WriteString("groups:\n- name: g\n  rules:\n")
	for n := range 100 {
		fmt.Fprintf(&text, "  - {alert: R%d, expr: 'sum by (node) (rate(metric_%d_total{code=~\"5..|2..\"}[5h])) > 1000', labels: {severity: critical}}\n", n, n*2)
	}
	dir := b.TempDir()
	file := filepath.Join(dir, "own.yaml")
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		b.Fatal(err)
	}
	engine := promqltest.NewTestEngine(b, false, 5*time.Minute, 1e7)
	m, err := New(b.Context(), Options{
		Interval: time.Minute, Files: []string{file}, Dir: filepath.Join(dir, "packs"), ExternalURL: "http://x", Queryable: store, Engine: engine,
		Notify: func([]alerting.Input) {}, Log: slog.New(slog.DiscardHandler), Now: time.Now,
	})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := m.Cover(b.Context(), CoverOptions{Queryable: store, Engine: engine, Now: now, Oldest: begin, Read: reading.New(reading.DefaultSettings()).Read}); err != nil {
			b.Fatal(err)
		}
	}
}
