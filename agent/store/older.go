package store

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/storage"
)

// whole is a database to read from, and older, where it is set, what came before: copies of some of its samples, which
// are kept for longer. A sample that both have is one.
type whole struct {
	*disk
	past *atomic.Pointer[past]
}

// past is a database of what came before, and the time between two of its samples.
type past struct {
	*disk
	every time.Duration
}

// ReadOlder makes the queries of people that begin before this store does read on in older; rules judge by this store
// alone. It may be called while queries run.
func (s *Store) ReadOlder(older *Store) { s.read.past.Store(&past{older.disk, older.opts.Interval}) }

// before returns what is wanted besides for what begins at mint, in ms; nil where nothing is.
func (w whole) before(mint int64) *past {
	older := w.past.Load()
	if older == nil {
		return nil
	}
	if begin, err := w.StartTime(); err == nil && mint >= begin {
		return nil
	}
	return older
}

// reader evaluates queries. Where one begins in older, whose samples stand further apart than the engine looks back,
// it looks back further.
type reader struct {
	engine promql.QueryEngine
	read   whole
}

func (s *Store) reader() reader { return reader{s.engine, s.read} }

// NewInstantQuery implements promql.QueryEngine.
func (r reader) NewInstantQuery(ctx context.Context, q storage.Queryable, opts promql.QueryOpts, query string, at time.Time) (promql.Query, error) {
	return r.engine.NewInstantQuery(ctx, q, r.back(opts, at), query, at)
}

// NewRangeQuery implements promql.QueryEngine.
func (r reader) NewRangeQuery(ctx context.Context, q storage.Queryable, opts promql.QueryOpts, query string, start, end time.Time, step time.Duration) (promql.Query, error) {
	return r.engine.NewRangeQuery(ctx, q, r.back(opts, start), query, start, end, step)
}

func (r reader) back(opts promql.QueryOpts, start time.Time) promql.QueryOpts {
	older := r.read.before(start.UnixMilli())
	if older == nil || opts != nil && opts.LookbackDelta() > 0 {
		return opts
	}
	wide := 2*older.every + time.Minute
	if opts == nil {
		return promql.NewPrometheusQueryOpts(false, wide, nil)
	}
	return promql.NewPrometheusQueryOpts(opts.EnablePerStepStats(), wide, opts.UseStartTimestamps())
}

// Querier implements storage.Queryable.
func (w whole) Querier(mint, maxt int64) (storage.Querier, error) {
	q, err := w.disk.Querier(mint, maxt)
	older := w.before(mint)
	if err != nil || older == nil {
		return q, err
	}
	old, err := older.Querier(mint, maxt)
	if err != nil {
		return nil, errors.Join(err, q.Close())
	}
	return storage.NewMergeQuerier([]storage.Querier{q, old}, nil, storage.ChainedSeriesMerge), nil
}

// ChunkQuerier implements storage.ChunkQueryable.
func (w whole) ChunkQuerier(mint, maxt int64) (storage.ChunkQuerier, error) {
	q, err := w.disk.ChunkQuerier(mint, maxt)
	older := w.before(mint)
	if err != nil || older == nil {
		return q, err
	}
	old, err := older.ChunkQuerier(mint, maxt)
	if err != nil {
		return nil, errors.Join(err, q.Close())
	}
	merge := storage.NewCompactingChunkSeriesMerger(storage.ChainedSeriesMerge)
	return storage.NewMergeChunkQuerier([]storage.ChunkQuerier{q, old}, nil, merge), nil
}
