package scrape

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	prom "github.com/prometheus/prometheus/scrape"
	"github.com/prometheus/prometheus/storage"

	"github.com/navcloud/binnacle/agent/metric"
)

// target is what is remembered of a target between two scrapes.
type target struct {
	source string        // under which its samples are delivered
	base   metric.Labels // of this node, where the target is on it

	mu      sync.Mutex
	entries map[storage.SeriesRef]*entry
	first   *entry // of the last scrape
	next    storage.SeriesRef
	sized   int // samples of the last scrape
}

// entry is one series of a target.
type entry struct {
	ref    storage.SeriesRef // 0 once it has ended
	after  *entry            // came after it in the last scrape, and will again
	desc   *metric.Desc
	labels metric.Labels
	last   *histogram.FloatHistogram // of a native histogram: the last total
}

// AppenderV2 is called by the library for each scrape; ctx says of which target.
func (c *collector) AppenderV2(ctx context.Context) storage.AppenderV2 {
	t, ok := prom.TargetFromContext(ctx)
	if !ok {
		return &appender{c: c, t: &target{}, batch: &metric.Batch{}}
	}
	known := c.target(t)
	return &appender{c: c, t: known, batch: metric.NewBatch(known.sized + 8)}
}

// appender gathers one scrape. The library has one at a time for each target.
type appender struct {
	c     *collector
	t     *target
	batch *metric.Batch
	last  *entry // that was appended to
	at    int64
}

// Append takes one sample. A series that is marked as stale is left out: what a batch does not have has ended.
func (a *appender) Append(ref storage.SeriesRef, ls labels.Labels, _, at int64, v float64, h *histogram.Histogram, fh *histogram.FloatHistogram, o storage.AOptions) (storage.SeriesRef, error) {
	a.t.mu.Lock()
	defer a.t.mu.Unlock()
	a.at = max(a.at, at)
	if value.IsStaleNaN(v) && h == nil && fh == nil || h != nil && value.IsStaleNaN(h.Sum) || fh != nil && value.IsStaleNaN(fh.Sum) {
		if e := a.t.entries[ref]; e != nil {
			e.ref = 0
			delete(a.t.entries, ref)
		}
		return ref, nil
	}
	e := a.known(ref)
	if e == nil {
		e = a.c.entry(a.t, ls, h != nil || fh != nil, o)
		a.keep(e, ref)
	}
	a.last, ref = e, e.ref
	if e.desc == nil {
		a.c.env.Reject("reserved", ls.Get(model.MetricNameLabel))
		return ref, nil
	}
	s := metric.Sample{Desc: e.desc, Labels: e.labels, Time: time.UnixMilli(at), Value: v}
	if h != nil {
		fh = h.ToFloat(nil)
	}
	if fh != nil {
		if s.Hist = e.since(fh); s.Hist == nil {
			return ref, nil // the first total: what it grew by is not known
		}
	}
	a.batch.Samples = append(a.batch.Samples, s)
	return ref, nil
}

// known returns the series of a reference; nil where it is seen for the first time, or has ended. A target exposes its
// series in the same order each time, nearly always.
func (a *appender) known(ref storage.SeriesRef) *entry {
	if ref == 0 {
		return nil
	}
	guess := a.guess()
	if e := *guess; e != nil && e.ref == ref {
		return e
	}
	e := a.t.entries[ref]
	*guess = e
	return e
}

// guess is what came after the last one in the scrape before.
func (a *appender) guess() **entry {
	if a.last == nil {
		return &a.t.first
	}
	return &a.last.after
}

// keep remembers a series under the library's reference, or a new one.
func (a *appender) keep(e *entry, ref storage.SeriesRef) {
	if ref == 0 {
		a.t.next++
		ref = a.t.next
	}
	if a.t.entries == nil {
		a.t.entries = map[storage.SeriesRef]*entry{}
	}
	e.ref = ref
	a.t.entries[ref] = e
	*a.guess() = e
}

