package words

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

const day = 24 * time.Hour

// UnitOf returns the unit in which a time that lies weeks ahead is said, and its name for many.
func UnitOf(d time.Duration) (time.Duration, string) {
	switch {
	case d < 2*day:
		return time.Hour, "hours"
	case d < 10*7*day:
		return day, "days"
	}
	return 7 * day, "weeks"
}

// Whole says how many units a duration has.
func Whole(d, unit time.Duration) string {
	return strconv.Itoa(int(math.Round(float64(d) / float64(unit))))
}

// Span says a time that may lie weeks ahead, in one unit: 20 hours, 9 days, 14 weeks.
func Span(d time.Duration) string {
	unit, name := UnitOf(d)
	n := Whole(d, unit)
	if n == "1" {
		name = strings.TrimSuffix(name, "s")
	}
	return n + " " + name
}

// Chance says a probability; what is unlikely is not impossible, nor what is likely certain.
func Chance(p float64) string {
	switch {
	case p < 0.01:
		return "< 1 %"
	case p > 0.99:
		return "> 99 %"
	}
	return fmt.Sprintf("%.0f %%", 100*p)
}

// Short keeps three digits of what is large, and groups the thousands of what is not: 1 200, 824k, 1.05M.
func Short(v float64) string {
	units := []string{"", "k", "M", "G", "T"}
	if v >= 100 {
		v = math.Round(v)
	}
	if a := math.Abs(v); a >= 1000 && a < 100_000 {
		return Number(v)
	} else if a < 1000 {
		return strconv.FormatFloat(math.Round(v*10)/10, 'f', -1, 64)
	}
	for math.Abs(v) >= 1000 && len(units) > 1 {
		v, units = v/1000, units[1:]
	}
	return strconv.FormatFloat(v, 'g', 3, 64) + units[0]
}
