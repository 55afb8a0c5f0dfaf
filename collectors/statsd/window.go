package statsd

import (
	"sync"
	"time"

	"github.com/navcloud/binnacle/agent/metric"
)

// Options bound a Window.
type Options struct {
	MaxSeries int           // over it, new series of a metric share one, labelled binnacle_overflow="true"
	Keep      time.Duration // after its last line a gauge is repeated, and a counter says 0, this long
	Expire    time.Duration // after its last line a series is forgotten; at least Keep
	Node      string        // the name of this node
	// Reserved says whether a metric, by its name as Prometheus has it, is one of a collector's. nil: none is.
	Reserved func(name string) bool
}

// Window gathers what its Tables fold, until it is closed and the next one opens.
type Window struct {
	o      Options
	tables []*Table

	notes notes

	mu     sync.Mutex
	meters map[string]*meter // by the name that Prometheus has
}

// meter is a metric: one Desc for all its series, and one type of lines, for as long as there is one. Timers and
// distributions count as one type.
type meter struct {
	desc *metric.Desc
	set  bool
	name string
	refs int
}

// NewWindow makes a Window with a Table for each reader.
func NewWindow(o Options, readers int) *Window {
	w := &Window{o: o, meters: map[string]*meter{}}
	for range readers {
		w.tables = append(w.tables, newTable(w))
	}
	return w
}

// Table returns the table of reader i.
func (w *Window) Table(i int) *Table { return w.tables[i] }

// meter returns the metric of a name, which whoever asked must release; nil where the name has another type.
func (w *Window) meter(typ Type, name string) *meter {
	w.mu.Lock()
	defer w.mu.Unlock()
	d := describe(typ, name)
	key := metric.PromName(d)
	m := w.meters[key]
	switch {
	case m == nil:
		m = &meter{name: key, desc: d, set: typ == Set}
		w.meters[key] = m
	case m.desc.Kind != d.Kind || m.set != (typ == Set):
		return nil
	}
	m.refs++
	return m
}

func (w *Window) retain(m *meter) {
	w.mu.Lock()
	defer w.mu.Unlock()
	m.refs++
}

func (w *Window) release(m *meter) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if m.refs--; m.refs == 0 {
		delete(w.meters, m.name)
	}
}

func describe(typ Type, name string) *metric.Desc {
	d := &metric.Desc{Name: name}
	switch typ {
	case Counter:
		d.Kind = metric.Delta
	case Timer:
		d.Kind, d.Unit = metric.Distribution, metric.Seconds
	case Distribution:
		d.Kind = metric.Distribution
	}
	return d
}

// slice is how many series are closed under one hold of a table's lock: some 30 µs, so that a closer that
// loses its core holds no reader up for long on most of its way.
const slice = 256

// Close appends to b what the window holds, at b.Time, and opens the next. Lines that are folded
// meanwhile count once, in this window or the next. One goroutine closes.
//
// A Delta is the sum, weighted by sample rates; a gauge its last value; a Distribution all that was
// observed; a set, as a gauge, the number of its members in this window. Where several tables saw one gauge, the
// last absolute value counts, and the changes that came with it or to tables that saw no absolute one.
func (w *Window) Close(b *metric.Batch) {
	first := w.tables[0]
	for _, t := range w.tables[1:] {
		t.mergeInto(first)
	}
	for _, t := range w.tables {
		t.loose(b)
	}
	first.close(b)
}

// loose appends events and the values that have a time of their own.
func (t *Table) loose(b *metric.Batch) {
	t.mu.Lock()
	timed, events := t.timed, t.events
	t.timed, t.events = nil, nil
	t.mu.Unlock()
	b.Samples = append(b.Samples, timed...)
	b.Events = append(b.Events, events...)
}

// each calls do for every series, a slice at a time under the lock; do may drop the one it is given.
func (t *Table) each(do func(i int, c *cell)) {
	t.mu.Lock()
	at := len(t.cells)
	t.mu.Unlock()
	for at > 0 {
		t.mu.Lock()
		// What do drops is replaced by a later one, and only this goroutine drops: at stays inside.
		for end := max(at-slice, 0); at > end; at-- {
			do(at-1, t.cells[at-1])
		}
		t.mu.Unlock()
	}
}

