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
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/agent/series"
)

// Append resolves what source sent in one collection and writes it: for a store that shares no registry.
func (s *Store) Append(ctx context.Context, from string, at time.Time, samples []metric.Sample) error {
	return s.Write(ctx, s.series.Resolve(from, at, nil, samples))
}

// Write writes an update of the registry. A sample that the database refuses is counted by reason and the others are
// written; the error is for what concerns all of them, such as a full disk.
func (s *Store) Write(ctx context.Context, u series.Update) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	app := s.disk.AppenderV2(ctx)
	for i := range u.Points {
		if p := &u.Points[i]; p.Form != series.Added {
			s.put(app, p)
		}
	}
	for _, e := range u.Ended {
		// The last value must not pass for today's.
		if ref := s.ref(e); ref != 0 {
			_, err := app.Append(ref, promLabels(e), 0, u.At.UnixMilli(), math.Float64frombits(value.StaleNaN), nil, nil, storage.AOptions{})
			s.count(err)
			e.Kept = series.Seat{}
		}
	}
	if err := app.Commit(); err != nil {
		s.refused["commit"] += float64(len(u.Points))
		return fmt.Errorf("store: %w", err)
	}
	return nil
}

// ref is the database's number of a series; 0 where it has none yet.
func (s *Store) ref(e *series.Series) storage.SeriesRef {
	if e.Kept.Keeper != s {
		return 0
	}
	return storage.SeriesRef(e.Kept.Ref)
}

func promLabels(e *series.Series) labels.Labels {
	b := labels.NewScratchBuilder(len(e.Labels) + 1)
	b.Add(model.MetricNameLabel, e.Name)
	for _, l := range e.Labels {
		b.Add(l.Name, l.Value)
	}
	b.Sort()
	return b.Labels()
}

func (s *Store) put(app storage.AppenderV2, p *series.Point) {
	var fh *histogram.FloatHistogram
	v := p.Value
	if p.Desc.Kind == metric.Distribution {
		fh, v = native(p.Hist), 0
	}
	ref := s.ref(p.Series)
	known := ref != 0
	var ls labels.Labels // a reference does without
	if !known {
		ls = promLabels(p.Series)
	}
	got, err := app.Append(ref, ls, 0, p.Time.UnixMilli(), v, nil, fh, storage.AOptions{})
	if known && errors.Is(err, tsdb.ErrInvalidSample) { // the database has given the series up
		got, err = app.Append(0, promLabels(p.Series), 0, p.Time.UnixMilli(), v, nil, fh, storage.AOptions{})
	}
	if got != 0 && got != ref {
		p.Kept = series.Seat{Keeper: s, Ref: uint64(got)}
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
	if err == nil {
		return
	}
	var partial *storage.AppendPartialError
	switch {
	case errors.As(err, &partial):
	case errors.Is(err, storage.ErrOutOfOrderSample), errors.Is(err, storage.ErrTooOldSample):
		s.refused["too_old"]++
		s.disk.tooOld()
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
