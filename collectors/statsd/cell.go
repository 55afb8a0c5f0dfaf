package statsd

import (
	"slices"
	"strings"

	"github.com/navcloud/binnacle/agent/metric"
)

// Counts is what a Table did with lines: Lines is Aggregated and all Rejected together, exactly.
type Counts struct {
	Lines, Aggregated uint64
	Overflow          uint64         // of Aggregated: lines that went to an overflow series
	Looks             [styles]uint64 // lines that look like a dialect that the listener does not read
	Claimed           [claims]uint64 // of Aggregated: lines that were renamed
	Rejected          [reasons]uint64
}

func (c *Counts) add(o *Counts) {
	c.Lines += o.Lines
	c.Aggregated += o.Aggregated
	c.Overflow += o.Overflow
	for i, n := range o.Rejected {
		c.Rejected[i] += n
	}
	for i, n := range o.Looks {
		c.Looks[i] += n
	}
	for i, n := range o.Claimed {
		c.Claimed[i] += n
	}
}

// cell is one series of one Table: what the open window holds of it, and what it keeps between windows. What a line
// touches comes first, on the first two lines of the cache.
type cell struct {
	typ   Type // noType once it is dropped
	abs   bool // gauge: set in this window, not only moved
	fresh bool // the window has a line for it
	live  bool // had a line without a time of its own, so that there is a value to repeat

	overflow bool // takes what has no place of its own

	at    int64             // ns, of the last line
	value float64           // counter: the sum; gauge: the last value, or the sum of deltas while !abs
	hist  *metric.Histogram // of a timer or a distribution, which has it behind its cell

	carry  float64 // gauge: its value when the window opened
	meter  *meter
	labels metric.Labels
	key    string // canonical
	set    *set
}

// observed is the cell of a timer or a distribution: one piece of memory, which most other series need not have.
type observed struct {
	cell
	h metric.Histogram
}

func newCell(c cell) *cell {
	if c.typ != Timer && c.typ != Distribution {
		return &c
	}
	o := &observed{cell: c}
	o.hist = &o.h
	return &o.cell
}

const noType Type = 0

// spelled is what a line stands for that comes again.
type spelled struct {
	cell   *cell
	weight float64
	claim  Claim
	looks  Style
}

// canonical is the key of a series: what a client that sorts its tags and uses legal names sends.
func canonical(typ Type, name string, ls metric.Labels) string {
	legal := ls
	for i, l := range ls {
		if n := metric.LabelName(l.Name); n != l.Name {
			if &legal[0] == &ls[0] {
				legal = slices.Clone(ls)
			}
			legal[i].Name = n
		}
	}
	if len(ls) > 0 && &legal[0] != &ls[0] {
		slices.SortStableFunc(legal, func(a, b metric.Label) int { return strings.Compare(a.Name, b.Name) })
	}
	name = metric.Sanitize(name)
	var b strings.Builder
	n := len(name) + 2
	for _, l := range legal {
		n += len(l.Name) + len(l.Value) + 2
	}
	b.Grow(n)
	b.WriteByte(byte(typ))
	b.WriteString(name)
	b.WriteByte('|')
	for i, l := range legal {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(l.Name)
		b.WriteByte(':')
		b.WriteString(l.Value)
	}
	return b.String()
}

// within returns ls with its strings cut from key, in which they stand in order where all names are legal.
func within(key, name string, ls metric.Labels) metric.Labels {
	out := make(metric.Labels, len(ls))
	at := len(name) + 2
	for i, l := range ls {
		nameEnd := at + len(l.Name)
		end := nameEnd + 1 + len(l.Value)
		if end > len(key) || key[at:nameEnd] != l.Name || key[nameEnd+1:end] != l.Value {
			copy(out, ls) // another spelling: it has strings of its own
			return out
		}
		out[i] = metric.Label{Name: key[at:nameEnd], Value: key[nameEnd+1 : end]}
		at = end + 1
	}
	return out
}
