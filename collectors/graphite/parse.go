package graphite

import (
	"math"
	"strconv"
	"strings"
)

// point is a line as it came.
type point struct {
	path  string
	tags  []string // names and values in turn
	value float64
	at    float64 // seconds since 1970; -1: now
}

// parse reads a line. Its reason, where there is one, is why it cannot be taken.
// Source: graphite.readthedocs.io, "Feeding In Your Data" and "Graphite Tag Support", read 30 November 2026, and Carbon 1.1.7 by trial.
func parse(line []byte) (p point, reason string) {
	f := strings.Fields(string(line))
	if len(f) != 3 {
		return p, "form"
	}
	var tags string
	p.path, tags, _ = strings.Cut(f[0], ";")
	if p.path == "" || len(f[0]) > maxPath || !pathForm.MatchString(p.path) {
		return p, "path"
	}
	if tags != "" {
		for _, tag := range strings.Split(tags, ";") {
			k, v, ok := strings.Cut(tag, "=")
			if !ok || k == "" || v == "" {
				return p, "path"
			}
			p.tags = append(p.tags, k, v)
		}
	}
	var err error
	if p.value, err = strconv.ParseFloat(f[1], 64); err != nil || math.IsNaN(p.value) || math.IsInf(p.value, 0) {
		return p, "value"
	}
	if p.at, err = strconv.ParseFloat(f[2], 64); err != nil || math.IsNaN(p.at) {
		return p, "time"
	}
	return p, ""
}
