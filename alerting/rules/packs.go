package rules

import (
	"embed"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
	"go.yaml.in/yaml/v3"

	"github.com/navcloud/binnacle/agent/words"
	"github.com/navcloud/binnacle/alerting"
)

// promParser is Prometheus' own, without what is experimental there.
var promParser = parser.NewParser(parser.Options{})

//go:embed packs/*.yaml
var packFiles embed.FS

//go:embed runbooks
var runbookFiles embed.FS

// Pack is a shipped file of rules.
type Pack struct {
	Name string
	Text []byte
}

// Packs returns the shipped packs in order of name.
func Packs() ([]Pack, error) {
	entries, err := packFiles.ReadDir("packs")
	if err != nil {
		return nil, fmt.Errorf("packs: %w", err)
	}
	var out []Pack
	for _, e := range entries {
		name := strings.TrimSuffix(e.Name(), ".yaml")
		if strings.HasSuffix(name, "_test") || strings.HasSuffix(name, ".pages") {
			continue
		}
		text, err := packFiles.ReadFile("packs/" + e.Name())
		if err != nil {
			return nil, fmt.Errorf("packs: %w", err)
		}
		out = append(out, Pack{name, text})
	}
	return out, nil
}

func selectPacks(names []string) ([]Pack, error) {
	all, err := Packs()
	if err != nil || slices.Contains(names, "all") {
		return all, err
	}
	var out []Pack
	for _, n := range names {
		i := slices.IndexFunc(all, func(p Pack) bool { return p.Name == n })
		if i < 0 {
			var have []string
			for _, p := range all {
				have = append(have, p.Name)
			}
			return nil, fmt.Errorf("rules: no pack %q; there are %s", n, strings.Join(have, ", "))
		}
		out = append(out, all[i])
	}
	return out, nil
}

// Runbook returns the built-in runbook of a rule, in Markdown.
func Runbook(rule string) ([]byte, bool) {
	if strings.ContainsAny(rule, "/\\") {
		return nil, false
	}
	b, err := runbookFiles.ReadFile("runbooks/" + rule + ".md")
	return b, err == nil
}

// Runbooks returns the names of the rules that have a built-in runbook.
func Runbooks() []string {
	entries, err := runbookFiles.ReadDir("runbooks")
	if err != nil {
		return nil
	}
	var out []string
	for _, e := range entries {
		if n, ok := strings.CutSuffix(e.Name(), ".md"); ok && n != "README" {
			out = append(out, n)
		}
	}
	return out
}

// CheckFile checks a rule file of anyone: what Prometheus refuses is an error, with its place.
func CheckFile(path string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("rules: %w", err)
	}
	_, err = parse(path, b)
	return err
}

func parse(name string, text []byte) (*rulefmt.RuleGroups, error) {
	groups, errs := rulefmt.Parse(text, false, model.UTF8Validation, promParser, slog.New(slog.DiscardHandler))
	for i, err := range errs {
		errs[i] = fmt.Errorf("%s: %w", name, err)
	}
	return groups, errors.Join(errs...)
}

// Advise says what an alarm of the file will lack at night: guidance, a summary, or the labels that
// ordering reads. For our own packs each of these is a fault, for others' a word of advice: rules without any of those labels are
// read otherwise, and are one line for the file.
func Advise(name string, text []byte) ([]string, error) {
	groups, err := parse(name, text)
	if err != nil {
		return nil, err
	}
	var places struct {
		Groups []struct{ Rules []yaml.Node }
	}
	if err := yaml.Unmarshal(text, &places); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	var out []string
	var others othersRules
	for i, g := range groups.Groups {
		for j, r := range g.Rules {
			if r.Alert == "" {
				continue
			}
			missing := lacks
			if unordered(r) {
				others.count(r)
				missing = valuesInLabels
			}
			for _, lack := range missing(r) {
				out = append(out, fmt.Sprintf("%s:%d: rule %s: %s", name, places.Groups[i].Rules[j].Line, r.Alert, lack))
			}
		}
	}
	if others.rules > 0 {
		out = append(out, others.advice(name))
	}
	return out, nil
}

// othersRules counts the rules of a file that say nothing of what ordering reads.
type othersRules struct{ rules, silent int }

// unordered says that r has none of the labels that ordering reads, as rules of others have none.
func unordered(r rulefmt.Rule) bool {
	return r.Labels[alerting.LabelKind]+r.Labels[alerting.LabelLayer]+r.Labels[alerting.LabelEntity] == ""
}

func (o *othersRules) count(r rulefmt.Rule) {
	o.rules++
	a := r.Annotations
	if a[alerting.AnnotationGuidance]+a["description"]+a["message"]+a[alerting.AnnotationRunbook] == "" {
		o.silent++
	}
}

func (o *othersRules) advice(name string) string {
	text := words.Plural(o.rules, "rule") + " without kind, layer and entity: how they are read is shown by binnacle rules read " + name
	if o.silent > 0 {
		text += fmt.Sprintf("; for %d of them the page will have no first step: no guidance, description or runbook_url", o.silent)
	}
	return name + ": " + text
}

var (
	severities = []string{"critical", "warning", "info"}
	kinds      = []string{"symptom", "errors", "latency", "saturation", "partition", "quorum", "down", "liveness", "change", "config", "network", "hygiene"}
	layers     = []string{"az", "host", "node", "cluster", "edge", "symptom"}
)

// measured finds the value of an expression in a template.
var measured = regexp.MustCompile(`\{\{(?:[^}]*[^\w$.)])?(?:\$value|\.Value)\b`)

func lacks(r rulefmt.Rule) (out []string) {
	severity := r.Labels[alerting.LabelSeverity]
	oneOf := func(label string, of []string) {
		if v := r.Labels[label]; !slices.Contains(of, v) && !strings.Contains(v, "{{") {
			out = append(out, fmt.Sprintf("label %s is %q, want one of %s", label, v, strings.Join(of, ", ")))
		}
	}
	oneOf(alerting.LabelSeverity, severities)
	oneOf(alerting.LabelKind, kinds)
	oneOf(alerting.LabelLayer, layers)
	if r.Labels[alerting.LabelEntity] == "" {
		out = append(out, "no label entity")
	}
	out = append(out, valuesInLabels(r)...)
	if r.Annotations[alerting.AnnotationSummary] == "" {
		out = append(out, "no annotation summary")
	}
	if severity == "info" {
		return out
	}
	if r.Annotations[alerting.AnnotationGuidance] == "" {
		out = append(out, "no annotation guidance: who is woken does not know what to do first")
	}
	if _, ok := Runbook(r.Alert); !ok && r.Annotations[alerting.AnnotationRunbook] == "" {
		out = append(out, "no runbook")
	}
	return out
}

func valuesInLabels(r rulefmt.Rule) (out []string) {
	for _, label := range slices.Sorted(maps.Keys(r.Labels)) {
		if measured.MatchString(r.Labels[label]) {
			out = append(out, fmt.Sprintf("label %s carries the value of the expression: to others each evaluation is a new alarm; put it into an annotation", label))
		}
	}
	return out
}
