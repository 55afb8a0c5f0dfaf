package capacity

import (
	"math"
	"math/rand/v2"
)

// growth is one way in which something may go on that fills up: a usual speed, what it is off that now, which wanders
// and may be drawn back, and swings on top. Speeds are by step.
type growth struct {
	weight     float64 // of all ways
	usual, off float64 // expected now
	varUsual   float64 // how well these are known
	varOff     float64
	cov        float64
	kept       float64   // share of off that is left after a step; 1 where nothing draws it back
	walk       float64   // standard deviation of what off changes by in a step
	noise      float64   // standard deviation of the swings
	swings     []float64 // of the past, in standard deviations
}

// wider is how much wider answers are than the past says, since a short past does not show all. It was chosen on the
// tests' disks.
const wider = 1.3

// growths are the ways that explain the steps d, each weighed by how well it foretold every step by those before: a
// speed that is constant, that wanders, and that returns to the usual one sooner or later, with more or less noise.
// All are equally likely at first, so the less d tells, the wider is what they say together. size is the mean of |d|.
// Source: Durbin and Koopman, Time Series Analysis by State Space Methods, 2nd ed. 2012, chapters 2 and 7.
func growths(d []float64, size float64) []growth {
	n := float64(len(d))
	out := []growth{follow(d, 0, 1, size)}
	for back := math.Inf(1); back > 1; back = min(back/2.5, n/16) { // steps until off is drawn back to a third
		ratio := 1 / n // variance of walk by that of noise; what is less does not show
		if math.IsInf(back, 1) {
			ratio /= n
		}
		for ; ratio < 1000; ratio *= 10 {
			out = append(out, follow(d, ratio, math.Exp(-1/back), size))
		}
	}
	best, sum := math.Inf(-1), 0.0
	for _, g := range out {
		best = max(best, g.weight)
	}
	for i := range out {
		out[i].weight = math.Exp(out[i].weight - best)
		sum += out[i].weight
	}
	for i := range out {
		out[i].weight /= sum
	}
	return out
}

// follow is the Kalman filter of one way over d. Its weight is the logarithm of the likelihood. The speed wanders within
// a step, too: of the variance of what it changes by, a third is in what the step adds.
func follow(d []float64, ratio, kept, size float64) growth {
	g := growth{usual: d[0], kept: kept, swings: make([]float64, 0, len(d)-1)}
	if kept < 1 {
		g.varOff = ratio / (1 - kept*kept)
	}
	g.varUsual, g.cov = g.varOff+ratio/3+1, -g.varOff
	sum := 1e-12*size*size + 1e-60 // of a series without any noise
	for _, v := range d[1:] {
		f := g.varUsual + 2*g.cov + g.varOff + ratio/3 + 1
		e := v - g.usual - g.off
		toUsual, toOff := (g.varUsual+g.cov)/f, (kept*(g.cov+g.varOff)+ratio/2)/f
		g.usual += toUsual * e
		g.off = kept*g.off + toOff*e
		g.varUsual -= toUsual * toUsual * f
		g.cov = kept*g.cov - toUsual*toOff*f
		g.varOff = kept*kept*g.varOff + ratio - toOff*toOff*f
		g.weight -= math.Log(f) / 2
		g.swings = append(g.swings, e/math.Sqrt(f))
		sum += e * e / f
	}
	n := float64(len(d) - 1)
	sd := math.Sqrt(sum / n)
	g.weight -= n * math.Log(sd)
	for i := range g.swings {
		g.swings[i] /= sd
	}
	sd *= wider
	g.varUsual, g.varOff, g.cov = g.varUsual*sd*sd, g.varOff*sd*sd, g.cov*sd*sd
	g.walk, g.noise = math.Sqrt(ratio)*sd, sd
	return g
}

// draw returns a usual speed and what it is off that now.
func (g growth) draw(rnd *rand.Rand) (usual, off float64) {
	sd, z := math.Sqrt(g.varUsual), rnd.NormFloat64()
	alone := math.Sqrt(max(0, g.varOff-g.cov*g.cov/g.varUsual))
	return g.usual + sd*z, g.off + g.cov/sd*z + alone*rnd.NormFloat64()
}

// paths are ways in which a course may go on.
type paths struct {
	from float64
	ways []growth
	size float64   // mean of the steps of the past, without their signs
	most int       // steps that are looked ahead
	tops []float64 // by step: what the time of day adds
}

func newPaths(y []float64, tops []float64, most int) paths {
	p := paths{from: y[len(y)-1], tops: tops, most: most}
	d := make([]float64, len(y)-1)
	for i := range d {
		d[i] = y[i+1] - y[i]
		p.size += math.Abs(d[i]) / float64(len(d))
	}
	p.ways = growths(d, p.size)
	return p
}

// walk goes all ways until they reach limit. It returns the values of the first shown steps, and the step in which each
// reached the limit.
func (p paths) walk(limit float64, show int) (shown [][]float64, reached []float64) {
	rnd := rand.New(rand.NewPCG(1, 1)) // the same answer to the same question
	shown = make([][]float64, show)
	way, sum := 0, p.ways[0].weight
	for i := range draws {
		for sum < (float64(i)+0.5)/draws && way < len(p.ways)-1 {
			way++
			sum += p.ways[way].weight
		}
		reached = append(reached, p.goes(p.ways[way], limit, shown, rnd))
	}
	return shown, reached
}

// goes goes on in a way. It adds the values of the first steps to shown and returns the step that reaches limit. Swings
// are stretches of the past.
// Source: bootstrap in blocks: Künsch, Annals of Statistics 17 (1989), 1217-1241.
func (p paths) goes(g growth, limit float64, shown [][]float64, rnd *rand.Rand) float64 {
	at, base, level := math.Inf(1), p.from, p.from
	usual, off := g.draw(rnd)
	block, swings := max(1, len(g.swings)/8), []float64(nil)
	for k := range max(len(shown), p.most) {
		if len(swings) == 0 {
			from := rnd.IntN(len(g.swings) - block + 1)
			swings = g.swings[from : from+block]
		}
		was, change := off, g.walk*rnd.NormFloat64()
		if v := usual + off; v > 0 { // a high speed wanders more than a low one
			share := min(change*min(1/p.size, 3/v), 1)
			change = v * share * (1 + share/2) // as good as its exponent, and faster
		}
		off = g.kept*off + change
		base += usual + (was+off)/2 + g.noise*swings[0]
		swings = swings[1:]
		before := level
		level = base + p.tops[k]
		if k < len(shown) {
			shown[k] = append(shown[k], level)
		}
		if level >= limit && math.IsInf(at, 1) && k < p.most {
			at = float64(k) + max(limit-before, 0)/max(level-before, 1e-300)
		}
		if k >= len(shown)-1 && !math.IsInf(at, 1) {
			break
		}
	}
	return at
}
