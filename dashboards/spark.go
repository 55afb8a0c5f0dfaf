package dashboards

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// The size of a small line, in units of its own view box.
const (
	sparkWidth  = 200.0
	sparkHeight = 36.0
	sparkEdge   = 2.0
)

// spark is a small line with its words, so that nobody has to see it to know it.
type spark struct {
	Path          string // of an SVG path; empty when there is nothing to draw
	Words         string
	Min, Max, Now float64
}

// drawSpark draws points as a line over window, which ends at end (zero: at the last point). Where more than
// two steps are missing the line has a gap: absent is not zero. The scale starts at 0, so that a
// small wobble does not look like a fall.
func drawSpark(points []Point, end time.Time, window, step time.Duration) spark {
	s := spark{Min: math.Inf(1), Max: math.Inf(-1)}
	var kept []Point
	for _, pt := range points {
		if math.IsNaN(pt.V) || math.IsInf(pt.V, 0) {
			continue
		}
		s.Min, s.Max, s.Now = min(s.Min, pt.V), max(s.Max, pt.V), pt.V
		kept = append(kept, pt)
	}
	if len(kept) == 0 {
		return spark{}
	}
	if end.IsZero() {
		end = kept[len(kept)-1].T
	}
	s.Words = "Over 30 minutes between " + number(s.Min) + " and " + number(s.Max) + ", now " + number(s.Now)
	top := s.Max
	if top <= 0 {
		top = 1
	}
	var b strings.Builder
	var before time.Time
	for _, pt := range kept {
		x := sparkWidth * (1 - end.Sub(pt.T).Seconds()/window.Seconds())
		y := sparkEdge + (sparkHeight-2*sparkEdge)*(1-max(pt.V, 0)/top)
		if before.IsZero() || pt.T.Sub(before) > 2*step {
			b.WriteByte('M')
		} else {
			b.WriteByte('L')
		}
		b.WriteString(coordinate(x) + " " + coordinate(y))
		before = pt.T
	}
	if len(kept) == 1 {
		b.WriteString("h0") // a dot, by the line's round end
	}
	s.Path = b.String()
	return s
}

func coordinate(v float64) string {
	return strconv.FormatFloat(math.Round(v*10)/10, 'f', -1, 64)
}
