package rules

import (
	"regexp"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

// Source: Helm, "Chart template guide" (actions, raw strings, default), and Prometheus, "Template reference"; read 30 November 2026.
var (
	action    = regexp.MustCompile(`\{\{.*?\}\}`)
	rawAction = regexp.MustCompile("\\{\\{-?\\s*(?:`([^`]*)`|\"([^\"]*)\")\\s*-?\\}\\}")
	ownLine   = regexp.MustCompile(`(?m)^[ \t]*(?:\{\{.*?\}\}[ \t]*)+\r?\n?`)
	otherwise = regexp.MustCompile(`default\s+"?([^"\s|}]+)`)
	oneLabel  = regexp.MustCompile(`^\{\{\s*\$labels\.([A-Za-z_][A-Za-z0-9_]*)\s*\}\}$`)
	logQL     = regexp.MustCompile(`\|=|\|~|\|\s*(?:json|logfmt|pattern|regexp|unwrap)\b`)
	oldRule   = regexp.MustCompile(`(?m)^\s*ALERT\s+\w+\s+IF\s`)
)

// rendered makes YAML of a chart's template: lines of actions go, an action within a line becomes its default or a stand-in. The
// templates that Prometheus fills in stay.
func rendered(text string) string {
	text = ownLine.ReplaceAllStringFunc(text, func(line string) string {
		if rawAction.MatchString(line) || strings.Contains(line, "$labels") {
			return line
		}
		return "\n"
	})
	return action.ReplaceAllStringFunc(rawAction.ReplaceAllString(text, "${1}${2}"), func(a string) string {
		if strings.Contains(a, "$labels") || strings.Contains(a, "$value") {
			return a
		}
		if m := otherwise.FindStringSubmatch(a); m != nil {
			return m[1]
		}
		return "x"
	})
}

// filled is a text without the templates in it, whose words are code: what Prometheus puts there are names and figures.
func filled(text string) string { return action.ReplaceAllString(text, "") }

// valueOf is a rule's label as its alarms have it, with the label's own name for what only the alarm knows.
func valueOf(name, text string) string {
	if m := oneLabel.FindStringSubmatch(strings.TrimSpace(text)); m != nil {
		return m[1]
	}
	if !strings.Contains(text, "{{") {
		return text
	}
	if text = strings.TrimSpace(filled(text)); text == "" && name != "severity" {
		return name
	}
	return text
}

// told are the labels of what an expression gives, with their values where it asks for one, else with their own names; as far as it says.
func told(e parser.Expr) map[string]string {
	switch x := e.(type) {
	case *parser.ParenExpr:
		return told(x.Expr)
	case *parser.StepInvariantExpr:
		return told(x.Expr)
	case *parser.UnaryExpr:
		return told(x.Expr)
	case *parser.SubqueryExpr:
		return told(x.Expr)
	case *parser.MatrixSelector:
		return told(x.VectorSelector)
	case *parser.VectorSelector:
		return asksFor(x)
	case *parser.Call:
		for _, a := range x.Args {
			if t := a.Type(); t == parser.ValueTypeVector || t == parser.ValueTypeMatrix {
				out := told(a)
				if strings.HasPrefix(x.Func.Name, "absent") { // nothing is there that could have others
					delete(out, "instance")
				}
				return out
			}
		}
	case *parser.AggregateExpr:
		return kept(x)
	case *parser.BinaryExpr:
		out := told(x.LHS)
		if len(out) == 0 {
			out = told(x.RHS)
		}
		if m := x.VectorMatching; m != nil && m.Card == parser.CardOneToOne && m.On && x.Op != parser.LAND && x.Op != parser.LUNLESS && x.Op != parser.LOR {
			return only(out, m.MatchingLabels)
		}
		return out
	}
	return nil
}

// asksFor are the labels of a series: each has a place, and what the selector asks for.
func asksFor(v *parser.VectorSelector) map[string]string {
	out := map[string]string{"instance": "instance", "job": "job"}
	for _, m := range v.LabelMatchers {
		if m.Type == labels.MatchEqual && m.Value != "" && m.Name != model.MetricNameLabel {
			out[m.Name] = m.Value
		}
	}
	return out
}

// kept are the labels that an aggregation leaves.
func kept(x *parser.AggregateExpr) map[string]string {
	out := told(x.Expr)
	switch {
	case x.Op == parser.TOPK || x.Op == parser.BOTTOMK || x.Op == parser.LIMITK:
		return out
	case x.Without:
		for _, name := range x.Grouping {
			delete(out, name)
		}
		return out
	}
	return only(out, x.Grouping)
}

func only(from map[string]string, names []string) map[string]string {
	out := map[string]string{}
	for _, name := range names {
		if out[name] = from[name]; out[name] == "" {
			out[name] = name
		}
	}
	return out
}
