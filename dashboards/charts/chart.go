// Package charts draws lines, bands and small lines on the server: a picture, its words and its table say the same. A script
// takes the values from the picture and makes it one to be explored.
//
// It asks nobody and keeps nothing; a chart is a value that the template "chart" writes.
package charts

import (
	"cmp"
	"embed"
	"fmt"
	"hash/fnv"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/navcloud/binnacle/agent/query"
	"github.com/navcloud/binnacle/agent/words"
)

// The plot of a chart, in units of its own view box, which the page stretches.
const (
	PlotWidth  = 1000.0
	plotHeight = 240.0
	plotSteps  = 4  // of the scale
	MaxLines   = 8  // that are told apart by colour and dash
	tableRows  = 13 // of the table beside a chart
)

//go:embed templates/*.html
var Templates embed.FS

// Unit is how values are said. assets/chart.js says them alike under the same name.
type Unit struct {
	Name   string
	Say    func(float64) string // in words
	Axis   func(float64) string // at the scale
	Binary bool                 // its round numbers are those of 1024
}

var (
	InNumber  = Unit{Name: "number", Say: words.Number, Axis: words.SI}
	InRate    = Unit{Name: "rate", Say: words.Rate, Axis: words.SIRate}
	InSeconds = Unit{Name: "seconds", Say: words.Seconds, Axis: words.Seconds}
	InPercent = Unit{Name: "percent", Say: words.Percent, Axis: words.SIPercent}
	InExact   = Unit{Name: "exact", Say: words.Plain, Axis: words.SI}
	InBytes   = Unit{Name: "bytes", Say: words.BytesOf, Axis: words.BytesOf, Binary: true}
)

// Mark is something that happened, at a place of a chart.
type Mark struct {
	At    time.Time
	Title string
}

// Plan is what a chart is to show.
type Plan struct {
	ID, Title string
	Unit      Unit
	Limit     float64 // a line that must not be reached; 0: none
	LimitName string
	From, To  time.Time
	Step      time.Duration // between points, which lie at whole ones after From
	Marks     []Mark        // deploys
	Onset     time.Time     // from when on it was too much; zero: never
	Behind    []query.Point // the same time of another day, moved to this one's; nil: none
	BehindIs  string        // which day that is
	Note      string
	Still     bool   // no script draws it again
	PNG       string // address of its picture; empty: none
	CSV       string // and of its values
}

// Chart is a drawn chart: the picture, its words and its table say the same. The paths are the values themselves, in
// whole steps and decimal units, and a transformation puts them into the plot: so a script reads them from there.
type Chart struct {
	Plan
	Lines     []Line
	Bands     []Band
	Alike     string // labels that all lines have
	More      int    // lines that are left out
	Y         []string
	X         []Tick
	Low, High float64 // of the scale
	LimitAt   string  // y of the limit's line; empty: none
	MarksAt   []string
	OnsetAt   string // x of the onset; empty: none
	Zone      string // width of what is after it
	BehindOf  *Line  // what is drawn behind; nil: nothing
	NowAt     string // x of now, where the future is shown as well; empty: at the end
	Head      []string
	Rows      [][]string
	Words     string // what the picture shows, where it is not told from the lines
	Fault     string // why there is nothing
}

type Line struct {
	Name  string
	ID    string // of its entry in the legend, the same as long as its name is
	Class string // l0 to l7
	Words string
	trace
	last float64
	Pts  []query.Point
}

// Band is what lies between two lines of the same times.
type Band struct {
	Name, Class string
	trace
	Lo, Hi []query.Point
}

