package charts

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/navcloud/binnacle/agent/query"
)

// What a path keeps of the values.
const (
	keptDigits = 6       // of the greatest of a line, where they are not whole numbers
	maxWhole   = 1 << 24 // up to which whole numbers are kept as they are: browsers draw in floats of 32 bits
)

// trace is a path whose points are in steps after the chart's beginning and in units of ten to the power of Exp.
type trace struct {
	Path, Place string
	Exp         int
}

// line is the path through points: relative, so that most of it is small numbers.
func (c *Chart) line(pts []query.Point) trace {
	var b strings.Builder
	t := c.trace(pts)
	apart := func(j int) bool { return j <= 0 || j >= len(pts) || pts[j].T.Sub(pts[j-1].T) > 2*c.Step }
	x, y := 0, 0
	for j, p := range pts {
		if apart(j) {
			b.WriteByte('m') // a gap: absent is not zero
		}
		toX, toY := c.steps(p), t.units(p)
		writePair(&b, toX-x, toY-y)
		x, y = toX, toY
		if apart(j) && apart(j+1) {
			b.WriteString("h0") // a dot, by the line's round end
		}
	}
	t.Path = b.String()
	return t
}

// area is the path around what lies between lo and hi: along hi, and back along lo.
func (c *Chart) area(lo, hi []query.Point) trace {
	var b strings.Builder
	t := c.trace(hi)
	b.WriteByte('m')
	x, y := 0, 0
	back := slices.Clone(lo)
	slices.Reverse(back)
	for _, p := range slices.Concat(hi, back) {
		toX, toY := c.steps(p), t.units(p)
		writePair(&b, toX-x, toY-y)
		x, y = toX, toY
	}
	b.WriteByte('z')
	t.Path = b.String()
	return t
}

// trace finds the unit of points: 1 for whole numbers, else the one that leaves as many digits as are kept.
func (c *Chart) trace(pts []query.Point) trace {
	top, whole := 0.0, true
	for _, p := range pts {
		top, whole = max(top, math.Abs(p.V)), whole && p.V == math.Trunc(p.V)
	}
	t := trace{}
	if top > 0 && (!whole || top >= maxWhole) {
		t.Exp = int(math.Floor(math.Log10(top))) + 1 - keptDigits
	}
	scale := math.Pow10(t.Exp) * plotHeight / (c.High - c.Low)
	t.Place = fmt.Sprintf("matrix(%.6g 0 0 %.6g 0 %.6g)", PlotWidth*float64(c.Step)/float64(max(c.To.Sub(c.From), 1)), -scale, c.YAt(0))
	return t
}

func (t trace) units(p query.Point) int { return int(math.Round(p.V / math.Pow10(t.Exp))) }
func (c *Chart) steps(p query.Point) int {
	return int(math.Round(float64(p.T.Sub(c.From)) / float64(c.Step)))
}

// writePair writes two numbers of a path, as short as can be.
func writePair(b *strings.Builder, x, y int) {
	if s := b.String(); x >= 0 && s[len(s)-1] != 'm' {
		b.WriteByte(' ')
	}
	b.WriteString(strconv.Itoa(x))
	if y >= 0 {
		b.WriteByte(' ')
	}
	b.WriteString(strconv.Itoa(y))
}
