package views

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/navcloud/binnacle/agent/health"
	"github.com/navcloud/binnacle/agent/query"
	"github.com/navcloud/binnacle/dashboards"
	"github.com/navcloud/binnacle/dashboards/charts"
)

// defaultRange is what is shown when nobody chose.
const defaultRange = 6 * time.Hour

// groupings are how open streams are split. The label is of NavCloud's own metrics.
var groupings = []struct{ by, label, labels string }{
	{"all", "all together", ""}, {"stack", "by stack", "stack"}, {"zone", "by zone", "stack, az"}, {"node", "by node", "stack, az, node"},
}

// overQuery is one chart of the page: the queries of its lines, by what they are called; "" takes the labels as names.
type overQuery struct {
	id, title string
	unit      charts.Unit
	lines     []lineQuery
	limit     float64
	limitName string
	note      string
}

type lineQuery struct{ name, promql string }

// balancerShare is each node's open streams by the limit that its stack tells, else by the usual one.
const balancerShare = `sum by (stack, az, node) (navcloud_streams_open) / on (stack) group_left () (max by (stack) (navcloud_streams_limit > 0) or sum by (stack) (navcloud_streams_open) * 0 + 10000)`

func overQueries(labels string) []overQuery {
	open := `sum(navcloud_streams_open)`
	if labels != "" {
		open = `sum by (` + labels + `) (navcloud_streams_open)`
	}
	quantile := func(q string) string {
		return `histogram_quantile(` + q + `, sum(rate(navcloud_fanout_latency_seconds[%s])))`
	}
	return []overQuery{
		{id: "open", title: "Open streams", unit: charts.InNumber, lines: []lineQuery{{"", open}}},
		{id: "turnover", title: "Streams opened, and closed by reason", unit: charts.InRate, lines: []lineQuery{
			{"opened", `sum(rate(navcloud_streams_opened_total[%s]))`}, {"closed: ", `sum by (reason) (rate(navcloud_streams_closed_total[%s]))`},
		}},
		{id: "late", title: "Heartbeats late", unit: charts.InPercent, lines: []lineQuery{{"of those sent", `sum(rate(navcloud_heartbeats_late_total[%s])) / (sum(rate(navcloud_heartbeats_sent_total[%s])) > 0)`}}},
		{id: "latency", title: "Fan-out latency", unit: charts.InSeconds, note: "From publish to the last stream of a node.", lines: []lineQuery{
			{"median", quantile("0.5")}, {"p90", quantile("0.9")}, {"p99", quantile("0.99")}, {"p99.9", quantile("0.999")},
		}},
		{id: "events", title: "Events published, delivered, lost", unit: charts.InRate, lines: []lineQuery{
			{"published", `sum(rate(navcloud_events_published_total[%s]))`},
			{"delivered to streams", `sum(rate(navcloud_events_delivered_total[%s]))`},
			{"lost: ", `sum by (reason) (rate(navcloud_events_dropped_total[%s]))`},
		}},
		{id: "limit", title: "Nearness to the balancer's limit", unit: charts.InPercent, limit: 1, limitName: "the limit", lines: []lineQuery{{"", balancerShare}}},
	}
}

type overHead struct {
	dashboards.Period
	By     []dashboards.Link
	Step   time.Duration
	Errors []string
}

func (p *Pages) overTime(r *http.Request) dashboards.Page {
	q := r.URL.Query()
	pg := dashboards.Page{Name: "streams", Title: "Streams over time", Forms: true, Charts: true}
	if p.opts.Range == nil {
		return dashboards.NoStore(pg)
	}
	now := p.opts.Now()
	st := p.status()
	span := dashboards.ReadPeriod(q, now, "/streams/history", keptSpan(st, defaultRange, now), maxRange)
	pg.Period = &span
	if span.Running {
		pg.Live = dashboards.LivePath("overtime", q)
	}
	span.Sparse = sparseOf(st, span.From)
	head := overHead{Period: span, Step: charts.StepOf(span.To.Sub(span.From))}
	by := groupings[0]
	for _, g := range groupings {
		if g.by == q.Get("by") {
			by = g
		}
	}
	for _, g := range groupings {
		to := r.URL.Query()
		to.Set("by", g.by)
		to.Del("problem")
		head.By = append(head.By, dashboards.Link{Path: "/streams/history?" + to.Encode(), Label: g.label, Here: g.by == by.by})
	}
	end := span.To.Truncate(head.Step) // so that a chart changes with its step and not with each look
	begin := end.Add(-span.To.Sub(span.From))
	key := strings.Join([]string{"overtime", by.by, begin.String(), end.String()}, "\xff")
	drawn := p.answers.Get(r.Context(), key, now, head.Step, queryTime, func(ctx context.Context) any {
		return p.drawOver(ctx, overQueries(by.labels), begin, end, head.Step, sparseOf(st, begin))
	}).(overDrawn)
	head.Errors = drawn.errs
	pg.Sections = []dashboards.Section{{ID: "summary", Hush: true, Parts: []dashboards.Part{{ID: "over-head", Template: "over-head", Data: head}}}}
	charts := dashboards.Section{ID: "charts", Label: "Charts", Hush: true}
	for _, c := range byLines(drawn.charts) {
		charts.Parts = append(charts.Parts, dashboards.Part{ID: c.ID, Template: "chart", Data: filed(c, "streams", q)})
	}
	pg.Sections = append(pg.Sections, charts)
	return pg
}

