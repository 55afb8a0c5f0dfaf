package sinks

import (
	"slices"
	"time"

	"github.com/navcloud/binnacle/agent/metric"
)

// seriesKey tells series apart.
type seriesKey struct {
	desc   *metric.Desc
	labels string
}

// idleSeries is how long a series may be silent before what is remembered of it is forgotten.
const idleSeries = time.Hour

// folder folds samples into windows by their own time, a minute or a second: a Gauge becomes a Gauge
// whose Hist holds the exact count, sum, least and largest value and no buckets, a Delta the sum, a Distribution
// the merged one. A window is ready once it has ended and delay went by; what comes for it after that makes
// another one of the same time.
type folder struct {
	increases
	width func(*metric.Desc) time.Duration
	delay time.Duration
	open  map[foldKey]*metric.Sample
}

type foldKey struct {
	seriesKey
	at int64
}

func newFolder(width func(*metric.Desc) time.Duration, delay time.Duration) *folder {
	return &folder{increases: newIncreases(), width: width, delay: delay, open: map[foldKey]*metric.Sample{}}
}

func (f *folder) put(dst []metric.Sample, s metric.Sample) []metric.Sample {
	s.Time = s.Time.Truncate(f.width(s.Desc))
	key := foldKey{seriesKey{s.Desc, s.Labels.Key()}, s.Time.Unix()}
	e := f.open[key]
	if e == nil {
		e = &metric.Sample{Desc: s.Desc, Labels: s.Labels, Time: s.Time}
		f.open[key] = e
	}
	fold(e, s)
	return dst
}

func fold(into *metric.Sample, s metric.Sample) {
	if s.Desc.Kind == metric.Delta {
		into.Value += s.Value
		return
	}
	if into.Hist == nil {
		into.Hist = &metric.Histogram{}
	}
	if s.Desc.Kind == metric.Distribution {
		into.Hist.Merge(s.Hist)
		return
	}
	h := into.Hist
	if h.Count == 0 {
		h.Min, h.Max = s.Value, s.Value
	}
	h.Count, h.Sum = h.Count+1, h.Sum+s.Value
	h.Min, h.Max = min(h.Min, s.Value), max(h.Max, s.Value)
}

func (f *folder) due(dst []metric.Sample, now time.Time, last bool) []metric.Sample {
	from := len(dst)
	for key, e := range f.open {
		ready := e.Time.Add(f.width(e.Desc))
		if f.width(e.Desc) >= time.Minute {
			ready = ready.Add(f.delay)
		}
		if !last && now.Before(ready) {
			continue
		}
		dst = append(dst, *e)
		delete(f.open, key)
	}
	slices.SortFunc(dst[from:], func(a, b metric.Sample) int { return a.Time.Compare(b.Time) })
	return dst
}
