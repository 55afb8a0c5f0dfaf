// Package statsd receives StatsD packets and closes them into windows.
//
// It speaks the protocol alone: it knows no sinks and keeps no history. Parse is pure. A Table is fed
// by whoever read a packet; a Window holds a Table for each reader and is closed by one goroutine.
//
// Spoken are plain StatsD (c, g, ms, s with sample rates and signed gauges) and DogStatsD 1.0 to 1.3
// (h, d, tags, several values in a line, timestamps, events, service checks; container ID and other
// origin fields are passed over).
// Source: github.com/statsd/statsd docs/metric_types.md and docs.datadoghq.com,
// extend/dogstatsd/datagram_shell, read November 2026.
package statsd

import (
	"bytes"
	"math"
	"strconv"
)

// Type is what a line says of its value.
type Type byte

// The types. Histogram and distribution (h, d) are one: both become a Distribution without a unit.
const (
	Counter      Type = 'c'
	Gauge        Type = 'g'
	Timer        Type = 'm' // ms on the wire, milliseconds
	Distribution Type = 'h'
	Set          Type = 's'
)

// Bounds of what is believed.
const (
	maxName  = 512
	maxTags  = 64
	maxValue = 1e200 // so that a window's sum, weights included, stays finite
	minRate  = 1e-9
)

// Line is one metric line. Its slices point into the bytes that were parsed.
type Line struct {
	Name   []byte
	Tail   []byte // what follows the values, from the bar on
	Tags   []byte // as sent, without the #
	Type   Type
	Value  float64 // the first value, in the unit of the wire; 0 for a set
	Signed bool    // Value was written with a sign
	More   []byte  // further values, divided by colons, each valid; empty for most lines
	Member []byte  // of a set
	Weight float64 // 1/sample rate, 1 to 1e9
	Time   int64   // Unix seconds; 0: now. Set for Counter and Gauge only
}

// Parse reads one line, without its newline, into l. The Reason is Accepted, or why the line must be
// refused; then l is meaningless. Events and service checks are not lines of this kind.
func Parse(b []byte, l *Line) Reason {
	colon := bytes.IndexByte(b, ':')
	if colon <= 0 {
		return BadName
	}
	rest := b[colon+1:]
	bar := bytes.IndexByte(rest, '|')
	if bar < 0 {
		return NoType
	}
	l.Name, l.Tags, l.More, l.Member = b[:colon], nil, nil, nil
	l.Weight, l.Time, l.Signed, l.Tail = 1, 0, false, rest[bar:]
	values, rest := rest[:bar], rest[bar+1:]
	typ, rest, _ := cut(rest)
	switch {
	case len(typ) == 1 && typ[0] == 'd':
		l.Type = Distribution
	case len(typ) == 1 && (typ[0] == 'c' || typ[0] == 'g' || typ[0] == 'h' || typ[0] == 's'):
		l.Type = Type(typ[0])
	case len(typ) == 2 && typ[0] == 'm' && typ[1] == 's':
		l.Type = Timer
	default:
		return UnknownType
	}
	if len(rest) > 0 {
		if r := l.fields(rest); r != Accepted {
			return r
		}
	}
	if l.Type == Set {
		if len(values) == 0 {
			return BadValue
		}
		l.Value, l.Member = 0, values
		return Accepted
	}
	return l.values(values)
}

// cut returns b up to the next bar, and what follows it.
func cut(b []byte) (before, after []byte, found bool) {
	if i := bytes.IndexByte(b, '|'); i >= 0 {
		return b[:i], b[i+1:], true
	}
	return b, nil, false
}

// fields reads what follows the type. A field that is not known is passed over, as DogStatsD asks.
func (l *Line) fields(rest []byte) Reason {
	for more := true; more; {
		var f []byte
		f, rest, more = cut(rest)
		if len(f) == 0 {
			continue
		}
		switch f[0] {
		case '@':
			rate, ok := number(f[1:])
			if !ok || !(rate >= minRate && rate <= 1) {
				return BadRate
			}
			l.Weight = 1 / rate
		case '#':
			l.Tags = f[1:]
		case 'T':
			t, err := strconv.ParseInt(string(f[1:]), 10, 64)
			if err != nil || t <= 0 || l.Type != Counter && l.Type != Gauge {
				return BadTimestamp
			}
			l.Time = t
		}
	}
	return Accepted
}

// values reads one value or several. A colon after the last of them is passed over, as gostatsd does: some clients pack so.
func (l *Line) values(b []byte) Reason {
	b = bytes.TrimRight(b, ":")
	first := b
	if i := bytes.IndexByte(b, ':'); i >= 0 {
		first, l.More = b[:i], b[i+1:]
	}
	if len(first) == 0 {
		return BadValue
	}
	l.Signed = first[0] == '+' || first[0] == '-'
	var r Reason
	if l.Value, r = l.value(first); r != Accepted {
		return r
	}
	for rest := l.More; len(rest) > 0; {
		var one []byte
		one, rest = nextValue(rest)
		if _, r := l.value(one); r != Accepted {
			return r
		}
	}
	return Accepted
}

// nextValue splits the first of several values off. rest is nil after the last.
func nextValue(b []byte) (one, rest []byte) {
	if i := bytes.IndexByte(b, ':'); i >= 0 {
		return b[:i], b[i+1:]
	}
	return b, nil
}

func (l *Line) value(b []byte) (float64, Reason) {
	v, ok := number(b)
	switch {
	case !ok:
		return 0, BadValue
	case math.IsInf(v, 0) || math.Abs(v) > maxValue:
		return 0, OutOfRange
	case v < 0 && l.Type == Counter:
		return 0, Negative // a total that falls would look like one that began anew
	}
	return v, Accepted
}

var pow10 = [...]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15}

// number reads a decimal number. Up to 15 digits it needs no more than an exact division, which rounds
// right: both sides are exact in a float64. It knows neither NaN, infinity, hexadecimal nor underscores.
func number(b []byte) (float64, bool) {
	i, neg := 0, false
	if len(b) > 0 && (b[0] == '-' || b[0] == '+') {
		neg, i = b[0] == '-', 1
	}
	var m int64
	digits, frac, point := 0, 0, false
	for ; i < len(b); i++ {
		c := b[i] - '0'
		switch {
		case c <= 9 && digits < 15:
			m = m*10 + int64(c)
			digits++
			if point {
				frac++
			}
		case b[i] == '.' && !point:
			point = true
		default:
			return slowNumber(b)
		}
	}
	if digits == 0 {
		return 0, false
	}
	v := float64(m)
	if frac > 0 {
		v /= pow10[frac]
	}
	if neg {
		v = -v
	}
	return v, true
}

func slowNumber(b []byte) (float64, bool) {
	if len(b) > 400 {
		return 0, false
	}
	for _, c := range b {
		if (c < '0' || c > '9') && c != '.' && c != '-' && c != '+' && c != 'e' && c != 'E' {
			return 0, false
		}
	}
	v, err := strconv.ParseFloat(string(b), 64)
	if err != nil && !math.IsInf(v, 0) {
		return 0, false
	}
	return v, true
}
