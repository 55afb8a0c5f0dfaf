package statsd

import (
	"bytes"
	"slices"
	"sync"
	"time"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/collectors/statsd/lines"
)

// Bounds of one window of one Table, beside those of Options.
const (
	maxTimed   = 20_000
	maxEvents  = 1_000
	maxBigSets = 1_000 // of 16 KiB each
	maxBehind  = 14 * 24 * time.Hour
	maxAhead   = 2 * time.Hour
)

// Table folds lines into series. It has a lock of its own, which Packet takes once a packet, so that one
// goroutine reads into it and another closes the window.
type Table struct {
	w  *Window
	mu sync.Mutex

	index   map[string]*cell     // by canonical key
	known   lines.Table[spelled] // by what stands before and behind the value
	cells   []*cell
	dropped int // since known was swept
	extra   int // overflow series among cells
	bigSets int
	latest  int64 // ns, of the last packet
	timed   []metric.Sample
	events  []metric.Event
	counts  Counts
	scratch []byte
	several []byte
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
	Believes  bool // other nodes send here: the label node is theirs
	Style     Style
}

func (t *Table) packet(now int64, p []byte, o Dialect) {
	t.latest = now
	for len(p) > 0 {
		if n := t.repeat(now, p, o.Truncated); n > 0 {
			p = p[n:]
			continue
		}
		line := p
		if i := bytes.IndexByte(p, '\n'); i >= 0 {
			line, p = p[:i], p[i+1:]
		} else {
			p = nil
		}
		if n := len(line); n > 0 && line[n-1] == '\r' {
			line = line[:n-1]
		}
		if len(line) > 0 {
			t.read(now, line, o, o.Truncated && len(p) == 0)
		}
	}
}

// read parses a line, folds it and counts what became of it.
func (t *Table) read(now int64, line []byte, o Dialect, truncated bool) {
	t.counts.Lines++
	var r Reason
	switch {
	case truncated:
		r = Truncated
	case isEvent(line):
		r = t.event(now, line, o.Believes)
	default:
		r = Parse(line, &t.line)
		switch {
		case r != UnknownType && r != BadRate && r != Accepted:
		case r != Accepted && o.Style == Etsy && looksEtsy(line):
			t.counts.Lines--
			t.severally(now, line, o)
			return
		case r != Accepted && looksEtsy(line):
			t.counts.Looks[Etsy]++
			t.w.notes.add(now, "refused, since it has several types in a line: ?dialect=etsy behind the listener reads them", clean(t.line.Name))
		case r == Accepted:
			r = t.fold(now, &t.line, o)
		}
	}
	if r == Accepted {
		t.counts.Aggregated++
		return
	}
	t.counts.Rejected[r]++
	t.w.notes.refuse(now, r, line)
}

func (t *Table) event(now int64, line []byte, believes bool) Reason {
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
	if c := t.w.o.honestEvent(&e, believes); c != NoClaim {
		t.counts.Claimed[c]++
		t.w.notes.add(now, "an event about another node: it is taken for one of this node", e.Title)
	}
	t.events = append(t.events, e)
	return Accepted
}

