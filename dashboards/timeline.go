package dashboards

import (
	"net/http"
	"slices"
	"strconv"
	"time"
)

// timeline is a day of pages, what people did, and changes.
type timeline struct {
	period
	Lanes  []lane
	Ticks  []string
	Deeds  []deed // newest first
	More   int
	Fault  string
	Counts string
	Before string // address of the time before
}

// lane is one row of the drawing: marks between 0 and 1000.
type lane struct {
	Name, Mark string
	Count      int
	X          []string
}

var lanes = []struct{ name, mark string }{{"Pages", "page"}, {"People", "person"}, {"Deploys", "change"}, {"Resolved", "end"}}

func (p *Pages) timeline(r *http.Request) page {
	pg := page{Name: "timeline", Title: "Timeline", Forms: true}
	if p.opts.History == nil {
		return noLedger(pg)
	}
	q := r.URL.Query()
	t := timeline{period: readPeriod(q, p.opts.Now(), "/timeline", 24*time.Hour, maxShift, time.Hour, 8*time.Hour, 24*time.Hour, 7*24*time.Hour)}
	if t.Running {
		pg.Live = livePath("timeline", q)
	}
	span := t.To.Sub(t.From)
	t.Before = "/timeline?from=" + t.From.Add(-span).UTC().Format(formTime) + "&to=" + t.From.UTC().Format(formTime)
	events, fault := p.history(r.Context(), EventQuery{Since: t.From, Until: t.To})
	t.Fault = fault
	all := deeds(events)
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
		t.Lanes = append(t.Lanes, ln)
	}
	t.Ticks = ticks(t.From, t.To, 5)
	t.Counts = plural(t.Lanes[0].Count, "page") + ", " + plural(t.Lanes[1].Count, "act") + " of people, " + plural(t.Lanes[2].Count, "deploy") + " in " + short(span)
	if fault != "" && len(events) == 0 {
		t.Counts, t.Lanes = "What happened is not known", nil
	}
	slices.Reverse(all)
	if len(all) > maxDeeds {
		t.More, all = len(all)-maxDeeds, all[:maxDeeds]
	}
	t.Deeds = linked(all)
	pg.Sections = []section{
		{ID: "timeline", Hush: true, Parts: []part{{"timeline-head", "timeline-head", t}}},
		{ID: "deeds-list", Hush: true, Parts: []part{{"timeline-deeds", "timeline-deeds", t}}},
	}
	return pg
}

// ticks are n times, evenly from the first to the last, as short as tells them apart.
func ticks(from, to time.Time, n int) []string {
	layout := "15:04"
	switch span := to.Sub(from); {
	case span > 3*24*time.Hour:
		layout = "2 Jan"
	case span > 20*time.Hour:
		layout = "2 Jan 15:04"
	case span < 10*time.Minute:
		layout = "15:04:05"
	}
	out := make([]string, n)
	for i := range out {
		out[i] = from.Add(to.Sub(from) * time.Duration(i) / time.Duration(n-1)).UTC().Format(layout)
	}
	return out
}
