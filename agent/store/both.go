package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/exemplar"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
)

// Querier implements storage.Queryable: over the database, and over what is in memory while that cannot be written. Faults
// of mapped memory in the goroutine that asks become panics, which the engine makes an error of.
func (d *disk) Querier(mint, maxt int64) (storage.Querier, error) {
	debug.SetPanicOnFault(true)
	d.mu.RLock()
	defer d.mu.RUnlock()
	all, err := ofAll(d.open2(), func(db *tsdb.DB) (storage.Querier, error) { return db.Querier(mint, maxt) })
	switch {
	case err != nil:
		return nil, err
	case len(all) == 1:
		return all[0], nil
	}
	return storage.NewMergeQuerier(all, nil, storage.ChainedSeriesMerge), nil
}

// ChunkQuerier implements storage.ChunkQueryable.
func (d *disk) ChunkQuerier(mint, maxt int64) (storage.ChunkQuerier, error) {
	debug.SetPanicOnFault(true)
	d.mu.RLock()
	defer d.mu.RUnlock()
	all, err := ofAll(d.open2(), func(db *tsdb.DB) (storage.ChunkQuerier, error) { return db.ChunkQuerier(mint, maxt) })
	switch {
	case err != nil:
		return nil, err
	case len(all) == 1:
		return all[0], nil
	}
	return storage.NewMergeChunkQuerier(all, nil, storage.NewCompactingChunkSeriesMerger(storage.ChainedSeriesMerge)), nil
}

// ofAll asks every database, and closes what was opened when one of them fails. The error is ErrOpening where there is none.
func ofAll[Q io.Closer](dbs []*tsdb.DB, ask func(*tsdb.DB) (Q, error)) ([]Q, error) {
	if len(dbs) == 0 {
		return nil, ErrOpening
	}
	all := make([]Q, 0, len(dbs))
	for _, db := range dbs {
		q, err := ask(db)
		if err != nil {
			for _, o := range all {
				err = errors.Join(err, o.Close())
			}
			return nil, err
		}
		all = append(all, q)
	}
	return all, nil
}

// ExemplarQuerier implements storage.ExemplarQueryable.
func (d *disk) ExemplarQuerier(ctx context.Context) (storage.ExemplarQuerier, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.db == nil {
		return nil, ErrOpening
	}
	return d.db.ExemplarQuerier(ctx)
}

// open2 are the databases that are open, at most two; d.mu is held.
func (d *disk) open2() []*tsdb.DB {
	switch {
	case d.db == nil && d.spare == nil:
		return nil
	case d.spare == nil:
		return []*tsdb.DB{d.db}
	case d.db == nil:
		return []*tsdb.DB{d.spare}
	}
	return []*tsdb.DB{d.db, d.spare}
}

// with calls f with the database, where that is open.
func (d *disk) with(f func(*tsdb.DB) error) error {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.db == nil {
		return ErrOpening
	}
	return f(d.db)
}

// StartTime is the time of the oldest sample, in ms.
func (d *disk) StartTime() (t int64, err error) {
	err = d.with(func(db *tsdb.DB) (err error) {
		t, err = db.StartTime()
		return err
	})
	return t, err
}

// AppenderV2 implements storage.AppendableV2. While the folder cannot be written, the samples go into memory.
func (d *disk) AppenderV2(ctx context.Context) storage.AppenderV2 {
	d.mu.RLock()
	defer d.mu.RUnlock()
	a := &appender{d: d, tag: d.era % tags << tagShift}
	switch {
	case d.spare != nil:
		a.spare, a.to = d.spare, d.spare.AppenderV2(ctx)
	case d.db != nil && d.fault.Load() == nil:
		a.to = d.db.AppenderV2(ctx)
	}
	return a
}

// A reference to a series is good for the database that gave it alone: in another one it would be another series. So it
// carries, in bits that the database does not use, from which era it is.
// Source: tsdb v0.316, chunks.HeadSeriesRef: at most 40 bits fit into the reference of a chunk; read 30 November 2026.
const (
	tagShift = 48
	tags     = 1 << 15
	tagMask  = (tags*2 - 1) << tagShift
)

// appender writes into the database that takes samples when it is made.
type appender struct {
	d     *disk
	to    storage.AppenderV2 // nil: none takes any
	spare *tsdb.DB
	tag   uint64
}

