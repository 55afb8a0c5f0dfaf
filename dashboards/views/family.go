package views

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/navcloud/binnacle/agent/query"
	"github.com/navcloud/binnacle/dashboards"
	"github.com/navcloud/binnacle/dashboards/charts"
)

type familyPage struct {
	dashboards.Period
	Name, Kind string
	Series     float64
	Labels     []string
	CSV, Alarm string
	Fault      string
	Pin        string // address of the first page with it, or without it where it is there
	Pinned     bool
	Behinds    []dashboards.Link

	back time.Duration // to the day that stands behind
	only bool          // its first chart
}

// behinds are the days that may stand behind a metric.
var behinds = []struct {
	name, label, words string
	back               time.Duration
}{{"1d", "\u22121 d", "a day before", 24 * time.Hour}, {"7d", "\u22127 d", "a week before", 7 * 24 * time.Hour}}

// lookBehind reads which day stands behind, and offers the others.
func (f *familyPage) lookBehind(q url.Values) {
	f.back = behinds[0].back
	for _, b := range behinds {
		if q.Get("behind") == b.name {
			f.back = b.back
		}
	}
	for _, b := range behinds {
		to := dashboards.TimeOf(q)
		to.Set("behind", b.name)
		f.Behinds = append(f.Behinds, dashboards.Link{Path: "/browse/" + f.Name + "?" + to.Encode(), Label: b.label, Here: b.back == f.back})
	}
}

// metricName is what a metric may be called.
var metricName = regexp.MustCompile(`^[a-zA-Z_:][a-zA-Z0-9_:]*$`)

// family is the page of one metric, made for its kind: a counter as a rate, a gauge as it is, a timer by its quantiles.
func (p *Pages) family(r *http.Request) dashboards.Page {
	name := r.PathValue("name")
	pg := dashboards.Page{Name: "metrics", Title: name, Forms: true, Charts: true, Up: &dashboards.Link{Path: "/browse", Label: "Metrics"}}
	if p.opts.Query == nil || p.opts.Range == nil {
		return dashboards.NoStore(pg)
	}
	if !metricName.MatchString(name) {
		return dashboards.Message(http.StatusNotFound, "No such metric", "A metric's name has letters, digits, underscores and colons.")
	}
	now := p.opts.Now()
	st := p.status()
	f := familyPage{Name: name, Period: dashboards.ReadPeriod(r.URL.Query(), now, "/browse/"+name, keptSpan(st, familySpan, now), maxRange)}
	pg.Period = &f.Period
	f.Kind = p.kind(r.Context(), name, now)
	q := r.URL.Query()
	f.lookBehind(q)
	drawn := p.familyCharts(r.Context(), &f, now)
	f.CSV = (&url.URL{Path: "/csv/" + name, RawQuery: q.Encode()}).String()
	f.Alarm = "/explore?q=" + escape(name)
	names, _ := pinned(r)
	if f.Pinned = slices.Contains(names, name); f.Pinned {
		f.Pin = pinAddress(slices.DeleteFunc(names, func(n string) bool { return n == name }), dashboards.TimeOf(q))
	} else {
		f.Pin = pinAddress(append(names, name), dashboards.TimeOf(q))
	}
	pg.Sections = []dashboards.Section{
		{ID: "summary", Hush: true, Parts: []dashboards.Part{{ID: "family-head", Template: "family-head", Data: f}}},
		{ID: "charts", Label: "Charts", Hush: true},
	}
	for _, c := range drawn {
		to := dashboards.TimeOf(q)
		to.Set("chart", strings.TrimPrefix(c.ID, "chart-"))
		if b := q.Get("behind"); b != "" {
			to.Set("behind", b)
		}
		c.PNG = (&url.URL{Path: "/png/" + name, RawQuery: to.Encode()}).String()
		pg.Sections[1].Parts = append(pg.Sections[1].Parts, dashboards.Part{ID: c.ID, Template: "chart", Data: c})
	}
	return pg
}

// kind says what a metric is, by its samples.
func (p *Pages) kind(ctx context.Context, name string, now time.Time) string {
	if s, err := p.opts.Query(ctx, "count(histogram_count({__name__="+strconv.Quote(name)+"}))", now); err == nil && len(s) > 0 && query.Last(s[0]) > 0 {
		return "timer"
	}
	return kindOf(name)
}

// familyQueries are the charts of a kind; NAME stands for the metric.
var familyQueries = map[string][]overQuery{
	"timer": {
		{id: "quantiles", title: "How long it takes", lines: []lineQuery{
			{"median", "histogram_quantile(0.5, sum(rate(NAME[%s])))"}, {"p95", "histogram_quantile(0.95, sum(rate(NAME[%s])))"}, {"p99", "histogram_quantile(0.99, sum(rate(NAME[%s])))"},
		}},
		{id: "count", title: "How often", unit: charts.InRate, lines: []lineQuery{{"each second", "histogram_count(sum(rate(NAME[%s])))"}}},
	},
	"counter": {
		{id: "rate", title: "Each second, all together", unit: charts.InRate, lines: []lineQuery{{"all", "sum(rate(NAME[%s]))"}}},
		{id: "each", title: "Each second, by series", unit: charts.InRate, lines: []lineQuery{{"", "topk(8, rate(NAME[%s]))"}}},
	},
	"gauge": {
		{id: "all", title: "Least, mean and most", lines: []lineQuery{{"least", "min(NAME)"}, {"mean", "avg(NAME)"}, {"most", "max(NAME)"}}},
		{id: "each", title: "By series", lines: []lineQuery{{"", "topk(8, NAME)"}}},
	},
}

