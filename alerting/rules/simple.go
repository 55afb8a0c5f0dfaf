package rules

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/navcloud/binnacle/alerting"
)

// Simple is an alerting rule that compares one metric with a number, such as a service without PromQL can do as well.
type Simple struct {
	Rule, Pack, File string
	Metric           string // as Prometheus has it
	Op               string // >, >=, <, <=
	Value            float64
	For              time.Duration
	Severity         string
	Summary          string            // with the rule's templates in it
	Labels           map[string]string // as the rule writes them, templates too
	Why              string            // it is none; empty: it is

	matchers []*labels.Matcher
}

// Fits says whether a series with these labels is one that the rule looks at. A label that series do not have is empty.
func (t Simple) Fits(ls map[string]string) bool {
	for _, m := range t.matchers {
		if m.Name != model.MetricNameLabel && !m.Matches(ls[m.Name]) {
			return false
		}
	}
	return true
}

// SimpleRules reads all alerting rules of packs and files: those that are one comparison, and of the others why not.
func SimpleRules(packs, files []string) ([]Simple, error) {
	chosen, err := selectPacks(packs)
	if err != nil {
		return nil, err
	}
	var out []Simple
	for _, p := range chosen {
		ts, err := simples(p.Name, p.Text)
		if err != nil {
			return nil, err
		}
		for i := range ts {
			ts[i].Pack = p.Name
		}
		out = append(out, ts...)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			return nil, fmt.Errorf("rules: %w", err)
		}
		ts, err := simples(f, text)
		if err != nil {
			return nil, err
		}
		for i := range ts {
			ts[i].File = f
		}
		out = append(out, ts...)
	}
	return out, nil
}

func simples(name string, text []byte) (out []Simple, err error) {
	groups, err := parse(name, text)
	if err != nil {
		return nil, err
	}
	for _, g := range groups.Groups {
		for _, r := range g.Rules {
			if r.Alert == "" {
				continue
			}
			t, err := simpleOf(r.Expr)
			if err != nil {
				t.Why = err.Error()
			}
			t.Rule, t.For, t.Labels = r.Alert, time.Duration(r.For), r.Labels
			t.Severity, t.Summary = r.Labels[alerting.LabelSeverity], r.Annotations[alerting.AnnotationSummary]
			out = append(out, t)
		}
	}
	return out, nil
}

var errNotSimple = errors.New("it is no comparison of one metric with a number")

// simpleOf reads metric{labels} op number, or number op metric{labels}.
func simpleOf(text string) (t Simple, err error) {
	e, err := promParser.ParseExpr(text)
	if err != nil {
		return t, err
	}
	b, isBinary := bare(e).(*parser.BinaryExpr)
	limit, ok := threshold(e)
	if !isBinary || !ok || !b.Op.IsComparisonOperator() {
		return t, errNotSimple
	}
	left := bare(b.LHS)
	if _, is := constant(left); is {
		left = bare(b.RHS)
	}
	s, isMetric := left.(*parser.VectorSelector)
	switch {
	case !isMetric:
		return t, errNotSimple
	case limit.Op == "==" || limit.Op == "!=":
		return t, errors.New("CloudWatch has no == and no !=")
	case s.OriginalOffset != 0 || s.Timestamp != nil || s.StartOrEnd != 0:
		return t, errors.New("it looks at another time than now")
	case s.Name == "":
		return t, errors.New("it names no metric")
	}
	return Simple{Metric: s.Name, Op: limit.Op, Value: limit.Limit, matchers: s.LabelMatchers}, nil
}

// bare is an expression without the parentheses around it.
func bare(e parser.Expr) parser.Expr {
	for {
		p, ok := e.(*parser.ParenExpr)
		if !ok {
			return e
		}
		e = p.Expr
	}
}
