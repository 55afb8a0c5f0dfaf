package oncall

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/navcloud/binnacle/agent/query"
	"github.com/navcloud/binnacle/agent/words"
	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/dashboards"
	"github.com/navcloud/binnacle/dashboards/charts"
)

// How evidence is drawn.
const (
	evidenceTime = 2 * time.Second    // for all queries of one page
	evidenceSpan = 15 * time.Minute   // at least, and the beginning of the alarm in it
	mostSpan     = 7 * 24 * time.Hour // likewise, at most
	maxSpan      = 90 * 24 * time.Hour
	maxRelated   = 6
	rateWindow   = 10 * time.Minute // of what CloudWatch counts, whose values come by the minute or the five minutes
)

// evidence is the alarm's own figure: what was measured, what it is compared with, since when, and the day before.
type evidence struct {
	Expr    string
	Hold    time.Duration
	Chart   charts.Chart
	Noun    string // what is measured; empty where the expression is about too much
	Value   string // now
	Words   string
	Over    bool // the threshold is crossed now
	Past    bool // it is of what is over: its value now says nothing
	Lacks   string
	Explore string // address
	look
}

// look is how a problem is looked at, which the address says: one for all charts of its page.
type look struct {
	From, To time.Time
	Back     time.Duration // to the day that stands behind it
	path     string
	kept     url.Values // of the address
}

// looksBack are the days that can stand behind it.
var looksBack = []struct {
	name, label, words string
	back               time.Duration
}{{"1d", "\u22121 d", "yesterday, same time", 24 * time.Hour}, {"7d", "\u22127 d", "a week before", 7 * 24 * time.Hour}}

// lookAt reads how a problem is looked at. Without a choice it is three times as long as the alarm has been, so that the onset stands
// at two thirds: what began a minute ago would be a stroke at the edge of an hour.
func lookAt(q url.Values, path string, began, now time.Time) (look, dashboards.Period) {
	span := min(max(evidenceSpan, 3*now.Sub(began)), mostSpan)
	p := dashboards.ReadPeriod(q, now, path, span.Truncate(time.Minute), maxSpan, evidenceSpan)
	l := look{From: p.From, To: p.To, Back: looksBack[0].back, path: path, kept: dashboards.TimeOf(q)}
	for _, b := range looksBack {
		if q.Get("behind") == b.name {
			l.Back = b.back
		}
	}
	return l, p
}

// step is between the points of its charts, and end the last of them.
func (l look) step() time.Duration { return charts.StepOf(l.To.Sub(l.From)) }
func (l look) end() time.Time      { return l.To.Truncate(l.step()) }
func (l look) span() time.Duration { return l.To.Sub(l.From) }

func (l look) behindIs() string {
	for _, b := range looksBack {
		if l.Back == b.back {
			return b.words
		}
	}
	return ""
}

// Behinds are the choices of the day behind it.
func (l look) Behinds() (out []dashboards.Link) {
	q := maps.Clone(l.kept)
	for _, b := range looksBack {
		q.Set("behind", b.name)
		out = append(out, dashboards.Link{Path: l.path + "?" + q.Encode(), Label: b.label, Here: b.back == l.Back})
	}
	return out
}

// unitOf guesses the unit of an expression by the names that it measures.
func unitOf(expr string) charts.Unit {
	switch {
	case strings.Contains(expr, "ratio") || strings.Contains(expr, ") / ") && !strings.Contains(expr, "_per_"):
		return charts.InPercent
	case strings.Contains(expr, "bytes") && !strings.Contains(expr, "rate("):
		return charts.InBytes
	case strings.Contains(expr, "_seconds") && !strings.Contains(expr, "_total"):
		return charts.InSeconds
	}
	return charts.InExact
}

// asked finds the expression of an alarm: that of its rule here, else the one that its sender links to.
func (p *Pages) asked(a alerting.Alarm) (expr string, hold time.Duration) {
	if p.opts.Expr != nil {
		if e, hold, ok := p.opts.Expr(a.Rule(), a.Labels); ok {
			return e, hold
		}
	}
	if u, err := url.Parse(a.Generator); err == nil {
		return u.Query().Get("g0.expr"), 0
	}
	return "", 0
}

