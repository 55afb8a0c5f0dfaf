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
type octave [perOctave]float64

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
	base    int32     // bucket i of octaves[n] has index (base+n)*perOctave + i
	octaves []*octave // from the lowest to the highest, nil where nothing fell; where there are any, few is empty
}

// Histogram is the one internal form of timers and distributions: an exponential histogram whose
// bucket i holds the values in (base^(i-1), base^i], their mirror image for negative values, a count
// of zeros, and the exact count, sum, minimum and maximum. Counts are weights, so that a sample
// rate of 0.3 counts as 1/0.3. The zero Histogram is empty and ready. It is not safe for
// concurrent use.
//
// Its size is bounded by the range of float64: at most about 1 MB, 16 bytes for each bucket while
// they are few, later 256 for each power of two that occurred.
type Histogram struct {
	Count, Sum float64
	Min, Max   float64 // meaningless while Count is 0

	// The octave of a positive value, for the next one, which mostly falls into it as well: with what stands above, all
	// that an observation touches but the bucket itself is one cache line.
	last    *octave
	lastExp int32

	Zero  float64
	sides *sides // nil while there are no buckets
}

type sides struct {
	pos side
	neg *side // nil while no value is negative, which is nearly always
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
		if i := Index(v); h.last != nil && i>>Schema == h.lastExp {
			h.last[i&(perOctave-1)] += weight
		} else {
			h.positive(i, weight)
		}
	case v < 0:
		h.negatives().add(Index(-v), weight)
	default:
		h.Zero += weight
	}
}

func (h *Histogram) both() *sides {
	if h.sides == nil {
		h.sides = &sides{}
	}
	return h.sides
}

func (h *Histogram) negatives() *side {
	s := h.both()
	if s.neg == nil {
		s.neg = &side{}
	}
	return s.neg
}

func (h *Histogram) positive(i int32, weight float64) {
	h.last = h.both().pos.add(i, weight)
	h.lastExp = i >> Schema
}

// add returns the octave that it added to, nil while there are none.
func (s *side) add(i int32, weight float64) *octave {
	if len(s.octaves) > 0 {
		return s.addOctave(i, weight)
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
		return s.addOctave(i, weight)
	}
	return nil
}

func (s *side) addOctave(i int32, weight float64) *octave {
	exp := i >> Schema
	n := int(exp) - int(s.base)
	if uint(n) >= uint(len(s.octaves)) || s.octaves[n] == nil {
		n = s.octave(exp)
	}
	o := s.octaves[n]
	o[i&(perOctave-1)] += weight
	return o
}

// octave makes room for the octave exp and returns its place.
func (s *side) octave(exp int32) int {
	switch {
	case len(s.octaves) == 0:
		s.base = exp
	case exp < s.base:
		s.octaves = slices.Insert(s.octaves, 0, make([]*octave, s.base-exp)...)
		s.base = exp
	}
	n := int(exp - s.base)
	if more := n + 1 - len(s.octaves); more > 0 {
		s.octaves = append(s.octaves, make([]*octave, more)...)
	}
	if s.octaves[n] == nil {
		s.octaves[n] = &octave{}
	}
	return n
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
		h.both().pos.add(i, c)
	}
	for i, c := range o.Negative {
		h.negatives().add(i, c)
	}
}

// Clone returns a copy that shares nothing with h.
func (h *Histogram) Clone() *Histogram {
	c := &Histogram{}
	if h != nil && h.sides != nil && len(h.sides.pos.few) > 0 {
		c.both().pos.few = make([]bucket, 0, len(h.sides.pos.few))
	}
	c.Merge(h)
	return c
}

// Reset empties h and keeps its memory.
func (h *Histogram) Reset() {
	if h.sides != nil {
		for _, s := range []*side{&h.sides.pos, h.sides.neg} {
			if s == nil {
				continue
			}
			s.few = s.few[:0]
			for _, o := range s.octaves {
				if o != nil {
					*o = octave{}
				}
			}
		}
	}
	h.Count, h.Sum, h.Zero, h.Min, h.Max = 0, 0, 0, 0, 0
}

// Positive yields the buckets of positive values that are not empty, in rising order of index.
func (h *Histogram) Positive(yield func(index int32, count float64) bool) {
	if h.sides != nil {
		h.sides.pos.each(yield)
	}
}

// Negative yields the buckets of negative values that are not empty, in rising order of their
// absolute value's index.
func (h *Histogram) Negative(yield func(index int32, count float64) bool) {
	if h.sides != nil && h.sides.neg != nil {
		h.sides.neg.each(yield)
	}
}

// negativeDown is Negative from the highest index down.
func (h *Histogram) negativeDown(yield func(index int32, count float64) bool) {
	if h.sides != nil && h.sides.neg != nil {
		h.sides.neg.backward(yield)
	}
}

func (s *side) each(yield func(int32, float64) bool) {
	for _, b := range s.few {
		if !yield(b.index, b.count) {
			return
		}
	}
	for n, o := range s.octaves {
		if o == nil {
			continue
		}
		for r, c := range o {
			if c != 0 && !yield((s.base+int32(n))*perOctave+int32(r), c) {
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
	for n, o := range slices.Backward(s.octaves) {
		if o == nil {
			continue
		}
		for r, c := range slices.Backward(o[:]) {
			if c != 0 && !yield((s.base+int32(n))*perOctave+int32(r), c) {
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
	for i, c := range h.negativeDown {
		if !yield(-Mid(i), c) {
			return
		}
	}
	if h.Zero > 0 && !yield(0, h.Zero) {
		return
	}
	h.Positive(func(i int32, c float64) bool { return yield(Mid(i), c) })
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
		h.negativeDown(func(i int32, c float64) bool { put(i, -1, c); return true })
		if h.Zero > 0 {
			put(0, 0, h.Zero)
		}
		h.Positive(func(i int32, c float64) bool { put(i, 1, c); return true })
		if len(values) <= n || down == 16 {
			return values, counts
		}
	}
}
