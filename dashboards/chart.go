package dashboards

import (
	"cmp"
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
	plotWidth  = 1000.0
	plotHeight = 240.0
	plotSteps  = 4  // of the scale
	maxLines   = 8  // that are told apart by colour and dash
	tableRows  = 13 // of the table beside a chart
)

// unit is how values are said. assets/chart.js says them alike under the same name.
type unit struct {
	Name   string
	say    func(float64) string // in words
	axis   func(float64) string // at the scale
	binary bool                 // its round numbers are those of 1024
}

var (
	inNumber  = unit{Name: "number", say: words.Number, axis: words.SI}
	inRate    = unit{Name: "rate", say: words.Rate, axis: words.SIRate}
	inSeconds = unit{Name: "seconds", say: words.Seconds, axis: words.Seconds}
	inPercent = unit{Name: "percent", say: words.Percent, axis: words.SIPercent}
	inExact   = unit{Name: "exact", say: words.Plain, axis: words.SI}
	inBytes   = unit{Name: "bytes", say: words.BytesOf, axis: words.BytesOf, binary: true}
)

// plan is what a chart is to show.
type plan struct {
	ID, Title string
	Unit      unit
	Limit     float64 // a line that must not be reached; 0: none
	LimitName string
	From, To  time.Time
	Step      time.Duration // between points, which lie at whole ones after From
	Marks     []deed        // deploys
	Note      string
}

// chart is a drawn chart: the picture, its words and its table say the same. The paths are the values themselves, in
// whole steps and decimal units, and a transformation puts them into the plot: so a script reads them from there.
type chart struct {
	plan
	Lines     []chartLine
	Bands     []chartBand
	Alike     string // labels that all lines have
	More      int    // lines that are left out
	Y         []string
	X         []tick
	Low, High float64 // of the scale
	LimitAt   string  // y of the limit's line; empty: none
	MarksAt   []string
	NowAt     string // x of now, where the future is shown as well; empty: at the end
	Head      []string
	Rows      [][]string
	Words     string // what the picture shows, where it is not told from the lines
	Fault     string // why there is nothing
}

type chartLine struct {
	Name  string
	ID    string // of its entry in the legend, the same as long as its name is
	Class string // l0 to l7
	Words string
	trace
	last float64
	pts  []query.Point
}

// chartBand is what lies between two lines of the same times.
type chartBand struct {
	Name, Class string
	trace
	lo, hi []query.Point
}

// drawChart draws series, at most maxLines of them, the greatest last value first.
func drawChart(pl plan, series []query.Series, name func(query.Series) string) chart {
	c := chart{plan: pl}
	low, high := 0.0, math.Inf(-1)
	for _, s := range series {
		ln := chartLine{Name: name(s), last: math.Inf(-1)}
		lo, hi := math.Inf(1), math.Inf(-1)
		for _, p := range s.Points {
			if math.IsNaN(p.V) || math.IsInf(p.V, 0) || p.T.Before(pl.From) || p.T.After(pl.To) {
				continue
			}
			ln.pts = append(ln.pts, p)
			lo, hi, ln.last = min(lo, p.V), max(hi, p.V), p.V
		}
		if len(ln.pts) == 0 {
			continue
		}
		ln.Words = fmt.Sprintf("%s to %s, last %s", c.Unit.say(lo), c.Unit.say(hi), c.Unit.say(ln.last))
		if lo == hi {
			ln.Words = "always " + c.Unit.say(lo)
		}
		low, high = min(low, lo), max(high, hi)
		c.Lines = append(c.Lines, ln)
	}
	if len(c.Lines) == 0 {
		return c
	}
	slices.SortStableFunc(c.Lines, func(a, b chartLine) int { return cmp.Or(cmp.Compare(b.last, a.last), cmp.Compare(a.Name, b.Name)) })
	if c.More = max(0, len(c.Lines)-maxLines); c.More > 0 {
		c.Lines = c.Lines[:maxLines]
	}
	c.scale(low, high)
	c.colour()
	c.draw()
	c.tabulate()
	return c
}

// scale sets the round numbers that the plot reaches from and to, and the times below it.
func (c *chart) scale(low, high float64) {
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
		c.Y = append(c.Y, c.Unit.axis(c.Low+float64(i)*step))
	}
	c.X = ticks(c.From, c.To)
}

// niceStep is the least round number that is not below v.
func (u unit) niceStep(v float64) float64 {
	k := 1.0
	for u.binary && v >= 1024*k {
		k *= 1024
	}
	return k * niceStep(v/k)
}

// niceStep is the least of a few digits times a power of ten that is not below v.
func niceStep(v float64) float64 {
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

func (c *chart) x(t time.Time) float64 {
	return plotWidth * float64(t.Sub(c.From)) / float64(max(c.To.Sub(c.From), 1))
}
func (c *chart) y(v float64) float64 { return plotHeight * (1 - (v-c.Low)/(c.High-c.Low)) }

// colour gives the lines colours by their names, so that a line which overtakes another keeps its own.
func (c *chart) colour() {
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

// draw makes the paths.
func (c *chart) draw() {
	for i := range c.Lines {
		c.Lines[i].trace = c.line(c.Lines[i].pts)
	}
	for i := range c.Bands {
		c.Bands[i].trace = c.area(c.Bands[i].lo, c.Bands[i].hi)
	}
	if c.Limit > 0 && c.Limit <= c.High {
		c.LimitAt = coordinate(c.y(c.Limit))
	}
	for _, m := range c.Marks {
		c.MarksAt = append(c.MarksAt, coordinate(c.x(m.At)))
	}
}

// tabulate takes values at even times: a table of every step is read by nobody.
func (c *chart) tabulate() {
	c.Head = []string{"Time, UTC"}
	for _, ln := range c.Lines {
		c.Head = append(c.Head, ln.Name)
	}
	for i := range tableRows {
		t := c.From.Add(c.To.Sub(c.From) * time.Duration(i) / (tableRows - 1))
		row := []string{t.UTC().Format("2 Jan 15:04:05")}
		for _, ln := range c.Lines {
			row = append(row, c.near(ln.pts, t))
		}
		c.Rows = append(c.Rows, row)
	}
}

// near is the value at t: the last one that is not older than two steps.
func (c *chart) near(pts []query.Point, t time.Time) string {
	i, _ := slices.BinarySearchFunc(pts, t.Add(time.Millisecond), func(p query.Point, t time.Time) int { return p.T.Compare(t) })
	if i == 0 || t.Sub(pts[i-1].T) > 2*c.Step {
		return "\u2013"
	}
	return c.Unit.say(pts[i-1].V)
}

// Summary says what the picture shows.
func (c chart) Summary() string {
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
		text += fmt.Sprintf(" The %d highest are drawn.", maxLines)
	}
	return text
}
