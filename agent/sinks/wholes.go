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
	increases
	rest  map[seriesKey]remainder
	swept time.Time
}

// remainder is what is left of a series' last Delta.
type remainder struct {
	at    time.Time
	value float64
}

func (w *wholes) put(dst []metric.Sample, s metric.Sample) []metric.Sample {
	if s.Desc.Kind == metric.Delta {
		key := seriesKey{s.Desc, s.Labels.Key()}
		sum := s.Value + w.rest[key].value
		s.Value = math.Floor(sum + 1e-9)
		if left := sum - s.Value; left > 1e-9 {
			w.rest[key] = remainder{s.Time, left}
		} else {
			delete(w.rest, key)
		}
	}
	return append(dst, s)
}

func (w *wholes) due(dst []metric.Sample, now time.Time, _ bool) []metric.Sample {
	if now.Sub(w.swept) > idleSeries {
		w.swept = now
		maps.DeleteFunc(w.rest, func(_ seriesKey, l remainder) bool { return now.Sub(l.at) > idleSeries })
	}
	return dst
}
