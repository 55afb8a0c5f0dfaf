package rules

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/navcloud/binnacle/alerting"
)

// ReadRule is one alerting rule of others, as a router would read its alarms.
type ReadRule struct {
	Name     string
	Expr     string
	Labels   map[string]string // of the rule, and those that its texts name, with their own name as value
	Reading  alerting.Reading
	Priority alerting.Priority // were there no other alarm
}

// ReadFile is what a rule file of others says.
type ReadFile struct {
	Rules     []ReadRule
	Recording int
	Faults    []string // what could not be read, and why
}

// maxRuleFile bounds a file of others.
const maxRuleFile = 16 << 20

// ReadOthers reads a rule file as others write them: Prometheus' groups, Loki's, Grafana's, PrometheusRule and VMRule objects of Kubernetes,
// a rule file in a ConfigMap, templates of charts; several documents in one file. It reads what it can and tells the rest.
func ReadOthers(text []byte, read func(alerting.Alarm) alerting.Reading) ReadFile {
	var out ReadFile
	if len(text) > maxRuleFile {
		out.Faults = append(out.Faults, fmt.Sprintf("%d bytes are more than %d", len(text), maxRuleFile))
		return out
	}
	err := out.documents(text, read, 0)
	if err != nil && bytes.Contains(text, []byte("{{")) {
		second := ReadFile{}
		if again := second.documents([]byte(rendered(string(text))), read, 0); again == nil || len(second.Rules) > len(out.Rules) {
			out, err = second, again
		}
	}
	switch {
	case oldRule.Match(text):
		out.Faults = append(out.Faults, "these are rules of Prometheus 1: promtool of 2.0 makes rules of today of them")
	case err != nil:
		out.Faults = append(out.Faults, err.Error())
	case len(out.Rules)+out.Recording+len(out.Faults) == 0:
		out.Faults = append(out.Faults, "no list called rules has an alert or a record in it")
	}
	return out
}

// documents reads the documents of a file, until one is no YAML.
func (f *ReadFile) documents(text []byte, read func(alerting.Alarm) alerting.Reading, depth int) error {
	d := yaml.NewDecoder(bytes.NewReader(text))
	for n := 1; ; n++ {
		var doc yaml.Node
		switch err := d.Decode(&doc); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("document %d: %w", n, err)
		}
		f.walk(&doc, read, depth)
	}
}

// deepest is how deep rules may lie in a document.
const deepest = 20

// walk finds lists of rules, wherever they are.
func (f *ReadFile) walk(n *yaml.Node, read func(alerting.Alarm) alerting.Reading, depth int) {
	if depth > deepest {
		return
	}
	if n.Kind == yaml.ScalarNode && n.Style&yaml.LiteralStyle != 0 && strings.Contains(n.Value, "rules:") { // a file within a ConfigMap
		if err := f.documents([]byte(n.Value), read, depth+1); err != nil {
			f.Faults = append(f.Faults, fmt.Sprintf("line %d: %v", n.Line, err))
		}
	}
	for i, c := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 1 && n.Content[i-1].Value == "rules" && c.Kind == yaml.SequenceNode {
			for _, r := range c.Content {
				f.rule(r, read)
			}
			continue
		}
		f.walk(c, read, depth+1)
	}
}

// rule reads one rule.
func (f *ReadFile) rule(n *yaml.Node, read func(alerting.Alarm) alerting.Reading) {
	var r struct {
		Alert, Record, Expr string
		Title, Condition    string // Grafana's, which has the expression in a list of queries
		Labels, Annotations map[string]string
		Data                []struct{ Model struct{ Expr string } }
	}
	if err := n.Decode(&r); err != nil {
		f.Faults = append(f.Faults, fmt.Sprintf("line %d: %v", n.Line, err))
		return
	}
	if r.Alert == "" && r.Record == "" && r.Condition != "" {
		r.Alert = r.Title
		for _, d := range r.Data {
			r.Expr = cmp.Or(r.Expr, d.Model.Expr)
		}
	}
	switch {
	case r.Record != "":
		f.Recording++
		return
	case r.Alert == "":
		return // a list of other rules: of access, of relabelling
	}
	a := alerting.Alarm{Labels: map[string]string{}, Annotations: map[string]string{}}
	x, err := promParser.ParseExpr(r.Expr)
	switch {
	case err == nil:
		maps.Copy(a.Labels, told(x))
	case !strings.Contains(r.Expr, "{{") && !logQL.MatchString(r.Expr) && r.Title == "":
		f.Faults = append(f.Faults, fmt.Sprintf("line %d: %s: expr: %v", n.Line, r.Alert, first(err.Error())))
	}
	for _, name := range named(r.Expr, r.Annotations) {
		a.Labels[name] = cmp.Or(a.Labels[name], name)
	}
	for k, v := range r.Labels {
		a.Labels[k] = valueOf(k, v)
	}
	for k, v := range r.Annotations {
		a.Annotations[k] = filled(v)
	}
	a.Labels[alerting.LabelRule] = r.Alert
	got := read(a)
	f.Rules = append(f.Rules, ReadRule{Name: r.Alert, Expr: r.Expr, Labels: a.Labels, Reading: got, Priority: stands(got)})
}

