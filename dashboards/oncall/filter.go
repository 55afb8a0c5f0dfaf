package oncall

import (
	"net/url"
	"slices"
	"strings"

	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/dashboards"
)

// filter is what a person wants to see of the board. It lives in the address alone, so that it can be sent on.
type filter struct {
	Text     string   // words, each of which must be somewhere in the problem
	Priority string   // P1 to P5, and worse; empty: all
	Service  string   // empty: all
	Services []string // there are, sorted
	Shown    int
	All      int
}

// Priorities are the choices of the filter.
func (f filter) Priorities() []alerting.Priority {
	return []alerting.Priority{alerting.P1, alerting.P2, alerting.P3, alerting.P4}
}

// On says whether anything is left out.
func (f filter) On() bool { return f.Text != "" || f.Priority != "" || f.Service != "" }

func readFilter(q url.Values, v alerting.View) filter {
	f := filter{Text: dashboards.Clip(strings.TrimSpace(q.Get("q")), dashboards.MaxComment), Service: dashboards.Clip(q.Get("service"), dashboards.MaxComment)}
	if p := q.Get("priority"); len(p) == 2 && p >= "P1" && p <= "P5" {
		f.Priority = p
	}
	for _, p := range v.Problems {
		if s := serviceOf(p); s != "" && p.State != alerting.Quiet {
			f.Services = append(f.Services, s)
		}
	}
	slices.Sort(f.Services)
	f.Services = slices.Compact(f.Services)
	if f.Service != "" && !slices.Contains(f.Services, f.Service) {
		f.Services = append(f.Services, f.Service) // it stays chosen, though nothing of it is wrong now
	}
	return f
}

func serviceOf(p alerting.ProblemView) string { return p.Root.Labels[alerting.LabelService] }

// wants says whether a row is shown. Text looks into what the problem explains, too.
func (f filter) wants(r row) bool {
	if f.Priority != "" && r.Priority.String() > f.Priority || f.Service != "" && serviceOf(r.ProblemView) != f.Service {
		return false
	}
	if f.Text == "" {
		return true
	}
	var b strings.Builder
	for _, s := range []string{r.Page.Sentence, r.Page.Broken, r.Page.Impact, r.Place(), r.AckedBy, serviceOf(r.ProblemView), r.ID, r.Key} {
		b.WriteString(strings.ToLower(s) + "\n")
	}
	for _, e := range r.Listed() {
		b.WriteString(strings.ToLower(e.What()+" "+e.Alarm.Rule()+" "+e.Entity()) + "\n")
	}
	for _, word := range strings.Fields(strings.ToLower(f.Text)) {
		if !strings.Contains(b.String(), word) {
			return false
		}
	}
	return true
}

// apply leaves out what is not wanted, and counts. What a link chose is always shown.
func (f *filter) apply(rows []row) []row {
	f.All = len(rows)
	if f.On() {
		rows = slices.DeleteFunc(rows, func(r row) bool { return !r.Chosen && !f.wants(r) })
		for i := range rows {
			rows[i].Fixed = true
			rows[i].Full = rows[i].Chosen || i < fullRows
		}
	}
	f.Shown = len(rows)
	return rows
}
