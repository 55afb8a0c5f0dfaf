package views

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/navcloud/binnacle/agent/query"
	"github.com/navcloud/binnacle/agent/words"
	"github.com/navcloud/binnacle/dashboards/charts"
)

// Shares from which a figure is marked. They are those of the NavCloud alarms, November 2026.
const (
	lateShare      = 0.01 // of heartbeats
	deliveredShare = 0.99 // of events that streams wait for
)

// figures are the page's numbers that are not counts of streams. What no node reports is said to be unknown.
func (p *Pages) figures(a *answers, now time.Time) []figure {
	var out []figure
	add := func(name, promql string, note func(v float64) (string, bool)) {
		f := figure{Name: name, Value: unknown(a, promql)}
		if v, ok := a.one(promql); ok {
			f.Value = words.Rate(v)
			if note != nil {
				f.Note, f.Bad = note(v)
			}
		}
		out = append(out, f)
	}
	add("Streams opened", "opened", nil)
	out = append(out, byReason("Streams closed", "closed", a))
	add("Heartbeats sent", "beats", nil)
	add("Heartbeats late", "late", func(v float64) (string, bool) {
		sent, _ := a.one("beats")
		if sent == 0 {
			return "", v > 0
		}
		return words.Percent(v/sent) + " of those sent", v/sent > lateShare
	})
	add("Events published", "published", nil)
	add("Events delivered to streams", "delivered", func(v float64) (string, bool) {
		want, ok := a.one("expected")
		if !ok || want == 0 {
			return "no stream waits for any", false
		}
		return words.Percent(min(v/want, 1)) + " of those that streams wait for", v/want < deliveredShare
	})
	dropped := byReason("Events dropped", "dropped", a)
	dropped.Bad = dropped.Note != ""
	out = append(out, dropped, latency("Fan-out latency, median", "p50", a), latency("Fan-out latency, p99", "p99", a))
	if line := a.by["p99 line"]; len(line) > 0 && !a.failed["p99"] {
		v, ok := a.one("p99")
		if !ok {
			v = math.NaN() // which is not drawn
		}
		points, end := charts.UpTo(line[0].Points, now, sparkStep, v)
		s := charts.DrawSpark(points, end, sparkStep, words.Seconds)
		out[len(out)-1].Line = &s
	}
	return out
}

// unknown says why a figure is not there. A count that no node ever sent is of something that did not happen:
// they send each with its first event.
func unknown(a *answers, promql string) string {
	if a.failed[promql] {
		return "not known, its query failed"
	}
	return "none seen"
}

func latency(name, promql string, a *answers) figure {
	v, ok := a.one(promql)
	if a.failed[promql] {
		return figure{Name: name, Value: unknown(a, promql)}
	}
	if !ok || math.IsNaN(v) {
		return figure{Name: name, Value: "not known", Note: "no event came in the last minute"}
	}
	return figure{Name: name, Value: words.Seconds(v), Note: "from publish to the last stream of a node"}
}

// byReason adds the rates up and names their reasons, the most frequent first.
func byReason(name, promql string, a *answers) figure {
	f := figure{Name: name, Value: unknown(a, promql)}
	if len(a.by[promql]) == 0 {
		return f
	}
	series := slices.Clone(a.by[promql])
	slices.SortFunc(series, func(x, y query.Series) int {
		return cmp.Or(cmp.Compare(query.Last(y), query.Last(x)), cmp.Compare(x.Labels["reason"], y.Labels["reason"]))
	})
	sum, saying := 0.0, []string{}
	for _, s := range series {
		if v := query.Last(s); v > 0 {
			sum += v
			saying = append(saying, cmp.Or(s.Labels["reason"], "no reason")+" "+words.Rate(v))
		}
	}
	f.Value, f.Note = words.Rate(sum), strings.Join(saying, ", ")
	return f
}
