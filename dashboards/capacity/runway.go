package capacity

import (
	"math"
	"math/rand/v2"
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
	fewBlocks = 1.25 // by which swings are larger than in the past: eight stretches do not show all; chosen on the tests' disks
)

// Filling says how a resource that only grows, such as a disk, goes on for h steps, and when it reaches limit. x is its
// use at equal steps, in the unit of limit, missing values NaN.
//
// The course is the median slope since the last change point: a clean-up or a jump. Where that is too recent, the course
// before it goes on from the new level. Many ways on are drawn: half by the slope of all of the course and half by that
// of its last quarter, so that a bend widens the answer, with swings that are stretches of the past, and as far
// apart as earlier forecasts of the same course were off. It looks ten times as far ahead as the past is long.
// ErrHistory where there are fewer than 12 values.
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
	horizon := int(min(10*float64(len(x)), maxAhead))
	drawn := newPaths(thinned(course, thin))
	if &course[len(course)-1] != &x[len(x)-1] { // it is of before the last change
		drawn.from = now
	}
	shown, reached := drawn.walk(limit, (h+thin-1)/thin, horizon/thin)
	fan := fanOf(x[len(x)-1], shown, thin, h)
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

// fanOf is the fan of h steps, by the values of all draws at each thin-th step.
func fanOf(now float64, shown [][]float64, thin, h int) Fan {
	f := Fan{Method: "slope since the last change, with the swings of the past"}
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

// paths are ways in which a course may go on.
type paths struct {
	from   float64
	slopes []float64 // by draw, for each step
	off    []float64 // what the steps of the past were more or less than their mean
	block  int
	rnd    *rand.Rand
}

// newPaths draws from what the course y says: half of the slopes are about the median slope of all of it, and half
// about that of its last quarter.
func newPaths(y []float64) paths {
	p := paths{from: y[len(y)-1], slopes: make([]float64, draws), off: make([]float64, len(y)-1), rnd: rand.New(rand.NewPCG(1, 1))} // the same answer to the same question
	for i := range p.off {
		p.off[i] = y[i+1] - y[i]
	}
	mean, _ := meanSD(p.off)
	for i := range p.off {
		p.off[i] = fewBlocks * (p.off[i] - mean)
	}
	p.block = max(1, len(p.off)/8)
	whole, late := theilSen(y), theilSen(y[len(y)-max(len(y)/4, minPoints/2):])
	spread := make([]float64, draws)
	for i := range spread {
		sum, n := 0.0, 0
		for n < len(p.off) {
			for _, v := range p.some() {
				sum += v
				n++
			}
		}
		spread[i] = sum / float64(n)
	}
	widen := surprise(y)
	for i := range p.slopes {
		p.slopes[i] = whole + widen*spread[i]
		if i%2 == 1 {
			p.slopes[i] = late + widen*spread[i]
		}
	}
	return p
}

// some are the swings of some stretch of the past.
func (p paths) some() []float64 {
	from := p.rnd.IntN(len(p.off) - p.block + 1)
	return p.off[from : from+p.block]
}

// walk goes all ways for most steps or until they reach limit. It returns the values of the first shown steps, and the
// step in which each reached the limit.
func (p paths) walk(limit float64, show, most int) (shown [][]float64, reached []float64) {
	shown = make([][]float64, show)
	for i := range p.slopes {
		level, at := p.from, math.Inf(1)
		var swing []float64
		for k := range max(show, most) {
			if len(swing) == 0 {
				swing = p.some()
			}
			before := level
			level, swing = level+p.slopes[i]+swing[0], swing[1:]
			if k < show {
				shown[k] = append(shown[k], level)
			}
			if level >= limit && math.IsInf(at, 1) && k < most {
				at = float64(k) + max(limit-before, 0)/max(level-before, 1e-300)
			}
			if k >= show-1 && !math.IsInf(at, 1) {
				break
			}
		}
		reached = append(reached, at)
	}
	return shown, reached
}

// surprise is how many times further off than by its own spread the course was when it was told from its first parts,
// root mean square over several of them; 1 to 3.
func surprise(y []float64) float64 {
	sum, n := 0.0, 0
	for o := len(y) / 2; o <= len(y)-max(2, len(y)/8); o += max(1, len(y)/12) {
		slope, ahead := theilSen(y[:o]), float64(len(y)-o)
		block := max(1, (o-1)/8)
		blocks := make([]float64, 0, o)
		for i := 0; i+block < o; i++ {
			blocks = append(blocks, y[i+block]-y[i])
		}
		_, sd := meanSD(blocks)
		// The swings ahead, and the slope that is known no better than by as many steps as there were.
		variance := sd * sd / float64(block) * (ahead + ahead*ahead/float64(o))
		e := y[len(y)-1] - y[o-1] - slope*ahead
		if variance > 0 {
			sum += e * e / variance
			n++
		}
	}
	if n == 0 {
		return 1
	}
	return min(max(math.Sqrt(sum/float64(n)), 1), 3)
}