// Append implements storage.AppenderV2.
func (a *appender) Append(ref storage.SeriesRef, ls labels.Labels, st, t int64, v float64, h *histogram.Histogram, fh *histogram.FloatHistogram, opts storage.AOptions) (storage.SeriesRef, error) {
	if a.to == nil {
		return 0, a.closed()
	}
	if uint64(ref)&tagMask != a.tag {
		ref = 0
	}
	if a.d.refused.has(a.d.o, ref != 0, ls, h, fh) {
		return 0, nil // as the library does with illegal labels: the other series of a request are taken
	}
	ref &^= tagMask
	if a.spare != nil && ref == 0 && a.spare.Head().NumSeries() >= spareSeries {
		return 0, errSpareFull
	}
	ref, err := a.to.Append(ref, ls, st, t, v, h, fh, opts)
	if ref != 0 {
		ref |= storage.SeriesRef(a.tag)
	}
	return ref, err
}

// AppendExemplars implements storage.ExemplarAppenderV2, without which the library takes no remote-write.
func (a *appender) AppendExemplars(ref storage.SeriesRef, ls labels.Labels, exemplars []exemplar.Exemplar) (storage.SeriesRef, error) {
	to, ok := a.to.(storage.ExemplarAppenderV2)
	if !ok {
		return 0, a.closed()
	}
	if uint64(ref)&tagMask != a.tag {
		ref = 0
	}
	if ref == 0 && ls.Len() > a.d.o.LabelLimit {
		return 0, nil
	}
	ref, err := to.AppendExemplars(ref&^tagMask, ls, exemplars)
	if ref != 0 {
		ref |= storage.SeriesRef(a.tag)
	}
	return ref, err
}

var errSpareFull = fmt.Errorf("more than %d series while the history is in memory", spareSeries)

// closed is why nothing is taken.
func (a *appender) closed() error {
	if _, err := a.d.failing(); err != nil {
		return err
	}
	return ErrOpening
}

// Commit implements storage.AppenderV2. Where it fails, the next one writes into memory.
func (a *appender) Commit() error {
	if a.to == nil {
		return a.closed()
	}
	err := guard(a.to.Commit)
	if errors.Is(err, errPanic) {
		err = fmt.Errorf("%w: %w", errCommit, err)
	}
	if err != nil && a.spare == nil {
		a.d.broken(err)
	}
	return err
}

// Rollback implements storage.AppenderV2.
func (a *appender) Rollback() error {
	if a.to == nil {
		return nil
	}
	return a.to.Rollback()
}

// copySamples copies the samples of from between two times, both with, and returns how many were refused. It goes in spans
// of time, not in series: the database wants samples about in the order of their times.
func copySamples(from, to *tsdb.DB, mint, maxt int64) (refused int, err error) {
	for ; mint <= maxt; mint += copySpan.Milliseconds() {
		n, err := copySpanOf(from, to, mint, min(maxt, mint+copySpan.Milliseconds()-1))
		refused += n
		if err != nil {
			return refused, err
		}
	}
	return refused, nil
}

func copySpanOf(from, to *tsdb.DB, mint, maxt int64) (refused int, err error) {
	q, err := from.Querier(mint, maxt)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, q.Close()) }()
	app := to.AppenderV2(context.Background())
	set := q.Select(context.Background(), false, nil, labels.MustNewMatcher(labels.MatchRegexp, model.MetricNameLabel, ".*"))
	var it chunkenc.Iterator
	for set.Next() {
		ls := set.At().Labels()
		it = set.At().Iterator(it)
		var ref storage.SeriesRef
		for kind := it.Next(); kind != chunkenc.ValNone; kind = it.Next() {
			var aerr error
			if ref, aerr = appendOne(app, ref, ls, it, kind); aerr != nil {
				refused++
			}
		}
		if err := it.Err(); err != nil {
			return refused, errors.Join(err, app.Rollback())
		}
	}
	if err := set.Err(); err != nil {
		return refused, errors.Join(err, app.Rollback())
	}
	return refused, guard(app.Commit)
}

func appendOne(app storage.AppenderV2, ref storage.SeriesRef, ls labels.Labels, it chunkenc.Iterator, kind chunkenc.ValueType) (storage.SeriesRef, error) {
	switch kind {
	case chunkenc.ValFloat:
		t, v := it.At()
		return app.Append(ref, ls, 0, t, v, nil, nil, storage.AOptions{})
	case chunkenc.ValHistogram:
		t, h := it.AtHistogram(nil)
		return app.Append(ref, ls, 0, t, 0, h, nil, storage.AOptions{})
	default:
		t, fh := it.AtFloatHistogram(nil)
		return app.Append(ref, ls, 0, t, 0, nil, fh, storage.AOptions{})
	}
}
