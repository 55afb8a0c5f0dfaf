package views

import (
	"math"
	"testing"
	"time"

	"github.com/navcloud/binnacle/agent/query"
)

func TestFired(t *testing.T) {
	over := func(v float64) bool { return v > 5 }
	at := func(values ...float64) query.Series {
		var s query.Series
		for i, v := range values {
			if !math.IsNaN(v) {
				s.Points = append(s.Points, query.Point{T: time.Unix(int64(i)*60, 0), V: v})
			}
		}
		return s
	}
	nan := math.NaN()
	for name, tc := range map[string]struct {
		in               []query.Series
		hold             time.Duration
		n, alarms, still int
	}{
		"never":             {[]query.Series{at(1, 2, 3)}, 0, 0, 0, 0},
		"at once":           {[]query.Series{at(1, 9, 1, 9)}, 0, 2, 1, 1},
		"too short":         {[]query.Series{at(1, 9, 9, 1)}, 2 * time.Minute, 0, 0, 0},
		"long enough":       {[]query.Series{at(1, 9, 9, 9, 1)}, 2 * time.Minute, 1, 1, 0},
		"two subjects":      {[]query.Series{at(9, 9), at(1, 9)}, 0, 2, 2, 2},
		"a gap starts anew": {[]query.Series{at(9, 9, nan, nan, nan, 9, 9)}, 2 * time.Minute, 0, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			if n, alarms, still := fired(tc.in, over, tc.hold, time.Minute); n != tc.n || alarms != tc.alarms || still != tc.still {
				t.Errorf("fired %d times on %d, %d now; want %d, %d, %d", n, alarms, still, tc.n, tc.alarms, tc.still)
			}
		})
	}
}