// Draw draws series, at most maxLines of them, the greatest last value first.
func Draw(pl Plan, series []query.Series, name func(query.Series) string) Chart {
	c := Chart{Plan: pl}
	low, high := 0.0, math.Inf(-1)
	for _, s := range series {
		ln := Line{Name: name(s), last: math.Inf(-1)}
		lo, hi := math.Inf(1), math.Inf(-1)
		for _, p := range s.Points {
			if math.IsNaN(p.V) || math.IsInf(p.V, 0) || p.T.Before(pl.From) || p.T.After(pl.To) {
				continue
			}
			ln.Pts = append(ln.Pts, p)
			lo, hi, ln.last = min(lo, p.V), max(hi, p.V), p.V
		}
		if len(ln.Pts) == 0 {
			continue
		}
		ln.Words = fmt.Sprintf("%s to %s, last %s", c.Unit.Say(lo), c.Unit.Say(hi), c.Unit.Say(ln.last))
		if lo == hi {
			ln.Words = "always " + c.Unit.Say(lo)
		}
		low, high = min(low, lo), max(high, hi)
		c.Lines = append(c.Lines, ln)
	}
	if len(c.Lines) == 0 {
		return c
	}
	for _, p := range pl.Behind {
		if !math.IsNaN(p.V) && !math.IsInf(p.V, 0) && !p.T.Before(pl.From) && !p.T.After(pl.To) {
			if c.BehindOf == nil {
				c.BehindOf = &Line{Name: pl.BehindIs, Class: "behind"}
			}
			c.BehindOf.Pts = append(c.BehindOf.Pts, p)
			low, high = min(low, p.V), max(high, p.V)
		}
	}
	slices.SortStableFunc(c.Lines, func(a, b Line) int { return cmp.Or(cmp.Compare(b.last, a.last), cmp.Compare(a.Name, b.Name)) })
	if c.More = max(0, len(c.Lines)-MaxLines); c.More > 0 {
		c.Lines = c.Lines[:MaxLines]
	}
	c.Scale(low, high)
	c.colour()
	c.Draw()
	c.tabulate()
	return c
}

// Scale sets the round numbers that the plot reaches from and to, and the times below it.
func (c *Chart) Scale(low, high float64) {
	if c.Limit > 0 && high > c.Limit/4 {
		high = max(high, c.Limit) // far below it the limit would flatten all else
	}
	step := c.Unit.niceStep((high - low) / plotSteps)
	c.Low = math.Floor(low/step+1e-9) * step
	for c.Low+plotSteps*step < high-step*1e-9 {
		step = c.Unit.niceStep(step * 1.01)
		c.Low = math.Floor(low/step+1e-9) * step
	}
	c.High = c.Low + plotSteps*step
	for i := plotSteps; i >= 0; i-- {
		c.Y = append(c.Y, c.Unit.Axis(c.Low+float64(i)*step))
	}
	c.X = Ticks(c.From, c.To)
}

// niceStep is the least round number that is not below v.
func (u Unit) niceStep(v float64) float64 {
	k := 1.0
	for u.Binary && v >= 1024*k {
		k *= 1024
	}
	return k * NiceStep(v/k)
}

// NiceStep is the least of a few digits times a power of ten that is not below v.
func NiceStep(v float64) float64 {
	if v <= 0 || math.IsNaN(v) || math.IsInf(v, 0) {
		return 1.0 / plotSteps
	}
	base := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range []float64{1, 1.5, 2, 2.5, 3, 4, 5} {
		if m*base >= v*(1-1e-9) {
			return m * base
		}
	}
	return 10 * base
}

func (c *Chart) XAt(t time.Time) float64 {
	return PlotWidth * float64(t.Sub(c.From)) / float64(max(c.To.Sub(c.From), 1))
}
func (c *Chart) YAt(v float64) float64 { return plotHeight * (1 - (v-c.Low)/(c.High-c.Low)) }

// colour gives the lines colours by their names, so that a line which overtakes another keeps its own.
func (c *Chart) colour() {
	var names []string
	for _, ln := range c.Lines {
		names = append(names, ln.Name)
	}
	slices.Sort(names)
	taken := map[int]bool{}
	for i := range c.Lines {
		ln := &c.Lines[i]
		at, _ := slices.BinarySearch(names, ln.Name)
		for taken[at] {
			at++ // two of one name
		}
		taken[at] = true
		ln.Class = "l" + strconv.Itoa(at)
		h := fnv.New32a()
		_, _ = h.Write([]byte(ln.Name))
		ln.ID = fmt.Sprintf("%s-%x", c.ID, h.Sum32())
	}
}

