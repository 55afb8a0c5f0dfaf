package views

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/navcloud/binnacle/agent/query"
	"github.com/navcloud/binnacle/agent/words"
	"github.com/navcloud/binnacle/dashboards"
	"github.com/navcloud/binnacle/dashboards/charts"
)

// Bounds of what a person asks for.
const (
	maxQuery   = 2000 // bytes
	maxTable   = 200  // rows of the table
	maxExplore = 60   // series that are asked to be drawn
)

// exploration is a query and its answer.
type exploration struct {
	dashboards.Period
	Query string
	Fault string
	Rows  []exploreRow
	More  int
	Count int
	Asked bool
	At    time.Time
	Took  string
	Try   []example
	Times map[string]string
}

// example is a query to begin with.
type example struct{ Label, Query, Path string }

type exploreRow struct{ Name, Value string }

// examples are what a person who comes with an empty mind may start from.
var examples = []struct{ label, promql string }{
	{"Open streams by node", `sum by (node) (navcloud_streams_open)`},
	{"Processor by node", `1 - sum by (node) (rate(host_cpu_seconds_total{mode="idle"}[5m])) / sum by (node) (rate(host_cpu_seconds_total[5m]))`},
	{"Disk used, by mount", `1 - host_filesystem_available_bytes / host_filesystem_size_bytes`},
	{"RabbitMQ messages ready", `sum by (cluster) (rabbitmq_queue_messages_ready)`},
	{"Alarms of this router", `binnacle_alarms`},
}

type explored struct {
	now   []query.Series
	over  charts.Chart
	fault string
	took  time.Duration
}

func (p *Pages) explore(r *http.Request) dashboards.Page {
	q := r.URL.Query()
	pg := dashboards.Page{Name: "explore", Title: "Explore", Forms: true, Charts: true, Scripts: []string{"explore.js"}}
	if p.opts.Query == nil || p.opts.Range == nil {
		return dashboards.NoStore(pg)
	}
	now := p.opts.Now()
	st := p.status()
	e := exploration{
		Period: dashboards.ReadPeriod(q, now, "/explore", keptSpan(st, time.Hour, now), maxRange),
		Query:  words.Cut(strings.TrimSpace(q.Get("q")), maxQuery),
	}
	e.Sparse = sparseOf(st, e.From)
	for _, ex := range examples {
		e.Try = append(e.Try, example{ex.label, ex.promql, "/explore?q=" + url.QueryEscape(ex.promql)})
	}
	pg.Period, e.Times = &e.Period, map[string]string{} // another time keeps the question, another question the time
	for k, v := range dashboards.TimeOf(q) {
		e.Times[k] = v[0]
	}
	e.Asked = e.Query != ""
	result := dashboards.Section{ID: "result", Label: "Answer", Hush: true}
	if e.Asked {
		if e.Running {
			pg.Live = dashboards.LivePath("explore", q)
		}
		pg.Title = "Explore: " + words.Cut(e.Query, dashboards.MaxName)
		step := charts.StepOf(e.To.Sub(e.From))
		end := e.To.Truncate(step)
		key := strings.Join([]string{"explore", e.Query, e.From.Truncate(step).String(), end.String()}, "\xff")
		x := p.answers.Get(r.Context(), key, now, step, queryTime, func(ctx context.Context) any { return p.look(ctx, e.Query, e.From.Truncate(step), end, step) }).(explored)
		e.tell(x, end)
		if x.fault == "" {
			result.Parts = append(result.Parts, dashboards.Part{ID: "explore-chart", Template: "chart", Data: filed(x.over, "explore", q)}, dashboards.Part{ID: "explore-table", Template: "explore-table", Data: e}, dashboards.Part{ID: "explore-try", Template: "explore-try", Data: p.try(r.Context(), q, e.Query, now)})
		}
	}
	pg.Sections = []dashboards.Section{{ID: "summary", Hush: true, Parts: []dashboards.Part{{ID: "explore-head", Template: "explore-head", Data: e}}}, result}
	return pg
}

// look asks for the values at the end, and for their way there.
func (p *Pages) look(ctx context.Context, promql string, begin, end time.Time, step time.Duration) explored {
	x, started := explored{}, time.Now()
	ctx = query.ByPerson(ctx)
	var err error
	if x.now, err = p.opts.Query(ctx, promql, end); err != nil {
		x.fault = err.Error()
		return x
	}
	pl := charts.Plan{ID: "explore-chart", Title: "Over time", Unit: charts.InExact, From: begin, To: end, Step: step, Marks: p.deploys(ctx, begin, end)}
	asked := promql
	if len(x.now) > maxExplore {
		asked = fmt.Sprintf("topk(%d, %s)", charts.MaxLines, promql)
		pl.Note = fmt.Sprintf("Of %s, the highest at each time.", words.Number(float64(len(x.now))))
	}
	over, err := p.opts.Range(ctx, asked, begin, end, step)
	alike := alikeOf(over)
	x.over = charts.Draw(pl, over, func(s query.Series) string { return seriesName(without(s.Labels, alike)) })
	if len(alike) > 0 {
		x.over.Alike = seriesName(alike)
	}
	if err != nil {
		x.over.Fault = "Not drawn: " + err.Error()
	}
	x.took = time.Since(started)
	return x
}

func (e *exploration) tell(x explored, at time.Time) {
	e.Fault, e.At, e.Count, e.Took = x.fault, at, len(x.now), words.Seconds(x.took.Seconds())
	series := slices.Clone(x.now)
	slices.SortFunc(series, func(a, b query.Series) int {
		return cmp.Or(cmp.Compare(query.Last(b), query.Last(a)), cmp.Compare(seriesName(a.Labels), seriesName(b.Labels)))
	})
	e.More = max(0, len(series)-maxTable)
	for _, s := range series[:len(series)-e.More] {
		e.Rows = append(e.Rows, exploreRow{seriesName(s.Labels), words.Exact(query.Last(s))})
	}
}

// alikeOf are the labels that all of several series have, by which they are not told apart.
func alikeOf(series []query.Series) map[string]string {
	if len(series) < 2 {
		return nil
	}
	alike := maps.Clone(series[0].Labels)
	for _, s := range series[1:] {
		maps.DeleteFunc(alike, func(k, v string) bool { w, ok := s.Labels[k]; return !ok || w != v })
	}
	return alike
}

func without(labels, those map[string]string) map[string]string {
	left := maps.Clone(labels)
	maps.DeleteFunc(left, func(k, _ string) bool { _, ok := those[k]; return ok })
	return left
}

// seriesName writes labels as PromQL does.
func seriesName(labels map[string]string) string {
	var b strings.Builder
	b.WriteString(labels["__name__"])
	sep := "{"
	for _, k := range slices.Sorted(maps.Keys(labels)) {
		if k == "__name__" {
			continue
		}
		b.WriteString(sep + k + "=" + strconv.Quote(labels[k]))
		sep = ", "
	}
	if sep != "{" {
		b.WriteByte('}')
	}
	return cmp.Or(b.String(), "value")
}
