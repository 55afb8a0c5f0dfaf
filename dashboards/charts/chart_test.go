package charts

import (
	"maps"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/navcloud/binnacle/agent/query"
	"github.com/navcloud/binnacle/agent/words"
)

func aPlan(span time.Duration) Plan {
	return Plan{ID: "c", Title: "T", Unit: InExact, From: noon.Add(-span), To: noon, Step: time.Minute}
}

func series(values ...float64) query.Series {
	s := query.Series{Labels: map[string]string{"node": "a"}}
	for i, v := range values {
		s.Points = append(s.Points, query.Point{T: noon.Add(time.Duration(i-len(values)+1) * time.Minute), V: v})
	}
	return s
}

func TestDrawChart(t *testing.T) {
	nan := math.NaN()
	for name, tc := range map[string]struct {
		in      []query.Series
		scale   string
		path    string // in minutes, and in units
		summary string
	}{
		"nothing":       {nil, "", "", "Nothing was reported in 4 min."},
		"only gaps":     {[]query.Series{series(nan, nan)}, "", "", "Nothing was reported in 4 min."},
		"a constant":    {[]query.Series{series(7, 7, 7, 7, 7)}, "8 6 4 2 0", "m0 7 1 0 1 0 1 0 1 0", "a: always 7, in 4 min."},
		"zero":          {[]query.Series{series(0, 0)}, "1 0.75 0.5 0.25 0", "m3 0 1 0", "a: always 0, in 4 min."},
		"one point":     {[]query.Series{series(3)}, "4 3 2 1 0", "m4 3h0", "a: always 3, in 4 min."},
		"it jumps":      {[]query.Series{series(1, 1000)}, "1k 750 500 250 0", "m3 1 1 999", "a: 1 to 1\u202f000, last 1\u202f000, in 4 min."},
		"negative":      {[]query.Series{series(-3, 5)}, "5 2.5 0 \u22122.5 \u22125", "m3-3 1 8", "a: \u22123 to 5, last 5, in 4 min."},
		"a gap":         {[]query.Series{series(2, nan, nan, nan, 4)}, "4 3 2 1 0", "m0 2h0m4 2h0", "a: 2 to 4, last 4, in 4 min."},
		"it ends early": {[]query.Series{series(2, 2, nan, nan, nan)}, "2 1.5 1 0.5 0", "m0 2 1 0", "a: always 2, in 4 min."},
		"infinite":      {[]query.Series{series(2, math.Inf(1))}, "2 1.5 1 0.5 0", "m3 2h0", "a: always 2, in 4 min."},
	} {
		t.Run(name, func(t *testing.T) {
			c := Draw(aPlan(4*time.Minute), tc.in, func(s query.Series) string { return s.Labels["node"] })
			path := ""
			if len(c.Lines) > 0 {
				path = c.Lines[0].Path
			}
			if got := strings.Join(c.Y, " "); got != tc.scale || path != tc.path || c.Summary() != tc.summary {
				t.Errorf("scale %q, path %q, %q; want %q, %q, %q", got, path, c.Summary(), tc.scale, tc.path, tc.summary)
			}
		})
	}
}

// TestTrace holds what a path keeps of values, and where it is put.
func TestTrace(t *testing.T) {
	for name, tc := range map[string]struct {
		in    query.Series
		exp   int
		path  string
		place string
	}{
		"whole numbers":       {series(1000, 1001), 0, "m3 1000 1 1", "matrix(250 0 0 -0.2 0 240)"},
		"six digits of parts": {series(0.5, 1.2345678), -5, "m3 50000 1 73457", "matrix(250 0 0 -0.0015 0 240)"},
		"what is very large":  {series(3e12, 1e12), 7, "m3 300000 1-200000", "matrix(250 0 0 -0.0006 0 240)"},
		"what is very small":  {series(0.00002, 0), -10, "m3 200000 1-200000", "matrix(250 0 0 -0.0012 0 240)"},
		"below nothing":       {series(-2, 2), 0, "m3-2 1 4", "matrix(250 0 0 -60 0 120)"},
	} {
		t.Run(name, func(t *testing.T) {
			ln := Draw(aPlan(4*time.Minute), []query.Series{tc.in}, func(query.Series) string { return "" }).Lines[0]
			if ln.Exp != tc.exp || ln.Path != tc.path || ln.Place != tc.place {
				t.Errorf("%q in units of 1e%d, at %s; want %q, 1e%d, %s", ln.Path, ln.Exp, ln.Place, tc.path, tc.exp, tc.place)
			}
		})
	}
}

