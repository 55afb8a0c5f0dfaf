package statsd

import (
	"bytes"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/navcloud/binnacle/agent/metric"
)

// Bounds of one window of one Table, beside those of Options.
const (
	maxTimed   = 20_000
	maxEvents  = 1_000
	maxBigSets = 1_000 // of 16 KiB each
	maxBehind  = 14 * 24 * time.Hour
	maxAhead   = 2 * time.Hour
)

// Counts is what a Table did with lines: Lines is Aggregated and all Rejected together, exactly.
type Counts struct {
	Lines, Aggregated uint64
	Overflow          uint64 // of Aggregated: lines that went to an overflow series
	Rejected          [reasons]uint64
}

func (c *Counts) add(o *Counts) {
	c.Lines += o.Lines
	c.Aggregated += o.Aggregated
	c.Overflow += o.Overflow
	for i, n := range o.Rejected {
		c.Rejected[i] += n
	}
}

// cell is one series of one Table: what the open window holds of it, and what it keeps between windows.
type cell struct {
	meter  *meter
	labels metric.Labels
	key    string // canonical
	alias  []string
	value  float64 // counter: the sum; gauge: the last value, or the sum of deltas while !abs
	carry  float64 // gauge: its value when the window opened
	hist   *metric.Histogram
	set    *set
	at     int64 // ns, of the last line
	typ    Type
	abs    bool // gauge: set in this window, not only moved
	fresh  bool // the window has a line for it

	live     bool // had a line without a time of its own, so that there is a value to repeat
	overflow bool // takes what has no place of its own
}

// Table folds lines into series. It has a lock of its own, which Packet takes once a packet, so that one
// goroutine reads into it and another closes the window.
type Table struct {
	w  *Window
	mu sync.Mutex

	index   map[string]*cell // by canonical key and by every other spelling seen
	cells   []*cell
	aliases int
	extra   int // overflow series among cells
	bigSets int
	latest  int64 // ns, of the last packet
	timed   []metric.Sample
	events  []metric.Event
	counts  Counts
	scratch []byte
	line    Line
}

func newTable(w *Window) *Table { return &Table{w: w, index: map[string]*cell{}} }

// Packet folds all lines of one packet in. now is Unix time in nanoseconds.
func (t *Table) Packet(now int64, packet []byte, o Dialect) {
	t.mu.Lock()
	t.packet(now, packet, o)
	t.mu.Unlock()
}

// Reject counts a line that never reached the parser.
func (t *Table) Reject(r Reason) {
	t.mu.Lock()
	t.counts.Lines++
	t.counts.Rejected[r]++
	t.mu.Unlock()
}

// Dialect is what a listener knows about those who send to it.
type Dialect struct {
	Signed    bool // a gauge with a sign is a change, as in plain StatsD; else a value below zero
	Truncated bool // the packet was longer than the buffer: its last line counts as rejected
}

func (t *Table) packet(now int64, p []byte, o Dialect) {
	t.latest = now
	for len(p) > 0 {
		line := p
		if i := bytes.IndexByte(p, '\n'); i >= 0 {
			line, p = p[:i], p[i+1:]
		} else {
			p = nil
		}
		if n := len(line); n > 0 && line[n-1] == '\r' {
			line = line[:n-1]
		}
		if len(line) == 0 {
			continue
		}
		t.counts.Lines++
		var r Reason
		switch {
		case o.Truncated && len(p) == 0:
			r = Truncated
		case isEvent(line):
			r = t.event(now, line)
		default:
			if r = Parse(line, &t.line); r == Accepted {
				r = t.fold(now, &t.line, o.Signed)
			}
		}
		if r == Accepted {
			t.counts.Aggregated++
		} else {
			t.counts.Rejected[r]++
		}
	}
}

func (t *Table) event(now int64, line []byte) Reason {
	if len(t.events) >= maxEvents {
		return EventLimit
	}
	e, r := ParseEvent(line)
	if r != Accepted {
		return r
	}
	if e.Time.IsZero() {
		e.Time = time.Unix(0, now)
	}
	t.events = append(t.events, e)
	return Accepted
}

func (t *Table) fold(now int64, l *Line, signed bool) Reason {
	key := append(t.scratch[:0], byte(l.Type))
	key = append(key, l.Name...)
	key = append(key, '|')
	key = append(key, l.Tags...)
	t.scratch = key
	c := t.index[string(key)]
	if c == nil {
		var r Reason
		if c, r = t.miss(l, key); r != Accepted {
			return r
		}
	}
	if l.Time != 0 {
		return t.foldTimed(now, l, c)
	}
	if l.Type == Set {
		if r := t.member(c, l.Member); r != Accepted {
			return r
		}
	} else {
		c.observe(l.Value, l, signed && l.Signed)
		for rest := l.More; len(rest) > 0; {
			var one []byte
			one, rest = nextValue(rest)
			v, _ := number(one)
			c.observe(v, l, signed && (one[0] == '+' || one[0] == '-'))
		}
	}
	c.at, c.fresh, c.live = now, true, true
	if c.overflow {
		t.counts.Overflow++
	}
	return Accepted
}

func (c *cell) observe(v float64, l *Line, change bool) {
	switch c.typ {
	case Counter:
		c.value += v * l.Weight
	case Gauge:
		if change {
			c.value += v
		} else {
			c.value, c.abs = v, true
		}
	case Timer:
		c.histogram().Observe(v/1000, l.Weight)
	case Distribution:
		c.histogram().Observe(v, l.Weight)
	}
}

