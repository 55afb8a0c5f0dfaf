package rules

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"go.yaml.in/yaml/v3"

	"github.com/navcloud/binnacle/agent/strict"
)

// Verdict is what became of one case of a test file.
type Verdict struct {
	File   string
	Name   string   // of the case; empty for a fault of the whole file
	Faults []string // none: it passed
}

// unitFile is promtool's test file.
// Source: prometheus.io/docs/prometheus/latest/configuration/unit_testing_rules, read November 2026.
type unitFile struct {
	RuleFiles  []string       `yaml:"rule_files"`
	Interval   model.Duration `yaml:"evaluation_interval"`
	GroupOrder []string       `yaml:"group_eval_order"`
	Fuzzy      bool           `yaml:"fuzzy_compare"`
	Tests      []unitTest     `yaml:"tests"`
}

type unitTest struct {
	Name           string            `yaml:"name"`
	Interval       model.Duration    `yaml:"interval"`
	Input          []inputSeries     `yaml:"input_series"`
	Alerts         []alertCase       `yaml:"alert_rule_test"`
	Exprs          []exprCase        `yaml:"promql_expr_test"`
	ExternalLabels map[string]string `yaml:"external_labels"`
	ExternalURL    string            `yaml:"external_url"`
	Start          unitTime          `yaml:"start_timestamp"`
}

type inputSeries struct {
	Series string `yaml:"series"`
	Values string `yaml:"values"`
}

type alertCase struct {
	At     model.Duration `yaml:"eval_time"`
	Name   string         `yaml:"alertname"`
	Expect []struct {
		Labels      map[string]string `yaml:"exp_labels"`
		Annotations map[string]string `yaml:"exp_annotations"`
	} `yaml:"exp_alerts"`
}

type exprCase struct {
	Expr   string         `yaml:"expr"`
	At     model.Duration `yaml:"eval_time"`
	Expect []struct {
		Labels    string  `yaml:"labels"`
		Value     float64 `yaml:"value"`
		Histogram string  `yaml:"histogram"`
	} `yaml:"exp_samples"`
}

// unitTime is RFC 3339, or seconds since 1970.
type unitTime struct{ time.Time }

func (t *unitTime) UnmarshalYAML(n *yaml.Node) error {
	if s, err := strconv.ParseFloat(n.Value, 64); err == nil {
		t.Time = time.UnixMilli(int64(math.Round(s * 1000))).UTC()
		return nil
	}
	at, err := time.Parse(time.RFC3339Nano, n.Value)
	if err != nil {
		return fmt.Errorf("line %d: want a time such as 2026-11-24T03:00:00Z or seconds since 1970, have %q", n.Line, n.Value)
	}
	t.Time = at
	return nil
}

// Test runs promtool's test files and, where NAME.pages.yaml stands beside NAME.yaml, what it expects
// of the pages. It returns a verdict for each case, in order.
func Test(files ...string) []Verdict {
	var out []Verdict
	for _, f := range files {
		out = append(out, testFile(f)...)
	}
	return out
}

func testFile(path string) []Verdict {
	fail := func(err error) []Verdict { return []Verdict{{File: path, Faults: []string{err.Error()}}} }
	var u unitFile
	if err := decodeStrict(path, &u); err != nil {
		return fail(err)
	}
	files, err := u.ruleFiles(filepath.Dir(path))
	if err != nil {
		return fail(err)
	}
	if u.Interval == 0 {
		u.Interval = model.Duration(time.Minute)
	}
	pages, err := readPages(path)
	if err != nil {
		return fail(err)
	}
	var out []Verdict
	names := map[string]bool{}
	for i := range u.Tests {
		t := &u.Tests[i]
		if t.Interval == 0 {
			t.Interval = u.Interval
		}
		v := Verdict{File: path, Name: t.Name}
		if v.Name == "" {
			v.Name = "unnamed#" + strconv.Itoa(i)
		}
		names[v.Name] = true
		for _, err := range runUnit(t, &u, files, pages.of(v.Name)) {
			v.Faults = append(v.Faults, err.Error())
		}
		out = append(out, v)
	}
	for _, p := range pages.Tests {
		if !names[p.Name] {
			out = append(out, Verdict{File: pages.path, Name: p.Name, Faults: []string{"no case of this name in " + path}})
		}
	}
	return out
}

