package metric

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// distributions are values as timers see them, and as somebody who means ill would send them.
func distributions() map[string][]float64 {
	r := rand.New(rand.NewPCG(1, 2))
	many := func(n int, f func(i int) float64) []float64 {
		vs := make([]float64, n)
		for i := range vs {
			vs[i] = f(i)
		}
		return vs
	}
	return map[string][]float64{
		"one value":                  {0.0123},
		"all the same":               many(5000, func(int) float64 { return 0.25 }),
		"latencies, log-normal":      many(20000, func(int) float64 { return 0.02 * math.Exp(r.NormFloat64()) }),
		"a heavy tail, Pareto":       many(20000, func(int) float64 { return 0.001 * math.Pow(1-r.Float64(), -1/1.1) }),
		"two modes far apart":        many(20000, func(i int) float64 { return []float64{0.001, 30}[i%2] * (1 + 0.1*r.Float64()) }),
		"uniform":                    many(20000, func(int) float64 { return r.Float64() }),
		"whole milliseconds":         many(20000, func(int) float64 { return float64(r.IntN(400)) / 1000 }),
		"of both signs around zero":  many(20000, func(int) float64 { return r.NormFloat64() }),
		"the whole range of a float": many(20000, func(int) float64 { return math.Exp2(2000*r.Float64() - 1000) }),
		"powers of two and next to":  many(3000, func(i int) float64 { return math.Nextafter(math.Exp2(float64(i%100-50)), math.Inf(i%3-1)) }),
		"the limits of all buckets":  many(4000, func(i int) float64 { return Upper(int32(i - 2000)) }),
		"subnormal":                  many(2000, func(i int) float64 { return float64(i+1) * 5e-324 }),
		"sorted downwards":           many(5000, func(i int) float64 { return float64(5000 - i) }),
		"zeros with a spike":         many(5000, func(i int) float64 { return float64(i/4999) * 1e6 }),
	}
}

var quantiles = []float64{0, 0.001, 0.01, 0.05, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 0.9999, 1}

// nearest is the q-quantile of sorted values by the nearest rank.
func nearest(sorted []float64, q float64) float64 {
	return sorted[min(max(int(math.Ceil(q*float64(len(sorted))))-1, 0), len(sorted)-1)]
}

func TestQuantilesAreWithinTheBoundOfSortedValues(t *testing.T) {
	const bound = 0.011
	for name, vs := range distributions() {
		t.Run(name, func(t *testing.T) {
			var h Histogram
			for _, v := range vs {
				h.Observe(v, 1)
			}
			sorted := slices.Sorted(slices.Values(vs))
			for _, q := range quantiles {
				got, want := h.Quantile(q), nearest(sorted, q)
				// A subnormal has too few digits for 1.1 %: one unit of the last place is allowed there.
				if math.Abs(got-want) > bound*math.Abs(want)+5e-324 {
					t.Errorf("Quantile(%g) = %g, want %g within 1.1 %%: off by %.3g %%", q, got, want, 100*math.Abs(got/want-1))
				}
			}
			if h.Min != sorted[0] || h.Max != sorted[len(sorted)-1] || h.Count != float64(len(vs)) {
				t.Errorf("min %g, max %g, count %g; want %g, %g, %d", h.Min, h.Max, h.Count, sorted[0], sorted[len(sorted)-1], len(vs))
			}
		})
	}
}

// buckets writes all that merging promises to keep exactly.
func buckets(h *Histogram) string {
	var out strings.Builder
	fmt.Fprintf(&out, "count %v zero %v min %v max %v", h.Count, h.Zero, h.Min, h.Max)
	for i, c := range h.Negative {
		fmt.Fprintf(&out, " -%d:%v", i, c)
	}
	for i, c := range h.Positive {
		fmt.Fprintf(&out, " %d:%v", i, c)
	}
	return out.String()
}

func TestMergingIsAsIfAllHadBeenObservedByOne(t *testing.T) {
	for name, vs := range distributions() {
		t.Run(name, func(t *testing.T) {
			var all Histogram
			parts := make([]Histogram, 7)
			for i, v := range vs {
				all.Observe(v, 2)
				parts[i*i%7].Observe(v, 2)
			}
			var up, down Histogram
			for i := range parts {
				up.Merge(&parts[i])
				down.Merge(&parts[len(parts)-1-i])
			}
			if got, want := buckets(&up), buckets(&all); got != want {
				t.Errorf("merged:\n%.300s\nwant\n%.300s", got, want)
			}
			if got, want := buckets(&down), buckets(&all); got != want {
				t.Errorf("merged backwards:\n%.300s\nwant\n%.300s", got, want)
			}
			if math.Abs(up.Sum-all.Sum) > 1e-9*math.Abs(all.Sum)+1e-9 {
				t.Errorf("sum %v, want %v", up.Sum, all.Sum)
			}
		})
	}
}

