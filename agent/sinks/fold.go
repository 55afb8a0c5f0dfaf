package sinks

import (
	"maps"
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

// increases turns Counters into Deltas: what was added since the sample before. A counter that fell
// was restarted, and what it shows was added since. The first sample of a series yields nothing.
type increases struct {
	last  map[seriesKey]*lastTotal
	descs map[*metric.Desc]*metric.Desc
	swept time.Time
}

type lastTotal struct {
	at    time.Time
	value float64
}

func newIncreases() *increases {
	return &increases{last: map[seriesKey]*lastTotal{}, descs: map[*metric.Desc]*metric.Desc{}}
}

func (c *increases) put(dst []metric.Sample, s metric.Sample) []metric.Sample {
	if s.Desc.Kind != metric.Counter {
		return append(dst, s)
	}
	key := seriesKey{s.Desc, s.Labels.Key()}
	before := c.last[key]
	if before == nil {
		c.last[key] = &lastTotal{s.Time, s.Value}
		return dst
	}
	if !s.Time.After(before.at) {
		return dst // a repetition, or late: the total that came after it has it already
	}
	add := s.Value - before.value
	if add < 0 {
		add = s.Value
	}
	*before = lastTotal{s.Time, s.Value}
	s.Desc, s.Value = c.delta(s.Desc), add
	return append(dst, s)
}

// delta returns the Desc of d's increases, the same for the same d.
func (c *increases) delta(d *metric.Desc) *metric.Desc {
	out := c.descs[d]
	if out == nil {
		out = &metric.Desc{Name: d.Name, Kind: metric.Delta, Unit: d.Unit, Help: d.Help}
		c.descs[d] = out
	}
	return out
}

func (c *increases) due(dst []metric.Sample, now time.Time, _ bool) []metric.Sample {
	if now.Sub(c.swept) > idleSeries {
		c.swept = now
		maps.DeleteFunc(c.last, func(_ seriesKey, l *lastTotal) bool { return now.Sub(l.at) > idleSeries })
	}
	return dst
}

// folder folds samples into windows by their own time, a minute or a second: a Gauge becomes a Gauge
// whose Hist holds the exact count, sum, least and largest value and no buckets, a Delta the sum, a Distribution
// the merged one. A window is ready once it has ended and delay went by; what comes for it after that makes
// another one of the same time.
type folder struct {
	increases *increases
	width     func(*metric.Desc) time.Duration
	delay     time.Duration
	open      map[foldKey]*metric.Sample
	scratch   []metric.Sample
}

type foldKey struct {
	seriesKey
	at int64
}

func newFolder(width func(*metric.Desc) time.Duration, delay time.Duration) *folder {
	return &folder{increases: newIncreases(), width: width, delay: delay, open: map[foldKey]*metric.Sample{}}
}

func (f *folder) put(dst []metric.Sample, s metric.Sample) []metric.Sample {
	f.scratch = f.increases.put(f.scratch[:0], s)
	for _, s := range f.scratch {
		s.Time = s.Time.Truncate(f.width(s.Desc))
		key := foldKey{seriesKey{s.Desc, s.Labels.Key()}, s.Time.Unix()}
		e := f.open[key]
		if e == nil {
			e = &metric.Sample{Desc: s.Desc, Labels: s.Labels, Time: s.Time}
			f.open[key] = e
		}
		fold(e, s)
	}
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
	f.increases.due(nil, now, last)
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
