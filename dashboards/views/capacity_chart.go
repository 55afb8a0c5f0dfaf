package views

import (
	"math"
	"slices"
	"time"

	"github.com/navcloud/binnacle/agent/capacity"
	"github.com/navcloud/binnacle/agent/query"
	"github.com/navcloud/binnacle/dashboards/charts"
)

// Bounds of a chart of capacity.
const (
	pastShown = 28 * 24 // hours
	maxDrawn  = 1200    // points from its beginning to its end
)

// drawFan draws the past four weeks and what is forecast.
func drawFan(a capacity.Answer) charts.Chart {
	past, said := a.History.Hours, make([]float64, len(a.History.Past))
	for i, s := range a.History.Past {
		said[i] = s.Mid
	}
	first := slices.IndexFunc(past, func(v float64) bool { return !math.IsNaN(v) })
	if first < 0 {
		return charts.Chart{}
	}
	cut := max(first, len(past)-pastShown)
	past, said = past[cut:], said[min(cut, len(said)):]
	n, ahead := len(past), len(a.Fan.Mean)
	f := fan{from: a.History.End.Add(-time.Duration(n-1) * time.Hour), every: (n + ahead + maxDrawn - 1) / maxDrawn}
	worst := slices.Max[[]float64]
	if a.Pool.Floor {
		worst = slices.Min[[]float64]
	}
	c := charts.Chart{
		Plan: charts.Plan{
			ID: "fan", Unit: charts.InExact, Limit: a.Limit, LimitName: "the limit",
			From: f.from, To: a.History.End.Add(time.Duration(max(ahead, 1)) * time.Hour), Step: time.Duration(f.every) * time.Hour,
		},
		Lines: []charts.Line{
			{Name: "forecast a day before", Class: "said", Pts: f.points(said, 0, worst)},
			{Name: "used", Class: "past", Pts: f.points(past, 0, worst)},
			{Name: "expected", Class: "mean", Pts: f.points(a.Fan.Mean, n, worst)},
		},
		Bands: []charts.Band{
			{Name: "95 % within", Class: "wide", Lo: f.points(a.Fan.Lo95, n, slices.Min[[]float64]), Hi: f.points(a.Fan.Hi95, n, slices.Max[[]float64])},
			{Name: "80 % within", Class: "narrow", Lo: f.points(a.Fan.Lo80, n, slices.Min[[]float64]), Hi: f.points(a.Fan.Hi80, n, slices.Max[[]float64])},
		},
	}
	if a.Pool.Unit == "bytes" {
		c.Unit = charts.InBytes
	}
	c.Lines = slices.DeleteFunc(c.Lines, func(ln charts.Line) bool { return len(ln.Pts) == 0 })
	c.Bands = slices.DeleteFunc(c.Bands, func(b charts.Band) bool { return len(b.Hi) == 0 })
	c.Scale(0, max(a.Use, slices.MaxFunc(slices.Concat(past, a.Fan.Hi95), missingFirst)))
	c.NowAt = charts.Coordinate(c.XAt(a.History.End))
	c.Draw()
	c.Words = fanWords(a, past, c)
	return c
}

// fan makes points of values by the hour.
type fan struct {
	from  time.Time
	every int // hours of a point
}

// points takes one value of each few hours; at is the hour of the first.
func (f fan) points(values []float64, at int, of func([]float64) float64) (out []query.Point) {
	for i := 0; i < len(values); i += f.every {
		few := slices.DeleteFunc(slices.Clone(values[i:min(i+f.every, len(values))]), math.IsNaN)
		if len(few) > 0 {
			out = append(out, query.Point{T: f.from.Add(time.Duration(at+i) * time.Hour), V: max(of(few), 0)})
		}
	}
	return out
}

func fanWords(a capacity.Answer, past []float64, c charts.Chart) string {
	date := func(t time.Time) string { return t.UTC().Format("2 Jan") }
	saying := "From " + date(c.From) + " to now " + a.Pool.Say(least(past)) + " to " + a.Pool.Say(slices.MaxFunc(past, missingFirst)) + "; limit " + a.Pool.Say(a.Limit) + "."
	if end := len(a.Fan.Mean) - 1; end >= 0 {
		saying += " By " + date(c.To) + " " + a.Pool.Say(a.Fan.Mean[end]) + " is expected, 8 times of 10 within " + a.Pool.Short(a.Fan.Lo80[end]) + " and " + a.Pool.Short(a.Fan.Hi80[end]) + "."
	}
	if c.LimitAt == "" {
		saying += " The limit lies above this chart."
	}
	return saying
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
