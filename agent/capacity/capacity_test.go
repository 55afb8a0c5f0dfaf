package capacity

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// week is an hourly series with a day, a weekend, growth by the hour and noise, all as shares of level.
func week(hours int, level, growth, noise float64) []float64 {
	rnd := rand.New(rand.NewPCG(7, 7))
	x := make([]float64, hours)
	for i := range x {
		day := 1 + 0.4*math.Sin(2*math.Pi*float64(i%24)/24)
		if i/24%7 >= 5 {
			day *= 0.7
		}
		x[i] = level * day * (1 + growth*float64(i)) * (1 + noise*rnd.NormFloat64())
	}
	return x
}

func TestForecastOfAWeeklyCourse(t *testing.T) {
	all := week(6*168, 1000, 2e-4, 0.02)
	x, y := all[:5*168], all[5*168:]
	fan, err := Forecast(x, 24, len(y))
	if err != nil {
		t.Fatal(err)
	}
	in, off, size := 0, 0.0, 0.0
	for k, v := range y {
		if v >= fan.Lo95[k] && v <= fan.Hi95[k] {
			in++
		}
		if fan.Lo95[k] > fan.Lo80[k] || fan.Lo80[k] > fan.Mean[k] || fan.Mean[k] > fan.Hi80[k] || fan.Hi80[k] > fan.Hi95[k] {
			t.Fatalf("step %d: limits out of order", k)
		}
		off, size = off+math.Abs(v-fan.Mean[k]), size+v
	}
	if share := float64(in) / float64(len(y)); share < 0.85 {
		t.Errorf("the 95 %% interval holds %.2f of the values", share)
	}
	if off/size > 0.05 {
		t.Errorf("mean error = %.3f of the values; want 0.05 at most", off/size)
	}
	if fan.Skill <= 0.2 {
		t.Errorf("Skill = %.2f over the naive forecast of a series that grows; want above 0.2", fan.Skill)
	}
}

func TestTheProfileIsOfADayUntilThereAreThreeWeeks(t *testing.T) {
	for hours, want := range map[int]bool{60: false, 80: true, 400: true, 600: true} {
		x := week(hours, 100, 0, 0.02)
		has := slices.ContainsFunc(members(x, len(x), 24), func(m member) bool { return m.name == "profile" })
		if has != want {
			t.Errorf("%d hours: profile %v; want %v", hours, has, want)
		}
	}
}

func TestForecastOfEveryLength(t *testing.T) {
	for n := 1; n < 600; n += 47 {
		x := week(n, 100, 0, 0.05)
		for _, period := range []int{1, 2, 7, 24} {
			for _, h := range []int{1, max(n/2, 1), n} {
				fan, err := Forecast(x, period, h)
				if (err != nil) != (n < minSingle) {
					t.Errorf("%d values, period %d, %d ahead: %v", n, period, h, err)
				}
				for k, v := range fan.Mean {
					if !(fan.Lo95[k] <= v && v <= fan.Hi95[k]) || v < 0 || v > 1000 {
						t.Fatalf("%d values, period %d, step %d of %d: %v, %v, %v", n, period, k, h, fan.Lo95[k], v, fan.Hi95[k])
					}
				}
			}
			_, r, err := Filling(x, 24, 1000, n)
			if err == nil && !(r.P10 <= r.P50 && r.P50 <= r.P90 && r.Within <= 1) {
				t.Errorf("%d values: %+v", n, r)
			}
		}
	}
}

func TestForecastOfBadSeries(t *testing.T) {
	nan := math.NaN()
	constant, negative, holes, jumps := make([]float64, 500), week(500, 100, 0, 0.05), week(500, 100, 0, 0.05), week(500, 100, 0, 0.05)
	ends := week(500, 100, 0, 0.05)
	for i := range constant {
		constant[i] = 7
		negative[i] -= 150
		if i%11 == 3 {
			holes[i] = nan
		}
		if i >= 430 {
			jumps[i] *= 10
			ends[i] = 0
		}
	}
	mostly := append([]float64(nil), holes...)
	for i := range mostly {
		if i%3 > 0 {
			mostly[i] = nan
		}
	}
	for name, tc := range map[string]struct {
		x    []float64
		h    int
		want error
	}{
		"constant":                       {constant, 48, nil},
		"below zero":                     {negative, 48, nil},
		"a tenth is missing":             {holes, 48, nil},
		"it jumped three days ago":       {jumps, 48, nil},
		"it fell to zero three days ago": {ends, 48, nil},
		"shorter than a season":          {week(20, 5, 0, 0.1), 4, nil},
		"two thirds are missing":         {mostly, 48, ErrHistory},
		"infinite":                       {append(week(100, 5, 0, 0.1), math.Inf(1)), 4, ErrHistory},
		"one point":                      {[]float64{3}, 1, ErrHistory},
		"none":                           {nil, 1, ErrHistory},
		"all missing":                    {[]float64{nan, nan, nan}, 1, ErrHistory},
		"further ahead than it is long":  {week(100, 5, 0, 0.1), 101, ErrHistory},
	} {
		t.Run(name, func(t *testing.T) {
			fan, err := Forecast(tc.x, 24, tc.h)
			if !errors.Is(err, tc.want) {
				t.Fatalf("error = %v; want %v", err, tc.want)
			}
			if err != nil {
				return
			}
			if len(fan.Mean) != tc.h || len(fan.Lo95) != tc.h || len(fan.Hi95) != tc.h {
				t.Fatalf("%d steps; want %d", len(fan.Mean), tc.h)
			}
			for k := range fan.Mean {
				for _, v := range []float64{fan.Lo95[k], fan.Mean[k], fan.Hi95[k]} {
					if math.IsNaN(v) || math.IsInf(v, 0) || math.Abs(v) > 1e5 {
						t.Fatalf("step %d: %v, %v, %v", k, fan.Lo95[k], fan.Mean[k], fan.Hi95[k])
					}
				}
			}
		})
	}
	if fan, err := Forecast(constant, 24, 48); err != nil || math.Abs(fan.Mean[47]-7) > 1e-6 {
		t.Errorf("constant 7: mean of step 48 = %v, %v", fan.Mean[47], err)
	}
}

