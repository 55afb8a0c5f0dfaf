package store

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/metadata"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/storage"

	"github.com/navcloud/binnacle/agent/metric"
)

// source is who sends samples: a collector. The series that it sends no more end at once, by a stale
// marker, since the last value must not pass for today's.
type source struct {
	round  uint64
	series map[seriesKey]*series
}

type seriesKey struct {
	desc   *metric.Desc
	labels string
}

type series struct {
	labels labels.Labels
	desc   *metric.Desc
	own    metric.Labels
	ref    storage.SeriesRef
	round  uint64
	start  time.Time // of the total, for what is added up
	last   time.Time // when it got something
	total  float64
	hist   *metric.Histogram
}

// Append writes what source sent in one collection. A sample that the database refuses is counted by
// reason and the others are written; the error is for what concerns all of them, such as a full disk.
func (s *Store) Append(ctx context.Context, from string, at time.Time, samples []metric.Sample) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	src := s.sources[from]
	if src == nil {
		src = &source{series: map[seriesKey]*series{}}
		s.sources[from] = src
	}
	src.round++
	app := s.db.AppenderV2(ctx)
	for _, sm := range samples {
		e := s.entry(src, sm)
		if e == nil {
			continue
		}
		e.round, e.last = src.round, sm.Time
		s.put(app, e, sm.Time, e.add(sm))
	}
	s.endOthers(app, src, at)
	s.latest.note(from, src)
	if err := app.Commit(); err != nil {
		s.refused["commit"] += float64(len(samples))
		return fmt.Errorf("store: %w", err)
	}
	return nil
}

// entry finds the series of sm, and opens it.
func (s *Store) entry(src *source, sm metric.Sample) *series {
	key := seriesKey{sm.Desc, sm.Labels.Key()}
	if e := src.series[key]; e != nil {
		return e
	}
	if s.series >= s.opts.MaxSeries {
		s.refused["max_series"]++
		return nil
	}
	b := labels.NewScratchBuilder(len(sm.Labels) + 1)
	b.Add(model.MetricNameLabel, metric.PromName(sm.Desc))
	for _, l := range sm.Labels {
		b.Add(labelName(l.Name), l.Value)
	}
	b.Sort()
	ls := b.Labels()
	if _, has := ls.HasDuplicateLabelNames(); has {
		s.refused["duplicate_label"]++
		return nil
	}
	e := &series{labels: ls, desc: sm.Desc, own: sm.Labels}
	src.series[key] = e
	s.series++
	return e
}

// labelName makes a legal label name; a colon, legal in a metric's, is not in a label's.
func labelName(name string) string {
	name = metric.Sanitize(name)
	b := []byte(name)
	for i, c := range b {
		if c == ':' {
			b[i] = '_'
		}
	}
	return string(b)
}

// add folds sm into the series' total where its kind wants that, and returns the value to write.
func (e *series) add(sm metric.Sample) float64 {
	switch e.desc.Kind {
	case metric.Delta:
		e.total += sm.Value
	case metric.Distribution:
		if e.hist == nil {
			e.hist = &metric.Histogram{}
		}
		e.hist.Merge(sm.Hist)
	default:
		e.total = sm.Value
	}
	return e.total
}

func (e *series) sums() bool {
	return e.desc.Kind == metric.Delta || e.desc.Kind == metric.Distribution
}

// endOthers writes the totals of what got nothing this time once more, for a total stands still and
// does not vanish, and ends the series that are gone.
func (s *Store) endOthers(app storage.AppenderV2, src *source, at time.Time) {
	for key, e := range src.series {
		if e.round == src.round {
			continue
		}
		if e.sums() && at.Sub(e.last) < s.opts.Idle {
			s.put(app, e, at, e.total)
			continue
		}
		if e.ref != 0 {
			_, err := app.Append(e.ref, e.labels, 0, at.UnixMilli(), math.Float64frombits(value.StaleNaN), nil, nil, storage.AOptions{})
			s.count(err)
		}
		delete(src.series, key)
		s.series--
	}
}

func (s *Store) put(app storage.AppenderV2, e *series, at time.Time, v float64) {
	var st int64
	if e.sums() {
		if e.start.IsZero() {
			e.start = at.Add(-s.opts.Interval)
		}
		st = e.start.UnixMilli()
	}
	var fh *histogram.FloatHistogram
	if e.desc.Kind == metric.Distribution {
		fh, v = native(e.hist), 0
	}
	ref, err := app.Append(e.ref, e.labels, st, at.UnixMilli(), v, nil, fh, storage.AOptions{
		MetricFamilyName: e.labels.Get(model.MetricNameLabel),
		Metadata:         metadata.Metadata{Type: promType(e.desc.Kind), Unit: string(e.desc.Unit), Help: e.desc.Help},
	})
	if ref != 0 {
		e.ref = ref
	}
	s.count(err)
}

func promType(k metric.Kind) model.MetricType {
	switch k {
	case metric.Counter, metric.Delta:
		return model.MetricTypeCounter
	case metric.Distribution:
		return model.MetricTypeHistogram
	}
	return model.MetricTypeGauge
}

// count notes why a sample was refused.
func (s *Store) count(err error) {
	var partial *storage.AppendPartialError
	switch {
	case err == nil || errors.As(err, &partial):
	case errors.Is(err, storage.ErrOutOfOrderSample), errors.Is(err, storage.ErrTooOldSample):
		s.refused["too_old"]++
	case errors.Is(err, storage.ErrDuplicateSampleForTimestamp):
		s.refused["duplicate"]++
	case errors.Is(err, storage.ErrOutOfBounds):
		s.refused["out_of_bounds"]++
	default:
		s.refused["other"]++
	}
}

// native makes the Prometheus form of h: a float histogram of the same schema.
func native(h *metric.Histogram) *histogram.FloatHistogram {
	fh := &histogram.FloatHistogram{
		Schema: metric.Schema, ZeroThreshold: zeroThreshold, ZeroCount: h.Zero, Count: h.Count, Sum: h.Sum,
	}
	fh.PositiveSpans, fh.PositiveBuckets = spans(h.Positive)
	fh.NegativeSpans, fh.NegativeBuckets = spans(h.Negative)
	return fh
}

// zeroThreshold is the library's default width of the zero bucket, 2^-128.
const zeroThreshold = 2.938735877055719e-39

// maxGap is how many empty buckets are cheaper to write than a new span.
const maxGap = 2

func spans(buckets func(func(int32, float64) bool)) (out []histogram.Span, counts []float64) {
	last := int32(0)
	for i, c := range buckets {
		gap := i - last - 1
		switch {
		case len(out) == 0:
			out = append(out, histogram.Span{Offset: i, Length: 1})
		case gap <= maxGap:
			for range gap {
				counts = append(counts, 0)
			}
			out[len(out)-1].Length += uint32(gap) + 1
		default:
			out = append(out, histogram.Span{Offset: gap, Length: 1})
		}
		counts = append(counts, c)
		last = i
	}
	return out, counts
}
