package charts

import (
	"math"
	"testing"
	"time"

	"github.com/navcloud/binnacle/agent/query"
	"github.com/navcloud/binnacle/agent/words"
)

func TestSpark(t *testing.T) {
	at := func(min int, v float64) query.Point {
		return query.Point{T: noon.Add(time.Duration(min-30) * time.Minute), V: v}
	}
	for name, tc := range map[string]struct {
		in   []query.Point
		want string
	}{
		"nothing":                      {nil, ""},
		"nothing that is a number":     {[]query.Point{at(0, math.NaN())}, ""},
		"one point is a dash":          {[]query.Point{at(30, 5)}, "M200 2h-5"},
		"constant":                     {[]query.Point{at(28, 5), at(29, 5), at(30, 5)}, "M0 2L100 2L200 2"},
		"all zero lies on the ground":  {[]query.Point{at(29, 0), at(30, 0)}, "M0 34L200 34"},
		"a fall to half, scale from 0": {[]query.Point{at(29, 10), at(30, 5)}, "M0 2L200 18"},
		"a hole is not a line":         {[]query.Point{at(0, 10), at(29, 10), at(30, 10)}, "M0 2M193.3 2L200 2"},
		"negative is drawn at 0":       {[]query.Point{at(29, 10), at(30, -3)}, "M0 2L200 34"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := DrawSpark(tc.in, noon, time.Minute, words.Number); got.Path != tc.want {
				t.Errorf("drawSpark(%v) draws %q, want %q", tc.in, got.Path, tc.want)
			}
		})
	}
}
