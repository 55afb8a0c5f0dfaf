package capacity

import (
	"math"
	"math/rand/v2"
)

// Runway says when a limit is reached, as steps from the last value: it is passed by P10 with a probability of
// 10 %, by P50 with 50 %, by P90 with 90 %. Infinity means not within Horizon, which is as far as the past
// allows to look.
type Runway struct {
	P10, P50, P90 float64
	Horizon       float64
	Within        float64 // probability that it is passed within Horizon
}

// never is the runway of what is not passed within h steps, but with probability p.
func never(h, p float64) Runway {
	inf := math.Inf(1)
	return Runway{P10: inf, P50: inf, P90: inf, Horizon: h, Within: p}
}

// Runway says when the forecast passes limit. The steps of one season are one draw, that of its worst step;
// whether seasons are independent is not known, so the result lies half way between one draw for all of them
// and one for each.
func (f Fan) Runway(limit float64, season int) Runway {
	h := len(f.Mean)
	r := never(float64(h), 0)
	alone, none := 0.0, 1.0
	for from := 0; from < h; from += season {
		worst, at := math.Inf(1), from
		for k := from; k < min(from+season, h); k++ {
			if z := (limit - f.Mean[k]) / max(f.sd[k], 1e-12); z < worst {
				worst, at = z, k
			}
		}
		p := math.Erfc(worst/math.Sqrt2) / 2
		alone, none = max(alone, p), none*(1-p)
		r.Within = (alone + 1 - none) / 2
		r.reached(r.Within, float64(at+1))
	}
	return r
}

// reached notes that the limit is passed by step with probability p.
func (r *Runway) reached(p, step float64) {
	for _, q := range []struct {
		at *float64
		p  float64
	}{{&r.P10, 0.1}, {&r.P50, 0.5}, {&r.P90, 0.9}} {
		if p >= q.p && math.IsInf(*q.at, 1) {
			*q.at = step
		}
	}
}

// Bounds of the runway of a resource that fills up.
const (
	maxPoints = 56   // of the fit; more are thinned out
	minPoints = 12   // since the last change, and in all
	draws     = 400  // of the distribution
	jump      = 8    // median absolute deviations of a step that changes the course
	jumpShare = 0.05 // of the limit that it has to be, at least
	maxAhead  = 10_000
)

// Filling says how a resource that only grows, such as a disk, goes on for h steps, and when it reaches limit. x is its
// use at equal steps, in the unit of limit, missing values NaN. The course is the median slope since the last change point: a clean-up or
// a jump. Where that is too recent, the course before it goes on from the new level. Half of the draws go by
// the last quarter of that time and half by all of it, so that a course that bends widens the answer, and they
// spread as far as the series' own past forecasts were off. It looks ten times as far ahead as the past is
// long. ErrHistory where there are fewer than 12 values.
// Source: bootstrap in blocks: Künsch, Annals of Statistics 17 (1989), 1217-1241.
func Filling(x []float64, limit float64, h int) (Fan, Runway, error) {
	x, err := fill(x, 0)
	if err != nil {
		return Fan{}, Runway{}, err
	}
	now := x[len(x)-1]
	if len(x) < minPoints {
		return Fan{}, Runway{}, ErrHistory
	}
	course := lastCourse(x, limit)
	if len(course) < minPoints {
		return Fan{}, Runway{}, ErrHistory
	}
	thin := (len(course) + maxPoints - 1) / maxPoints
	drawn := slopes(thinned(course, thin))
	for i := range drawn {
		drawn[i] /= float64(thin)
	}
	fan := straight(now, drawn, h)
	if now >= limit {
		return fan, Runway{Within: 1}, nil
	}
	horizon := min(10*float64(len(x)), maxAhead)
	r := never(horizon, 0)
	steps := make([]float64, 0, draws)
	for _, s := range drawn {
		t := math.Inf(1)
		if s > 0 {
			t = (limit - now) / s
		}
		if t > horizon {
			t = math.Inf(1)
		} else {
			r.Within += 1.0 / draws
		}
		steps = append(steps, t)
	}
	// Of infinities no mean can be made, so these are values of the sample.
	at := func(q float64) float64 { _ = median(steps); return steps[int(q*float64(len(steps)-1))] }
	r.P10, r.P50, r.P90 = at(0.1), at(0.5), at(0.9)
	return fan, r, nil
}

