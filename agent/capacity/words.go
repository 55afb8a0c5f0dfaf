package capacity

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

const day = 24 * time.Hour

// String says the time until the limit: as an interval where it can be told, as a probability else.
func (u Until) String() string {
	switch {
	case u.Within == 1 && u.P50 == 0:
		return "full now"
	case u.P50 != Never:
		unit, name := unitOf(u.P50)
		late := "more than " + whole(u.Horizon, unit)
		if u.P90 != Never {
			late = whole(u.P90, unit)
		}
		n := whole(u.P50, unit)
		if n == "1" {
			name = strings.TrimSuffix(name, "s")
		}
		return fmt.Sprintf("full in %s %s (%s to %s)", n, name, whole(u.P10, unit), late)
	case u.P10 != Never:
		return fmt.Sprintf("perhaps full in %s (%s within %s)", span(u.P10), percent(u.Within), span(u.Horizon))
	case u.Horizon == 0:
		return "not enough history"
	}
	return fmt.Sprintf("not full within %s (%s)", span(u.Horizon), percent(u.Within))
}

func unitOf(d time.Duration) (time.Duration, string) {
	switch {
	case d < 2*day:
		return time.Hour, "hours"
	case d < 10*7*day:
		return day, "days"
	}
	return 7 * day, "weeks"
}

func whole(d, unit time.Duration) string {
	return strconv.Itoa(int(math.Round(float64(d) / float64(unit))))
}

func span(d time.Duration) string {
	unit, name := unitOf(d)
	n := whole(d, unit)
	if n == "1" {
		name = strings.TrimSuffix(name, "s")
	}
	return n + " " + name
}

// percent says a probability; what is unlikely is not impossible, nor what is likely certain.
func percent(p float64) string {
	switch {
	case p < 0.01:
		return "< 1 %"
	case p > 0.99:
		return "> 99 %"
	}
	return fmt.Sprintf("%.0f %%", 100*p)
}

// Say writes a value in the pool's unit.
func (p Pool) Say(v float64) string {
	if p.Unit == "bytes" {
		return bytes(v)
	}
	return count(v) + " " + p.Unit
}

// Short is Say without the unit where that is a noun.
func (p Pool) Short(v float64) string {
	if p.Unit == "bytes" {
		return bytes(v)
	}
	return count(v)
}

func bytes(v float64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB"}
	for math.Abs(v) >= 1024 && len(units) > 1 {
		v, units = v/1024, units[1:]
	}
	if math.Abs(v) >= 100 || units[0] == "B" {
		return fmt.Sprintf("%.0f %s", v, units[0])
	}
	return fmt.Sprintf("%.1f %s", v, units[0])
}

// count keeps three digits of what is large: 824k, 1.05M.
func count(v float64) string {
	units := []string{"", "k", "M", "G", "T"}
	if v >= 100 {
		v = math.Round(v)
	}
	if math.Abs(v) < 100_000 {
		return strconv.FormatFloat(math.Round(v*10)/10, 'f', -1, 64)
	}
	for math.Abs(v) >= 1000 && len(units) > 1 {
		v, units = v/1000, units[1:]
	}
	return strconv.FormatFloat(v, 'g', 3, 64) + units[0]
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
	var words []string
	for _, k := range []string{"stack", "cluster", "node", "mountpoint"} {
		if v := a.Labels[k]; v != "" {
			words = append(words, v)
		}
	}
	for _, k := range slices.Sorted(maps.Keys(a.Labels)) {
		if v := a.Labels[k]; v != "" && !slices.Contains([]string{"stack", "cluster", "node", "mountpoint", "__name__"}, k) {
			words = append(words, k+" "+v)
		}
	}
	return strings.Join(words, " ")
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
		fmt.Fprintf(&b, " To do, it takes %s: %s.", span(a.Lead), a.Pool.Action)
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
