package router

import (
	"errors"
	"strconv"
	"time"
)

var errDuration = errors.New("want a duration such as 90m, 1d or 2h30m")

// parseDuration reads a Go or a Prometheus duration; the latter has days, weeks and years.
func parseDuration(s string) (time.Duration, error) {
	if d, err := time.ParseDuration(s); err == nil {
		return d, nil
	}
	var total time.Duration
	for s != "" {
		i := 0
		for i < len(s) && s[i] >= '0' && s[i] <= '9' {
			i++
		}
		n, err := strconv.ParseInt(s[:i], 10, 32)
		if err != nil {
			return 0, errDuration
		}
		j := i
		for j < len(s) && (s[j] < '0' || s[j] > '9') {
			j++
		}
		unit, ok := units[s[i:j]]
		if !ok {
			return 0, errDuration
		}
		total += time.Duration(n) * unit
		s = s[j:]
	}
	return total, nil
}

var units = map[string]time.Duration{
	"ms": time.Millisecond, "s": time.Second, "m": time.Minute, "h": time.Hour,
	"d": 24 * time.Hour, "w": week, "y": 365 * 24 * time.Hour,
}
