package oncall

import (
	"net/http"
	"slices"
	"strconv"

	"github.com/navcloud/binnacle/agent/words"
	"github.com/navcloud/binnacle/dashboards"
	"github.com/navcloud/binnacle/dashboards/charts"
)

// timeline is a day of pages, what people did, and changes.
type timeline struct {
	dashboards.Period
	Incidents []stretch // the newest first
	Rest      int       // incidents that are not drawn
	Lanes     []lane
	Ticks     []charts.Tick
	Deeds     []deed // newest first
	More      int
	Fault     string
	Counts    string
	Lead      string
}

// lane is one row of the drawing: marks between 0 and 1000.
type lane struct {
	Name, Mark string
	Count      int
	X          []string
}

var lanes = []struct{ name, mark string }{{"Pages", "page"}, {"People", "person"}, {"Deploys", "change"}, {"Resolved", "end"}}

func (p *Pages) timeline(r *http.Request) dashboards.Page {
	pg := dashboards.Page{Name: "timeline", Title: "Timeline", Forms: true}
	if p.opts.History == nil {
		return dashboards.NoLedger(pg)
	}
	q := r.URL.Query()
	now := p.opts.Now()
	t := timeline{Period: dashboards.ReadPeriod(q, now, "/timeline", defaultDay, maxShift)}
	events, fault := p.history(r.Context(), EventQuery{Since: t.From, Until: t.To})
	if len(dashboards.TimeOf(q)) == 0 {
		t.Period = dashboards.ReadPeriod(q, now, "/timeline", fitting(events, now), maxShift)
	}
	pg.Period = &t.Period
	if t.Running {
		pg.Live = dashboards.LivePath("timeline", q)
	}
	span := t.To.Sub(t.From)
	t.Fault = fault
	all := deeds(events)
	count := map[string]int{}
	for _, l := range lanes {
		ln := lane{Name: l.name, Mark: l.mark}
		last := ""
		for _, d := range all {
			if d.Mark != l.mark {
				continue
			}
			ln.Count++
			if x := strconv.Itoa(int(1000 * d.At.Sub(t.From) / span)); x != last {
				ln.X, last = append(ln.X, x), x
			}
		}
		count[l.mark] = ln.Count
		t.Lanes = append(t.Lanes, ln)
	}
	t.draw(incidents(events, t.To))
	t.Ticks = charts.Ticks(t.From, t.To)
	t.Lead = words.Plural(count["page"], "page") + ", " + words.Plural(count["person"], "act") + " of people, " + words.Plural(count["change"], "deploy") + " in " + words.Duration(span)
	if fault != "" && len(events) == 0 {
		t.Counts, t.Lead, t.Lanes = "What happened is not known", "", nil
	}
	slices.Reverse(all)
	if len(all) > maxDeeds {
		t.More, all = len(all)-maxDeeds, all[:maxDeeds]
	}
	t.Deeds = linked(all)
	pg.Sections = []dashboards.Section{
		{ID: "timeline", Hush: true, Parts: []dashboards.Part{{ID: "timeline-head", Template: "timeline-head", Data: t}}},
		{ID: "deeds-list", Hush: true, Parts: []dashboards.Part{{ID: "timeline-deeds", Template: "timeline-deeds", Data: t}}},
	}
	return pg
}
