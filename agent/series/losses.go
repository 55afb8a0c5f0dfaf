package series

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// Reasons are why a sample is lost here; each is counted from the start, so that its first loss shows.
var Reasons = []string{"kind", "same_name", "duplicate", "negative", "not_finite", "max_series", "bad_name", "gap"}

// Loss names a series that lost samples.
type Loss struct {
	Reason string  `json:"reason"`
	Name   string  `json:"name"`
	Why    string  `json:"why,omitempty"`
	Count  float64 `json:"count"`
}

// maxNamed bounds how many series are named: which of many is lost matters less than that many are.
const maxNamed = 50

// losses counts what is lost, and names some of it.
type losses struct {
	count map[string]float64
	named map[[2]string]*Loss
}

func (l *losses) lose(reason, name, why string) {
	if l.count == nil {
		l.count, l.named = map[string]float64{}, map[[2]string]*Loss{}
	}
	l.count[reason]++
	key := [2]string{reason, name}
	e := l.named[key]
	if e == nil {
		if len(l.named) >= maxNamed {
			return
		}
		e = &Loss{Reason: reason, Name: name, Why: why}
		l.named[key] = e
	}
	e.Count++
}

// Stats say how much there is.
type Stats struct {
	Alive, Asleep int
	Lost          map[string]float64 // samples, by reason
	Named         []Loss             // the most first; some of them
}

// Stats returns how much there is.
func (r *Registry) Stats() Stats {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := Stats{Alive: r.alive, Asleep: r.asleep, Lost: maps.Clone(r.losses.count)}
	for _, e := range r.losses.named {
		s.Named = append(s.Named, *e)
	}
	slices.SortFunc(s.Named, func(a, b Loss) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Reason, b.Reason))
	})
	return s
}

// Latest returns the newest figure of each live series that was given out after since: gauges as Level, the rest as Total.
func (r *Registry) Latest(since time.Time) []Point {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]Point, 0, r.alive)
	after := since.UnixMilli()
	for _, s := range r.series {
		for ; s != nil; s = s.next {
			if s.feeds == 0 || s.told <= after {
				continue
			}
			p := Point{Series: s, Form: Total, Time: time.UnixMilli(s.told), Value: s.given, Hist: s.givenSum}
			if classOf(s.Desc.Kind) == gauge {
				p.Form, p.Value = Level, s.value
			}
			out = append(out, p)
		}
	}
	return out
}
