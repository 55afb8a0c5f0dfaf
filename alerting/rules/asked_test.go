package rules

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/promql/promqltest"
	promrules "github.com/prometheus/prometheus/rules"
)

// expr is a random expression over metrics of which here and there exist, and gone and lost do not.
func randomExpr(r *rand.Rand, deep int) string {
	if deep == 0 {
		return []string{"here", "there", "gone", "lost", `here{x="1"}`, `gone{x="1"}`, `{__name__=~"he.*"}`}[r.IntN(7)]
	}
	sub := func() string { return randomExpr(r, deep-1) }
	name := []string{"here", "gone", "there", "lost"}[r.IntN(4)]
	switch r.IntN(9) {
	case 0:
		return fmt.Sprintf([]string{"rate(%s[5m])", "absent_over_time(%s[5m])", "max_over_time(%s[10m:1m])", "last_over_time(%s[1h])", "present_over_time(%s[5m])"}[r.IntN(5)], name)
	case 1:
		return fmt.Sprintf([]string{"sum(%s)", "count by (x) (%s)", "topk(1, %s)", "quantile(0.9, %s)", `count_values("v", %s)`, "group without (x) (%s)"}[r.IntN(6)], sub())
	case 2:
		return fmt.Sprintf([]string{"absent(%s)", "timestamp(%s)", `label_replace(%s, "y", "$1", "x", "(.*)")`, "clamp_max(%s, 1)", "sort(%s)", "vector(scalar(%s))", "histogram_quantile(0.9, %s)", "-(%s)"}[r.IntN(8)], sub())
	case 3:
		return fmt.Sprintf("(%s) %s on (x) (%s)", sub(), []string{"and", "or", "unless"}[r.IntN(3)], sub())
	case 4:
		return fmt.Sprintf("sum(%s) %s sum(%s)", sub(), []string{"+", "/", ">", "== bool", "!="}[r.IntN(5)], sub())
	case 5:
		return fmt.Sprintf("(%s) %s %s", sub(), []string{"*", ">", "<= bool", "!="}[r.IntN(4)], []string{"1", "time()", "scalar(gone)", "scalar(here)"}[r.IntN(4)])
	case 6:
		return fmt.Sprintf("%s - (%s)", []string{"1", "time()", "vector(1)"}[r.IntN(3)], sub())
	default:
		return sub()
	}
}

// What is not asked has no result: with and without asking, thousands of expressions have the same.
func TestWhatIsNotAskedHasNoResult(t *testing.T) {
	store := promqltest.LoadedStorage(t, "load 1m\n  here{x=\"1\"} 1+1x60\n  here{x=\"2\"} 3x60\n  there{x=\"1\"} 0x60\n")
	engine, at := promqltest.NewTestEngine(t, false, 5*time.Minute, 1e6), time.Unix(3600, 0)
	query := promrules.EngineQueryFunc(engine, store)
	passed := 0
	a := &asked{has: func(name string) bool { return name == "here" || name == "there" }}
	a.query = func(ctx context.Context, text string, at time.Time) (promql.Vector, error) {
		passed--
		return query(ctx, text, at)
	}
	r := rand.New(rand.NewPCG(1, 2))
	sorted := func(v promql.Vector) string {
		var out []string
		for _, s := range v {
			out = append(out, s.String())
		}
		slices.Sort(out)
		return strings.Join(out, "\n")
	}
	for range 5000 {
		text := randomExpr(r, 1+r.IntN(3))
		e, err := promParser.ParseExpr(text)
		if err != nil || e.Type() != parser.ValueTypeVector {
			continue
		}
		a.exprs = map[string]parser.Expr{}
		if empties(e) {
			a.exprs[e.String()] = e
		}
		want, errWant := query(t.Context(), e.String(), at)
		passed++
		got, errGot := a.ask(t.Context(), e.String(), at)
		if errWant == nil && (errGot != nil || sorted(got) != sorted(want)) {
			t.Fatalf("%s = %s, %v; want %s", e, sorted(got), errGot, sorted(want))
		}
	}
	if passed < 500 {
		t.Errorf("%d were not asked; want hundreds", passed)
	}
}
