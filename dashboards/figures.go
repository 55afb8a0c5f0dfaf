package dashboards

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"
)

// Shares from which a figure is marked. They are those of the NavCloud alarms, November 2026.
const (
	lateShare      = 0.01 // of heartbeats
	deliveredShare = 0.99 // of events that streams wait for
)

// figures are the page's numbers that are not counts of streams. What no node reports is said to be unknown.
func (p *Pages) figures(a *answers, now time.Time) []figure {
	var out []figure
	add := func(name, query string, note func(v float64) (string, bool)) {
		f := figure{Name: name, Value: unknown(a, query)}
		if v, ok := a.one(query); ok {
			f.Value = rate(v)
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
		return percent(v/sent) + " of those sent", v/sent > lateShare
	})
	add("Events published", "published", nil)
	add("Events delivered to streams", "delivered", func(v float64) (string, bool) {
		want, ok := a.one("expected")
		if !ok || want == 0 {
			return "no stream waits for any", false
		}
		return percent(min(v/want, 1)) + " of those that streams wait for", v/want < deliveredShare
	})
	dropped := byReason("Events dropped", "dropped", a)
	dropped.Bad = dropped.Note != ""
	out = append(out, dropped, latency("Fan-out latency, half below", "p50", a), latency("Fan-out latency, 99 % below", "p99", a))
	if line := a.by["p99 line"]; len(line) > 0 && !a.failed["p99"] {
		v, ok := a.one("p99")
		if !ok {
			v = math.NaN() // which is not drawn
		}
		points, end := upTo(line[0].Points, now, sparkStep, v)
		s := drawSpark(points, end, sparkStep, seconds)
		out[len(out)-1].Line = &s
	}
	return out
}

// unknown says why a figure is not there. A count that no node ever sent is of something that did not happen:
// they send each with its first event.
func unknown(a *answers, query string) string {
	if a.failed[query] {
		return "not known, its query failed"
	}
	return "none seen"
}

func latency(name, query string, a *answers) figure {
	v, ok := a.one(query)
	if a.failed[query] {
		return figure{Name: name, Value: unknown(a, query)}
	}
	if !ok || math.IsNaN(v) {
		return figure{Name: name, Value: "not known", Note: "no event came in the last minute"}
	}
	return figure{Name: name, Value: seconds(v), Note: "from publish to the last stream of a node"}
}

// byReason adds the rates up and names their reasons, the most frequent first.
func byReason(name, query string, a *answers) figure {
	f := figure{Name: name, Value: unknown(a, query)}
	if len(a.by[query]) == 0 {
		return f
	}
	series := slices.Clone(a.by[query])
	slices.SortFunc(series, func(x, y Series) int {
		return cmp.Or(cmp.Compare(last(y), last(x)), cmp.Compare(x.Labels["reason"], y.Labels["reason"]))
	})
	sum, words := 0.0, []string{}
	for _, s := range series {
		if v := last(s); v > 0 {
			sum += v
			words = append(words, cmp.Or(s.Labels["reason"], "no reason")+" "+rate(v))
		}
	}
	f.Value, f.Note = rate(sum), strings.Join(words, ", ")
	return f
}