func TestWhereNothingBeatsTheNaiveForecastItIsUsed(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 3))
	x := make([]float64, 40)
	for i := 1; i < len(x); i++ {
		x[i] = x[i-1] + math.Copysign(math.Exp(3*rnd.NormFloat64()), rnd.NormFloat64())
	}
	fan, err := Forecast(x, 1, 5)
	if err != nil {
		t.Fatal(err)
	}
	if fan.Skill < 0 {
		t.Errorf("Skill = %v; want 0 or more", fan.Skill)
	}
	if fan.Skill == 0 && fan.Method != "the last value repeated" {
		t.Errorf("Method = %q for no skill", fan.Method)
	}
}

func TestRunwayOfDemand(t *testing.T) {
	x := week(5*168, 1000, 2e-4, 0.02)
	fan, err := Forecast(x, 24, 14*24)
	if err != nil {
		t.Fatal(err)
	}
	top := 0.0
	for _, v := range fan.Mean {
		top = max(top, v)
	}
	near, far := fan.Runway(top*0.99, 24), fan.Runway(top*10, 24)
	if !(near.P10 <= near.P50) || math.IsInf(near.P50, 1) || near.Within < 0.5 {
		t.Errorf("a limit just below the peak: %+v", near)
	}
	if !math.IsInf(far.P10, 1) || far.Within > 0.01 || far.Horizon != 14*24 {
		t.Errorf("a limit far above: %+v", far)
	}
	if r := fan.Runway(0.5*fan.Mean[0], 24); r.P90 > 24 {
		t.Errorf("a limit that is passed already: %+v", r)
	}
}

func TestLaw(t *testing.T) {
	truth := [3]float64{100, 0.03, 0.0004}
	rnd := rand.New(rand.NewPCG(11, 11))
	measure := func(loads ...float64) (n, x []float64) {
		for _, l := range loads {
			for range 6 {
				n, x = append(n, l), append(x, law(truth, l)*(1+0.02*rnd.NormFloat64()))
			}
		}
		return n, x
	}
	n, x := measure(1, 2, 4, 8, 12, 16, 24, 32)
	x[5] *= 3 // an outlier
	l, err := FitLaw(n, x)
	if err != nil {
		t.Fatal(err)
	}
	for _, load := range []float64{1, 16, 32, 48} {
		lo, mid, hi, err := l.At(load)
		if want := law(truth, load); err != nil || mid < 0.9*want || mid > 1.1*want || lo > mid || hi < mid {
			t.Errorf("At(%v) = %v, %v, %v, %v; want about %v", load, lo, mid, hi, err, want)
		}
	}
	if _, _, _, err := l.At(49); !errors.Is(err, ErrReach) {
		t.Errorf("At(49) = %v; want ErrReach", err)
	}
	if p, ok := l.Peak(); ok && (p < 30 || p > 48) {
		t.Errorf("Peak = %v", p)
	}
	n, x = measure(10, 11, 12)
	if _, err := FitLaw(n, x); !errors.Is(err, ErrSpread) {
		t.Errorf("loads from 10 to 12: error = %v; want ErrSpread", err)
	}
	if _, err := FitLaw([]float64{1, 2}, []float64{1, 2}); !errors.Is(err, ErrHistory) {
		t.Errorf("two measurements: error = %v; want ErrHistory", err)
	}
	n = []float64{1, 2, 3, 4, 5, 6}
	if _, err := FitLaw(n, []float64{9, 1, 40, 2, 70, 1}); !errors.Is(err, ErrSpread) {
		t.Errorf("nonsense: error = %v; want ErrSpread", err)
	}
}
