package sinks

import (
	"maps"
	"math"
	"time"

	"github.com/navcloud/binnacle/agent/metric"
)

// wholes makes whole numbers of Deltas, which is all that StatsD's counters can be, and keeps the rest for the
// next of the series, so that sums stay exact to one.
type wholes struct {
	increases *increases
	rest      map[seriesKey]lastTotal
	swept     time.Time
	scratch   []metric.Sample
}

func (w *wholes) put(dst []metric.Sample, s metric.Sample) []metric.Sample {
	w.scratch = w.increases.put(w.scratch[:0], s)
	for _, s := range w.scratch {
		if s.Desc.Kind == metric.Delta {
			key := seriesKey{s.Desc, s.Labels.Key()}
			sum := s.Value + w.rest[key].value
			s.Value = math.Floor(sum + 1e-9)
			if left := sum - s.Value; left > 1e-9 {
				w.rest[key] = lastTotal{s.Time, left}
			} else {
				delete(w.rest, key)
			}
		}
		dst = append(dst, s)
	}
	return dst
}

func (w *wholes) due(dst []metric.Sample, now time.Time, last bool) []metric.Sample {
	if now.Sub(w.swept) > idleSeries {
		w.swept = now
		maps.DeleteFunc(w.rest, func(_ seriesKey, l lastTotal) bool { return now.Sub(l.at) > idleSeries })
	}
	return w.increases.due(dst, now, last)
}
