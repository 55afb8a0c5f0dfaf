package dashboards

import (
	"math"
	"slices"
	"strings"
	"time"

	"github.com/navcloud/binnacle/dashboards/capacity"
)

// The size of a chart, in units of its own view box.
const (
	chartWidth  = 600.0
	chartHeight = 200.0
	pastShown   = 28 * 24 // hours
	maxDrawn    = 300     // points of a line
)

// fanChart is a pool's past and future as paths of an SVG, with its words.
type fanChart struct {
	Past, Said, Mean, Wide, Narrow string  // paths
	Limit, Now                     string  // coordinates; Limit is empty where it lies above the chart
	Top                            string  // what the upper edge stands for
	From, To                       string  // dates of the left and the right edge
	At                             string  // date of Now
	NowShare                       float64 // where now is, of the width
	Words                          string
}

// plane turns hours and values into coordinates.
type plane struct{ first, hours, top float64 }

func (p plane) x(hour float64) float64 { return chartWidth * (hour - p.first) / p.hours }
func (p plane) y(v float64) float64    { return chartHeight * (1 - min(max(v, 0)/p.top, 1)) }

// line is a path; what is missing is a gap. at is the hour of the first value.
func (p plane) line(values []float64, at float64) string {
	var b strings.Builder
	down := false
	every := max(1, (len(values)+maxDrawn-1)/maxDrawn)
	for i := 0; i < len(values); i += every {
		v := math.Inf(-1)
		for _, w := range values[i:min(i+every, len(values))] {
			if !math.IsNaN(w) {
				v = max(v, w)
			}
		}
		if math.IsInf(v, 0) {
			down = false
			continue
		}
		b.WriteString(map[bool]string{false: "M", true: "L"}[down])
		b.WriteString(coordinate(p.x(at+float64(i))) + " " + coordinate(p.y(v)))
		down = true
	}
	return b.String()
}

// area is the path around what lies between two lines.
func (p plane) area(lo, hi []float64, at float64) string {
	if len(lo) == 0 {
		return ""
	}
	var b strings.Builder
	put := func(i int, v float64, letter string) {
		b.WriteString(letter + coordinate(p.x(at+float64(i))) + " " + coordinate(p.y(v)))
	}
	for i, v := range hi {
		put(i, v, map[bool]string{true: "M", false: "L"}[i == 0])
	}
	for i, v := range slices.Backward(lo) {
		put(i, v, "L")
	}
	return b.String() + "Z"
}

// drawFan draws the past four weeks and what is forecast.
func drawFan(a capacity.Answer) fanChart {
	past, said := a.History.Hours, make([]float64, len(a.History.Past))
	for i, s := range a.History.Past {
		said[i] = s.Mid
	}
	cut := max(0, len(past)-pastShown)
	if first := slices.IndexFunc(past, func(v float64) bool { return !math.IsNaN(v) }); first >= 0 {
		cut = max(cut, first)
	} else {
		cut = len(past)
	}
	past = past[cut:]
	said = said[min(cut, len(said)):]
	if len(past) == 0 {
		return fanChart{}
	}
	n, ahead := float64(len(past)), float64(len(a.Fan.Mean))
	top := a.Use
	for _, line := range [][]float64{past, a.Fan.Hi95} {
		for _, v := range line {
			if !math.IsNaN(v) {
				top = max(top, v)
			}
		}
	}
	if a.Limit < 2.5*top {
		top = max(top, a.Limit)
	}
	p := plane{hours: max(n-1+ahead, 1), top: max(1.05*top, 1e-9)}
	c := fanChart{
		Past: p.line(past, 0), Said: p.line(said, 0), Mean: p.line(a.Fan.Mean, n), Wide: p.area(a.Fan.Lo95, a.Fan.Hi95, n), Narrow: p.area(a.Fan.Lo80, a.Fan.Hi80, n),
		Now: coordinate(p.x(n - 1)), Top: a.Pool.Say(p.top), NowShare: (n - 1) / p.hours,
	}
	if a.Limit <= p.top {
		c.Limit = coordinate(p.y(a.Limit))
	}
	day := func(hours float64) string {
		return a.History.End.Add(time.Duration(hours * float64(time.Hour))).UTC().Format("2 Jan")
	}
	c.From, c.At, c.To = day(1-n), day(0), day(ahead)
	c.Words = "From " + c.From + " to now " + a.Pool.Say(least(past)) + " to " + a.Pool.Say(slices.MaxFunc(past, missingFirst)) + "; limit " + a.Pool.Say(a.Limit) + "."
	if ahead > 0 {
		end := len(a.Fan.Mean) - 1
		c.Words += " By " + c.To + " " + a.Pool.Say(a.Fan.Mean[end]) + " is expected, 8 times of 10 within " + a.Pool.Short(a.Fan.Lo80[end]) + " and " + a.Pool.Short(a.Fan.Hi80[end]) + "."
	}
	return c
}

func missingFirst(a, b float64) int {
	switch {
	case math.IsNaN(a) || a < b:
		return -1
	case math.IsNaN(b) || a > b:
		return 1
	}
	return 0
}

func least(x []float64) float64 {
	v := math.Inf(1)
	for _, w := range x {
		if !math.IsNaN(w) {
			v = min(v, w)
		}
	}
	return v
}

// lawChart is how throughput grew with load.
type lawChart struct {
	capacity.Scaling
	Points, Mean, Band string // paths
	Reach              string // x beyond which nothing is said
	Top, To            string
}

func drawLaw(s capacity.Scaling) lawChart {
	c := lawChart{Scaling: s}
	if s.Lacks != "" || s.Law.Seen == 0 {
		return c
	}
	reach := 1.5 * s.Law.Seen
	p := plane{hours: 1.2 * reach, top: 1.1 * slices.Max(s.X)}
	const steps = 60
	var mean, lo, hi []float64
	for i := 1; i <= steps; i++ {
		l, m, h, err := s.Law.At(reach * float64(i) / steps)
		if err != nil {
			break
		}
		mean, lo, hi = append(mean, m), append(lo, l), append(hi, h)
		p.top = max(p.top, 1.05*h)
	}
	stretched := plane{hours: p.hours * steps / reach, top: p.top}
	c.Mean, c.Band = stretched.line(mean, 1), stretched.area(lo, hi, 1)
	var b strings.Builder
	every := (len(s.N) + maxDrawn - 1) / maxDrawn
	for i := 0; i < len(s.N); i += every {
		b.WriteString("M" + coordinate(p.x(s.N[i])) + " " + coordinate(p.y(s.X[i])) + "h0") // a dot, by the line's round end
	}
	c.Points, c.Reach = b.String(), coordinate(p.x(reach))
	c.Top, c.To = number(p.top), number(p.hours)
	return c
}