// measurable is the evidence of an alarm before it is measured; nil where nobody knows its expression.
func (p *Pages) measurable(a alerting.Alarm, l look) *evidence {
	expr, hold := p.asked(a)
	if expr == "" {
		return nil
	}
	e := &evidence{Expr: expr, Hold: hold, Explore: "/explore?q=" + url.QueryEscape(expr), look: l}
	if p.opts.Range == nil || p.opts.Threshold == nil {
		e.Lacks = "This node keeps no history to draw it from."
	}
	return e
}

// evidence measures what an alarm is about; nil where nobody knows its expression.
func (p *Pages) evidence(ctx context.Context, a alerting.Alarm, l look) *evidence {
	e := p.measurable(a, l)
	if e == nil || e.Lacks != "" {
		return e
	}
	key := strings.Join([]string{"evidence", e.Expr, a.Fingerprint(), l.Back.String(), l.end().String(), l.span().String(), l.path, l.kept.Encode()}, "\xff")
	return p.answers.Get(ctx, key, p.opts.Now(), l.step(), evidenceTime, func(ctx context.Context) any {
		p.measure(ctx, e, a)
		return e
	}).(*evidence)
}

func (p *Pages) measure(ctx context.Context, e *evidence, a alerting.Alarm) {
	measured, op, limit, ok := p.opts.Threshold(e.Expr)
	if !ok {
		measured = e.Expr
	}
	step, end, span := e.step(), e.end(), e.span()
	all, err := p.opts.Range(ctx, measured, end.Add(-span), end, step)
	if err != nil {
		e.Lacks = "Not drawn: " + err.Error() + "."
		return
	}
	mine := ofAlarm(all, a)
	unit := unitOf(measured)
	pl := charts.Plan{ID: "evidence-chart", Unit: unit, From: end.Add(-span), To: end, Step: step, Marks: p.Deploys(ctx, end.Add(-span), end), Onset: a.StartsAt, Still: true}
	if ok {
		pl.Limit, pl.LimitName = limit, "threshold "+unit.Say(limit)
	}
	before := math.NaN()
	if earlier, err := p.opts.Range(ctx, measured, end.Add(-span-e.Back), end.Add(-e.Back), step); err == nil {
		if one := ofAlarm(earlier, a); len(one) > 0 {
			for _, pt := range one[0].Points {
				pl.Behind = append(pl.Behind, query.Point{T: pt.T.Add(e.Back), V: pt.V})
			}
			pl.BehindIs, before = e.behindIs(), query.Last(one[0])
		}
	}
	e.Chart = charts.Draw(pl, mine, seriesWords)
	if len(e.Chart.Lines) == 0 {
		e.Lacks = "Nothing was measured in the last " + words.Duration(span) + ": the series are gone, or live at another node."
		return
	}
	value := e.Chart.Lines[0].Last()
	e.Value, e.Noun = unit.Say(value), nounOf(measured)
	if ok {
		if e.Over = crossed(value, op, limit); e.Over {
			e.Chart.Lines[0].Class = "hot"
		}
		e.Words = fmt.Sprintf("The alarm fires %s %s", map[string]string{">": "above", ">=": "from", "<": "below", "<=": "up to", "==": "at", "!=": "at all but"}[op], unit.Say(limit))
		if e.Hold > 0 {
			e.Words += " for " + words.Duration(e.Hold)
		}
		e.Words += "."
	}
	if !math.IsNaN(before) && pl.BehindIs != "" {
		e.Words += " " + words.Capital(pl.BehindIs) + ": " + unit.Say(before) + "."
	}
}

func crossed(v float64, op string, limit float64) bool {
	return map[string]bool{">": v > limit, ">=": v >= limit, "<": v < limit, "<=": v <= limit, "==": v == limit, "!=": v != limit}[op]
}