func (p *Pages) familyCharts(ctx context.Context, f *familyPage, now time.Time) []charts.Chart {
	step := charts.StepOf(f.To.Sub(f.From))
	end := f.To.Truncate(step)
	begin := end.Add(-f.To.Sub(f.From))
	window := short60(max(time.Minute, 4*p.opts.Interval, step))
	_, unit := unitByName(f.Name)
	type result struct {
		charts []charts.Chart
		fault  string
	}
	got := p.answers.Get(ctx, strings.Join([]string{"family", f.Name, begin.String(), end.String(), f.back.String(), fmt.Sprint(f.only)}, "\xff"), now, step, queryTime, func(ctx context.Context) any {
		var out result
		marks := p.deploys(ctx, begin, end)
		for n, q := range familyQueries[f.Kind] {
			if f.only && n > 0 {
				break
			}
			pl := charts.Plan{ID: "chart-" + q.id, Title: q.title, Unit: q.unit, From: begin, To: end, Step: step, Marks: marks}
			if pl.Unit.Say == nil {
				pl.Unit = unit
			}
			var all []query.Series
			for i, l := range q.lines {
				promql := strings.ReplaceAll(strings.ReplaceAll(l.promql, "NAME", f.Name), "%s", window)
				s, err := p.opts.Range(ctx, promql, begin, end, step)
				if err != nil {
					out.fault = err.Error()
				}
				for _, x := range s {
					all = append(all, query.Series{Labels: map[string]string{"": cmp.Or(l.name, apart(x.Labels, s))}, Points: x.Points})
				}
				if i == 0 && f.back > 0 {
					if was, err := p.opts.Range(ctx, promql, begin.Add(-f.back), end.Add(-f.back), step); err == nil && len(was) == 1 {
						pl.Behind, pl.BehindIs = moved(was[0].Points, f.back)
					}
				}
			}
			out.charts = append(out.charts, charts.Draw(pl, all, func(s query.Series) string { return s.Labels[""] }))
		}
		return out
	}).(result)
	if got.fault != "" {
		f.Fault = "The store did not answer all that was asked: " + got.fault
	}
	return got.charts
}

// moved are points of a day before, at this one's times, and which day that is.
func moved(points []query.Point, back time.Duration) (out []query.Point, is string) {
	for _, pt := range points {
		out = append(out, query.Point{T: pt.T.Add(back), V: pt.V})
	}
	for _, b := range behinds {
		if b.back == back {
			is = b.words
		}
	}
	return out, is
}

// labelWords name a series by its labels' values, without one label.
func labelWords(labels map[string]string, but string) string {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(labels)) {
		if k != but && k != "__name__" {
			out = append(out, labels[k])
		}
	}
	return cmp.Or(strings.Join(out, " "), "all")
}

// csv writes a metric's series of a time, a row for each sample: time, labels, value.
func (p *Pages) csv(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	if p.opts.Range == nil || !metricName.MatchString(name) {
		http.Error(w, "There is no such metric here.", http.StatusNotFound)
		return
	}
	now := p.opts.Now()
	span := dashboards.ReadPeriod(r.URL.Query(), now, "/browse/"+name, familySpan, maxRange)
	step := charts.StepOf(span.To.Sub(span.From))
	ctx, cancel := context.WithTimeout(r.Context(), queryTime)
	defer cancel()
	s, err := p.opts.Range(ctx, name, span.From.Truncate(step), span.To.Truncate(step), step)
	if err != nil {
		http.Error(w, "The store did not answer: "+err.Error(), http.StatusServiceUnavailable)
		return
	}
	out := sheet(w, name)
	for _, x := range s {
		rows(out, seriesName(x.Labels), x.Points)
	}
	out.Flush()
}

// png draws one of a metric's charts: the one that the address names by chart, else the first.
func (p *Pages) png(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	if p.opts.Query == nil || p.opts.Range == nil || !metricName.MatchString(name) {
		http.Error(w, "There is no such metric here.", http.StatusNotFound)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), queryTime)
	defer cancel()
	now := p.opts.Now()
	f := familyPage{Name: name, Period: dashboards.ReadPeriod(r.URL.Query(), now, "/browse/"+name, familySpan, maxRange)}
	f.Kind = p.kind(ctx, name, now)
	f.lookBehind(r.URL.Query())
	for _, c := range p.familyCharts(ctx, &f, now) {
		if want := r.URL.Query().Get("chart"); want != "" && c.ID != "chart-"+want || len(c.Lines) == 0 {
			continue
		}
		sendPicture(w, c, name+": "+c.Title, name)
		return
	}
	http.Error(w, "There is no chart of it in that time.", http.StatusNotFound)
}