// byLines puts charts that have nothing to show behind the others, where they leave no hole.
func byLines(in []charts.Chart) []charts.Chart {
	out := slices.Clone(in)
	slices.SortStableFunc(out, func(a, b charts.Chart) int {
		return map[bool]int{true: 1}[len(a.Lines) == 0] - map[bool]int{true: 1}[len(b.Lines) == 0]
	})
	return out
}

// leastRange is what a chart shows of a store that has just begun, maxRange is how far back it may go: what rollups may be kept for.
const (
	leastRange = 10 * time.Minute
	maxRange   = 1100 * 24 * time.Hour
)

// status is what is known of this node; nothing where nobody says. It costs a look at the database: once a page.
func (p *Pages) status() health.Status {
	if p.opts.Status == nil {
		return health.Status{}
	}
	return p.opts.Status()
}

// sparseOf returns what of a chart that begins at begin is sparse; nil for nothing.
func sparseOf(s health.Status, begin time.Time) *dashboards.Sparse {
	if s.Rollups == nil || s.Store == nil || !begin.Before(s.Store.Oldest) {
		return nil
	}
	return &dashboards.Sparse{Until: s.Store.Oldest, Note: s.Rollups.Note}
}

// sparseWindow is the shortest that has two samples five minutes apart in it for sure.
const sparseWindow = 15 * time.Minute

// keptSpan is the span that is shown when nobody chose one: no more than the store has.
func keptSpan(s health.Status, span time.Duration, now time.Time) time.Duration {
	if st := s.Store; st != nil && !st.Oldest.IsZero() {
		age := (now.Sub(st.Oldest) / leastRange) * leastRange // in steps, so that charts do not stretch with each look
		span = min(span, max(age+leastRange, leastRange))
	}
	return span
}

type overDrawn struct {
	charts []charts.Chart
	errs   []string
}

// drawOver asks for all lines at once and draws the charts.
func (p *Pages) drawOver(ctx context.Context, queries []overQuery, begin, end time.Time, step time.Duration, few *dashboards.Sparse) overDrawn {
	least := max(time.Minute, 4*p.opts.Interval, step)
	if few != nil {
		least = max(least, sparseWindow)
	}
	window := short60(least)
	var wg sync.WaitGroup
	found := make([][][]query.Series, len(queries))
	faults := make([][]error, len(queries))
	for i, q := range queries {
		found[i], faults[i] = make([][]query.Series, len(q.lines)), make([]error, len(q.lines))
		for j, l := range q.lines {
			wg.Go(func() {
				found[i][j], faults[i][j] = p.opts.Range(ctx, strings.ReplaceAll(l.promql, "%s", window), begin, end, step)
			})
		}
	}
	marks := p.deploys(ctx, begin, end)
	wg.Wait()
	var out overDrawn
	for i, q := range queries {
		pl := charts.Plan{ID: "chart-" + q.id, Title: q.title, Unit: q.unit, Limit: q.limit, LimitName: q.limitName, From: begin, To: end, Step: step, Marks: marks, Note: q.note}
		var all []query.Series
		fault := ""
		for j, l := range q.lines {
			if err := faults[i][j]; err != nil {
				fault = "Not known: the store did not answer."
				out.errs = append(out.errs, err.Error())
			}
			for _, s := range found[i][j] {
				all = append(all, query.Series{Labels: map[string]string{"": l.name + named(s.Labels, found[i][j])}, Points: s.Points})
			}
		}
		c := charts.Draw(pl, all, func(s query.Series) string { return cmp.Or(s.Labels[""], "all") })
		if len(c.Lines) == 0 {
			c.Fault = fault
		}
		out.charts = append(out.charts, c)
	}
	slices.Sort(out.errs)
	out.errs = slices.Compact(out.errs)
	return out
}

// named is a series' labels as a name, without theirs; what all have alike is left out.
func named(labels map[string]string, all []query.Series) string {
	var saying []string
	for _, k := range []string{"stack", "az", "node", "reason"} {
		alike := len(all) > 1 && !slices.ContainsFunc(all, func(s query.Series) bool { return s.Labels[k] != labels[k] })
		if v := labels[k]; v != "" && !alike {
			saying = append(saying, v)
		}
	}
	return strings.Join(saying, " ")
}

// maxMarks bounds the deploys on one chart: more are no marks but a pattern.
const maxMarks = 20

// deploys are the marks of that time, the newest where there are many.
func (p *Pages) deploys(ctx context.Context, begin, end time.Time) []charts.Mark {
	if p.opts.Deploys == nil {
		return nil
	}
	out := p.opts.Deploys(ctx, begin, end)
	return out[max(0, len(out)-maxMarks):]
}
