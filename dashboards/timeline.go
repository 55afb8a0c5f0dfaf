package dashboards

import (
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/navcloud/binnacle/agent/words"
)

// timeline is a day of pages, what people did, and changes.
type timeline struct {
	period
	Lanes  []lane
	Ticks  []tick
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
	t.Ticks = ticks(t.From, t.To)
	t.Counts = words.Plural(t.Lanes[0].Count, "page") + ", " + words.Plural(t.Lanes[1].Count, "act") + " of people, " + words.Plural(t.Lanes[2].Count, "deploy") + " in " + words.Duration(span)
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