func (t *Table) fold(now int64, l *Line, o Dialect) Reason {
	plainLine := l.Type != Set && len(l.More) == 0 && l.Time == 0 && !l.Signed
	var key uint64
	if plainLine {
		key = lines.Hash(l.Name, l.Tail)
	} else {
		t.scratch = append(append(t.scratch[:0], byte(l.Type), '#'), l.Tags...)
		key = lines.Hash(l.Name, t.scratch)
	}
	s := t.known.Get(key)
	if s == nil || s.cell.typ == noType {
		fresh, r := t.miss(now, l, o)
		if r != Accepted {
			return r
		}
		s = &fresh
		if !s.cell.overflow { // the lines of those are not kept: there is no end of them
			t.known.Put(key, fresh)
		}
	}
	if s.claim != NoClaim || s.looks != Datadog {
		t.odd(now, s, l.Name)
	}
	c := s.cell
	if l.Time != 0 {
		return t.foldTimed(now, l, c)
	}
	if l.Type == Set {
		if r := t.member(c, l.Member); r != Accepted {
			return r
		}
	} else {
		c.observe(l.Value, l, o.Signed && l.Signed)
		for rest := l.More; len(rest) > 0; {
			var one []byte
			one, rest = nextValue(rest)
			v, _ := number(one)
			c.observe(v, l, o.Signed && (one[0] == '+' || one[0] == '-'))
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
		c.hist.Observe(v/1000, l.Weight)
	case Distribution:
		c.hist.Observe(v, l.Weight)
	}
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

// odd counts a line whose series is not called as the line has it, or that looks like another dialect.
func (t *Table) odd(now int64, s *spelled, wire []byte) {
	name := s.cell.meter.desc.Name
	if s.looks != Datadog {
		t.counts.Looks[s.looks]++
		t.w.notes.add(now, "has tags as "+s.looks.String()+" writes them: ?dialect="+s.looks.String()+" behind the listener reads them", clean(wire))
	}
	switch s.claim {
	case NoClaim:
	case AsCollector:
		t.counts.Claimed[s.claim]++
		t.w.notes.add(now, "renamed, since a collector has that name", name)
	default:
		t.counts.Claimed[s.claim]++
		t.w.notes.add(now, "a label that says who speaks, or that outputs need, is renamed", name)
	}
}

// miss finds or makes the series of a spelling that is not known: the only place that sorts tags. Spellings that are one
// series to Prometheus are one here, so that a gauge has one last value and a set one count.
func (t *Table) miss(now int64, l *Line, o Dialect) (spelled, Reason) {
	s := spelled{weight: l.Weight}
	switch {
	case len(l.Name) > maxName:
		return s, LongName
	case bytes.ContainsFunc(l.Name, func(r rune) bool { return r < ' ' || r == '|' || r == 0x7f }):
		return s, BadName
	}
	wire, ls := o.Style.cut(l.Name)
	if len(wire) == 0 {
		return s, BadName
	}
	ls, r := labels(l.Tags, ls)
	if r != Accepted {
		return s, r
	}
	name, ls, claim := t.w.o.honest(clean(wire), l.Type, metric.Normalize(ls), o.Believes)
	key := canonical(l.Type, name, ls)
	s.claim, s.looks = claim, o.Style.looks(l.Name)
	if s.cell = t.index[key]; s.cell == nil {
		s.cell, r = t.create(l.Type, name, key, ls)
	}
	if r == TypeClash {
		t.w.notes.add(now, "refused, since another type of line has that name", name)
	}
	return s, r
}

// overflowLabels mark the one series of a metric that takes what has no place.
var overflowLabels = metric.L("binnacle_overflow", "true")

func (t *Table) create(typ Type, name, key string, ls metric.Labels) (*cell, Reason) {
	m := t.w.meter(typ, name)
	if m == nil {
		return nil, TypeClash
	}
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
	c := newCell(cell{meter: m, typ: typ, key: key, labels: within(key, name, ls), overflow: over})
	t.add(c)
	return c, Accepted
}

// add puts a series in.
func (t *Table) add(c *cell) {
	t.index[c.key] = c
	t.cells = append(t.cells, c)
	if n := len(t.cells); n&(n-1) == 0 {
		t.known.Room(2 * n) // two spellings for each until the next power of two
	}
}

// drop forgets the series at i.
func (t *Table) drop(i int) {
	c := t.cells[i]
	c.typ = noType
	t.dropped++
	delete(t.index, c.key)
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

// sweep forgets the lines of series that were dropped, once they are many. The caller holds the lock.
func (t *Table) sweep() {
	if t.dropped < 64 || t.dropped < len(t.cells)/4 {
		return
	}
	t.dropped = 0
	t.known.Keep(func(s *spelled) bool { return s.cell.typ != noType })
	t.known.Room(2 * len(t.cells))
}
