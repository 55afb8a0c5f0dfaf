package oncall

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/navcloud/binnacle/dashboards"
)

// What the ledger has is remembered while somebody types.
const soughtFor = 15 * time.Second

// seek tells of the problems and alarms that are, and of the incidents that were.
func (p *Pages) seek(r *http.Request, found func(dashboards.Hit)) error {
	open := map[string]bool{}
	if p.opts.View != nil {
		rows, quiet := p.rows(p.opts.View(), "")
		for _, rw := range append(rows, quiet...) {
			open[rw.Key] = true
			seekProblem(rw, found)
		}
	}
	if p.opts.History == nil {
		return nil
	}
	past := p.answers.Get(r.Context(), "sought", p.opts.Now(), soughtFor, historyTime, func(ctx context.Context) any { return p.past(ctx) }).(pastIncidents)
	for _, h := range past.hits {
		if !open[h.Also] {
			found(h)
		}
	}
	return past.err
}

func seekProblem(rw row, found func(dashboards.Hit)) {
	path := "/problems/" + url.PathEscape(rw.ID)
	found(dashboards.Hit{
		Kind: dashboards.Problems, Path: path, Title: rw.Page.Sentence, Text: rw.Place() + ", " + strings.ToLower(rw.StateWord()), At: rw.Page.Since, Badge: rw.Priority.String(),
		Also: strings.Join([]string{rw.ID, rw.Key, rw.Page.Broken, rw.Page.Impact, rw.AckedBy, serviceOf(rw.ProblemView)}, "\n"),
	})
	for _, e := range rw.Listed() {
		found(dashboards.Hit{Kind: dashboards.Alarms, Path: path, Title: e.What(), Text: "explained by: " + rw.Page.Sentence, At: e.Since, Also: e.Alarm.Rule() + "\n" + e.Entity()})
	}
}

type pastIncidents struct {
	hits []dashboards.Hit
	err  error
}

// past are the incidents of the last month, the newest first; each has its key in Also.
func (p *Pages) past(ctx context.Context) pastIncidents {
	events, fault := p.history(ctx, EventQuery{Since: p.opts.Now().Add(-problemHistory)})
	seen, out := map[string]bool{}, pastIncidents{}
	for _, e := range slices.Backward(events) {
		if !e.paged() || seen[e.Key] {
			continue
		}
		seen[e.Key] = true
		out.hits = append(out.hits, dashboards.Hit{
			Kind: dashboards.Incidents, Path: "/problems/" + url.PathEscape(e.Key), Title: e.Plain(), Text: e.Rule(), At: e.At, Also: e.Key, Badge: e.Priority.String(),
		})
	}
	if fault != "" {
		out.err = errors.New("incidents: " + fault)
	}
	return out
}
