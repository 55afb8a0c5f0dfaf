package capacity

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/optimize"
)

// Law is the universal scalability law fitted to measurements: throughput at a load of N is
// rate N / (1 + contention (N-1) + crosstalk N (N-1)). Load may be nodes, or streams on one node.
// Source: Gunther, Guerrilla Capacity Planning, Springer 2007, chapter 4.
type Law struct {
	Rate, Contention, Crosstalk float64

	Seen float64 // the largest load measured
	fits [][3]float64
}

// Bounds of a Law.
const (
	reach     = 1.5 // times the largest load seen, that is spoken of
	minLoads  = 6   // measurements
	minSpread = 1.5 // of the largest load over the smallest
	maxBand   = 2   // of the upper limit over the lower, within reach
	refits    = 100
	huber     = 0.1 // residual of logs from which it counts by its size and no longer by its square
	maxFitted = 200 // measurements; more are thinned out
)

// ErrReach says that a load is beyond what may be said by what was seen.
var ErrReach = errors.New("more than 1.5 times the load that was seen")

// ErrSpread says that the loads measured are too much alike to tell how throughput grows.
var ErrSpread = errors.New("not enough spread in load")

// FitLaw fits the law to loads n and throughputs x, both above zero, by least squares of logs that outliers cannot
// bend. ErrHistory for fewer than 6 measurements, ErrSpread where the loads do not tell the law.
func FitLaw(n, x []float64) (Law, error) {
	var ln, lx []float64
	for i := range min(len(n), len(x)) {
		if n[i] > 0 && x[i] > 0 && !math.IsInf(n[i], 0) && !math.IsInf(x[i], 0) {
			ln, lx = append(ln, n[i]), append(lx, math.Log(x[i]))
		}
	}
	if len(ln) < minLoads {
		return Law{}, ErrHistory
	}
	if every := (len(ln) + maxFitted - 1) / maxFitted; every > 1 {
		ln, lx = everyNth(ln, every), everyNth(lx, every)
	}
	l := Law{Seen: slices.Max(ln)}
	if l.Seen < minSpread*slices.Min(ln) {
		return Law{}, ErrSpread
	}
	best, ok := fitLaw(ln, lx, nil, l.Seen)
	if !ok {
		return Law{}, ErrSpread
	}
	l.Rate, l.Contention, l.Crosstalk = best[0], best[1], best[2]
	rnd := rand.New(rand.NewPCG(1, 1))
	count := make([]float64, len(ln))
	for range refits {
		clear(count)
		for range ln {
			count[rnd.IntN(len(ln))]++
		}
		if f, ok := fitLaw(ln, lx, count, l.Seen); ok {
			l.fits = append(l.fits, f)
		}
	}
	if lo, _, hi, err := l.At(reach * l.Seen); err != nil || hi > maxBand*lo {
		return Law{}, ErrSpread
	}
	return l, nil
}

// At returns the throughput at a load, and the limits within which nine of ten fits of the same measurements have
// it. ErrReach beyond 1.5 times what was seen.
func (l Law) At(load float64) (lo, mid, hi float64, err error) {
	if load > reach*l.Seen*(1+1e-9) {
		return 0, 0, 0, ErrReach
	}
	mid = law([3]float64{l.Rate, l.Contention, l.Crosstalk}, load)
	all := make([]float64, len(l.fits))
	for i, f := range l.fits {
		all[i] = law(f, load)
	}
	return min(quantile(all, 0.05), mid), mid, max(quantile(all, 0.95), mid), nil
}

// Peak is the load of the highest throughput; false where it lies beyond what may be spoken of.
func (l Law) Peak() (float64, bool) {
	if l.Crosstalk <= 0 || l.Contention >= 1 {
		return 0, false
	}
	p := math.Sqrt((1 - l.Contention) / l.Crosstalk)
	return p, p <= reach*l.Seen
}

func law(p [3]float64, n float64) float64 {
	return p[0] * n / (1 + p[1]*(n-1) + p[2]*n*(n-1))
}

// fitLaw minimises over logs of the parameters, so that none gets negative. weight may be nil. scale is the largest
// load, by which the start is chosen.
func fitLaw(n, lx, weight []float64, scale float64) ([3]float64, bool) {
	params := func(v []float64) [3]float64 {
		return [3]float64{math.Exp(v[0]), math.Exp(v[1]), math.Exp(v[2])}
	}
	first := make([]float64, len(n))
	for i := range n {
		first[i] = lx[i] - math.Log(n[i])
	}
	p := optimize.Problem{Func: func(v []float64) float64 {
		q, sum := params(v), 0.0
		for i := range n {
			w := 1.0
			if weight != nil {
				w = weight[i]
			}
			if e := math.Abs(lx[i] - math.Log(law(q, n[i]))); e > huber {
				sum += w * huber * (e - huber/2)
			} else {
				sum += w * e * e / 2
			}
		}
		return sum
	}}
	start := []float64{quantile(first, 0.9), math.Log(0.1 / scale), math.Log(0.1 / (scale * scale))}
	r, err := optimize.Minimize(p, start, &optimize.Settings{MajorIterations: 400}, &optimize.NelderMead{})
	if r == nil || err != nil && r.Status != optimize.IterationLimit {
		return [3]float64{}, false
	}
	return params(r.X), !math.IsNaN(r.F)
}

func everyNth(x []float64, n int) []float64 {
	out := x[:0]
	for i := 0; i < len(x); i += n {
		out = append(out, x[i])
	}
	return out
}
