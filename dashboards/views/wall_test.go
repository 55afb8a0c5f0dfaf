package views

import (
	"encoding/json"
	"math"
	"testing"
	"time"
)

func TestWallDiff(t *testing.T) {
	nan := math.NaN()
	look := func(names []string, values ...float64) *glance {
		return &glance{names: names, values: values, high: 10, at: noon}
	}
	abc := []string{"a", "b", "c"}
	for name, tc := range map[string]struct {
		old, now *glance
		want     string
	}{
		"at first":           {nil, look(abc, 1, 2.00004, nan), `"names":["a","b","c"],"values":[1,2,null]`},
		"nothing":            {look(abc, 1, 2, nan), look(abc, 1, 2, nan), ``},
		"one":                {look(abc, 1, 2, nan), look(abc, 1, 12345.6, nan), `"changed":[1,1.235e+04]`},
		"most":               {look(abc, 1, 2, nan), look(abc, 3, 4, 5), `"values":[3,4,5]`},
		"one came":           {look(abc[:2], 1, 2), look(abc, 1, 2, 3), `"names":["a","b","c"],"values":[1,2,3]`},
		"the store is stuck": {look(abc, 1, 2, 3), &glance{fault: "timeout", at: noon}, ``},
	} {
		t.Run(name, func(t *testing.T) {
			n := wallDiff(tc.old, tc.now)
			n.At, n.Words, n.Low, n.High = 0, "", 0, 0
			b, err := json.Marshal(n)
			if err != nil {
				t.Fatal(err)
			}
			want := `{"at":0,"words":"","low":0,"high":0`
			if tc.want != "" {
				want += "," + tc.want
			}
			if got := string(b); got != want+"}" {
				t.Errorf("news %s, want %s}", got, want)
			}
		})
	}
}

// noon is when everything in these tests happens.
var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
