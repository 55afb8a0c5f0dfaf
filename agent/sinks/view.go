package sinks

import (
	"errors"
	"fmt"
	"path"

	"github.com/navcloud/binnacle/agent/metric"
)

// View is what one destination sees: which metrics, under which names, with which labels. Globs are
// those of package path and are matched against a metric's name; the zero View changes nothing.
type View struct {
	Include    []string          `yaml:"include"`     // globs; empty: all
	Exclude    []string          `yaml:"exclude"`     // globs; they rule over include
	Rename     map[string]string `yaml:"rename"`      // whole names
	DropLabels []string          `yaml:"drop_labels"` // names; series that become one must be fit to be added up
	Labels     map[string]string `yaml:"labels"`      // added where a series does not have them
}

// Validate says all that is wrong.
func (v View) Validate() error {
	var errs []error
	for key, globs := range map[string][]string{"include": v.Include, "exclude": v.Exclude} {
		for _, g := range globs {
			if _, err := path.Match(g, ""); err != nil {
				errs = append(errs, fmt.Errorf("%s: %q: %w", key, g, err))
			}
		}
	}
	for from, to := range v.Rename {
		if from == "" || to == "" {
			errs = append(errs, fmt.Errorf("rename: want two names, have %q: %q", from, to))
		}
	}
	return errors.Join(errs...)
}

// Shows says whether the destination sees the metric.
func (v View) Shows(name string) bool {
	return (len(v.Include) == 0 || matchAny(v.Include, name)) && !matchAny(v.Exclude, name)
}

// viewer applies a View. Calls do not overlap.
type viewer struct {
	view  View
	add   metric.Labels
	descs map[*metric.Desc]*metric.Desc // nil for what is left out
}

func newViewer(v View) *viewer {
	w := &viewer{view: v, descs: map[*metric.Desc]*metric.Desc{}}
	for name, value := range v.Labels {
		w.add = append(w.add, metric.Label{Name: name, Value: value})
	}
	w.add = metric.Normalize(w.add)
	return w
}

// apply returns s as the destination sees it, and whether it sees it.
func (w *viewer) apply(s metric.Sample) (metric.Sample, bool) {
	d, known := w.descs[s.Desc]
	if !known {
		d = w.desc(s.Desc)
		w.descs[s.Desc] = d
	}
	if d == nil {
		return s, false
	}
	s.Desc = d
	for _, name := range w.view.DropLabels {
		if s.Labels.Get(name) != "" {
			s.Labels = s.Labels.With(name, "")
		}
	}
	s.Labels = s.Labels.Merge(w.add)
	return s, true
}

func (w *viewer) desc(d *metric.Desc) *metric.Desc {
	if !w.view.Shows(d.Name) {
		return nil
	}
	if to, ok := w.view.Rename[d.Name]; ok {
		return &metric.Desc{Name: to, Kind: d.Kind, Unit: d.Unit, Help: d.Help}
	}
	return d
}
