package charts

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Label is a word that stands in a drawing beside what it names, so that no legend has to be read. Text is never stretched: its
// place is a share of the drawing, and the rows above one another are lines of text.
type Label struct {
	x, y  float64 // percent
	Row   int     // lines of text below Y; -1 is the first one above it
	Class string  // limit, onset, deploy
	Text  string
	Time  time.Time // that Text says; zero: none
	End   bool      // it ends at X
}

// X and Y are its place as a drawing has it.
func (l Label) X() string { return Coordinate(l.x) }

// Y is its height.
func (l Label) Y() string { return Coordinate(l.y) }

// Dy is the distance of its base line from Y.
func (l Label) Dy() string {
	if l.Row < 0 {
		return "-.4em"
	}
	return fmt.Sprintf("%.2gem", 1+1.2*float64(l.Row))
}

const (
	labelChar   = 2.1 // percent of the narrowest drawing that a letter may take
	maxDeploys  = 3   // that are named; the page lists all
	labelMargin = 1.5 // percent
)

// Labels name the threshold, the onset and the deploys where they stand.
func (c Chart) Labels() []Label {
	var out []Label
	if c.LimitAt != "" {
		y := 100 * (1 - (c.Limit-c.Low)/(c.High-c.Low))
		l := Label{y: y, Row: -1, Class: "limit", Text: c.LimitName}
		if y < 12 {
			l.Row = 0
		}
		out = append(out, l)
	}
	type top struct {
		x     float64
		label Label
	}
	var tops []top
	if c.OnsetAt != "" {
		x := 100 * c.XAt(c.Onset) / PlotWidth
		out = append(out, Label{x: x, Row: -1, Class: "onset", Time: c.Onset, Text: "onset " + c.Onset.UTC().Format("15:04"), End: x > 50})
	}
	for _, m := range slices.Backward(c.Marks) {
		if len(tops) < maxDeploys {
			tops = append(tops, top{100 * c.XAt(m.At) / PlotWidth, Label{Class: "deploy", Time: m.At, Text: "deploy " + m.At.UTC().Format("15:04")}})
		}
	}
	slices.SortFunc(tops, func(a, b top) int { return cmp.Compare(a.x, b.x) })
	free := map[int]float64{} // where each row is free from
	for _, t := range tops {
		l, wide := t.label, labelChar*float64(len(t.label.Text))
		from := t.x + labelMargin
		if onset := 100 * c.XAt(c.Onset) / PlotWidth; from+wide > 100 || t.x < onset && onset < from+wide && t.x > wide+labelMargin {
			l.End, from = true, t.x-labelMargin-wide
		}
		for free[l.Row] > from {
			l.Row++
		}
		free[l.Row] = from + wide
		l.x = t.x + map[bool]float64{true: -labelMargin / 2, false: labelMargin / 2}[l.End]
		out = append(out, l)
	}
	return out
}

// NowX and NowY are where the newest value of the first line is, in percent.
func (c Chart) NowX() string {
	pts := c.Lines[0].Pts
	return Coordinate(100 * c.XAt(pts[len(pts)-1].T) / PlotWidth)
}

// NowY is its height.
func (c Chart) NowY() string {
	pts := c.Lines[0].Pts
	return Coordinate(100 * c.YAt(pts[len(pts)-1].V) / plotHeight)
}