// Draw makes the paths.
func (c *Chart) Draw() {
	for i := range c.Lines {
		c.Lines[i].trace = c.line(c.Lines[i].Pts)
	}
	for i := range c.Bands {
		c.Bands[i].trace = c.area(c.Bands[i].Lo, c.Bands[i].Hi)
	}
	if c.BehindOf != nil {
		c.BehindOf.trace = c.line(c.BehindOf.Pts)
	}
	if !c.Onset.IsZero() && c.Onset.After(c.From) && c.Onset.Before(c.To) {
		c.OnsetAt, c.Zone = Coordinate(c.XAt(c.Onset)), Coordinate(PlotWidth-c.XAt(c.Onset))
	}
	if c.Limit > 0 && c.Limit <= c.High {
		c.LimitAt = Coordinate(c.YAt(c.Limit))
	}
	for _, m := range c.Marks {
		c.MarksAt = append(c.MarksAt, Coordinate(c.XAt(m.At)))
	}
}

// tabulate takes values at even times: a table of every step is read by nobody.
func (c *Chart) tabulate() {
	c.Head = []string{"Time, UTC"}
	for _, ln := range c.Lines {
		c.Head = append(c.Head, ln.Name)
	}
	for i := range tableRows {
		t := c.From.Add(c.To.Sub(c.From) * time.Duration(i) / (tableRows - 1))
		row := []string{t.UTC().Format("2 Jan 15:04:05")}
		for _, ln := range c.Lines {
			row = append(row, c.near(ln.Pts, t))
		}
		c.Rows = append(c.Rows, row)
	}
}

// near is the value at t: the last one that is not older than two steps.
func (c *Chart) near(pts []query.Point, t time.Time) string {
	i, _ := slices.BinarySearchFunc(pts, t.Add(time.Millisecond), func(p query.Point, t time.Time) int { return p.T.Compare(t) })
	if i == 0 || t.Sub(pts[i-1].T) > 2*c.Step {
		return "\u2013"
	}
	return c.Unit.Say(pts[i-1].V)
}

// Summary says what the picture shows.
func (c Chart) Summary() string {
	span := "in " + words.Duration(c.To.Sub(c.From))
	switch {
	case c.Fault != "":
		return c.Fault
	case c.Words != "":
		return c.Words
	case len(c.Lines) == 0:
		return "Nothing was reported " + span + "."
	case len(c.Lines) == 1:
		return c.Lines[0].Name + ": " + c.Lines[0].Words + ", " + span + "."
	}
	text := fmt.Sprintf("%s %s; the highest now is %s: %s.", words.Plural(len(c.Lines)+c.More, "line"), span, c.Lines[0].Name, c.Lines[0].Words)
	if c.More > 0 {
		text += fmt.Sprintf(" The %d highest are drawn.", MaxLines)
	}
	return text
}

// How a chart over time is asked for.
const (
	chartPoints = 240              // of a line, about
	MinStep     = 10 * time.Second // between two of them
)

// StepOf is the step in which a span is asked for: one of a few, so that all who look at the same span share it.
func StepOf(span time.Duration) time.Duration {
	for _, s := range []time.Duration{MinStep, 15 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour} {
		if span/s <= chartPoints {
			return s
		}
	}
	return max(span/chartPoints, time.Hour).Round(time.Hour)
}

// SparkStep is the step of a small line over a span: a quarter of a chart's points are more than it has pixels to tell apart.
func SparkStep(span time.Duration) time.Duration { return StepOf(4 * span) }

// Last is the newest value of the line.
func (ln Line) Last() float64 { return ln.last }
