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

// Bounds of the browser of metrics.
const (
	maxCards    = 60   // families with a line
	maxFamilies = 2000 // that are listed
	familySpan  = time.Hour
)

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
	b := browser{Text: words.Cut(strings.TrimSpace(r.URL.Query().Get("q")), dashboards.MaxComment)}
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
	span := dashboards.ReadPeriod(r.URL.Query(), now, "/browse", keptSpan(p.status(), familySpan, now), maxRange)
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
				link(k, words.Capital(k)+"s", count[k])
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
	got := p.answers.Last(ctx, "families", now, 15*time.Second, queryTime, func(ctx context.Context) any {
		s, err := p.opts.Query(ctx, `count by (__name__) ({__name__=~".+"})`, now)
		var out []family
		for _, x := range s {
			name := x.Labels["__name__"]
			own := !strings.Contains(name, ":") && !p.opts.Reserved(name)
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

// sketched is a small line and its end.
type sketched struct {
	series []query.Series
	end    time.Time
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
		line := p.answers.Last(ctx, strings.Join([]string{"sketch", f.Name, back.String(), until(span, end)}, "\xff"), now, step, queryTime, func(ctx context.Context) any {
			s, _ := p.opts.Range(ctx, promql, end.Add(-back), end, step) // a family without a line is a family
			if len(s) == 0 && p.opts.Query != nil {
				s, _ = p.opts.Query(ctx, promql, span.To) // there is no line yet
			}
			return sketched{s, end}
		}).(sketched)
		f.Value = "–"
		if f.Kind == "timer" {
			f.Kind = "timer, p99"
		}
		if s := line.series; len(s) > 0 && len(s[0].Points) > 0 {
			f.Value, f.Line = unit.Say(query.Last(s[0])), charts.DrawSpark(s[0].Points, line.end, step, unit.Say)
		}
	}
}

// Says counts what there is.
func (b browser) Says() string {
	return fmt.Sprintf("%s in %s series", words.Plural(int(b.Total), "metric"), words.Number(b.Series))
}