func TestIndexAgreesWithTheBoundsOfBuckets(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	check := func(v float64) {
		i := Index(v)
		if !(v <= Upper(i)) || !(v > Upper(i-1)) {
			t.Fatalf("Index(%g) = %d, whose limits are %g and %g", v, i, Upper(i-1), Upper(i))
		}
	}
	for range 200_000 {
		if v := math.Float64frombits(r.Uint64() &^ (1 << 63)); v >= 1e-300 && v < 1e300 {
			check(v)
		}
	}
	for i := int32(-3000); i < 3000; i++ {
		check(Upper(i))
		check(math.Nextafter(Upper(i), math.Inf(1)))
		check(math.Nextafter(Upper(i), 0))
	}
	for _, v := range []float64{math.MaxFloat64, math.SmallestNonzeroFloat64, 2.3e-308, 1} {
		if u := Upper(Index(v)); !(v <= u) {
			t.Errorf("Index(%g) has the upper limit %g", v, u)
		}
	}
}

func TestWeightsCount(t *testing.T) {
	var h Histogram
	h.Observe(10, 90)
	h.Observe(1000, 10)
	if h.Count != 100 || h.Sum != 10900 {
		t.Errorf("count %v, sum %v; want 100, 10900", h.Count, h.Sum)
	}
	if q := h.Quantile(0.9); math.Abs(q-10) > 0.11 {
		t.Errorf("Quantile(0.9) = %v, want 10", q)
	}
	if q := h.Quantile(0.91); math.Abs(q-1000) > 11 {
		t.Errorf("Quantile(0.91) = %v, want 1000", q)
	}
}

func TestValuesFitAndKeepTheCount(t *testing.T) {
	for name, vs := range distributions() {
		var h Histogram
		for _, v := range vs {
			h.Observe(v, 1)
		}
		for _, n := range []int{8, 20, 150} {
			values, counts := h.Values(n)
			sum := 0.0
			for _, c := range counts {
				sum += c
			}
			if len(values) > n || len(values) != len(counts) || sum != h.Count || !slices.IsSorted(values) {
				t.Errorf("%s: Values(%d): %d values, %d counts of sum %v; want at most %d, sorted, of sum %v",
					name, n, len(values), len(counts), sum, n, h.Count)
			}
		}
	}
}

func TestEmptyHistogram(t *testing.T) {
	var h Histogram
	if q := h.Quantile(0.5); !math.IsNaN(q) {
		t.Errorf("Quantile of nothing is %v, want NaN", q)
	}
	h.Observe(3, 1)
	h.Reset()
	h.Merge(nil)
	h.Merge(&Histogram{})
	if got, want := buckets(&h), buckets(&Histogram{}); got != want {
		t.Errorf("after Reset: %s, want %s", got, want)
	}
	h.Observe(7, 1)
	c := h.Clone()
	h.Observe(8, 1)
	if c.Count != 1 || c.Max != 7 {
		t.Errorf("the clone has count %v and max %v, want 1 and 7: it shares memory", c.Count, c.Max)
	}
}

func TestObserveOnKnownBucketsAllocatesNothing(t *testing.T) {
	vs := distributions()["latencies, log-normal"]
	var few, many Histogram
	few.Observe(1, 1)
	for _, v := range vs {
		many.Observe(v, 1)
	}
	i := 0
	if n := testing.AllocsPerRun(1000, func() { few.Observe(1, 1); many.Observe(vs[i], 1); i++ }); n != 0 {
		t.Errorf("Observe allocates %v times, want 0", n)
	}
}

func FuzzMerge(f *testing.F) {
	f.Add([]byte("0123456789abcdef01234567"), uint8(1))
	f.Add(binary.LittleEndian.AppendUint64(nil, math.Float64bits(-0.5)), uint8(0))
	f.Fuzz(func(t *testing.T, data []byte, cut uint8) {
		var all, a, b Histogram
		for i := 0; len(data) >= 8; i++ {
			v := math.Float64frombits(binary.LittleEndian.Uint64(data))
			data = data[8:]
			if math.IsNaN(v) || math.IsInf(v, 0) {
				continue
			}
			all.Observe(v, 1)
			if i < int(cut) {
				a.Observe(v, 1)
			} else {
				b.Observe(v, 1)
			}
		}
		a.Merge(&b)
		if got, want := buckets(&a), buckets(&all); got != want {
			t.Errorf("merged %s, want %s", got, want)
		}
	})
}

func BenchmarkObserve(b *testing.B) {
	vs := distributions()["latencies, log-normal"]
	var h Histogram
	for i := 0; b.Loop(); i++ {
		h.Observe(vs[i%len(vs)], 1)
	}
}
