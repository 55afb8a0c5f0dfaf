package sinks

import (
	"time"

	"github.com/navcloud/binnacle/agent/metric"
)

// standingEvery is how often a total that does not move is told again: well below the five minutes after
// which Prometheus takes a series for ended.
const standingEvery = time.Minute

// totals turn Deltas and Distributions into what only grows, for destinations of Prometheus' kind.
// They stand before the queue: what the queue loses then costs resolution and no count. A series
// opens with a zero, or its first figure would be no increase.
type totals struct {
	sums *metric.Totals
	told time.Time
}

func newTotals() *totals { return &totals{sums: metric.NewTotals(idleSeries)} }

func (t *totals) put(dst []metric.Sample, s metric.Sample) []metric.Sample {
	sum, start := t.sums.Add(s)
	if !start.IsZero() && start.Equal(s.Time) {
		zero := metric.Sample{Desc: s.Desc, Labels: s.Labels, Time: s.Time.Add(-time.Millisecond)}
		if s.Hist != nil {
			zero.Hist = &metric.Histogram{}
		}
		dst = append(dst, zero)
	}
	return append(dst, owned(sum))
}

func (t *totals) due(dst []metric.Sample, now time.Time, last bool) []metric.Sample {
	if last || now.Sub(t.told) < standingEvery {
		return dst
	}
	t.told = now
	t.sums.Expire(now)
	for s := range t.sums.Standing(now.Add(-standingEvery), now) {
		dst = append(dst, owned(s))
	}
	return dst
}

// owned gives s a histogram of its own, since that of a total goes on changing.
func owned(s metric.Sample) metric.Sample {
	if s.Hist != nil {
		s.Hist = s.Hist.Clone()
	}
	return s
}
