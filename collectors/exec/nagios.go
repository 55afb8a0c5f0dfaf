package exec

import (
	"math"
	"strconv"
	"strings"
	"unicode"
)

// perf is one figure of a plugin's performance data, in base units.
type perf struct {
	label, unit string // unit: seconds, bytes, ratio, or as the plugin has it
	counter     bool
	value       float64
	warn, crit  float64 // NaN where there is none
}

// Units of performance data, and what they are in base units. What is not here stays as it is.
// Source: Monitoring Plugins Development Guidelines, "Performance data", read 30 November 2026.
var units = map[string]struct {
	unit  string
	times float64
}{
	"s": {"seconds", 1}, "ms": {"seconds", 1e-3}, "us": {"seconds", 1e-6}, "ns": {"seconds", 1e-9},
	"b": {"bytes", 1}, "kb": {"bytes", 1 << 10}, "mb": {"bytes", 1 << 20}, "gb": {"bytes", 1 << 30}, "tb": {"bytes", 1 << 40},
	"kib": {"bytes", 1 << 10}, "mib": {"bytes", 1 << 20}, "gib": {"bytes", 1 << 30}, "tib": {"bytes", 1 << 40},
	"%": {"ratio", 0.01}, "c": {"", 1},
}

// splitOutput parts the text of a plugin from its performance data: in the first line by a bar, and once in the lines after.
func splitOutput(s string) (text, data string) {
	first, rest, _ := strings.Cut(s, "\n")
	text, data, _ = strings.Cut(first, "|")
	more, moreData, _ := strings.Cut(rest, "|")
	if strings.TrimSpace(more) != "" {
		text = strings.TrimRight(text, " ") + "\n" + more
	}
	return strings.TrimSpace(text), data + " " + strings.ReplaceAll(moreData, "\n", " ")
}

// parsePerf reads performance data. It is lenient as others are: commas between figures, a comma as decimal point, labels
// with blanks and no quotes. What is no figure is counted by bad; a value U is unknown and left out.
func parsePerf(data string) (out []perf, bad int) {
	for data = strings.TrimSpace(data); data != ""; data = strings.TrimLeft(data, " ,\t;") {
		label, rest, ok := perfLabel(data)
		if !ok { // the next figure may be one
			bad++
			if _, data, ok = strings.Cut(data, " "); !ok {
				return out, bad
			}
			continue
		}
		end := strings.IndexFunc(rest, unicode.IsSpace)
		if end < 0 {
			end = len(rest)
		}
		p, known, fine := parseFigure(label, strings.TrimRight(rest[:end], ","))
		switch {
		case !fine:
			bad++
		case known:
			out = append(out, p)
		}
		data = rest[end:]
	}
	return out, bad
}

// perfLabel takes the label in front of the next equals sign, in quotes or not; two quotes within quotes are one.
func perfLabel(s string) (label, rest string, ok bool) {
	if s[0] != '\'' {
		label, rest, ok = strings.Cut(s, "=")
		return strings.Trim(strings.TrimSpace(label), `"'`), rest, ok && label != ""
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] != '\'':
			b.WriteByte(s[i])
		case i+1 < len(s) && s[i+1] == '\'':
			b.WriteByte('\'')
			i++
		case i+1 < len(s) && s[i+1] == '=':
			return b.String(), s[i+2:], b.Len() > 0
		default:
			return "", "", false
		}
	}
	return "", "", false
}

// parseFigure reads value[unit];warn;crit;min;max.
func parseFigure(label, s string) (p perf, known, fine bool) {
	parts := strings.Split(s, ";")
	digits := strings.TrimRightFunc(parts[0], func(r rune) bool { return !unicode.IsDigit(r) && r != '.' })
	suffix := parts[0][len(digits):]
	if parts[0] == "U" || parts[0] == "" {
		return p, false, true
	}
	v, err := strconv.ParseFloat(strings.Replace(digits, ",", ".", 1), 64)
	if err != nil || math.IsInf(v, 0) || math.IsNaN(v) || len(suffix) > maxUnit || strings.ContainsRune(suffix, unicode.ReplacementChar) {
		return p, false, false
	}
	p = perf{label: label, unit: suffix, warn: math.NaN(), crit: math.NaN()}
	unit, times := unitOf(suffix)
	p.unit, p.counter, p.value = unit, suffix == "c", v*times
	if len(parts) > 1 {
		p.warn = threshold(parts[1], times)
	}
	if len(parts) > 2 {
		p.crit = threshold(parts[2], times)
	}
	return p, true, true
}

// maxUnit is the longest unit that is one, in bytes.
const maxUnit = 16

// unitOf returns the base unit of a suffix and how many of it one is. C is Celsius, c a counter.
func unitOf(suffix string) (unit string, times float64) {
	if u, ok := units[strings.ToLower(suffix)]; ok && suffix != "C" {
		return u.unit, u.times
	}
	return suffix, 1
}

// threshold is the bound of a range that matters, in base units: the upper one, the lower one of a range without an upper and
// of a range inside of which it is bad (@10:20). A range inside of which it is bad and that begins at nothing (@5, @~:5) is
// left upwards. A bound with a unit of its own (2s) is in that.
func threshold(s string, times float64) float64 {
	s, inside := strings.CutPrefix(strings.TrimSpace(s), "@")
	low, high, isRange := strings.Cut(s, ":")
	if s == "" {
		return math.NaN()
	}
	if !isRange {
		low, high = "0", low
	}
	if high == "" || inside && low != "~" && low != "0" && low != "" {
		high = low
	}
	digits := strings.TrimRightFunc(high, func(r rune) bool { return !unicode.IsDigit(r) && r != '.' })
	if suffix := high[len(digits):]; suffix != "" {
		_, times = unitOf(suffix)
	}
	v, err := strconv.ParseFloat(strings.Replace(digits, ",", ".", 1), 64)
	if err != nil || math.IsInf(v, 0) {
		return math.NaN()
	}
	return v * times
}