// ofAlarm are the series that the alarm is about: those whose labels it has.
func ofAlarm(all []query.Series, a alerting.Alarm) []query.Series {
	var out []query.Series
	for _, s := range all {
		fits := true
		for k, v := range s.Labels {
			if w, ok := a.Labels[k]; ok && k != "__name__" && w != v {
				fits = false
			}
		}
		if fits {
			out = append(out, s)
		}
	}
	return out
}

// seriesWords name a line by its labels' values.
func seriesWords(s query.Series) string {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(s.Labels)) {
		if k != "__name__" {
			out = append(out, s.Labels[k])
		}
	}
	return cmp.Or(strings.Join(out, " "), "today")
}

// related is a figure of the problem's subject, beside its own.
type related struct {
	Name, Value, Link string
	Line              charts.Spark
}

// aboutSubject are what is looked at of a subject of a kind; NODE and CLUSTER stand for its name.
var aboutSubject = []struct{ label, name, promql string }{
	{"node", "Processor in use", `1 - sum(rate(host_cpu_seconds_total{mode="idle",node="NODE"}[2m])) / sum(rate(host_cpu_seconds_total{node="NODE"}[2m]))`},
	{"node", "Memory left, bytes", `min(host_memory_available_bytes{node="NODE"})`},
	{"node", "Fullest disk, ratio", `max(1 - host_filesystem_available_bytes{node="NODE"} / host_filesystem_size_bytes{node="NODE"})`},
	{"node", "Load", `max(host_load1{node="NODE"})`},
	{"cluster", "Messages ready", `sum(rabbitmq_queue_messages_ready{cluster="NODE"})`},
	{"cluster", "Riak requests per second", `sum(rate(riak_node_ops_total{cluster="NODE"}[2m]))`},
	{"stack", "Open streams", `sum(navcloud_streams_open{stack="NODE"})`},
}

// subjectOf finds the labels of a subject, in the entity's own words too.
func subjectOf(a alerting.Alarm) map[string]string {
	out := map[string]string{"node": a.Labels["node"], "cluster": a.Labels["cluster"], "stack": a.Labels["stack"]}
	if kind, name, ok := strings.Cut(a.Labels[alerting.LabelEntity], ":"); ok && (kind == "node" || kind == "cluster" || kind == "host") {
		out[strings.Replace(kind, "host", "node", 1)] = name
	}
	for _, k := range []string{"host", "hostname", "nodename", "instance"} { // as others name a machine; one that is not a node here has no figures
		name, _, _ := strings.Cut(a.Labels[k], ":")
		out["node"] = cmp.Or(out["node"], name)
	}
	return out
}

// related asks for figures of the subject.
func (p *Pages) related(ctx context.Context, a alerting.Alarm, l look) []related {
	if p.opts.Range == nil {
		return nil
	}
	subject := subjectOf(a)
	step, end, span := l.step(), l.end(), l.span()
	key := strings.Join([]string{"related", a.Fingerprint(), end.String(), span.String()}, "\xff")
	return p.answers.Get(ctx, key, p.opts.Now(), 15*time.Second, evidenceTime, func(ctx context.Context) any {
		out := p.ofResource(ctx, a, l)
		for _, q := range aboutSubject {
			name := subject[q.label]
			if name == "" || len(out) == maxRelated {
				continue
			}
			promql := strings.ReplaceAll(q.promql, `"NODE"`, fmt.Sprintf("%q", name))
			s, err := p.opts.Range(ctx, promql, end.Add(-span), end, step)
			if err != nil || len(s) == 0 || len(s[0].Points) == 0 {
				continue
			}
			say := unitOf(q.name + q.promql).Say
			label, _, _ := strings.Cut(q.name, ",")
			out = append(out, related{label, say(query.Last(s[0])), "/explore?q=" + url.QueryEscape(promql), charts.DrawSpark(s[0].Points, end, step, say)})
		}
		return out
	}).([]related)
}
