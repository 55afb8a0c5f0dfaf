package views

import (
	"slices"
	"strings"

	"github.com/navcloud/binnacle/agent/capacity"
	"github.com/navcloud/binnacle/agent/words"
	"github.com/navcloud/binnacle/dashboards/charts"
)

// maxDots bounds the measurements that are drawn.
const maxDots = 300

// lawChart is how throughput grew with load.
type lawChart struct {
	capacity.Scaling
	Points, Mean, Band string // paths
	Reach              string // x beyond which nothing is said
	Y                  []string
	X                  []charts.Tick
}

func drawLaw(s capacity.Scaling) lawChart {
	c := lawChart{Scaling: s}
	if s.Lacks != "" || s.Law.Seen == 0 {
		return c
	}
	reach := 1.5 * s.Law.Seen
	right, top := 1.2*reach, slices.Max(s.X)
	const steps = 60
	var n, mean, lo, hi []float64
	for i := 1; i <= steps; i++ {
		at := reach * float64(i) / steps
		l, m, h, err := s.Law.At(at)
		if err != nil {
			break
		}
		n, mean, lo, hi = append(n, at), append(mean, m), append(lo, l), append(hi, h)
		top = max(top, h)
	}
	scale := charts.Chart{Plan: charts.Plan{Unit: charts.InExact}}
	scale.Scale(0, top)
	c.Y = scale.Y
	x := func(v float64) float64 { return charts.PlotWidth * v / right }
	put := func(b *strings.Builder, letter string, v, w float64) {
		b.WriteString(letter + charts.Coordinate(x(v)) + " " + charts.Coordinate(scale.YAt(w)))
	}
	var line, band, dots strings.Builder
	for i := range n {
		letter := map[bool]string{true: "M", false: "L"}[i == 0]
		put(&line, letter, n[i], mean[i])
		put(&band, letter, n[i], hi[i])
	}
	for i := range slices.Backward(n) {
		put(&band, "L", n[i], lo[i])
	}
	every := (len(s.N) + maxDots - 1) / maxDots
	for i := 0; i < len(s.N); i += every {
		put(&dots, "M", s.N[i], s.X[i])
		dots.WriteString("h0") // a dot, by the line's round end
	}
	c.Points, c.Mean, c.Band, c.Reach = dots.String(), line.String(), band.String()+"Z", charts.Coordinate(x(reach))
	step := charts.NiceStep(right / charts.MaxTicks)
	for v := 0.0; v <= charts.LastTick*right; v += step {
		c.X = append(c.X, charts.Tick{At: charts.Coordinate(100 * v / right), X: charts.Coordinate(x(v)), Text: words.SI(v)})
	}
	return c
}
