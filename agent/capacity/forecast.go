package capacity

import (
	"math"
	"slices"
)

// Fan is a forecast: for each step ahead the value expected and the limits within which it lies 80 and 95 times
// of 100, in the unit of the series.
type Fan struct {
	Mean, Lo80, Hi80, Lo95, Hi95 []float64

	Method string  // how Mean was made, in words
	Skill  float64 // share of the naive forecast's error that is saved on the series' own past; 0 where the naive one is used
	sd     []float64
}

// How the past is used.
const (
	origins   = 8   // from which the past is forecast, to weigh the members and measure their errors
	power     = 3   // of the error in the weight of a member
	minSingle = 8   // values that a series without seasons must have
	minCycles = 3   // seasons that are taken for a pattern
	times95   = 2.5 // half the width of an interval, in root mean squares of the error
	times80   = 1.35
)

// Forecast says how x goes on for h steps. period is the length of the season in steps, 1 for none; where it is
// a day of 24, a week is looked for too as soon as there are two and two days. Missing values are NaN.
//
// It is the mean of a few simple forecasts, each weighed by its errors on the part of x that it was not fitted
// on: repeats of the day and the week, the robust profile with a damped trend, and autoregressions. Where that
// is no better there than the best plain repeat, the repeat is used. The intervals are as wide as these errors were. ErrHistory where x has fewer than 8 values, h is longer than x, or too much is missing.
// Source: combining by past errors: Bates and Granger, Operational Research Quarterly 20 (1969), 451-468.
func Forecast(x []float64, period, h int) (Fan, error) {
	x, err := fill(x, period)
	if err != nil {
		return Fan{}, err
	}
	if len(x) < minSingle || h < 1 || h > len(x) {
		return Fan{}, ErrHistory
	}
	if period < 1 || len(x) < minCycles*period {
		period = 1
	}
	n := len(x)
	hold := max(period, n/6, min(h, n/3), 3)
	past := looksBack(x, period, h, hold)
	weights, naive := past.weigh()
	fan := Fan{Method: "weighted mean", Skill: 1 - past.error(weights)/past.error(naive)}
	if !(fan.Skill > 0) {
		weights, fan.Method, fan.Skill = naive, past.members[slices.Index(naive, 1)].name, 0
	}
	fan.Mean = make([]float64, h)
	full := members(x, n, period)
	for i, w := range weights { // a member that was too short of values to be looked at is not among them
		if w == 0 {
			continue
		}
		for k, v := range full[i].run(x, h) {
			fan.Mean[k] += w * v
		}
	}
	fan.widths(past, weights, slices.Min(x) >= 0)
	return fan, nil
}

// members are the forecasts that a series of this length allows. They are fitted on the first n values.
func members(x []float64, n, period int) []member {
	day, week := period, 7*period
	out := []member{{"the last value repeated", true, repeats(1)}}
	if period > 1 {
		out = []member{{"the last season repeated", true, repeats(day)}}
	}
	// By all of x, not by n, so that the same members are weighed and used.
	if period == 24 && len(x) >= 2*week+2*day {
		out = append(out, member{"the last week repeated", true, repeats(week)}, member{"weeks averaged", false, repeatsMean(week)})
	}
	season := day
	if period == 24 && len(x) >= minCycles*week {
		season = week
	}
	sc := scaleOf(x)
	if period > 1 && len(x) >= minCycles*season {
		out = append(out, member{"profile", false, profile(season, day, sc)})
	}
	for _, diff := range []bool{false, true} {
		if r := newRidge(x[:n], period, sc, diff); r != nil {
			out = append(out, member{"autoregression", false, r.run})
		}
	}
	return out
}

// hindsight is what the members would have said in the past, and what came.
type hindsight struct {
	members []member
	said    [][][]float64 // by origin, member and step
	came    [][]float64   // by origin and step
}