// Commit delivers the scrape as one batch.
func (a *appender) Commit() error {
	a.t.sized = len(a.batch.Samples)
	if a.at != 0 {
		a.batch.Time = time.UnixMilli(a.at)
		a.c.deliver(a.t, a.batch)
	}
	return nil
}

// Rollback forgets the scrape.
func (a *appender) Rollback() error {
	a.batch.Done()
	return nil
}

// entry describes a series that is seen for the first time. Its Desc is nil where it would speak as one of our own.
func (c *collector) entry(t *target, ls labels.Labels, native bool, o storage.AOptions) *entry {
	name := ls.Get(model.MetricNameLabel)
	if ls.Get(model.JobLabel) == "" && c.env.Reserved != nil && c.env.Reserved(name) {
		return &entry{}
	}
	own := make(metric.Labels, 0, ls.Len())
	ls.Range(func(l labels.Label) {
		if l.Name != model.MetricNameLabel {
			own = append(own, metric.Label{Name: l.Name, Value: l.Value})
		}
	})
	return &entry{desc: c.describe(name, native, o), labels: metric.Normalize(own).Merge(t.base)}
}

// describe returns the one Desc of a name. Where targets differ about its type, the first one holds: two kinds of one name
// would be lost by turns.
func (c *collector) describe(name string, native bool, o storage.AOptions) *metric.Desc {
	c.mu.Lock()
	defer c.mu.Unlock()
	if d := c.descs[name]; d != nil && (d.Kind == metric.Distribution) == native {
		return d
	}
	d := &metric.Desc{Name: name, Kind: kindOf(name, o), Unit: unitOf(name), Help: o.Metadata.Help, Exact: true}
	if native {
		d.Kind = metric.Distribution
	}
	c.descs[name] = d
	return d
}

// kindOf says what adds up. Sums of histograms do, unless they observe what is negative, which nobody says; the registry
// counts those that fall below zero.
func kindOf(name string, o storage.AOptions) metric.Kind {
	switch o.Metadata.Type {
	case model.MetricTypeCounter:
		if !strings.HasSuffix(name, "_created") {
			return metric.Counter
		}
	case model.MetricTypeHistogram, model.MetricTypeSummary:
		for _, suffix := range []string{"_bucket", "_count", "_sum"} {
			if strings.HasSuffix(name, suffix) {
				return metric.Counter
			}
		}
	}
	return metric.Gauge
}

func unitOf(name string) metric.Unit {
	name = strings.TrimSuffix(name, "_total")
	for _, u := range []metric.Unit{metric.Seconds, metric.Bytes, metric.Ratio, metric.Celsius} {
		if strings.HasSuffix(name, "_"+string(u)) {
			return u
		}
	}
	return metric.Count
}

// since returns what a native histogram grew by since it was last read; nil at the first time. One that fell began anew.
func (e *entry) since(fh *histogram.FloatHistogram) *metric.Histogram {
	last := e.last
	e.last = fh.Copy()
	if last == nil {
		return nil
	}
	grown := fh
	if !fh.DetectReset(last) {
		if diff, _, _, err := fh.Copy().Sub(last); err == nil {
			grown = diff
		}
	}
	return translate(grown)
}

// translate makes our form of a native histogram. A bucket of a finer or coarser schema, or of own bounds, goes to the
// bucket of its upper bound: the error is that of the source.
func translate(fh *histogram.FloatHistogram) *metric.Histogram {
	h := &metric.Histogram{}
	it := fh.AllBucketIterator()
	for it.Next() {
		b := it.At()
		if b.Count <= 0 {
			continue
		}
		switch {
		case b.Lower < 0 && b.Upper > 0: // around zero
			h.Observe(0, b.Count)
		case b.Upper <= 0:
			h.Observe(b.Lower, b.Count)
		default:
			h.Observe(b.Upper, b.Count)
		}
	}
	h.Sum = fh.Sum
	return h
}
