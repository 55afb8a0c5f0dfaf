package capacity

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// course is a way in which disks fill: what hour i adds, given a speed that it may change.
type course struct {
	name   string
	least  float64 // share that ends in the interval of 80 %
	widest float64 // the interval, by the time until the end
	adds   func(r *rand.Rand, i int, speed *float64) float64
}

// wanders is a speed that goes its own way by share an hour.
func wanders(share float64) func(*rand.Rand, int, *float64) float64 {
	return func(r *rand.Rand, _ int, speed *float64) float64 {
		*speed = max(0.05, *speed*math.Exp(share*r.NormFloat64()))
		return *speed
	}
}

var courses = []course{
	{"steady", 1, 0.01, func(*rand.Rand, int, *float64) float64 { return 1 }},
	{"steady writes, each of its own size", 0.7, 0.5, func(r *rand.Rand, _ int, _ *float64) float64 { return r.ExpFloat64() }},
	{"writes by day", 0.7, 0.5, func(r *rand.Rand, i int, _ *float64) float64 {
		return (1 + math.Sin(2*math.Pi*float64(i)/24)) * r.ExpFloat64()
	}},
	{"half as much on weekends", 0.7, 1, func(r *rand.Rand, i int, _ *float64) float64 {
		if i/24%7 >= 5 {
			return 0.5 * r.ExpFloat64()
		}
		return r.ExpFloat64()
	}},
	{"cleaned up a bit each day", 0.7, 1, func(r *rand.Rand, i int, _ *float64) float64 {
		if i%24 == 0 {
			return r.ExpFloat64() - 12
		}
		return r.ExpFloat64()
	}},
	{"jumps", 0.7, 2.2, func(r *rand.Rand, _ int, _ *float64) float64 {
		if r.Float64() < 1.0/60 {
			return 30 * r.ExpFloat64()
		}
		return 0.5 * r.ExpFloat64()
	}},
	{"each day writes more or less", 0.7, 1.1, func(r *rand.Rand, i int, speed *float64) float64 {
		if i%24 == 0 {
			*speed = max(0.1, 1+0.5*r.NormFloat64())
		}
		return *speed * r.ExpFloat64()
	}},
	{"the speed wanders by 1 % an hour", 0.7, 0.5, wanders(0.01)},
	{"the speed wanders by 2 % an hour", 0.7, 0.9, wanders(0.02)},
	{"the speed wanders by 4 % an hour", 0.7, 2, wanders(0.04)},
	{"it wanders by 2 % under noise", 0.7, 0.9, func(r *rand.Rand, i int, speed *float64) float64 {
		return wanders(0.02)(r, i, speed) * r.ExpFloat64()
	}},
	{"it wanders through zero", 0.6, 1.5, func(r *rand.Rand, _ int, speed *float64) float64 {
		*speed += 0.04 * r.NormFloat64()
		return *speed + 0.2*r.NormFloat64()
	}},
	{"a new speed every two weeks or so", 0.55, 0.8, func(r *rand.Rand, _ int, speed *float64) float64 {
		if r.Float64() < 1.0/336 {
			*speed = math.Exp(0.7 * r.NormFloat64())
		}
		return *speed * r.ExpFloat64()
	}},
}

// disk grows by slope a step with noise.
func disk(n int, slope, noise float64) []float64 {
	rnd := rand.New(rand.NewPCG(5, 5))
	x, level := make([]float64, n), 100.0
	for i := range x {
		level += slope * (1 + noise*rnd.NormFloat64())
		x[i] = level
	}
	return x
}

