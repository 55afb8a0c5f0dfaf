package oncall

import (
	"context"
	"net/url"
	"time"

	"github.com/navcloud/binnacle/agent/query"
	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/dashboards/charts"
)

// How the worst problems of a list are sketched.
const (
	sketched     = 3                     // that have a line
	sketchPoints = 60                    // of it, at most
	sketchSteps  = 30                    // in which it moves on
	patience     = 50 * time.Millisecond // that a list waits for them
)

// sketch gives the worst problems lines of what their alarms measure.
func (p *Pages) sketch(ctx context.Context, rows []row) {
	of := make([]alerting.ProblemView, len(rows))
	for i := range rows {
		of[i] = rows[i].ProblemView
	}
	for i, line := range p.Sketch(ctx, of...) {
		rows[i].Line = line
	}
}

// Sketch draws small lines of what the alarms of problems measure, empty ones where that is not known. It waits for no slow store: a line that
// is not there in time comes with a later look, since answers are kept.
func (p *Pages) Sketch(ctx context.Context, problems ...alerting.ProblemView) []charts.Spark {
	out := make([]charts.Spark, len(problems))
	if p.opts.Range == nil {
		return out
	}
	type drawn struct {
		i    int
		line charts.Spark
	}
	lines := make(chan drawn, len(problems)) // what comes too late is dropped with it
	for i, pv := range problems {
		go func() { lines <- drawn{i, p.line(ctx, pv)} }()
	}
	late := time.NewTimer(p.opts.Patience)
	defer late.Stop()
	for range problems {
		select {
		case d := <-lines:
			out[d.i] = d.line
		case <-late.C:
			return out
		}
	}
	return out
}

// line is the evidence of a problem as a small line.
func (p *Pages) line(ctx context.Context, pv alerting.ProblemView) charts.Spark {
	now := p.opts.Now()
	l, _ := lookAt(nil, "/problems/"+url.PathEscape(pv.ID), pv.Root.StartsAt, now)
	l, _ = lookAt(nil, l.path, pv.Root.StartsAt, now.Truncate(l.span()/sketchSteps)) // a row does not change with each look
	e := p.evidence(ctx, pv.Root, l)
	if e == nil || e.Lacks != "" || len(e.Chart.Lines) == 0 {
		return charts.Spark{}
	}
	all := e.Chart.Lines[0].Pts
	every := 1 + (len(all)-1)/sketchPoints
	var pts []query.Point
	for i := (len(all) - 1) % every; i < len(all); i += every { // the newest is among them
		pts = append(pts, all[i])
	}
	if len(pts) < 2 {
		return charts.Spark{} // a dot says nothing
	}
	return charts.DrawSpark(pts, e.Chart.To, time.Duration(every)*e.Chart.Step, e.Chart.Unit.Say)
}
