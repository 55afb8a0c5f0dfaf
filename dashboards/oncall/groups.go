package oncall

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"slices"

	"github.com/navcloud/binnacle/agent/words"
	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/dashboards"
)

// groupings are by what rows may stand together.
var groupings = map[string]string{"": "Nothing", "service": "Service", "zone": "Zone", "rule": "Rule", "team": "Team"}

// groupedLines is how many lines a board in groups has, heads included: two screens of a desk.
const groupedLines = 50

// groupOf is the name of a row's group.
func groupOf(r row, by string) string {
	l := r.Root.Labels
	switch by {
	case "service":
		return cmp.Or(l[alerting.LabelService], l[alerting.LabelCluster], l["job"], "No service")
	case "zone":
		return cmp.Or(l["az"], l["zone"], l["availability_zone"], "No zone")
	case "team":
		return cmp.Or(l["team"], l["owner"], "No team")
	}
	return r.Page.Rule
}

// group is rows that stand together.
type group struct {
	ID, Name, Counts string
	Worst            alerting.Priority
	Link             string // to all of it, or back to its worst; empty where all is shown anyway
	Label            string
	rows             []row
}

// inGroups are the rows in groups: the one with the worst row first, and of each the worst, so that all of them are seen at
// one glance. A group that somebody chose shows all it has.
func inGroups(rows []row, f filter, act bool) []dashboards.Part {
	groups := split(rows, f.Group)
	out := []dashboards.Part{{ID: "rows-head", Template: "rows-head", Data: act}}
	shown, each := 0, max(0, groupedLines/max(1, len(groups))-1)
	for _, g := range groups {
		rest := 0
		if len(rows)+len(groups) > groupedLines && g.Name != f.Whole && len(g.rows) > each {
			rest = len(g.rows) - each
			g.Link, g.Label = f.wholePath(g.Name), "Show all"
		} else if g.Name == f.Whole {
			g.Link, g.Label = f.wholePath(""), "Show the worst"
		}
		out = append(out, dashboards.Part{ID: g.ID, Template: "group", Data: g})
		for _, rw := range g.rows[:len(g.rows)-rest] {
			if shown++; shown > maxRows {
				return append(out, dashboards.Part{ID: "rows-more", Template: "more", Data: len(rows) - maxRows})
			}
			out = append(out, dashboards.Part{ID: "p-" + rw.ID, Template: "problem", Data: rw})
		}
	}
	return out
}

// split groups rows, which come worst first, and counts them.
func split(rows []row, by string) []*group {
	var out []*group
	of := map[string]*group{}
	for _, r := range rows {
		name := groupOf(r, by)
		if of[name] == nil {
			sum := fnv.New32a()
			_, _ = sum.Write([]byte(name))
			of[name] = &group{ID: fmt.Sprintf("g-%08x", sum.Sum32()), Name: name, Worst: r.Priority}
			out = append(out, of[name])
		}
		r.Fixed = true
		of[name].rows = append(of[name].rows, r)
	}
	for _, g := range out {
		slices.SortStableFunc(g.rows, func(a, b row) int { return cmp.Compare(a.Priority, b.Priority) })
		count := map[alerting.Priority]int{}
		for _, r := range g.rows {
			count[r.Priority]++
		}
		g.Counts = words.Plural(len(g.rows), "problem")
		for p := alerting.P1; p <= alerting.P5; p++ {
			if count[p] > 0 && count[p] < len(g.rows) {
				g.Counts += fmt.Sprintf(", %d %s", count[p], p)
			}
		}
	}
	return out
}
