package capacity

import (
	"math"

	"gonum.org/v1/gonum/mat"
)

// member is one simple forecast: h values after the prefix x of the series it was made for. The prefix ends where
// the part begins that the member was not fitted on, or later.
type member struct {
	name  string
	naive bool // a plain repeat, which the others have to beat
	run   func(x []float64, h int) []float64
}

// repeats goes on with the last p values again and again.
func repeats(p int) func([]float64, int) []float64 {
	return func(x []float64, h int) []float64 {
		out := make([]float64, h)
		for k := range out {
			out[k] = x[len(x)-p+k%p]
		}
		return out
	}
}

// repeatsMean repeats the mean of the last cycles of p values, the latest with the most weight.
func repeatsMean(p int) func([]float64, int) []float64 {
	const cycles, decay = 3, 0.6
	return func(x []float64, h int) []float64 {
		out := make([]float64, h)
		weight, sum := 1.0, 0.0
		for c := 1; c <= min(cycles, len(x)/p); c++ {
			for k := range out {
				out[k] += weight * x[len(x)-c*p+k%p]
			}
			sum += weight
			weight *= decay
		}
		for k := range out {
			out[k] /= sum
		}
		return out
	}
}

// profile is the robust seasonal forecast: the median shape of the last cycles of p values, each less its own
// level, on a level that goes on by the damped median slope of those levels. What the last day was off the
// shape is the level now.
func profile(p, day int, sc scale) func([]float64, int) []float64 {
	const (
		maxCycles = 5
		damping   = 0.8 // of the slope, for each cycle ahead
	)
	return func(x []float64, h int) []float64 {
		cycles := min(maxCycles, len(x)/p)
		z := sc.in(x[len(x)-cycles*p:])
		levels, shape := make([]float64, cycles), make([]float64, p)
		for c := range levels {
			levels[c] = median(append([]float64(nil), z[c*p:(c+1)*p]...))
		}
		slope := theilSen(levels)
		at := make([]float64, cycles)
		for i := range shape {
			for c := range at {
				// The level moves within the cycle too, else the shape would lean.
				at[c] = z[c*p+i] - levels[c] - slope*(float64(i)/float64(p)-0.5)
			}
			shape[i] = median(at)
		}
		off := make([]float64, min(day, p))
		for i := range off {
			j := len(z) - len(off) + i
			off[i] = z[j] - shape[j%p]
		}
		level := median(off)
		out := make([]float64, h)
		rise, step := 0.0, slope/float64(p)
		factor := math.Pow(damping, 1/float64(p))
		for k := range out {
			step *= factor
			rise += step
			out[k] = level + rise + shape[k%p]
		}
		return sc.out(out)
	}
}

// lags of the autoregression: an hour, a day and a week ago, and what stands around these. They are used where the
// period is 24; others take those around their period.
var dayWeekLags = []int{1, 2, 3, 4, 5, 6, 23, 24, 25, 26, 47, 48, 49, 72, 96, 120, 143, 144, 145, 167, 168, 169}

const shortLags = 13 // of dayWeekLags, those up to 49

func lagsFor(period, n int) []int {
	switch {
	case period == 24 && n >= 169+120:
		return dayWeekLags
	case period == 24:
		return dayWeekLags[:shortLags]
	case period > 4 && n >= 3*period+20:
		return []int{1, 2, 3, period - 1, period, period + 1}
	}
	return []int{1, 2, 3}
}

// ridge is an autoregression on few lags, fitted once by least squares with a small penalty and then iterated.
// Source: Hoerl and Kennard, Technometrics 12 (1970), 55-67; that it does well on hourly series was measured, see BENCHMARKS.md.
type ridge struct {
	sc       scale
	diff     bool // of differences, not of values
	lags     []int
	top      int // the longest lag
	beta     []float64
	mean, sd float64
	lo, hi   float64 // what a standardised forecast is kept within
}

const penalty = 1e-4 // for each row, on standardised values

// newRidge fits to x. It returns nil where x is too short.
func newRidge(x []float64, period int, sc scale, diff bool) *ridge {
	r := &ridge{sc: sc, diff: diff, lags: lagsFor(period, len(x))}
	r.top = r.lags[len(r.lags)-1]
	if len(x) < r.top+2*len(r.lags)+8 {
		return nil
	}
	z := r.in(x)
	r.mean, r.sd = meanSD(z)
	r.sd += 1e-9
	lo, hi := math.Inf(1), math.Inf(-1)
	for i := range z {
		z[i] = (z[i] - r.mean) / r.sd
		lo, hi = min(lo, z[i]), max(hi, z[i])
	}
	r.lo, r.hi = lo-0.5*(hi-lo), hi+0.5*(hi-lo)
	if !r.fit(z) {
		return nil
	}
	return r
}

// fit solves the normal equations; the last coefficient is of the constant 1.
func (r *ridge) fit(z []float64) bool {
	rows, p := len(z)-r.top, len(r.lags)+1
	q := mat.NewDense(rows, p, nil)
	for i := range rows {
		row := q.RawRowView(i)
		for j, l := range r.lags {
			row[j] = z[r.top+i-l]
		}
		row[p-1] = 1
	}
	g := mat.NewSymDense(p, nil)
	g.SymOuterK(1, q.T())
	for j := range p {
		g.SetSym(j, j, g.At(j, j)+penalty*float64(rows))
	}
	var right, beta mat.VecDense
	right.MulVec(q.T(), mat.NewVecDense(rows, z[r.top:]))
	var ch mat.Cholesky
	if !ch.Factorize(g) || ch.SolveVecTo(&beta, &right) != nil {
		return false
	}
	r.beta = beta.RawVector().Data
	return true
}

// in transforms x into what is modelled, one shorter for differences.
func (r *ridge) in(x []float64) []float64 {
	z := r.sc.in(x)
	if !r.diff {
		return z
	}
	for i := range len(z) - 1 {
		z[i] = z[i+1] - z[i]
	}
	return z[:len(z)-1]
}

func (r *ridge) run(x []float64, h int) []float64 {
	x = x[max(0, len(x)-r.top-2):]
	z := r.in(x)
	n := len(z)
	for i := range z {
		z[i] = (z[i] - r.mean) / r.sd
	}
	z = append(z, make([]float64, h)...)
	for k := range h {
		v := r.beta[len(r.lags)]
		for j, l := range r.lags {
			v += r.beta[j] * z[n+k-l]
		}
		z[n+k] = v
	}
	out := z[n:]
	last := r.sc.in(x[len(x)-1:])[0]
	for k := range out {
		out[k] = min(max(out[k], r.lo), r.hi)*r.sd + r.mean
		if r.diff {
			last += out[k]
			out[k] = last
		}
	}
	return r.sc.out(out)
}

func meanSD(x []float64) (mean, sd float64) {
	for _, v := range x {
		mean += v
	}
	mean /= float64(len(x))
	for _, v := range x {
		sd += (v - mean) * (v - mean)
	}
	return mean, math.Sqrt(sd / float64(len(x)))
}
