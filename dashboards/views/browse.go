package views

import (
	"cmp"
	"context"
	"encoding/csv"
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
	"github.com/navcloud/binnacle/agent/words"
	"github.com/navcloud/binnacle/dashboards"
	"github.com/navcloud/binnacle/dashboards/charts"
)

// Bounds of the browser of metrics.
const (
	maxCards    = 60   // families with a line
	maxFamilies = 2000 // that are listed
	familySpan  = time.Hour
)

// ours are the prefixes of what collectors and the agent itself report; all else is somebody's own.
var ours = []string{"host_", "riak_", "rabbitmq_", "binnacle_", "up", "ALERTS", "scrape_"}

// family is a metric with all its series.
type family struct {
	Name, Kind, Unit string
	Series           float64
	Own              bool
	Value            string
	Line             charts.Spark
}

// Link leads to the family's page.
func (f family) Link() string { return "/browse/" + url.PathEscape(f.Name) }

type familyGroup struct {
	Name     string
	Families []family
}

type browser struct {
	Text          string
	Kinds         []dashboards.Link // of one's own, with their counts
	Own           []family
	Groups        []familyGroup
	Total, Series float64
	Shown         int
	Fault         string
}

// kindOf guesses what a metric is by its name; only a look at its samples tells a timer from a gauge.
func kindOf(name string) string {
	if strings.HasSuffix(name, "_total") || strings.HasSuffix(name, "_count") || strings.HasSuffix(name, "_sum") || strings.HasSuffix(name, "_bucket") {
		return "counter"
	}
	return "gauge"
}

func unitByName(name string) (string, charts.Unit) {
	switch n := strings.TrimSuffix(name, "_total"); {
	case strings.HasSuffix(n, "_seconds"):
		return "seconds", charts.InSeconds
	case strings.HasSuffix(n, "_bytes"):
		return "bytes", charts.InBytes
	case strings.HasSuffix(n, "_ratio"):
		return "ratio", charts.InPercent
	}
	return "", charts.InExact
}

// browse lists all metrics, one's own first.
func (p *Pages) browse(r *http.Request) dashboards.Page {
	pg := dashboards.Page{Name: "metrics", Title: "Metrics", Forms: true}
	if p.opts.Query == nil || p.opts.Range == nil {
		return dashboards.NoStore(pg)
	}
	now := p.opts.Now()
	b := browser{Text: dashboards.Clip(strings.TrimSpace(r.URL.Query().Get("q")), dashboards.MaxComment)}
	all, err := p.families(r.Context(), now)
	if err != nil {
		b.Fault = "Which metrics there are is not known: " + err.Error() + "."
	}
	by := map[string][]family{}
	for _, f := range all {
		b.Total++
		b.Series += f.Series
		if !matchesAll(f.Name, b.Text) {
			continue
		}
		if b.Shown++; b.Shown > maxFamilies {
			continue
		}
		if f.Own || b.Text != "" {
			b.Own = append(b.Own, f)
			continue
		}
		prefix, _, _ := strings.Cut(f.Name, "_")
		if strings.Contains(f.Name, ":") {
			prefix = "made by rules"
		}
		by[prefix] = append(by[prefix], f)
	}
	for _, name := range slices.Sorted(maps.Keys(by)) {
		b.Groups = append(b.Groups, familyGroup{name, by[name]})
	}
	span := dashboards.ReadPeriod(r.URL.Query(), now, "/browse", familySpan, maxRange)
	pg.Period = &span
	p.sketch(r.Context(), b.Own[:min(len(b.Own), maxCards)], span)
	b.choose(r.URL.Query())
	pg.Sections = []dashboards.Section{{ID: "browse", Hush: true, Parts: []dashboards.Part{{ID: "browse-part", Template: "browse", Data: b}}}}
	return pg
}

// choose offers the kinds that there are, and keeps one where that is asked for.
func (b *browser) choose(q url.Values) {
	count := map[string]int{}
	for _, f := range b.Own {
		count[f.plainKind()]++
	}
	asked := q.Get("kind")
	link := func(kind, label string, n int) {
		to := dashboards.TimeOf(q)
		for k, v := range map[string]string{"q": b.Text, "kind": kind} {
			if v != "" {
				to.Set(k, v)
			}
		}
		b.Kinds = append(b.Kinds, dashboards.Link{Path: strings.TrimSuffix("/browse?"+to.Encode(), "?"), Label: label + " " + words.Number(float64(n)), Here: kind == asked})
	}
	if len(count) > 1 {
		link("", "All", len(b.Own))
		for _, k := range []string{"counter", "gauge", "timer"} {
			if count[k] > 0 {
				link(k, strings.ToUpper(k[:1])+k[1:]+"s", count[k])
			}
		}
	}
	if count[asked] > 0 {
		b.Own = slices.DeleteFunc(b.Own, func(f family) bool { return f.plainKind() != asked })
	}
}

// plainKind is the kind without which of its figures is shown.
func (f family) plainKind() string {
	kind, _, _ := strings.Cut(f.Kind, ",")
	return kind
}

// matchesAll says whether a name has every word of a text in it.
func matchesAll(name, text string) bool {
	for w := range strings.FieldsSeq(strings.ToLower(strings.ReplaceAll(text, ".", "_"))) {
		if !strings.Contains(strings.ToLower(name), w) {
			return false
		}
	}
	return true
}

