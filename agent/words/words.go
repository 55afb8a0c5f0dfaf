// Package words writes figures for people: durations, sizes, counts, rates and shares, each in one way on every page, in
// every message and in the terminal.
//
// It is a leaf of pure functions. assets/live.js and assets/chart.js of dashboards write alike what moves in a browser.
package words

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Duration says a duration in one or two units: 42 s, 3 min, 2 h 5 min, 9 d. assets/live.js says it alike.
func Duration(d time.Duration) string {
	s := int64(d.Round(time.Second) / time.Second)
	switch {
	case s < 0:
		return "0 s"
	case s < 60:
		return fmt.Sprintf("%d s", s)
	case s < 3600:
		return fmt.Sprintf("%d min", s/60)
	case s < 86400:
		if m := s % 3600 / 60; m > 0 {
			return fmt.Sprintf("%d h %d min", s/3600, m)
		}
		return fmt.Sprintf("%d h", s/3600)
	}
	return fmt.Sprintf("%d d", s/86400)
}

// Compact is Go's form of a duration without the zeros behind: 1h and 3m, not 1h0m0s and 3m0s. It is that of a setting, for texts
// that name one.
func Compact(d time.Duration) string {
	text := d.String()
	for _, zeros := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(text, zeros) {
			text = text[:len(text)-len("0s")]
		}
	}
	return text
}

// Left says what is left: to the second where it is soon. assets/live.js says it alike.
func Left(d time.Duration) string {
	if s := int64(d.Round(time.Second) / time.Second); s >= 60 && s < 600 {
		return fmt.Sprintf("%d min %d s", s/60, s%60)
	}
	return Duration(d)
}

// Clock is a time of day with its zone, for a person who compares it with a log.
func Clock(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.UTC().Format("15:04:05 UTC, 2 Jan")
}

// Minute is a time to the minute, where seconds would be noise.
func Minute(t time.Time) string { return t.UTC().Format("2 Jan 15:04") }

// Number groups thousands by a narrow space: 12 345.
func Number(v float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return "unknown"
	}
	text := strconv.FormatInt(int64(math.Round(math.Abs(v))), 10)
	var groups []string
	for len(text) > 3 {
		groups = append([]string{text[len(text)-3:]}, groups...)
		text = text[:len(text)-3]
	}
	text = strings.Join(append([]string{text}, groups...), "\u202f")
	if math.Round(v) < 0 {
		text = minus("-" + text)
	}
	return text
}

// minus puts the sign of mathematics in the place of hyphens.
func minus(text string) string { return strings.ReplaceAll(text, "-", "\u2212") }

// below says what is below nothing by its opposite, which is made for what is not.
func below(v float64, say func(float64) string) string { return minus("-") + say(-v) }

// Rate says a figure per second with no more digits than it deserves.
func Rate(v float64) string {
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return "unknown"
	case v < 0:
		return below(v, Rate)
	case v == 0:
		return "0/s"
	case v < 0.01:
		return "< 0.01/s"
	case v < 10:
		return strconv.FormatFloat(v, 'g', 2, 64) + "/s"
	}
	return Number(v) + "/s"
}

// Seconds says a time span given in seconds, as latencies are.
func Seconds(v float64) string {
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return "unknown"
	case v < 0:
		return below(v, Seconds)
	case v == 0:
		return "0 s"
	case v < 0.001:
		return strconv.FormatFloat(v*1e6, 'f', 0, 64) + " µs"
	case v < 0.01:
		return strconv.FormatFloat(v*1e3, 'f', 1, 64) + " ms"
	case v < 1:
		return strconv.FormatFloat(v*1e3, 'f', 0, 64) + " ms"
	}
	return strconv.FormatFloat(v, 'f', 1, 64) + " s"
}

// Percent says a ratio of 1; what is little is not said to be nothing, nor what is much all.
func Percent(v float64) string {
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return "unknown"
	case v < 0:
		return below(v, Percent)
	case v == 0:
		return "0 %"
	case v < 0.001:
		return "< 0.1 %"
	case v > 0.999 && v < 1:
		return "> 99.9 %"
	case v < 0.1, v > 0.99 && v < 1:
		return strconv.FormatFloat(v*100, 'f', 1, 64) + " %"
	}
	return strconv.FormatFloat(v*100, 'f', 0, 64) + " %"
}

// Bytes says bytes in binary units.
func Bytes(n int64) string {
	v, units := float64(n), []string{"B", "KiB", "MiB", "GiB", "TiB"}
	for v >= 1024 && len(units) > 1 {
		v, units = v/1024, units[1:]
	}
	if units[0] == "B" || v >= 10 {
		return fmt.Sprintf("%.0f %s", v, units[0])
	}
	return fmt.Sprintf("%.1f %s", v, units[0])
}

// Plural says a count and its noun: 1 alarm, 2 alarms.
func Plural(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return Number(float64(n)) + " " + noun
}

// BytesOf is Bytes of what a chart draws.
func BytesOf(v float64) string { return Bytes(int64(v)) }

// SI writes a number short, for a scale: 12k, 3.4M.
func SI(v float64) string {
	a := math.Abs(v)
	for _, u := range []struct {
		at   float64
		name string
	}{{1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e3, "k"}} {
		if a >= u.at {
			return minus(strconv.FormatFloat(v/u.at, 'g', 3, 64) + u.name)
		}
	}
	return minus(strconv.FormatFloat(v, 'g', 3, 64))
}

// SIPercent writes a ratio of 1 as it is, for a scale: round numbers are short by themselves.
func SIPercent(v float64) string { return minus(strconv.FormatFloat(v*100, 'g', 3, 64)) + " %" }

// SIRate writes a figure per second short, for a scale.
func SIRate(v float64) string { return SI(v) + "/s" }

// Plain writes a number as exactly as a person wants it who does not know its unit.
func Plain(v float64) string {
	if a := math.Abs(v); a != 0 && a < 1000 && a != math.Trunc(a) || a >= 1e15 {
		return minus(strconv.FormatFloat(v, 'g', 4, 64))
	}
	return Number(v)
}

// Exact writes a value as it is, for who compares it.
func Exact(v float64) string {
	return minus(strconv.FormatFloat(v, 'g', -1, 64))
}