func TestTicks(t *testing.T) {
	for name, tc := range map[string]struct {
		span time.Duration
		want string
	}{
		"ten minutes":                 {10 * time.Minute, "11:56 at 10 11:58 at 30 12:00 at 50 12:02 at 70 12:04 at 90"},
		"half a minute, with seconds": {30 * time.Second, "12:04:30 at 0 12:04:40 at 33.3 12:04:50 at 66.7"},
		"an hour":                     {time.Hour, "11:15 at 16.7 11:30 at 41.7 11:45 at 66.7 12:00 at 91.7"},
		"a day":                       {day, "18:00 at 24.7 24 Nov at 49.7 06:00 at 74.7"},
		"four weeks begin on Mondays": {4 * week, "2 Nov at 19.6 9 Nov at 44.6 16 Nov at 69.6 23 Nov at 94.6"},
	} {
		t.Run(name, func(t *testing.T) {
			to := noon.Add(5 * time.Minute)
			var got []string
			for _, k := range Ticks(to.Add(-tc.span), to) {
				got = append(got, k.Text+" at "+k.At)
			}
			if got := strings.Join(got, " "); got != tc.want {
				t.Errorf("ticks are %s, want %s", got, tc.want)
			}
		})
	}
}

func TestChartOfManyLines(t *testing.T) {
	var in []query.Series
	for i := range 30 {
		in = append(in, series(0, float64(i)))
	}
	pl := aPlan(12 * time.Minute)
	pl.Limit, pl.LimitName = 40, "the limit"
	c := Draw(pl, in, func(s query.Series) string { return words.Plain(s.Points[1].V) })
	if len(c.Lines) != MaxLines || c.More != 22 || c.Lines[0].Name != "29" {
		t.Errorf("%d lines, %d more, first %q; want the 8 highest of 30", len(c.Lines), c.More, c.Lines[0].Name)
	}
	if c.LimitAt != "0" || c.Y[0] != "40" {
		t.Errorf("limit at %q of %v; want it at the top", c.LimitAt, c.Y)
	}
	if len(c.Rows) != tableRows || c.Rows[12][1] != "29" || c.Rows[0][1] != "\u2013" || len(c.Head) != 9 {
		t.Errorf("table %v of %v; want the last value 29 and no first", c.Rows, c.Head)
	}
}

func TestStepOf(t *testing.T) {
	for span, want := range map[time.Duration]time.Duration{time.Minute: MinStep, time.Hour: 15 * time.Second, 6 * time.Hour: 2 * time.Minute, 31 * 24 * time.Hour: 3 * time.Hour} {
		if got := StepOf(span); got != want {
			t.Errorf("stepOf(%v) = %v, want %v", span, got, want)
		}
	}
}

// TestLinesKeepTheirColours lets one line overtake the other: the order changes, colour and entry of each do not.
func TestLinesKeepTheirColours(t *testing.T) {
	look := func(a, b float64) map[string][2]string {
		out := map[string][2]string{}
		pl := Plan{ID: "c", Unit: InNumber, From: noon.Add(-time.Hour), To: noon, Step: time.Minute}
		c := Draw(pl, []query.Series{{Labels: map[string]string{"": "a"}, Points: []query.Point{{T: noon, V: a}}}, {Labels: map[string]string{"": "b"}, Points: []query.Point{{T: noon, V: b}}}}, func(s query.Series) string { return s.Labels[""] })
		for _, ln := range c.Lines {
			out[ln.Name] = [2]string{ln.Class, ln.ID}
		}
		return out
	}
	before, after := look(2, 1), look(1, 2)
	if !maps.Equal(before, after) || before["a"][0] == before["b"][0] || before["a"][1] == before["b"][1] {
		t.Errorf("colours and entries are %v, and %v when b is the highest; want them apart and the same", before, after)
	}
}

// noon is when everything in these tests happens.
var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
