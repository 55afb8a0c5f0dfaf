package oncall

import (
	"net/url"
	"slices"
	"strings"

	"github.com/navcloud/binnacle/agent/words"
	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/dashboards"
)

// filter is what a person wants to see of the board. It lives in the address alone, so that it can be sent on.
type filter struct {
	Text     string   // words, each of which must be somewhere in the problem
	Priority string   // P1 to P5, and worse; empty: all
	Service  string   // empty: all
	Services []string // there are, sorted
	Open     bool     // only what nobody has acknowledged
	Group    string   // by what rows stand together; empty: by nothing
	Whole    string   // the group of which all rows are shown
	Dense    bool     // all but the worst three in lines
	Shown    int
	All      int

	Chips     []chip
	Groups    []dashboards.Link
	Densities []dashboards.Link
	Kept      map[string]string // of the address, beside what the form asks
	wholePath func(group string) string
}

// chip is a choice that one click makes or takes back.
type chip struct {
	Path, Badge, Label string
	Count              int
	Here               bool
}

// denseFrom is how many problems are shown in lines when nobody chose.
const denseFrom = 12

// Priorities are the choices of the filter.
func (f filter) Priorities() []alerting.Priority {
	return []alerting.Priority{alerting.P1, alerting.P2, alerting.P3, alerting.P4}
}

// On says whether anything is left out.
func (f filter) On() bool { return f.Text != "" || f.Priority != "" || f.Service != "" || f.Open }

func readFilter(q url.Values, v alerting.View) filter {
	f := filter{Text: words.Cut(strings.TrimSpace(q.Get("q")), dashboards.MaxComment), Service: words.Cut(q.Get("service"), dashboards.MaxComment)}
	if p := q.Get("priority"); len(p) == 2 && p >= "P1" && p <= "P5" {
		f.Priority = p
	}
	f.Open = q.Get("who") == "nobody"
	if _, ok := groupings[q.Get("group")]; ok {
		f.Group, f.Whole = q.Get("group"), q.Get("whole")
	}
	f.Dense = len(v.Problems) > denseFrom
	if d := q.Get("density"); d != "" {
		f.Dense = d == "dense"
	}
	for _, p := range v.Problems {
		if s := serviceOf(p); s != "" && p.State != alerting.SilencedState {
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
	if f.Open && r.Person() != "" {
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
		}
	}
	for i := range rows {
		rows[i].Full = rows[i].Chosen || i < worst && f.Group == "" || !f.Dense && i < fullRows
	}
	f.Shown = len(rows)
	return rows
}

// worst are the problems that are never shown in a line.
const worst = 3

// offer makes the links of the choices; each keeps what else is chosen.
func (f *filter) offer(q url.Values, rows []row) {
	to := func(name, value string) string {
		next := url.Values{}
		for _, k := range []string{"q", "priority", "service", "who", "group", "density"} {
			if v := q.Get(k); v != "" {
				next.Set(k, v)
			}
		}
		next.Del(name)
		if value != "" {
			next.Set(name, value)
		}
		u := url.URL{Path: "/board", RawQuery: next.Encode()}
		return u.String()
	}
	toggle := func(badge, label, name, value string, here bool, n int) {
		path := to(name, value)
		if here {
			path = to(name, "")
		}
		f.Chips = append(f.Chips, chip{path, badge, label, n, here})
	}
	f.Chips = []chip{{"/board", "", "All", len(rows), !f.On()}}
	by, open := map[string]int{}, 0
	for _, r := range rows {
		by[r.Priority.String()]++
		if r.Person() == "" {
			open++
		}
	}
	sum := 0
	for _, p := range []string{"P1", "P2", "P3"} {
		sum += by[p]
		if by[p] > 0 {
			toggle(p, map[bool]string{true: "and worse"}[sum > by[p]], "priority", p, f.Priority == p, sum)
		}
	}
	toggle("", "Not acknowledged", "who", "nobody", f.Open, open)
	for _, g := range []string{"", "service", "zone", "rule", "team"} {
		f.Groups = append(f.Groups, dashboards.Link{Path: to("group", g), Label: groupings[g], Here: f.Group == g})
	}
	for _, d := range []string{"comfortable", "dense"} {
		f.Densities = append(f.Densities, dashboards.Link{Path: to("density", d), Label: words.Capital(d), Here: (d == "dense") == f.Dense})
	}
	f.wholePath = func(group string) string { return to("whole", group) }
	f.Kept = map[string]string{}
	for _, k := range []string{"who", "group", "density"} {
		if v := q.Get(k); v != "" {
			f.Kept[k] = words.Cut(v, dashboards.MaxName)
		}
	}
}