func TestFilling(t *testing.T) {
	grown := disk(400, 1, 0.5)
	now := grown[399]
	cleaned := disk(400, 1, 0.5)
	for i := 300; i < 400; i++ {
		cleaned[i] -= 250
	}
	justCleaned := disk(400, 1, 0.5)
	for i := 396; i < 400; i++ {
		justCleaned[i] -= 250
	}
	for name, tc := range map[string]struct {
		x      []float64
		limit  float64
		lo, hi float64 // of P50
		err    error
	}{
		"it fills in 200 steps":                  {grown, now + 200, 170, 230, nil},
		"a clean-up a while ago is no slope":     {cleaned, cleaned[399] + 200, 170, 230, nil},
		"a clean-up just now: the course before": {justCleaned, justCleaned[399] + 200, 170, 230, nil},
		"it is full":                             {grown, now - 1, 0, 0, nil},
		"flat":                                   {disk(100, 0, 0), 200, math.Inf(1), math.Inf(1), nil},
		"it shrinks":                             {disk(50, -1, 0.2), 200, math.Inf(1), math.Inf(1), nil},
		"one point":                              {[]float64{1}, 2, 0, 0, ErrHistory},
		"eleven":                                 {disk(11, 1, 0), 300, 0, 0, ErrHistory},
	} {
		t.Run(name, func(t *testing.T) {
			_, r, err := Filling(tc.x, 24, tc.limit, 10)
			if !errors.Is(err, tc.err) {
				t.Fatalf("error = %v; want %v", err, tc.err)
			}
			if err == nil && (r.P50 < tc.lo || r.P50 > tc.hi || r.P10 > r.P50 || r.P50 > r.P90) {
				t.Errorf("Filling = %+v; want P50 in %v to %v", r, tc.lo, tc.hi)
			}
		})
	}
}

// fill returns the values of past hours of a disk that fills so, the size with which it is full after more hours, and
// after how many: infinity where that is not within ten times the past.
func (c course) fill(seed uint64, past, ahead int) (x []float64, limit, full float64) {
	rnd := rand.New(rand.NewPCG(seed, 10))
	level, speed := 1000.0, 1.0
	for i := range past + ahead + 1 {
		level += c.adds(rnd, i, &speed)
		x = append(x, level)
	}
	limit = slices.Max(x)
	if before := slices.Max(x[:past]); before >= limit-1 { // it does not grow, for now
		limit = before + float64(ahead)/2
	}
	for len(x) < 11*past && x[len(x)-1] < limit {
		level += c.adds(rnd, len(x), &speed)
		x = append(x, level)
	}
	full = math.Inf(1)
	if i := slices.IndexFunc(x, func(v float64) bool { return v >= limit }); i >= 0 {
		full = float64(i - past + 1)
	}
	return x[:past], limit, full
}

// promise counts how answers turned out.
type promise struct {
	asked, held, endless float64
	widths               []float64 // of the interval of 80 %, by the time it took
}

func (p *promise) ask(tb testing.TB, c course, seed uint64, past, ahead int) {
	tb.Helper()
	x, limit, full := c.fill(seed, past, ahead)
	_, r, err := Filling(x, 24, limit, 10)
	if err != nil {
		tb.Fatal(err)
	}
	p.asked++
	if r.P10-0.5 <= full && full <= r.P90+0.5 { // it was full at some time in the hour
		p.held++
	}
	if math.IsInf(r.P90, 1) {
		p.endless++
	}
	p.widths = append(p.widths, (min(r.P90, r.Horizon)-min(r.P10, r.Horizon))/min(full, r.Horizon))
}

// TestFillingHoldsWhatItPromises fills many disks in several ways and counts how often the time of the end is in the
// interval of 80 %, ten days ahead after three weeks.
func TestFillingHoldsWhatItPromises(t *testing.T) {
	const disks = 40
	for _, c := range courses {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := promise{}
			for seed := range uint64(disks) {
				p.ask(t, c, seed, 500, 240)
			}
			held, width := p.held/p.asked, median(p.widths)
			t.Logf("in the interval %.2f, width %.2f of the time", held, width)
			if held < c.least || width > c.widest {
				t.Errorf("%.2f ended in the 80 %% interval, which was %.2f of the time wide; want %.2f at least, %.2f at most", held, width, c.least, c.widest)
			}
		})
	}
}