func (t *Table) close(b *metric.Batch) {
	t.mu.Lock()
	t.bigSets = 0
	n := len(t.cells)
	t.mu.Unlock()
	if need := len(b.Samples) + n; need > cap(b.Samples) {
		grown := make([]metric.Sample, len(b.Samples), need+32)
		copy(grown, b.Samples)
		b.Samples = grown
	}
	now := b.Time.UnixNano()
	t.each(func(i int, c *cell) {
		idle := time.Duration(now - c.at)
		if !c.fresh && idle > t.w.o.Expire {
			t.drop(i)
			return
		}
		if c.fresh || c.live && idle <= t.w.o.Keep && (c.typ == Counter || c.typ == Gauge) {
			b.Samples = append(b.Samples, c.take(b.Time))
		}
	})
	t.mu.Lock()
	t.sweep()
	t.mu.Unlock()
}

// take returns the series' sample and opens its next window.
func (c *cell) take(at time.Time) metric.Sample {
	s := metric.Sample{Desc: c.meter.desc, Labels: c.labels, Time: at}
	switch c.typ {
	case Counter:
		s.Value, c.value = c.value, 0
	case Gauge:
		if !c.abs {
			c.value += c.carry
		}
		s.Value, c.carry, c.value, c.abs = c.value, c.value, 0, false
	case Set:
		s.Value, c.set = c.set.count(), nil
	default:
		s.Hist = c.takeHist()
	}
	c.fresh = false
	return s
}

// takeHist returns the distribution, which is the caller's from here on.
func (c *cell) takeHist() *metric.Histogram {
	h := *c.hist
	*c.hist = metric.Histogram{}
	return &h
}

// mergeInto moves what t's window holds into the table dst.
func (t *Table) mergeInto(dst *Table) {
	t.mu.Lock()
	t.bigSets = 0
	t.mu.Unlock()
	expire := t.w.o.Expire
	t.each(func(i int, c *cell) {
		if !c.fresh {
			// Its own idle time runs by what was seen last in this table.
			if time.Duration(t.latest-c.at) > expire {
				t.drop(i)
			}
			return
		}
		dst.absorb(c)
		c.value, c.carry, c.abs, c.fresh, c.set = 0, 0, false, false, nil
		if c.hist != nil {
			*c.hist = metric.Histogram{}
		}
	})
	t.mu.Lock()
	t.sweep()
	t.mu.Unlock()
}

// absorb adds what c holds to the series of the same key, making it where there is room.
func (t *Table) absorb(c *cell) {
	t.mu.Lock()
	defer t.mu.Unlock()
	d := t.index[c.key]
	if d == nil {
		d = t.adopt(c)
	}
	switch c.typ {
	case Counter:
		d.value += c.value
	case Gauge:
		switch {
		case !c.abs:
			d.value += c.value
		case !d.abs:
			d.value, d.abs = d.value+c.value, true
		case c.at > d.at:
			d.value = c.value
		}
	case Set:
		if d.set == nil {
			d.set = c.set
		} else {
			d.set.merge(c.set)
		}
	default:
		if d.hist.Count == 0 {
			*d.hist = *c.hist // which the caller forgets
		} else {
			d.hist.Merge(c.hist)
		}
	}
	d.at, d.fresh, d.live = max(d.at, c.at), true, true
}

// adopt makes the series of c in t. Each reader's table held to the bound, so all of them hold to it
// as often as there are readers.
func (t *Table) adopt(c *cell) *cell {
	t.w.retain(c.meter)
	d := newCell(cell{meter: c.meter, typ: c.typ, key: c.key, labels: c.labels, overflow: c.overflow})
	if d.overflow {
		t.extra++
	}
	t.add(d)
	return d
}

// Counts returns what became of all lines since the start.
func (w *Window) Counts() Counts {
	var sum Counts
	for _, t := range w.tables {
		t.mu.Lock()
		sum.add(&t.counts)
		t.mu.Unlock()
	}
	return sum
}

// Notes names what a person may want to mend at a client, as of now.
func (w *Window) Notes(now time.Time) []string { return w.notes.list(now.UnixNano()) }

// Series returns how many series are held.
func (w *Window) Series() int {
	t := w.tables[0]
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.cells)
}
