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
// and never the alarm's own, and what holds for the alarms that its source labels match.
type Mapping struct {
	Relabel  relabel.Config `yaml:",inline"`
	Severity string         `yaml:"severity,omitempty"` // critical, warning, low, info, or any word that is known
	Kind     string         `yaml:"kind,omitempty"`
	Priority string         `yaml:"priority,omitempty"` // P1 to P5
}

// mapping is what the operator's mapping says of one alarm.
type mapping struct {
	labels   map[string]string // nil: as they are
	severity string
	kind     string
	priority alerting.Priority
	from     string
}

// Validate says what is wrong with a mapping.
func (m Mapping) Validate() error {
	if m.Severity != "" && Word(m.Severity) == "" {
		return fmt.Errorf("severity: %q is no known word", m.Severity)
	}
	if m.Kind != "" && !slices.Contains(Kinds, m.Kind) {
		return fmt.Errorf("kind: have %q, want one of %v", m.Kind, Kinds)
	}
	if m.Priority != "" && final(m.Priority) == 0 {
		return fmt.Errorf("priority: have %q, want P1 to P5", m.Priority)
	}
	c := m.filled().Relabel
	if m.says() {
		if a := m.Relabel.Action; a != "" && a != relabel.Keep && a != relabel.DefaultRelabelConfig.Action {
			return fmt.Errorf("action: %s beside severity, kind or priority; want two steps", a)
		}
		return nil // it says and changes no label
	}
	if err := c.Validate(model.UTF8Validation); err != nil {
		return err
	}
	if c.Action == relabel.Drop || c.Action == relabel.Keep {
		return fmt.Errorf("action: %s would lose alarms; silence them instead", c.Action)
	}
	return nil
}

// filled adds Prometheus' defaults to what the operator left out.
func (m Mapping) filled() Mapping {
	d, c := relabel.DefaultRelabelConfig, &m.Relabel
	c.NameValidationScheme = model.UTF8Validation
	if c.Regex.Regexp == nil {
		c.Regex = d.Regex
	}
	if c.Separator == "" {
		c.Separator = d.Separator
	}
	if c.Replacement == "" && m.Relabel.TargetLabel != "" {
		c.Replacement = d.Replacement
	}
	if m.says() {
		c.Action = relabel.Keep
	} else if c.Action == "" {
		c.Action = d.Action
	}
	return m
}

func (m Mapping) says() bool { return m.Severity != "" || m.Kind != "" || m.Priority != "" }

// mapped applies the operator's mapping in order.
func (r *Reader) mapped(labels map[string]string) mapping {
	var out mapping
	if len(r.set.Map) == 0 {
		return out
	}
	lb := promlabels.NewBuilder(promlabels.FromMap(labels))
	for i := range r.set.Map {
		m := &r.set.Map[i]
		if !m.says() {
			relabel.ProcessBuilder(lb, &m.Relabel)
			continue
		}
		if keep := relabel.ProcessBuilder(promlabels.NewBuilder(lb.Labels()), &m.Relabel); !keep {
			continue
		}
		out.from = fmt.Sprintf("intake.map[%d]", i)
		if m.Severity != "" {
			out.severity = Word(m.Severity)
		}
		if m.Kind != "" {
			out.kind = m.Kind
		}
		if p := final(m.Priority); p > 0 {
			out.priority = p
		}
	}
	out.labels = lb.Labels().Map()
	return out
}