// ruleFiles returns what rule_files names, relative to the test file.
func (u *unitFile) ruleFiles(dir string) ([]string, error) {
	var globs []string
	for _, f := range u.RuleFiles {
		if !filepath.IsAbs(f) {
			f = filepath.Join(dir, f)
		}
		globs = append(globs, f)
	}
	return Expand(globs)
}

func decodeStrict(path string, into any) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("rules: %w", err)
	}
	if err := strict.Decode(b, into); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// last is when the latest case is evaluated.
func (t *unitTest) last() time.Duration {
	var end model.Duration
	for _, a := range t.Alerts {
		end = max(end, a.At)
	}
	for _, e := range t.Exprs {
		end = max(end, e.At)
	}
	return time.Duration(end)
}

// compareAlerts compares what fires with what a case expects.
func (c *alertCase) compare(got []firing) error {
	want := make([]firing, 0, len(c.Expect))
	for _, e := range c.Expect {
		ls := labels.NewBuilder(labels.FromMap(e.Labels)).Set(labels.AlertName, c.Name).Labels()
		want = append(want, firing{ls.String(), labels.FromMap(e.Annotations).String()})
	}
	slices.SortFunc(want, firing.compare)
	got = slices.Clone(got)
	slices.SortFunc(got, firing.compare)
	if slices.Equal(want, got) {
		return nil
	}
	return fmt.Errorf("alertname: %s, time: %s,\n  exp: %s\n  got: %s", c.Name, c.At, list(want), list(got))
}

// firing is an alert as text, which is what is compared.
type firing struct{ labels, annotations string }

func (f firing) compare(o firing) int {
	if c := strings.Compare(f.labels, o.labels); c != 0 {
		return c
	}
	return strings.Compare(f.annotations, o.annotations)
}

func list(fs []firing) string {
	if len(fs) == 0 {
		return "[]"
	}
	var b strings.Builder
	for _, f := range fs {
		b.WriteString("\n    labels: " + f.labels + "\n    annotations: " + f.annotations)
	}
	return b.String()
}

// answer is one sample of an expression's answer.
type answer struct {
	labels string
	value  float64
	hist   string
}

func (a answer) String() string {
	if a.hist != "" {
		return a.labels + " " + a.hist
	}
	return a.labels + " " + strconv.FormatFloat(a.value, 'E', -1, 64)
}

// equal compares exactly, or within one step of a float64 where the file asks for fuzziness.
func (a answer) equal(o answer, fuzzy bool) bool {
	if a.labels != o.labels || a.hist != o.hist {
		return false
	}
	if a.value == o.value {
		return true
	}
	return fuzzy && (math.Nextafter(a.value, math.Inf(-1)) == o.value || math.Nextafter(a.value, math.Inf(1)) == o.value)
}

// compare compares the answer of an expression with what the case expects.
func (c *exprCase) compare(got []answer, fuzzy bool) error {
	var want []answer
	for _, e := range c.Expect {
		ls, err := promParser.ParseMetric(e.Labels)
		if err != nil {
			return fmt.Errorf("expr: %q, time: %s, labels %q: %w", c.Expr, c.At, e.Labels, err)
		}
		a := answer{labels: ls.String(), value: e.Value}
		if e.Histogram != "" {
			_, vs, err := promParser.ParseSeriesDesc("{} " + e.Histogram)
			if err == nil && (len(vs) != 1 || vs[0].Histogram == nil) {
				err = errors.New("want one histogram")
			}
			if err != nil {
				return fmt.Errorf("expr: %q, time: %s, histogram %q: %w", c.Expr, c.At, e.Histogram, err)
			}
			a.value, a.hist = 0, vs[0].Histogram.TestExpression()
		}
		want = append(want, a)
	}
	byLabels := func(a, b answer) int { return strings.Compare(a.labels, b.labels) }
	slices.SortFunc(want, byLabels)
	slices.SortFunc(got, byLabels)
	if slices.EqualFunc(want, got, func(a, b answer) bool { return a.equal(b, fuzzy) }) {
		return nil
	}
	return fmt.Errorf("expr: %q, time: %s,\n  exp: %v\n  got: %v", c.Expr, c.At, want, got)
}
