package statsd

import (
	"bytes"

	"github.com/navcloud/binnacle/collectors/statsd/lines"
)

// repeat folds the first line of p where it is known, and has one plain value. It returns how long the line is, its
// newline included; 0 asks for the whole parser.
func (t *Table) repeat(now int64, p []byte, truncated bool) int {
	colon := bytes.IndexByte(p, ':')
	if colon < 0 {
		return 0
	}
	v, n := plain(p[colon+1:])
	if n == 0 {
		return 0
	}
	bar := colon + 1 + n
	end := bytes.IndexByte(p[bar:], '\n')
	next := bar + end + 1
	if end < 0 {
		if truncated {
			return 0
		}
		next = len(p)
		end = next - bar
	}
	tail := p[bar : bar+end]
	if tail[len(tail)-1] == '\r' {
		tail = tail[:len(tail)-1]
	}
	s := t.known.Get(lines.Hash(p[:colon], tail))
	if s == nil {
		return 0
	}
	c := s.cell
	switch c.typ {
	case Counter:
		c.value += v * s.weight
	case Gauge:
		c.value, c.abs = v, true
	case Timer:
		c.hist.Observe(v/1000, s.weight)
	case Distribution:
		c.hist.Observe(v, s.weight)
	default: // it was dropped
		return 0
	}
	if s.claim != NoClaim || s.looks != Datadog {
		t.odd(now, s, p[:colon])
	}
	c.at, c.fresh, c.live = now, true, true
	t.counts.Lines++
	t.counts.Aggregated++
	return next
}

// plain reads the number before a bar, where it is at most 15 digits and a point, and returns how long it is, 0 where it
// is anything else. As in number, one division of exact numbers rounds right.
func plain(b []byte) (v float64, n int) {
	var m int64
	frac := -1
	for i, c := range b[:min(len(b), 17)] {
		switch d := c - '0'; {
		case d <= 9 && i < 15 || d <= 9 && frac >= 0 && i < 16:
			m = m*10 + int64(d)
			if frac >= 0 {
				frac++
			}
		case c == '.' && frac < 0:
			frac = 0
		case c == '|' && i > 1, c == '|' && i == 1 && frac < 0:
			if frac > 0 {
				return float64(m) / pow10[frac], i
			}
			return float64(m), i
		default:
			return 0, 0
		}
	}
	return 0, 0
}
