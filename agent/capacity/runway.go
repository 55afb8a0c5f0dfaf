package capacity

import (
	"math"
	"slices"
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
// use at equal steps, in the unit of limit, missing values NaN; period is the length of a day in steps.
//
// The course is what came since the last change point: a clean-up or a jump. Where that is too recent, the course
// before it goes on from the new level. What the time of day adds is taken out and put back. Many ways on are drawn,
// those more often that explain the course better: a constant speed, one that wanders, one that returns to the usual;
// the intervals are theirs. It looks ten times as far ahead as the past is long. ErrHistory where there are fewer than
// 12 values.
func Filling(x []float64, period int, limit float64, h int) (Fan, Runway, error) {
	x, err := fill(x, 0)
	if err != nil {
		return Fan{}, Runway{}, err
	}
	from, to := lastCourse(x, limit)
	if to-from < minPoints {
		return Fan{}, Runway{}, ErrHistory
	}
	now := x[len(x)-1]
	thin := (to - from + maxPoints - 1) / maxPoints
	horizon := int(min(10*float64(len(x)), maxAhead))
	show := (h + thin - 1) / thin
	flat, season := daily(x[from:to], period)
	drawn := newPaths(thinned(flat, thin), tops(season, len(x)-to, thin, max(show, horizon/thin)), horizon/thin)
	if to < len(x) { // it is of before the last change
		drawn.from = now
	}
	shown, reached := drawn.walk(limit, show)
	fan := fanOf(now, shown, thin, h)
	if now >= limit {
		return fan, Runway{Within: 1}, nil
	}
	in := 0
	for i := range reached {
		reached[i] *= float64(thin)
		if !math.IsInf(reached[i], 1) {
			in++
		}
	}
	r := never(float64(horizon), float64(in)/draws)
	slices.Sort(reached)
	// Of infinities no mean can be made, so these are values of the sample.
	at := func(q float64) float64 { return reached[int(q*float64(len(reached)-1))] }
	r.P10, r.P50, r.P90 = at(0.1), at(0.5), at(0.9)
	return fan, r, nil
}

// daily parts x into what the time of day adds to a step more or less than others, and the rest, which ends where x
// ends. The first of the season is of the step after x. Of less than three days, and of what days have not in common,
// there is no season: each is as large as the days agree on it.
// Source: James and Stein, Proceedings of the Fourth Berkeley Symposium 1 (1961), 361-379.
func daily(x []float64, period int) (flat, season []float64) {
	days := (len(x) - 1) / max(period, 1)
	if period < 2 || days < 3 {
		return x, make([]float64, 1)
	}
	season = make([]float64, period)
	last := x[len(x)-1-days*period:]
	usual := (last[len(last)-1] - last[0]) / float64(days*period)
	for i := range days * period {
		season[i%period] += (last[i+1] - last[i] - usual) / float64(days)
	}
	between, within := 0.0, 0.0
	for i := range days * period {
		s := season[i%period]
		e := last[i+1] - last[i] - usual - s
		between, within = between+s*s, within+e*e
	}
	keep := max(0, 1-within/max(float64(days-1)*between, 1e-300))
	flat = slices.Clone(x)
	for i := range season {
		season[i] *= keep
	}
	sum := 0.0
	for i := range flat {
		flat[len(flat)-1-i] += sum
		sum += season[period-1-i%period]
	}
	return flat, season
}

// tops are the sums of a season over the next n times thin steps, the largest of each thin. skip steps of it have passed.
func tops(season []float64, skip, thin, n int) []float64 {
	out, sum := make([]float64, n), 0.0
	for k := range out {
		out[k] = math.Inf(-1)
		for i := range thin {
			sum += season[(skip+k*thin+i)%len(season)]
			out[k] = max(out[k], sum)
		}
	}
	return out
}

// fanOf is the fan of h steps, by the values of all draws at each thin-th step.
func fanOf(now float64, shown [][]float64, thin, h int) Fan {
	f := Fan{Method: "speed since the last change, as it wandered and swung"}
	for _, l := range []struct {
		line *[]float64
		q    float64
	}{{&f.Mean, 0.5}, {&f.Lo80, 0.1}, {&f.Hi80, 0.9}, {&f.Lo95, 0.025}, {&f.Hi95, 0.975}} {
		*l.line = make([]float64, h)
		before := now
		for k, values := range shown {
			next := quantile(values, l.q)
			for i := k * thin; i < min((k+1)*thin, h); i++ {
				(*l.line)[i] = before + (next-before)*float64(i+1-k*thin)/float64(thin)
			}
			before = next
		}
	}
	return f
}

// lastCourse returns the bounds of the part of x since its last change point, else of the part before that.
func lastCourse(x []float64, limit float64) (from, to int) {
	d := make([]float64, len(x)-1)
	for i := range d {
		d[i] = x[i+1] - x[i]
	}
	middle := median(slices.Clone(d))
	off := make([]float64, len(d))
	for i, v := range d {
		off[i] = math.Abs(v - middle)
	}
	bound := max(jump*median(slices.Clone(off)), jumpShare*math.Abs(limit))
	to = len(x)
	for i := len(d) - 1; i >= 0; i-- {
		if off[i] <= bound {
			continue
		}
		if to-(i+1) >= minPoints {
			return i + 1, to
		}
		to = i + 1
	}
	return 0, to
}

// thinned takes the largest of each n values, counted from the end.
func thinned(x []float64, n int) []float64 {
	var out []float64
	for end := len(x); end > 0; end -= n {
		out = append(out, slices.Max(x[max(0, end-n):end]))
	}
	slices.Reverse(out)
	return out
}
