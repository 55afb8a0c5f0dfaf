package capacity

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/navcloud/binnacle/agent/words"
)

// String says the time until the limit: as an interval where it can be told, as a probability else.
func (u Until) String() string {
	switch {
	case u.Within == 1 && u.P50 == 0:
		return "full now"
	case u.P50 != Never:
		unit, name := words.UnitOf(u.P50)
		late := "more than " + words.Whole(u.Horizon, unit)
		if u.P90 != Never {
			late = words.Whole(u.P90, unit)
		}
		n := words.Whole(u.P50, unit)
		if n == "1" {
			name = strings.TrimSuffix(name, "s")
		}
		return fmt.Sprintf("full in %s %s (%s to %s)", n, name, words.Whole(u.P10, unit), late)
	case u.P10 != Never:
		return fmt.Sprintf("perhaps full in %s (%s within %s)", words.Span(u.P10), words.Chance(u.Within), words.Span(u.Horizon))
	case u.Horizon == 0:
		return "not enough history"
	}
	return fmt.Sprintf("not full within %s (%s)", words.Span(u.Horizon), words.Chance(u.Within))
}

// Say writes a value in the pool's unit.
func (p Pool) Say(v float64) string {
	if p.Unit == "bytes" {
		return words.BytesOf(v)
	}
	return words.Short(v) + " " + p.Unit
}

// Short is Say without the unit where that is a noun.
func (p Pool) Short(v float64) string {
	if p.Unit == "bytes" {
		return words.BytesOf(v)
	}
	return words.Short(v)
}

// Times says a buffer: ×1.4; a dash where it is not known.
func Times(v float64) string {
	switch {
	case v == 0:
		return "–"
	case v >= 100:
		return "> ×100"
	case v >= 10:
		return fmt.Sprintf("×%.0f", v)
	}
	return fmt.Sprintf("×%.2f", math.Floor(v*100)/100) // no room is made by rounding
}

// Where says which instance of its pool this is.
func (a Answer) Where() string {
	var saying []string
	for _, k := range []string{"stack", "cluster", "node", "mountpoint"} {
		if v := a.Labels[k]; v != "" {
			saying = append(saying, v)
		}
	}
	for _, k := range slices.Sorted(maps.Keys(a.Labels)) {
		if v := a.Labels[k]; v != "" && !slices.Contains([]string{"stack", "cluster", "node", "mountpoint", "__name__"}, k) {
			saying = append(saying, k+" "+v)
		}
	}
	return strings.Join(saying, " ")
}

// Forecast says when the limit is reached, or why that is not known.
func (a Answer) Forecast() string {
	if a.Lacks != "" && !a.passed() {
		return a.Lacks
	}
	if a.Pool.Floor {
		return strings.Replace(a.Until.String(), "full", "used up", 1)
	}
	return a.Until.String()
}

// Reason says in a sentence what the forecast rests on and what to do where room has to be made.
func (a Answer) Reason() string {
	var b strings.Builder
	of := "of"
	if a.Pool.Floor {
		of = "left, with a floor of"
	}
	switch {
	case a.Lacks != "":
		fmt.Fprintf(&b, "%s %s %s.", a.Pool.Short(a.Use), of, a.Pool.Say(a.Limit))
	case a.Pool.Kind == Fills:
		fmt.Fprintf(&b, "%s %s %s; %s in a week.", a.Pool.Short(a.Use), of, a.Pool.Say(a.Limit), a.Pool.Short(max(a.Fan.end(a.Peak), 0)))
	default:
		fmt.Fprintf(&b, "%s %s %s; the peak of the coming week is %s, 1 time in 10 over %s.",
			a.Pool.Short(a.Use), of, a.Pool.Say(a.Limit), a.Pool.Short(a.Peak), a.Pool.Short(a.PeakHi))
	}
	if a.Buffer.ZoneLost > 0 && a.Buffer.ZoneLost < 1 {
		fmt.Fprintf(&b, " Without %s it does not fit.", a.Lost)
	}
	if a.Urgent() {
		fmt.Fprintf(&b, " To do, it takes %s: %s.", words.Span(a.Lead), a.Pool.Action)
	}
	return b.String()
}

// end is the forecast a week ahead, or as far as it goes; without one it is v.
func (f Fan) end(v float64) float64 {
	if n := min(hoursWeek, len(f.Mean)); n > 0 {
		return f.Mean[n-1]
	}
	return v
}

// Record says how often past forecasts were right.
func (a Answer) Record() string {
	if a.Asked == 0 {
		return "no forecast is a day old yet"
	}
	return fmt.Sprintf("%d of %d values lay in the 80 %% interval forecast a day before", a.Held, a.Asked)
}
