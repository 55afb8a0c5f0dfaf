// Package rollup keeps the chosen series for long, thinned out to one sample every five minutes.
//
// What it keeps are copies: the last sample of each five minutes, as it was and when it was. So every query reads old
// and new alike, counters and native histograms among them, and where both stores have a sample there is still only
// one. The price is that what happened between two samples is not in a gauge; pools of capacity keep their largest.
package rollup

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"

	"github.com/navcloud/binnacle/agent/store"
)

// Every is the time between two samples that are kept.
const Every = 5 * time.Minute

const (
	lag   = 10 * time.Minute // until what agents send late has come, as far as the store takes it
	batch = time.Hour        // that is read at once; a multiple of Every
	rest  = 24 * time.Hour   // after which a series that is gone leaves its place to another
)

// Options are what a Rollup works with.
type Options struct {
	Config Config
	From   *store.Store // what agents collect
	To     *store.Store // what is kept
	Now    func() time.Time
	Log    *slog.Logger
}

// Stats say what is kept.
type Stats struct {
	Series  int       // of the last batch
	LeftOut int       // of them, since there were too many
	Refused int       // samples, since the start, by the database
	Until   time.Time // copied up to and with; zero: nothing yet
	Err     error     // why nothing is copied
}

// Rollup copies. Run is called once; Stats by anybody.
type Rollup struct {
	o    Options
	seen map[uint64]time.Time // by hash of labels, when it was last copied; of the goroutine in Run alone

	mu    sync.Mutex
	stats Stats
}

// New makes a Rollup. Its Config must be valid.
func New(o Options) *Rollup {
	return &Rollup{o: o, seen: map[uint64]time.Time{}, stats: Stats{Until: o.To.Newest()}}
}

// Stats returns what was last copied.
func (r *Rollup) Stats() Stats {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stats
}

// Run copies every five minutes until ctx ends, at first what the store has already.
func (r *Rollup) Run(ctx context.Context) error {
	for {
		now := r.o.Now()
		err := r.copy(ctx, now.Add(-lag).Truncate(Every))
		if ctx.Err() != nil {
			return nil
		}
		r.note(err)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(now.Truncate(Every).Add(Every).Sub(now)):
		}
	}
}

// note logs a fault when it comes and when it is over.
func (r *Rollup) note(err error) {
	r.mu.Lock()
	before := r.stats.Err
	r.stats.Err = err
	r.mu.Unlock()
	switch {
	case err != nil && before == nil:
		r.o.Log.Warn("the past is not kept", "err", err)
	case err == nil && before != nil:
		r.o.Log.Info("the past is kept again")
	}
}

// copy copies all five minutes up to end, which is on the edge of five minutes.
func (r *Rollup) copy(ctx context.Context, end time.Time) error {
	oldest := r.o.From.Stats().OldestAt
	if oldest.IsZero() {
		return nil // there is nothing yet
	}
	begin := r.Stats().Until.Add(Every - 1).Truncate(Every) // those five minutes are copied
	if begin.Before(oldest) {
		begin = oldest.Truncate(Every)
	}
	for begin.Before(end) {
		to := begin.Add(batch)
		if to.After(end) {
			to = end
		}
		if err := r.copyBatch(ctx, begin, to); err != nil {
			return err
		}
		begin = to
	}
	return nil
}

// sample is one that is kept; either v or h.
type sample struct {
	labels labels.Labels
	t      int64
	v      float64
	h      *histogram.FloatHistogram
}

// copyBatch copies what is after begin, up to and with end, five minutes after five minutes: the database wants
// samples in the order of their times.
func (r *Rollup) copyBatch(ctx context.Context, begin, end time.Time) error {
	windows := make([][]sample, end.Sub(begin)/Every)
	taken := map[uint64]bool{}
	left := 0
	for _, matchers := range r.o.Config.matchers() {
		n, err := r.read(ctx, matchers, begin, windows, taken)
		if err != nil {
			return err
		}
		left += n
	}
	refused := 0
	for _, w := range windows {
		n, err := write(ctx, r.o.To.Appendable(), w)
		if err != nil {
			return err
		}
		refused += n
	}
	for hash, at := range r.seen {
		if end.Sub(at) > rest {
			delete(r.seen, hash)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stats.Series, r.stats.LeftOut, r.stats.Until = len(taken), left, end
	r.stats.Refused += refused
	return nil
}

// read puts the last sample of each five minutes of the series that match into their windows, but of those taken before.
// It returns how many series were left out.
func (r *Rollup) read(ctx context.Context, matchers []*labels.Matcher, begin time.Time, windows [][]sample, taken map[uint64]bool) (left int, err error) {
	defer r.o.From.Hold()()
	end := begin.Add(time.Duration(len(windows)) * Every)
	q, err := r.o.From.Queryable().Querier(begin.UnixMilli()+1, end.UnixMilli())
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, q.Close()) }()
	set := q.Select(ctx, true, nil, matchers...)
	for set.Next() {
		s := set.At()
		hash := s.Labels().Hash()
		if taken[hash] {
			continue
		}
		if _, known := r.seen[hash]; !known && len(r.seen) >= r.o.Config.MaxSeries {
			left++
			continue
		}
		taken[hash], r.seen[hash] = true, end
		if err := last(s, begin, windows); err != nil {
			return left, err
		}
	}
	return left, set.Err()
}

// last appends the last sample of each five minutes to its window.
func last(s storage.Series, begin time.Time, windows [][]sample) error {
	ls := s.Labels()
	it := s.Iterator(nil)
	for kind := it.Next(); kind != chunkenc.ValNone; kind = it.Next() {
		found := sample{labels: ls}
		switch kind {
		case chunkenc.ValFloat:
			found.t, found.v = it.At()
		default:
			found.t, found.h = it.AtFloatHistogram(nil)
		}
		w := &windows[(found.t-begin.UnixMilli()-1)/Every.Milliseconds()]
		if n := len(*w); n > 0 && labels.Equal((*w)[n-1].labels, ls) {
			(*w)[n-1] = found
			continue
		}
		*w = append(*w, found)
	}
	return it.Err()
}

// write writes the samples of five minutes, and returns how many the database refused. One that it has already, which
// is read once more after a crash, it takes for what it is.
func write(ctx context.Context, to storage.AppendableV2, all []sample) (refused int, err error) {
	app := to.AppenderV2(ctx)
	for _, s := range all {
		if _, err := app.Append(0, s.labels, 0, s.t, s.v, nil, s.h, storage.AOptions{}); err != nil {
			refused++
		}
	}
	if err := app.Commit(); err != nil {
		return len(all), fmt.Errorf("rollup: %w", err)
	}
	return refused, nil
}
