package store

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/tsdb"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/agent/query"
)

// Point is a value at a time.
type Point struct {
	T time.Time
	V float64
}

// Series is one series of an answer.
type Series struct {
	Name   string // __name__, "" where the query dropped it
	Labels metric.Labels
	Points []Point
}

// Instant evaluates a PromQL query at one time. A scalar comes as one series without labels. Native
// histograms are told by their count; ask for histogram_quantile and the like to see into them.
func (s *Store) Instant(ctx context.Context, text string, at time.Time) ([]Series, error) {
	q, err := s.reader().NewInstantQuery(ctx, s.read, nil, text, at)
	if err != nil {
		return nil, fmt.Errorf("query %q: %w", text, err)
	}
	return s.exec(ctx, q, text)
}

// Range evaluates a PromQL query from start to end in steps.
func (s *Store) Range(ctx context.Context, text string, start, end time.Time, step time.Duration) ([]Series, error) {
	q, err := s.reader().NewRangeQuery(ctx, s.read, nil, text, start, end, step)
	if err != nil {
		return nil, fmt.Errorf("query %q: %w", text, err)
	}
	return s.exec(ctx, q, text)
}

// spends is how much CPU time a question of a person may use.
func (s *Store) spends() time.Duration {
	var series uint64
	_ = s.disk.with(func(db *tsdb.DB) error { // not open: there is nothing to ask
		series = db.Head().NumSeries()
		return nil
	})
	return s.opts.Query.Spends(series)
}

func (s *Store) exec(ctx context.Context, q promql.Query, text string) ([]Series, error) {
	defer q.Close()
	var res *promql.Result
	most := time.Duration(0)
	if query.IsByPerson(ctx) {
		most = s.spends()
	}
	query.Spend(ctx, most, func(ctx context.Context) { res = q.Exec(ctx) })
	if res.Err != nil {
		return nil, fmt.Errorf("query %q: %w", text, res.Err)
	}
	switch v := res.Value.(type) {
	case promql.Scalar:
		return []Series{{Points: []Point{{time.UnixMilli(v.T), v.V}}}}, nil
	case promql.Vector:
		out := make([]Series, 0, len(v))
		for _, sm := range v {
			out = append(out, instant(sm))
		}
		return out, nil
	case promql.Matrix:
		out := make([]Series, 0, len(v))
		for _, sr := range v {
			out = append(out, ranged(sr))
		}
		return out, nil
	}
	return nil, fmt.Errorf("query %q: want numbers, have a %s", text, res.Value.Type())
}

func instant(sm promql.Sample) Series {
	name, ls := own(sm.Metric.Map())
	v := sm.F
	if sm.H != nil {
		v = sm.H.Count
	}
	return Series{name, ls, []Point{{time.UnixMilli(sm.T), v}}}
}

func ranged(sr promql.Series) Series {
	name, ls := own(sr.Metric.Map())
	out := Series{name, ls, make([]Point, 0, len(sr.Floats)+len(sr.Histograms))}
	for _, p := range sr.Floats {
		out.Points = append(out.Points, Point{time.UnixMilli(p.T), p.F})
	}
	for _, p := range sr.Histograms {
		out.Points = append(out.Points, Point{time.UnixMilli(p.T), p.H.Count})
	}
	return out
}

func own(m map[string]string) (name string, ls metric.Labels) {
	for k, v := range m {
		if k == "__name__" {
			name = v
			continue
		}
		ls = append(ls, metric.Label{Name: k, Value: v})
	}
	return name, metric.Normalize(ls)
}
