package metric

import (
	"math"
	"slices"
)

// Schema is the resolution of every Histogram: the base of its buckets is 2^(2^-Schema), a
// relative error of at most 1.1 % for a value told by its bucket.
// Source: Prometheus native histograms, "Schema", prometheus.io/docs/specs/native_histograms, read November 2026.
const Schema = 5

const perOctave = 1 << Schema

// bounds are the upper limits of the buckets in [0.5, 1), as a fraction.
var bounds = func() (b [perOctave]float64) {
	for i := range b {
		b[i] = 0.5 * math.Exp2(float64(i)/perOctave)
	}
	return b
}()

// octave holds the counts of the buckets between two powers of two.
type octave struct {
	exp    int32 // bucket i of it has index exp*perOctave + i
	counts [perOctave]float64
}

// Histogram is the one internal form of timers and distributions: an exponential histogram whose
// bucket i holds the values in (base^(i-1), base^i], their mirror image for negative values, a count
// of zeros, and the exact count, sum, minimum and maximum. Counts are weights, so that a sample
// rate of 0.3 counts as 1/0.3. The zero Histogram is empty and ready. It is not safe for
// concurrent use.
//
// Its size is bounded by the range of float64: at most about 1 MB, 264 bytes for each power of two
// that occurred.
type Histogram struct {
	Count, Sum, Zero float64
	Min, Max         float64 // meaningless while Count is 0

	pos, neg []*octave // sorted by exp
}

// Index returns the bucket of v > 0.
func Index(v float64) int32 {
	frac, exp := math.Frexp(v)
	i, _ := slices.BinarySearch(bounds[:], frac)
	return int32(exp-1)*perOctave + int32(i)
}

// Upper returns the upper limit of bucket i: base^i.
func Upper(i int32) float64 {
	o, r := i>>Schema, i&(perOctave-1)
	return math.Ldexp(bounds[r], int(o)+1)
}

// Mid returns the value that tells bucket i with the least relative error, the geometric mean of its limits.
func Mid(i int32) float64 { return Upper(i) * math.Exp2(-0.5/perOctave) }

// Observe adds v with a weight, 1 for one plain observation. v is finite and weight > 0: the caller checked.
func (h *Histogram) Observe(v, weight float64) {
	if h.Count == 0 {
		h.Min, h.Max = v, v
	} else {
		h.Min, h.Max = min(h.Min, v), max(h.Max, v)
	}
	h.Count += weight
	h.Sum += v * weight
	switch {
	case v > 0:
		h.pos = add(h.pos, Index(v), weight)
	case v < 0:
		h.neg = add(h.neg, Index(-v), weight)
	default:
		h.Zero += weight
	}
}

func add(os []*octave, i int32, weight float64) []*octave {
	exp := i >> Schema
	at, found := slices.BinarySearchFunc(os, exp, func(o *octave, e int32) int { return int(o.exp) - int(e) })
	if !found {
		os = slices.Insert(os, at, &octave{exp: exp})
	}
	os[at].counts[i&(perOctave-1)] += weight
	return os
}

// Merge adds what o holds; o is unchanged. Merging is exact: the result is as if every observation
// had been made on h.
func (h *Histogram) Merge(o *Histogram) {
	if o == nil || o.Count == 0 {
		return
	}
	if h.Count == 0 {
		h.Min, h.Max = o.Min, o.Max
	} else {
		h.Min, h.Max = min(h.Min, o.Min), max(h.Max, o.Max)
	}
	h.Count += o.Count
	h.Sum += o.Sum
	h.Zero += o.Zero
	for i, c := range o.Positive {
		h.pos = add(h.pos, i, c)
	}
	for i, c := range o.Negative {
		h.neg = add(h.neg, i, c)
	}
}

// Clone returns a copy that shares nothing with h.
func (h *Histogram) Clone() *Histogram {
	c := &Histogram{}
	c.Merge(h)
	return c
}

// Reset empties h and keeps its memory.
func (h *Histogram) Reset() {
	for _, o := range h.pos {
		o.counts = [perOctave]float64{}
	}
	for _, o := range h.neg {
		o.counts = [perOctave]float64{}
	}
	h.Count, h.Sum, h.Zero, h.Min, h.Max = 0, 0, 0, 0, 0
}

// Positive yields the buckets of positive values that are not empty, in rising order of index.
func (h *Histogram) Positive(yield func(index int32, count float64) bool) { each(h.pos, yield) }

// Negative yields the buckets of negative values that are not empty, in rising order of their
// absolute value's index.
func (h *Histogram) Negative(yield func(index int32, count float64) bool) { each(h.neg, yield) }

func each(os []*octave, yield func(int32, float64) bool) {
	for _, o := range os {
		for r, c := range o.counts {
			if c != 0 && !yield(o.exp*perOctave+int32(r), c) {
				return
			}
		}
	}
}

// Quantile returns the q-quantile, 0 <= q <= 1, by the nearest rank: within 1.1 % of the observation
// of that rank, and exact at 0 and 1. It is NaN when h is empty.
func (h *Histogram) Quantile(q float64) float64 {
	if h.Count == 0 {
		return math.NaN()
	}
	if q <= 0 {
		return h.Min
	}
	if q >= 1 {
		return h.Max
	}
	rank, seen := q*h.Count, 0.0
	v := h.Max
	h.ascending(func(x, c float64) bool {
		seen += c
		if seen >= rank {
			v = x
			return false
		}
		return true
	})
	return min(max(v, h.Min), h.Max)
}

// ascending yields each bucket's value and count from the lowest value up.
func (h *Histogram) ascending(yield func(value, count float64) bool) {
	for _, o := range slices.Backward(h.neg) {
		for r, c := range slices.Backward(o.counts[:]) {
			if c != 0 && !yield(-Mid(o.exp*perOctave+int32(r)), c) {
				return
			}
		}
	}
	if h.Zero > 0 && !yield(0, h.Zero) {
		return
	}
	each(h.pos, func(i int32, c float64) bool { return yield(Mid(i), c) })
}

// Values returns h as at most n pairs of a value and its count, lowest first, at the finest
// resolution that fits: buckets are joined by twos until they do. n is at least 8.
func (h *Histogram) Values(n int) (values, counts []float64) {
	for down := 0; ; down++ {
		values, counts = values[:0], counts[:0]
		last, lastSign := int32(0), 0
		put := func(i int32, sign int, c float64) {
			j := (i-1)>>down + 1 // the bucket of schema Schema-down that holds bucket i
			if lastSign == sign && len(counts) > 0 && last == j {
				counts[len(counts)-1] += c
				return
			}
			last, lastSign = j, sign
			v := 0.0
			if sign != 0 {
				v = float64(sign) * math.Exp2((float64(j)-0.5)*math.Exp2(float64(down-Schema)))
			}
			values, counts = append(values, min(max(v, h.Min), h.Max)), append(counts, c)
		}
		for _, o := range slices.Backward(h.neg) {
			for r, c := range slices.Backward(o.counts[:]) {
				if c != 0 {
					put(o.exp*perOctave+int32(r), -1, c)
				}
			}
		}
		if h.Zero > 0 {
			put(0, 0, h.Zero)
		}
		each(h.pos, func(i int32, c float64) bool { put(i, 1, c); return true })
		if len(values) <= n || down == 16 {
			return values, counts
		}
	}
}