func (p *Pages) families(ctx context.Context, now time.Time) ([]family, error) {
	type result struct {
		families []family
		err      error
	}
	got := p.answers.Get(ctx, "families", now, 15*time.Second, queryTime, func(ctx context.Context) any {
		s, err := p.opts.Query(ctx, `count by (__name__) ({__name__=~".+"})`, now)
		var out []family
		for _, x := range s {
			name := x.Labels["__name__"]
			own := !strings.Contains(name, ":") && !slices.ContainsFunc(ours, func(o string) bool { return strings.HasPrefix(name, o) })
			unit, _ := unitByName(name)
			out = append(out, family{Name: name, Kind: kindOf(name), Unit: unit, Series: query.Last(x), Own: own})
		}
		slices.SortFunc(out, func(a, b family) int { return cmp.Compare(a.Name, b.Name) })
		return result{out, err}
	}).(result)
	return slices.Clone(got.families), got.err
}

// ownFamilies are one's own metrics; those that the first page shows have lines.
func (p *Pages) ownFamilies(ctx context.Context, span dashboards.Period) []family {
	all, _ := p.families(ctx, p.opts.Now()) // the page of metrics says why there are none
	own := slices.DeleteFunc(all, func(f family) bool { return !f.Own })
	if p.opts.Range != nil {
		p.sketch(ctx, own[:min(homeOwn, len(own))], span)
	}
	return own
}

// sketch adds the newest value and a line to each family.
func (p *Pages) sketch(ctx context.Context, in []family, span dashboards.Period) {
	back, now := span.To.Sub(span.From), p.opts.Now()
	step := charts.SparkStep(back)
	end := span.To.Truncate(step)
	for i := range in {
		f := &in[i]
		_, unit := unitByName(f.Name)
		promql := "sum({__name__=" + strconv.Quote(f.Name) + "})"
		f.Kind = p.answers.Get(ctx, "kind\xff"+f.Name, now, 10*time.Minute, queryTime, func(ctx context.Context) any { return p.kind(ctx, f.Name, now) }).(string)
		switch f.Kind {
		case "timer":
			promql = "histogram_quantile(0.99, sum(rate({__name__=" + strconv.Quote(f.Name) + "}[" + short60(max(time.Minute, 4*p.opts.Interval)) + "])))"
		case "counter":
			promql, unit = "sum(rate({__name__="+strconv.Quote(f.Name)+"}["+short60(max(time.Minute, 4*p.opts.Interval))+"]))", charts.InRate
		}
		line := p.answers.Get(ctx, strings.Join([]string{"sketch", f.Name, back.String(), end.String()}, "\xff"), now, step, queryTime, func(ctx context.Context) any {
			s, _ := p.opts.Range(ctx, promql, end.Add(-back), end, step) // a family without a line is a family
			return s
		}).([]query.Series)
		f.Value = "–"
		if f.Kind == "timer" {
			f.Kind = "timer, p99"
		}
		if len(line) > 0 && len(line[0].Points) > 0 {
			f.Value, f.Line = unit.Say(query.Last(line[0])), charts.DrawSpark(line[0].Points, end, step, unit.Say)
		}
	}
}

type familyPage struct {
	dashboards.Period
	Name, Kind string
	Series     float64
	Labels     []string
	CSV, Alarm string
	Fault      string
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
	drawn := p.familyCharts(r.Context(), &f, now)
	q := r.URL.Query()
	f.CSV = (&url.URL{Path: "/csv/" + name, RawQuery: q.Encode()}).String()
	f.Alarm = "/explore?q=" + escape(name)
	pg.Sections = []dashboards.Section{
		{ID: "summary", Hush: true, Parts: []dashboards.Part{{ID: "family-head", Template: "family-head", Data: f}}},
		{ID: "charts", Label: "Charts", Hush: true},
	}
	for _, c := range drawn {
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
	got := p.answers.Get(ctx, strings.Join([]string{"family", f.Name, begin.String(), end.String()}, "\xff"), now, step, queryTime, func(ctx context.Context) any {
		var out result
		marks := p.deploys(ctx, begin, end)
		for _, q := range familyQueries[f.Kind] {
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
					all = append(all, query.Series{Labels: map[string]string{"": cmp.Or(l.name, labelWords(x.Labels, "__name__"))}, Points: x.Points})
				}
				if i == 0 {
					const day = 24 * time.Hour
					if was, err := p.opts.Range(ctx, promql, begin.Add(-day), end.Add(-day), step); err == nil && len(was) == 1 {
						for _, pt := range was[0].Points {
							pl.Behind = append(pl.Behind, query.Point{T: pt.T.Add(day), V: pt.V})
						}
						pl.BehindIs = "a day before"
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
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="`+name+`.csv"`)
	out := csv.NewWriter(w)
	_ = out.Write([]string{"time", "series", "value"}) // an error is that of a browser which went away
	for _, x := range s {
		for _, pt := range x.Points {
			_ = out.Write([]string{pt.T.UTC().Format(time.RFC3339), seriesName(x.Labels), strconv.FormatFloat(pt.V, 'g', -1, 64)})
		}
	}
	out.Flush()
}

// Says counts what there is.
func (b browser) Says() string {
	return fmt.Sprintf("%s in %s series", words.Plural(int(b.Total), "metric"), words.Number(b.Series))
}
