package dashboards

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// short says a duration in one or two units: 42 s, 3 min, 2 h 5 min, 9 d. assets/live.js says it alike.
func short(d time.Duration) string {
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

// until says what is left: to the second where it is soon. assets/live.js says it alike.
func until(d time.Duration) string {
	if s := int64(d.Round(time.Second) / time.Second); s >= 60 && s < 600 {
		return fmt.Sprintf("%d min %d s", s/60, s%60)
	}
	return short(d)
}

// clock is a time of day with its zone, for a person who compares it with a log.
func clock(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.UTC().Format("15:04:05 UTC, 2 Jan")
}

// minute is a time to the minute, where seconds would be noise.
func minute(t time.Time) string { return t.UTC().Format("2 Jan 15:04") }

// number groups thousands by a narrow space: 12 345.
func number(v float64) string {
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

// rate says a figure per second with no more digits than it deserves.
func rate(v float64) string {
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return "unknown"
	case v < 0:
		return below(v, rate)
	case v == 0:
		return "0/s"
	case v < 0.01:
		return "< 0.01/s"
	case v < 10:
		return strconv.FormatFloat(v, 'g', 2, 64) + "/s"
	}
	return number(v) + "/s"
}

// seconds says a time span given in seconds, as latencies are.
func seconds(v float64) string {
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return "unknown"
	case v < 0:
		return below(v, seconds)
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

// percent says a ratio of 1; what is little is not said to be nothing, nor what is much all.
func percent(v float64) string {
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return "unknown"
	case v < 0:
		return below(v, percent)
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

// byteSize says bytes in binary units.
func byteSize(n int64) string {
	v, units := float64(n), []string{"B", "KiB", "MiB", "GiB", "TiB"}
	for v >= 1024 && len(units) > 1 {
		v, units = v/1024, units[1:]
	}
	if units[0] == "B" || v >= 10 {
		return fmt.Sprintf("%.0f %s", v, units[0])
	}
	return fmt.Sprintf("%.1f %s", v, units[0])
}

// plural says a count and its noun: 1 alarm, 2 alarms.
func plural(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return number(float64(n)) + " " + noun
}