// looksBack forecasts the last hold values from several origins, with members that have not seen them.
func looksBack(x []float64, period, h, hold int) *hindsight {
	n := len(x)
	p := &hindsight{members: members(x, n-hold, period)}
	first, last := n-hold, n-max(1, min(h, hold)/2)
	before := -1
	for i := range origins {
		o := first + (last-first)*i/(origins-1)
		if o == before {
			continue
		}
		before = o
		steps := min(h, n-o)
		said := make([][]float64, len(p.members))
		for j, m := range p.members {
			said[j] = m.run(x[:o], steps)
		}
		p.said, p.came = append(p.said, said), append(p.came, x[o:o+steps])
	}
	return p
}

// error is the mean absolute error of a weighted mean of the members, each origin counting the same.
func (p *hindsight) error(weights []float64) float64 {
	sum := 0.0
	for _, errs := range p.errors(weights) {
		one := 0.0
		for _, e := range errs {
			one += math.Abs(e)
		}
		sum += one / float64(len(errs))
	}
	return sum / float64(len(p.came))
}

// errors are those of the weighted mean, by origin and step.
func (p *hindsight) errors(weights []float64) [][]float64 {
	out := make([][]float64, len(p.came))
	for o, came := range p.came {
		out[o] = slices.Clone(came)
		for k := range came {
			for j, w := range weights {
				if w > 0 {
					out[o][k] -= w * p.said[o][j][k]
				}
			}
		}
	}
	return out
}

// weigh returns the weights of the members, which add up to 1, and those of the best plain repeat alone.
func (p *hindsight) weigh() (weights, naive []float64) {
	errs, worst := make([]float64, len(p.members)), 0.0
	for j := range p.members {
		errs[j] = p.error(only(j, len(p.members)))
		worst = max(worst, errs[j])
	}
	weights = make([]float64, len(p.members))
	best, sum := 0, 0.0
	for j, e := range errs {
		if p.members[j].naive && e < errs[best] {
			best = j
		}
		weights[j] = 1 / math.Pow(e/max(worst, 1e-300)+1e-9, power)
		sum += weights[j]
	}
	for j := range weights {
		weights[j] /= sum
	}
	return weights, only(best, len(p.members))
}

// only is the weight 1 for member j.
func only(j, n int) []float64 {
	w := make([]float64, n)
	w[j] = 1
	return w
}

// widths sets the intervals by the errors of the past. Of a series that is never negative they are the geometric mean
// of the error and of its share of what was forecast, since large values are off by more than small ones.
func (f *Fan) widths(p *hindsight, weights []float64, positive bool) {
	errs := p.errors(weights)
	f.sd = spread(errs, len(f.Mean))
	if positive {
		for o, e := range errs {
			for k := range e {
				e[k] /= max(math.Abs(p.came[o][k]-e[k]), 1e-9)
			}
		}
		for k, share := range spread(errs, len(f.Mean)) {
			f.sd[k] = math.Sqrt(f.sd[k] * min(share, 1) * max(f.Mean[k], 0))
		}
	}
	f.Lo80, f.Hi80 = f.within(times80, positive)
	f.Lo95, f.Hi95 = f.within(times95, positive)
}

// spread is the root mean square of errors by origin and step, for h steps. A step's errors are taken together with
// those of the steps around it, and a later step is no surer than an earlier one. What lies further ahead than the past
// was looked at gets wider as the square root of the time, as a random walk does.
func spread(errs [][]float64, h int) []float64 {
	out := make([]float64, h)
	band := max(2, h/6)
	for k := range out {
		sum, n := 0.0, 0
		for _, e := range errs {
			for i := max(0, k-band); i < min(len(e), k+band+1); i++ {
				sum += e[i] * e[i]
				n++
			}
		}
		switch {
		case n > 0:
			out[k] = math.Sqrt(sum / float64(n))
		case k > 0:
			out[k] = out[k-1] * math.Sqrt(float64(k+1)/float64(k))
		}
		if k > 0 {
			out[k] = max(out[k], out[k-1])
		}
	}
	return out
}

func (f *Fan) within(times float64, positive bool) (lo, hi []float64) {
	lo, hi = make([]float64, len(f.sd)), make([]float64, len(f.sd))
	for k, sd := range f.sd {
		lo[k], hi[k] = f.Mean[k]-times*sd, f.Mean[k]+times*sd
		if positive {
			lo[k] = max(lo[k], 0)
		}
	}
	return lo, hi
}
