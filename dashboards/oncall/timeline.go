package oncall

import (
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/navcloud/binnacle/agent/words"
	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/dashboards"
	"github.com/navcloud/binnacle/dashboards/charts"
)

// timeline is a day of pages, what people did, and changes.
type timeline struct {
	dashboards.Period
	Lanes  []lane
	Ticks  []charts.Tick
	Deeds  []deed // newest first
	More   int
	Fault  string
	Counts string
}

// lane is one row of the drawing: marks between 0 and 1000.
type lane struct {
	Name, Mark string
	Count      int
	X          []string
	Bars       []bar
}

// bar is an incident from its page to its end, or to now.
type bar struct{ From, To, Class string }

// incidents are the bars of the incidents whose pages are among the events; one without an end goes on.
func incidents(events []Event, x func(time.Time) string, end time.Time) []bar {
	type open struct {
		at time.Time
		p  alerting.Priority
	}
	began, keys, out := map[string]open{}, []string{}, []bar{}
	add := func(o open, to time.Time) { out = append(out, bar{x(o.at), x(to), o.p.String()}) }
	for _, e := range events {
		o, ok := began[e.Key]
		switch {
		case e.paged() && !ok:
			began[e.Key] = open{e.At, e.Priority}
			keys = append(keys, e.Key)
		case ok && e.Action == "resolve" && (e.Kind == "accepted" || e.Kind == "shadowed"):
			add(o, e.At)
			delete(began, e.Key)
		}
	}
	for _, k := range keys {
		if o, ok := began[k]; ok {
			add(o, end)
			delete(began, k)
		}
	}
	return out
}

var lanes = []struct{ name, mark string }{{"Pages", "page"}, {"People", "person"}, {"Deploys", "change"}, {"Resolved", "end"}}

func (p *Pages) timeline(r *http.Request) dashboards.Page {
	pg := dashboards.Page{Name: "timeline", Title: "Timeline", Forms: true}
	if p.opts.History == nil {
		return dashboards.NoLedger(pg)
	}
	q := r.URL.Query()
	t := timeline{Period: dashboards.ReadPeriod(q, p.opts.Now(), "/timeline", 24*time.Hour, maxShift)}
	pg.Period = &t.Period
	if t.Running {
		pg.Live = dashboards.LivePath("timeline", q)
	}
	span := t.To.Sub(t.From)
	events, fault := p.history(r.Context(), EventQuery{Since: t.From, Until: t.To})
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
	place := func(at time.Time) string { return charts.Coordinate(1000 * float64(at.Sub(t.From)) / float64(span)) }
	if bars := incidents(events, place, t.To); len(bars) > 0 {
		t.Lanes = slices.Insert(t.Lanes, 0, lane{Name: "Incidents", Mark: "bars", Count: len(bars), Bars: bars})
	}
	t.Ticks = charts.Ticks(t.From, t.To)
	t.Counts = words.Plural(count["page"], "page") + ", " + words.Plural(count["person"], "act") + " of people, " + words.Plural(count["change"], "deploy") + " in " + words.Duration(span)
	if fault != "" && len(events) == 0 {
		t.Counts, t.Lanes = "What happened is not known", nil
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
