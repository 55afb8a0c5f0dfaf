package charts

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/navcloud/binnacle/agent/query"
	"github.com/navcloud/binnacle/agent/words"
)

// The size of a small line, in units of its own view box.
const (
	sparkWidth  = 200.0
	sparkHeight = 36.0
	sparkEdge   = 2.0
)

// Spark is a small line with its words, so that nobody has to see it to know it.
type Spark struct {
	Path          string // of an SVG path; empty when there is nothing to draw
	Area          string // below it
	Words         string
	Min, Max, Now float64
}

// minSpark is the shortest time that a line shows: what is younger begins further right.
const minSpark = 20 * time.Second

// DrawSpark draws points as a line that ends at end and begins at the first of them; say writes a value. Where
// more than two steps are missing the line has a gap: absent is not zero. The scale starts at 0, so that a
// small wobble does not look like a fall.
func DrawSpark(points []query.Point, end time.Time, step time.Duration, say func(float64) string) Spark {
	s := Spark{Min: math.Inf(1), Max: math.Inf(-1)}
	var kept []query.Point
	for _, pt := range points {
		if math.IsNaN(pt.V) || math.IsInf(pt.V, 0) {
			continue
		}
		s.Min, s.Max, s.Now = min(s.Min, pt.V), max(s.Max, pt.V), pt.V
		kept = append(kept, pt)
	}
	if len(kept) == 0 {
		return Spark{}
	}
	window := max(end.Sub(kept[0].T), minSpark)
	s.Words = "Between " + say(s.Min) + " and " + say(s.Max) + " in the last " + words.Duration(end.Sub(kept[0].T))
	switch {
	case len(kept) == 1:
		s.Words = "Now " + say(s.Now)
	case s.Min == s.Max:
		s.Words = "Always " + say(s.Max) + " in the last " + words.Duration(end.Sub(kept[0].T))
	}
	top := s.Max
	if top <= 0 {
		top = 1
	}
	var b, area strings.Builder
	var before time.Time
	last := 0.0
	for _, pt := range kept {
		x := sparkWidth * (1 - end.Sub(pt.T).Seconds()/window.Seconds())
		y := sparkEdge + (sparkHeight-2*sparkEdge)*(1-max(pt.V, 0)/top)
		if before.IsZero() || pt.T.Sub(before) > 2*step {
			if !before.IsZero() {
				area.WriteString(bottom(last))
			}
			b.WriteByte('M')
			area.WriteString("M" + Coordinate(x) + " " + Coordinate(sparkHeight) + "L")
		} else {
			b.WriteByte('L')
			area.WriteByte('L')
		}
		b.WriteString(Coordinate(x) + " " + Coordinate(y))
		area.WriteString(Coordinate(x) + " " + Coordinate(y))
		before, last = pt.T, x
	}
	s.Area = area.String() + bottom(last)
	if len(kept) == 1 {
		b.WriteString("h-5") // a dash: a dot looks like dirt
	}
	s.Path = b.String()
	return s
}

// bottom closes an area below a line that ends at x.
func bottom(x float64) string { return "L" + Coordinate(x) + " " + Coordinate(sparkHeight) + "Z" }

// UpTo is a range's points and the value that is there now, at the end of the step that runs: a line changes with
// its values and its steps, and not with each look.
func UpTo(points []query.Point, now time.Time, step time.Duration, v float64) ([]query.Point, time.Time) {
	end := now.Truncate(step).Add(step)
	return append(slices.Clone(points), query.Point{T: end, V: v}), end
}

func Coordinate(v float64) string {
	return strconv.FormatFloat(math.Round(v*10)/10, 'f', -1, 64)
}
