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

// bucket is one bucket and its count.
type bucket struct {
	index int32
	count float64
}

// fewBuckets is up to how many buckets a side is kept as a sorted list. Most timers see a few values in a
// window: a list of ten takes a quarter of the memory of their octaves.
const fewBuckets = 24

// side holds the buckets of the positive values, or of the negative: a list while they are few, octaves after.
type side struct {
	few     []bucket  // sorted by index
	octaves []*octave // sorted by exp; where there are any, few is empty
}

// Histogram is the one internal form of timers and distributions: an exponential histogram whose
// bucket i holds the values in (base^(i-1), base^i], their mirror image for negative values, a count
// of zeros, and the exact count, sum, minimum and maximum. Counts are weights, so that a sample
// rate of 0.3 counts as 1/0.3. The zero Histogram is empty and ready. It is not safe for
// concurrent use.
//
// Its size is bounded by the range of float64: at most about 1 MB, 16 bytes for each bucket while
// they are few, later 264 for each power of two that occurred.
type Histogram struct {
	Count, Sum, Zero float64
	Min, Max         float64 // meaningless while Count is 0

	pos, neg side
}

// guess gives, for the seven highest bits of a mantissa, the lowest bucket of an octave that values with them may be
// in. A step of those bits is narrower than any bucket, so the bucket is that one or the next.
var guess = func() (g [128]int32) {
	for i := range g {
		n, _ := slices.BinarySearch(bounds[:], 0.5+float64(i)/256)
		g[i] = int32(n)
	}
	return g
}()

// Index returns the bucket of v > 0.
func Index(v float64) int32 {
	bits := math.Float64bits(v)
	exp := int32(bits >> 52)
	if exp == 0 { // subnormal: no leading one to rely on
		frac, e := math.Frexp(v)
		i, _ := slices.BinarySearch(bounds[:], frac)
		return int32(e-1)*perOctave + int32(i)
	}
	i := guess[bits>>45&127]
	frac := math.Float64frombits(bits&(1<<52-1) | 1022<<52)
	if i < perOctave && frac > bounds[i] {
		i++
	}
	return (exp-1023)*perOctave + i
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
		h.pos.add(Index(v), weight)
	case v < 0:
		h.neg.add(Index(-v), weight)
	default:
		h.Zero += weight
	}
}

func (s *side) add(i int32, weight float64) {
	if len(s.octaves) > 0 {
		s.addOctave(i, weight)
		return
	}
	lo, hi := 0, len(s.few)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if s.few[mid].index < i {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	switch {
	case lo < len(s.few) && s.few[lo].index == i:
		s.few[lo].count += weight
	case len(s.few) < fewBuckets:
		s.few = slices.Insert(s.few, lo, bucket{i, weight})
	default:
		for _, b := range s.few {
			s.addOctave(b.index, b.count)
		}
		s.few = nil
		s.addOctave(i, weight)
	}
}

func (s *side) addOctave(i int32, weight float64) {
	exp := i >> Schema
	at, found := slices.BinarySearchFunc(s.octaves, exp, func(o *octave, e int32) int { return int(o.exp) - int(e) })
	if !found {
		s.octaves = slices.Insert(s.octaves, at, &octave{exp: exp})
	}
	s.octaves[at].counts[i&(perOctave-1)] += weight
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
		h.pos.add(i, c)
	}
	for i, c := range o.Negative {
		h.neg.add(i, c)
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
	for _, s := range []*side{&h.pos, &h.neg} {
		s.few = s.few[:0]
		for _, o := range s.octaves {
			o.counts = [perOctave]float64{}
		}
	}
	h.Count, h.Sum, h.Zero, h.Min, h.Max = 0, 0, 0, 0, 0
}

// Positive yields the buckets of positive values that are not empty, in rising order of index.
func (h *Histogram) Positive(yield func(index int32, count float64) bool) { h.pos.each(yield) }

// Negative yields the buckets of negative values that are not empty, in rising order of their
// absolute value's index.
func (h *Histogram) Negative(yield func(index int32, count float64) bool) { h.neg.each(yield) }

func (s *side) each(yield func(int32, float64) bool) {
	for _, b := range s.few {
		if !yield(b.index, b.count) {
			return
		}
	}
	for _, o := range s.octaves {
		for r, c := range o.counts {
			if c != 0 && !yield(o.exp*perOctave+int32(r), c) {
				return
			}
		}
	}
}

// backward is each from the highest bucket down.
func (s *side) backward(yield func(int32, float64) bool) {
	for _, b := range slices.Backward(s.few) {
		if !yield(b.index, b.count) {
			return
		}
	}
	for _, o := range slices.Backward(s.octaves) {
		for r, c := range slices.Backward(o.counts[:]) {
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
	for i, c := range h.neg.backward {
		if !yield(-Mid(i), c) {
			return
		}
	}
	if h.Zero > 0 && !yield(0, h.Zero) {
		return
	}
	h.pos.each(func(i int32, c float64) bool { return yield(Mid(i), c) })
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
		h.neg.backward(func(i int32, c float64) bool { put(i, -1, c); return true })
		if h.Zero > 0 {
			put(0, 0, h.Zero)
		}
		h.pos.each(func(i int32, c float64) bool { put(i, 1, c); return true })
		if len(values) <= n || down == 16 {
			return values, counts
		}
	}
}
