package reading

import (
	"fmt"
	"slices"

	"github.com/prometheus/common/model"
	promlabels "github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/relabel"

	"github.com/navcloud/binnacle/alerting"
)

// Mapping is one step of what an operator says of alarms of others: a Prometheus relabel_config, which changes the labels that are read
// and never the alarm's own; or what holds for the alarms that its source labels match.
// Source: Prometheus configuration reference, relabel_config, read November 2026.
type Mapping struct {
	SourceLabels []string `yaml:"source_labels,omitempty"`
	Separator    string   `yaml:"separator,omitempty"`
	Regex        string   `yaml:"regex,omitempty"`
	Modulus      uint64   `yaml:"modulus,omitempty"`
	TargetLabel  string   `yaml:"target_label,omitempty"`
	Replacement  string   `yaml:"replacement,omitempty"`
	Action       string   `yaml:"action,omitempty"`

	Severity string `yaml:"severity,omitempty"` // critical, warning, low, info, or any word that is known
	Kind     string `yaml:"kind,omitempty"`
	Priority string `yaml:"priority,omitempty"` // P1 to P5
}

// says is what a mapping says of the alarms that it matches; a step that says something changes no label.
func (m Mapping) says() bool { return m.Severity != "" || m.Kind != "" || m.Priority != "" }

// Validate says what is wrong with a mapping.
func (m Mapping) Validate() error {
	switch {
	case m.Severity != "" && Word(m.Severity) == "":
		return fmt.Errorf("severity: %q is no known word", m.Severity)
	case m.Kind != "" && !slices.Contains(Kinds, m.Kind):
		return fmt.Errorf("kind: have %q, want one of %v", m.Kind, Kinds)
	case m.Priority != "" && alerting.ParsePriority(m.Priority) == 0:
		return fmt.Errorf("priority: have %q, want P1 to P5", m.Priority)
	case m.says() && (m.Action != "" || m.TargetLabel != ""):
		return fmt.Errorf("severity, kind and priority stand with source_labels and regex alone; want another step for the rest")
	}
	c, err := m.config()
	if err == nil && !m.says() && (c.Action == relabel.Drop || c.Action == relabel.Keep || c.Action == relabel.DropEqual || c.Action == relabel.KeepEqual) {
		err = fmt.Errorf("action: %s would lose alarms; silence them instead", c.Action)
	}
	return err
}

// config is a mapping as Prometheus has it, with its defaults.
func (m Mapping) config() (*relabel.Config, error) {
	c := relabel.DefaultRelabelConfig
	c.NameValidationScheme = model.UTF8Validation
	for _, n := range m.SourceLabels {
		c.SourceLabels = append(c.SourceLabels, model.LabelName(n))
	}
	if m.Separator != "" {
		c.Separator = m.Separator
	}
	if m.Regex != "" {
		re, err := relabel.NewRegexp(m.Regex)
		if err != nil {
			return nil, fmt.Errorf("regex: %w", err)
		}
		c.Regex = re
	}
	if m.Replacement != "" {
		c.Replacement = m.Replacement
	}
	c.Modulus, c.TargetLabel = m.Modulus, m.TargetLabel
	if m.Action != "" {
		c.Action = relabel.Action(m.Action)
	}
	if m.says() {
		c.Action = relabel.Keep
		return &c, nil
	}
	return &c, c.Validate(model.UTF8Validation)
}

// step is a Mapping that is ready for use.
type step struct {
	Mapping
	relabel *relabel.Config
}

// mapping is what the operator's mapping says of one alarm.
type mapping struct {
	labels   map[string]string // nil: as they are
	severity string
	kind     string
	priority alerting.Priority
	from     string
}

// mapped applies the operator's mapping in order.
func (r *Reader) mapped(labels map[string]string) mapping {
	var out mapping
	if len(r.steps) == 0 {
		return out
	}
	lb := promlabels.NewBuilder(promlabels.FromMap(labels))
	for n, s := range r.steps {
		if !s.says() {
			relabel.ProcessBuilder(lb, s.relabel)
			continue
		}
		if !relabel.ProcessBuilder(promlabels.NewBuilder(lb.Labels()), s.relabel) {
			continue
		}
		out.from = fmt.Sprintf("intake.map[%d]", n)
		if s.Severity != "" {
			out.severity = Word(s.Severity)
		}
		if s.Kind != "" {
			out.kind = s.Kind
		}
		if p := alerting.ParsePriority(s.Priority); p > 0 {
			out.priority = p
		}
	}
	out.labels = lb.Labels().Map()
	return out
}