func (c *cell) histogram() *metric.Histogram {
	if c.hist == nil {
		c.hist = &metric.Histogram{}
	}
	return c.hist
}

func (t *Table) member(c *cell, member []byte) Reason {
	if c.set == nil {
		c.set = newSet()
	}
	if c.set.grows() {
		if t.bigSets >= maxBigSets {
			return SetLimit
		}
		c.set.add(member)
		if c.set.big != nil {
			t.bigSets++
		}
		return Accepted
	}
	c.set.add(member)
	return Accepted
}

// foldTimed keeps a value with a time of its own as it is: it belongs to no window.
func (t *Table) foldTimed(now int64, l *Line, c *cell) Reason {
	at := time.Unix(l.Time, 0)
	if d := time.Unix(0, now).Sub(at); d > maxBehind || d < -maxAhead {
		return BadTimestamp
	}
	if len(t.timed)+bytes.Count(l.More, []byte(":"))+1 >= maxTimed {
		return TimedLimit
	}
	weight := 1.0
	if l.Type == Counter {
		weight = l.Weight
	}
	put := func(v float64) {
		t.timed = append(t.timed, metric.Sample{Desc: c.meter.desc, Labels: c.labels, Time: at, Value: v * weight})
	}
	put(l.Value)
	for rest := l.More; len(rest) > 0; {
		var one []byte
		one, rest = nextValue(rest)
		v, _ := number(one)
		put(v)
	}
	c.at = max(c.at, now)
	if c.overflow {
		t.counts.Overflow++
	}
	return Accepted
}

// miss finds or makes the series of a spelling that is not known: the only place that sorts tags.
func (t *Table) miss(l *Line, wire []byte) (*cell, Reason) {
	switch {
	case len(l.Name) > maxName:
		return nil, LongName
	case bytes.ContainsFunc(l.Name, func(r rune) bool { return r < ' ' || r == '|' || r == 0x7f }):
		return nil, BadName
	}
	ls, r := labels(l.Tags, nil)
	if r != Accepted {
		return nil, r
	}
	ls = metric.Normalize(ls)
	name := clean(l.Name)
	key := canonical(l.Type, name, ls)
	c := t.index[key]
	if c == nil {
		if c, r = t.create(l.Type, name, key, ls); r != Accepted {
			return nil, r
		}
	}
	// A spelling of an overflow series is not kept: there is no end of them.
	if string(wire) != key && !c.overflow && t.aliases < 4*t.w.o.MaxSeries && len(c.alias) < 16 {
		alias := string(wire)
		c.alias = append(c.alias, alias)
		t.index[alias] = c
		t.aliases++
	}
	return c, Accepted
}

// canonical is the key of a series: what a client that sorts its tags sends.
func canonical(typ Type, name string, ls metric.Labels) string {
	var b strings.Builder
	n := len(name) + 2
	for _, l := range ls {
		n += len(l.Name) + len(l.Value) + 2
	}
	b.Grow(n)
	b.WriteByte(byte(typ))
	b.WriteString(name)
	b.WriteByte('|')
	for i, l := range ls {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(l.Name)
		b.WriteByte(':')
		b.WriteString(l.Value)
	}
	return b.String()
}

// overflowLabels mark the one series of a metric that takes what has no place.
var overflowLabels = metric.L("binnacle_overflow", "true")

func (t *Table) create(typ Type, name, key string, ls metric.Labels) (*cell, Reason) {
	m := t.w.meter(typ, name)
	over := len(t.cells)-t.extra >= t.w.o.MaxSeries
	if over {
		okey := canonical(typ, name, overflowLabels)
		if c := t.index[okey]; c != nil {
			t.w.release(m)
			return c, Accepted
		}
		if t.extra >= t.w.o.MaxSeries/10+1 {
			t.w.release(m)
			return nil, SeriesLimit
		}
		key, ls = okey, overflowLabels
		t.extra++
	}
	// The labels' strings become parts of the key: one allocation, and nothing of the packet stays alive.
	c := &cell{meter: m, typ: typ, key: key, labels: within(key, name, ls), overflow: over}
	t.index[key] = c
	t.cells = append(t.cells, c)
	return c, Accepted
}

// within returns ls with its strings cut from key, in which they stand in order.
func within(key, name string, ls metric.Labels) metric.Labels {
	out := make(metric.Labels, len(ls))
	at := len(name) + 2
	for i, l := range ls {
		nameEnd := at + len(l.Name)
		end := nameEnd + 1 + len(l.Value)
		out[i] = metric.Label{Name: key[at:nameEnd], Value: key[nameEnd+1 : end]}
		at = end + 1
	}
	return out
}

// drop forgets the series at i.
func (t *Table) drop(i int) {
	c := t.cells[i]
	delete(t.index, c.key)
	for _, a := range c.alias {
		delete(t.index, a)
	}
	t.aliases -= len(c.alias)
	if c.overflow {
		t.extra--
	}
	t.w.release(c.meter)
	last := len(t.cells) - 1
	t.cells[i] = t.cells[last]
	t.cells[last] = nil
	t.cells = t.cells[:last]
	if len(t.cells) < cap(t.cells)/4 {
		t.cells = slices.Clip(slices.Clone(t.cells))
	}
}
