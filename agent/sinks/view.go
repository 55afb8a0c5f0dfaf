package sinks

import (
	"errors"
	"fmt"
	"path"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/agent/series"
)

// View is what one destination sees: which metrics, under which names, with which labels. Globs are
// those of package path and are matched against a metric's name; the zero View changes nothing.
type View struct {
	Include    []string          `yaml:"include"`     // globs; empty: all
	Exclude    []string          `yaml:"exclude"`     // globs; they rule over include
	Rename     map[string]string `yaml:"rename"`      // whole names
	DropLabels []string          `yaml:"drop_labels"` // names; series that become one must be fit to be added up
	Labels     map[string]string `yaml:"labels"`      // added where a series does not have them

	keeps string // a metric that is seen whatever the globs say
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

// Keeping is the view with a metric that it shows whatever the globs say.
func (v View) Keeping(name string) View {
	v.keeps = name
	return v
}

// Shows says whether the destination sees the metric.
func (v View) Shows(name string) bool {
	return name == v.keeps && name != "" || (len(v.Include) == 0 || matchAny(v.Include, name)) && !matchAny(v.Exclude, name)
}

// viewer applies a View. Calls do not overlap.
type viewer struct {
	view  View
	add   metric.Labels
	descs map[*metric.Desc]*metric.Desc // nil for what is left out
	// merged are the series that this destination alone sees, where labels are left out: several become one, and their
	// totals are added up anew. nil where no label is left out.
	merged *series.Registry
	deltas increases
}

func newViewer(v View) *viewer {
	w := &viewer{view: v, descs: map[*metric.Desc]*metric.Desc{}, deltas: newIncreases()}
	if len(v.DropLabels) > 0 {
		w.merged = series.New(series.Options{})
	}
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
		if len(w.descs) >= maxDescs {
			clear(w.descs)
		}
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

// merge returns u with the series that the destination sees in place of all.
func (w *viewer) merge(u series.Update, said bool) series.Update {
	var samples []metric.Sample
	for i := range u.Points {
		p := &u.Points[i]
		s, wanted := w.deltas.form(p)
		if !said {
			s.Labels = p.Labels
		}
		if wanted {
			if s, wanted = w.apply(s); wanted {
				samples = append(samples, s)
			}
		}
	}
	return w.merged.Resolve(u.From, u.At, nil, samples)
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