// BenchmarkFilling asks of one disk an iteration, and reports what came of the answers.
func BenchmarkFilling(b *testing.B) {
	for _, span := range []struct{ past, ahead int }{{500, 240}, {672, 1500}, {168, 168}, {60, 48}, {500, 40}} {
		for _, c := range courses {
			b.Run(fmt.Sprintf("%d hours ahead after %d/%s", span.ahead, span.past, c.name), func(b *testing.B) {
				p, seed := promise{}, uint64(0)
				for b.Loop() {
					p.ask(b, c, seed, span.past, span.ahead)
					seed++
				}
				b.ReportMetric(p.held/p.asked, "held")
				b.ReportMetric(median(p.widths), "width")
				b.ReportMetric(p.endless/p.asked, "endless")
			})
		}
	}
	b.Run("never full", func(b *testing.B) {
		x := disk(fillsWindow, 1, 0.5)
		for b.Loop() {
			if _, _, err := Filling(x, 24, 1e6, maxHorizon); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func TestFillingOfBadSeries(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	with := func(v float64, at ...int) []float64 {
		x := disk(200, 1, 0.5)
		for _, i := range at {
			x[i] = v
		}
		return x
	}
	ends := disk(200, 1, 0.5)
	for i := range ends[170:] {
		ends[170+i] = nan
	}
	negative, huge, zigzag := disk(200, 1, 0.5), disk(200, 1, 0.5), make([]float64, 200)
	for i := range negative {
		negative[i] -= 1000
		huge[i] *= 1e15
		zigzag[i] = float64(i % 2)
	}
	for name, tc := range map[string]struct {
		x     []float64
		limit float64
		want  error
	}{
		"constant":        {disk(200, 0, 0), 500, nil},
		"zero":            {make([]float64, 200), 500, nil},
		"to and fro":      {zigzag, 500, nil},
		"below zero":      {negative, 0, nil},
		"huge":            {huge, 1e18, nil},
		"some missing":    {with(nan, 3, 50, 51, 52, 199), 500, nil},
		"it ends":         {ends, 500, nil},
		"it jumped":       {with(450, 195, 196, 197, 198, 199), 500, nil},
		"infinite":        {with(inf, 7), 500, ErrHistory},
		"below all":       {with(-inf, 7), 500, ErrHistory},
		"all missing":     {[]float64{nan, nan}, 500, ErrHistory},
		"one point":       {[]float64{3}, 500, ErrHistory},
		"none":            {nil, 500, ErrHistory},
		"twelve":          {disk(12, 1, 0.5), 500, nil},
		"no limit at all": {disk(200, 1, 0.5), inf, nil},
	} {
		t.Run(name, func(t *testing.T) {
			fan, r, err := Filling(tc.x, 24, tc.limit, 48)
			if !errors.Is(err, tc.want) {
				t.Fatalf("error = %v; want %v", err, tc.want)
			}
			if err != nil {
				return
			}
			if !(0 <= r.P10 && r.P10 <= r.P50 && r.P50 <= r.P90) || !(r.Within >= 0 && r.Within <= 1) || !(r.Horizon >= 120) {
				t.Errorf("%+v", r)
			}
			size := 0.0
			for _, v := range tc.x {
				if !math.IsNaN(v) {
					size = max(size, math.Abs(v))
				}
			}
			for k := range fan.Mean {
				lo, hi := fan.Lo95[k], fan.Hi95[k]
				if !(lo <= fan.Lo80[k] && fan.Lo80[k] <= fan.Mean[k] && fan.Mean[k] <= fan.Hi80[k] && fan.Hi80[k] <= hi) || !(math.Abs(lo)+math.Abs(hi) < 100*size+1) {
					t.Fatalf("step %d: %v to %v", k, lo, hi)
				}
			}
		})
	}
}