// straight is the fan of h steps from now by slopes drawn from their distribution.
func straight(now float64, slopes []float64, h int) Fan {
	f := Fan{Method: "median slope since the last change"}
	for _, l := range []struct {
		line *[]float64
		q    float64
	}{{&f.Mean, 0.5}, {&f.Lo80, 0.1}, {&f.Hi80, 0.9}, {&f.Lo95, 0.025}, {&f.Hi95, 0.975}} {
		s := quantile(slopes, l.q)
		*l.line = make([]float64, h)
		for k := range h {
			(*l.line)[k] = now + s*float64(k+1)
		}
	}
	return f
}

// lastCourse returns the part of x since its last change point, else the part before that.
func lastCourse(x []float64, limit float64) []float64 {
	d := make([]float64, len(x)-1)
	for i := range d {
		d[i] = x[i+1] - x[i]
	}
	middle := median(append([]float64(nil), d...))
	off := make([]float64, len(d))
	for i, v := range d {
		off[i] = math.Abs(v - middle)
	}
	bound := max(jump*median(append([]float64(nil), off...)), jumpShare*math.Abs(limit))
	end := len(x)
	for i := len(d) - 1; i >= 0; i-- {
		if off[i] <= bound {
			continue
		}
		if end-(i+1) >= minPoints {
			return x[i+1 : end]
		}
		end = i + 1
	}
	return x[:end]
}

// thinned takes the largest of each n values, counted from the end.
func thinned(x []float64, n int) []float64 {
	var out []float64
	for end := len(x); end > 0; end -= n {
		top := math.Inf(-1)
		for _, v := range x[max(0, end-n):end] {
			top = max(top, v)
		}
		out = append(out, top)
	}
	for i, j := 0, len(out)-1; i < j; i, j = i+1, j-1 {
		out[i], out[j] = out[j], out[i]
	}
	return out
}

// slopes draws from the distribution of the slope of y, per step.
func slopes(y []float64) []float64 {
	whole, late := theilSen(y), theilSen(y[len(y)-max(len(y)/4, minPoints/2):])
	d := make([]float64, len(y)-1)
	for i := range d {
		d[i] = y[i+1] - y[i]
	}
	mean, _ := meanSD(d)
	rnd := rand.New(rand.NewPCG(1, 1)) // the same answer to the same question
	block := max(1, len(d)/8)
	off := make([]float64, draws)
	for i := range off {
		sum, n := 0.0, 0
		for n < len(d) {
			from := rnd.IntN(len(d) - block + 1)
			for _, v := range d[from : from+block] {
				sum += v
				n++
			}
		}
		off[i] = sum/float64(n) - mean
	}
	_, spread := meanSD(off)
	widen := 1.0
	if own := slopeError(y); own > spread && spread > 0 {
		widen = own / spread
	}
	for i := range off {
		centre := whole
		if i%2 == 1 {
			centre = late
		}
		off[i] = centre + widen*off[i]
	}
	return off
}

// slopeError is how far the slope was off when it was taken from the first part of y, root mean square.
func slopeError(y []float64) float64 {
	sum, n := 0.0, 0
	for o := len(y) / 2; o <= len(y)-max(2, len(y)/8); o += max(1, len(y)/12) {
		ahead := float64(len(y) - o)
		e := (y[len(y)-1]-y[o-1])/ahead - theilSen(y[:o])
		sum += e * e
		n++
	}
	if n == 0 {
		return 0
	}
	return math.Sqrt(sum / float64(n))
}
