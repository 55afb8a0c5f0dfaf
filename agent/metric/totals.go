package metric

import "time"

// Totals adds deltas up: destinations that want totals since a start (the store, remote-write, /metrics)
// turn a Delta into a Counter and a Distribution into one that only grows. Series that got nothing
// for the idle time are forgotten and start again at zero with a new start time, so memory is
// bounded by what is alive. It is not safe for concurrent use.
type Totals struct {
	idle   time.Duration
	series map[totalsKey]*total
}

type totalsKey struct {
	desc   *Desc
	labels string
}

type total struct {
	desc        *Desc
	labels      Labels
	start, last time.Time
	value       float64
	hist        *Histogram
}

// NewTotals makes Totals that forget a series after idle without a sample.
func NewTotals(idle time.Duration) *Totals {
	return &Totals{idle: idle, series: map[totalsKey]*total{}}
}

// Add returns s with the total in place of the delta, and when the total started; samples of other
// kinds come back as they are, with a zero start. The Histogram returned belongs to Totals and is
// valid until the next Add of the same series.
func (t *Totals) Add(s Sample) (Sample, time.Time) {
	if s.Desc.Kind != Delta && s.Desc.Kind != Distribution {
		return s, time.Time{}
	}
	k := totalsKey{s.Desc, s.Labels.Key()}
	e := t.series[k]
	if e == nil {
		e = &total{desc: s.Desc, labels: s.Labels, start: s.Time}
		t.series[k] = e
	}
	e.last = s.Time
	if s.Desc.Kind == Delta {
		e.value += s.Value
		s.Value = e.value
		return s, e.start
	}
	if e.hist == nil {
		e.hist = &Histogram{}
	}
	e.hist.Merge(s.Hist)
	s.Hist = e.hist
	return s, e.start
}

// Expire forgets the series that are idle at now and returns how many.
func (t *Totals) Expire(now time.Time) int {
	n := 0
	for k, e := range t.series {
		if now.Sub(e.last) > t.idle {
			delete(t.series, k)
			n++
		}
	}
	return n
}

// Standing yields the totals that got nothing since before, stamped at: a total that stands still has not
// ended, and a destination that hears nothing of it for minutes would think so. A Histogram
// belongs to Totals as in Add.
func (t *Totals) Standing(before, at time.Time) func(yield func(Sample) bool) {
	return func(yield func(Sample) bool) {
		for _, e := range t.series {
			if e.last.Before(before) && !yield(Sample{Desc: e.desc, Labels: e.labels, Time: at, Value: e.value, Hist: e.hist}) {
				return
			}
		}
	}
}

// Len returns the number of series held.
func (t *Totals) Len() int { return len(t.series) }