func first(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}

var (
	inText  = regexp.MustCompile(`\$labels\.([A-Za-z_][A-Za-z0-9_]*)`)
	grouped = regexp.MustCompile(`\b(?:by|on)\s*\(([^)]*)\)`)
)

// named are the labels that the alarms of a rule have, as far as its expression and texts name them.
func named(expr string, annotations map[string]string) []string {
	var out []string
	add := func(name string) {
		if name = strings.TrimSpace(name); name != "" && name != alerting.LabelRule && !slices.Contains(out, name) && len(out) < 64 {
			out = append(out, name)
		}
	}
	for _, text := range annotations {
		for _, m := range inText.FindAllStringSubmatch(text, -1) {
			add(m[1])
		}
	}
	for _, m := range grouped.FindAllStringSubmatch(expr, -1) {
		for _, name := range strings.Split(m[1], ",") {
			add(name)
		}
	}
	slices.Sort(out)
	return out
}

// stands is the priority of an alarm that reads so, were there no other.
func stands(r alerting.Reading) alerting.Priority {
	switch {
	case r.Idle:
		return alerting.P5
	case r.Priority > 0:
		return r.Priority
	}
	switch r.Severity.Value {
	case "critical":
		switch {
		case r.Chore():
			return alerting.P3
		case r.Users() || r.Impact.Value == "data" || r.Impact.Value == "quorum":
			return alerting.P1
		}
		return alerting.P2
	case "warning":
		return alerting.P3
	case "low":
		return alerting.P4
	}
	return alerting.P5
}

// namesInLine bounds the rules that one line of a summary names.
const namesInLine = 8

// Summary says in at most ten lines what a file means.
func (f ReadFile) Summary() []string {
	out := []string{fmt.Sprintf("%d alerts, %d recording rules", len(f.Rules), f.Recording)}
	by, unknown := map[alerting.Priority][]string{}, []string{}
	for _, r := range f.Rules {
		by[r.Priority] = append(by[r.Priority], r.Name)
		if r.Reading.Unknown != "" {
			unknown = append(unknown, fmt.Sprintf("%s (%s)", r.Name, r.Reading.Unknown))
		}
	}
	for p := alerting.P1; p <= alerting.P5; p++ {
		if names := by[p]; len(names) > 0 {
			out = append(out, fmt.Sprintf("%s, %s: %d: %s", p, wakes[p], len(names), some(names)))
		}
	}
	if len(unknown) > 0 {
		out = append(out, fmt.Sprintf("severity unknown: %d: %s", len(unknown), some(unknown)))
	}
	if n := len(f.Faults); n > 0 {
		out = append(out, fmt.Sprintf("not read: %d: %s", n, some(f.Faults)))
	}
	return out
}

var wakes = map[alerting.Priority]string{
	alerting.P1: "wakes, users or data are harmed", alerting.P2: "wakes", alerting.P3: "today", alerting.P4: "ticket", alerting.P5: "for the record",
}

// some are the first of a list, each once, and how many more there are.
func some(list []string) string {
	var once []string
	for _, s := range list {
		if !slices.Contains(once, s) {
			once = append(once, s)
		}
	}
	if n := len(once); n > namesInLine {
		return strings.Join(once[:namesInLine], ", ") + fmt.Sprintf(" and %d more", n-namesInLine)
	}
	return strings.Join(once, ", ")
}
