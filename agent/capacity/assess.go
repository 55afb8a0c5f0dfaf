package capacity

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/navcloud/binnacle/agent/words"
)

// History is the past of one instance of a pool. Values are the largest of each hour, or day, up to End; missing
// ones are NaN.
type History struct {
	End   time.Time
	Hours []float64 // five weeks at most
	Days  []float64 // as many as are kept
	Past  []Said    // as long as Hours: what was forecast for each hour a day before
}

// Said is a past forecast, NaN where there was none.
type Said struct{ Lo, Mid, Hi float64 }

// Until is when a limit is reached. Never stands for a time beyond Horizon.
type Until struct {
	P10, P50, P90 time.Duration // reached by then with a probability of 10, 50 and 90 %
	Horizon       time.Duration
	Within        float64 // probability that it is reached within Horizon
}

// Never is a time beyond the horizon.
const Never time.Duration = -1

// Answer is what is said of one instance of a pool.
type Answer struct {
	Pool    Pool              `json:"pool"`
	Labels  map[string]string `json:"labels"`
	Reading Reading           `json:"reading"`
	Use     float64           `json:"use"`
	Limit   float64           `json:"limit"`

	// Buffer is how many times the use the limit is: now, at the peak of the coming week, and at that peak without
	// the largest zone. 0 where it is not known.
	Buffer struct{ Now, Peak, ZoneLost float64 } `json:"buffer"`
	Lost   string                                `json:"lost_zone,omitempty"`
	Peak   float64                               `json:"peak"`      // expected in the coming week; 0 where not known
	PeakHi float64                               `json:"peak_high"` // not passed in 9 of 10

	Until  Until         `json:"until"`
	Lead   time.Duration `json:"lead"`
	Lacks  string        `json:"lacks,omitempty"` // why nothing is forecast
	Method string        `json:"method,omitempty"`
	Skill  float64       `json:"skill"`
	Held   int           `json:"held"` // past forecasts of a day ahead whose 80 % interval held
	Asked  int           `json:"asked"`

	History History `json:"-"`
	Fan     Fan     `json:"-"` // by hours from History.End
}

// How far back and ahead is looked, in hours unless said otherwise.
const (
	hoursWeek   = 168
	minDemand   = 72
	minFills    = 24
	maxHorizon  = 14 * 24
	minDays     = 56 // of daily peaks, from which what lies further ahead is told
	maxDays     = 91
	fillsWindow = 28 * 24
)

// Assess says what is to be said of a pool by its past. lead is how long it takes to make room.
func Assess(p Pool, r Reading, h History, lead time.Duration) Answer {
	a := Answer{Pool: p, Labels: r.Labels, Reading: r, Use: r.Use(), Limit: r.Limit, Lead: cmp.Or(p.LeadTime, lead), History: h}
	a.Until = Until{P10: Never, P50: Never, P90: Never}
	a.Buffer.Now = p.buffer(a.Limit, a.Use)
	sign := 1.0
	if p.Floor {
		sign = -1
	}
	hours := trimmed(h.Hours, sign)
	if err := a.look(hours, sign); err != nil {
		a.Lacks = fmt.Sprintf("%v: %s", err, words.Span(time.Duration(len(hours))*time.Hour))
	} else {
		a.peak(sign)
		if p.Kind == Demand {
			a.farther(trimmed(h.Days, sign), sign)
		}
	}
	if a.passed() {
		a.Until = Until{Within: 1}
	}
	a.judge()
	return a
}

func (a *Answer) passed() bool { return a.Buffer.Now > 0 && a.Buffer.Now <= 1 }

// trimmed is x from its first value on, times sign.
func trimmed(x []float64, sign float64) []float64 {
	first := slices.IndexFunc(x, func(v float64) bool { return !math.IsNaN(v) })
	if first < 0 {
		return nil
	}
	out := slices.Clone(x[first:])
	for i := range out {
		out[i] *= sign
	}
	return out
}

// look makes the fan of the next hours and the time until the limit.
func (a *Answer) look(x []float64, sign float64) error {
	limit, ahead := sign*a.Limit, min(maxHorizon, len(x)/2)
	var r Runway
	var err error
	if a.Pool.Kind == Fills {
		if len(x) < minFills {
			return ErrHistory
		}
		a.Fan, r, err = Filling(x[max(0, len(x)-fillsWindow):], 24, limit, ahead)
	} else {
		if len(x) < minDemand {
			return ErrHistory
		}
		a.Fan, err = Forecast(x, 24, ahead)
		if err == nil {
			r = a.Fan.Runway(limit, 24)
		}
	}
	if err != nil {
		return err
	}
	a.Until, a.Method, a.Skill = r.in(time.Hour), a.Fan.Method, a.Fan.Skill
	return nil
}

// in is the runway in time.
func (r Runway) in(step time.Duration) Until {
	at := func(v float64) time.Duration {
		if math.IsInf(v, 0) {
			return Never
		}
		return time.Duration(v * float64(step))
	}
	return Until{at(r.P10), at(r.P50), at(r.P90), at(r.Horizon), r.Within}
}

// farther adds what the daily peaks say of the time beyond the hours.
func (a *Answer) farther(days []float64, sign float64) {
	if len(days) < minDays {
		return
	}
	fan, err := Forecast(days, 7, min(maxDays, len(days)/2))
	if err != nil {
		return
	}
	far := fan.Runway(sign*a.Limit, 7).in(24 * time.Hour)
	if far.Horizon <= a.Until.Horizon {
		return
	}
	for _, t := range []struct {
		near *time.Duration
		far  time.Duration
	}{{&a.Until.P10, far.P10}, {&a.Until.P50, far.P50}, {&a.Until.P90, far.P90}} {
		if *t.near == Never && t.far != Never {
			*t.near = max(t.far, a.Until.Horizon)
		}
	}
	a.Until.Horizon, a.Until.Within = far.Horizon, max(far.Within, a.Until.Within)
}

// peak turns the fan back where it is of a floor, and reads the coming week from it.
func (a *Answer) peak(sign float64) {
	week := min(hoursWeek, len(a.Fan.Mean))
	if week == 0 {
		return
	}
	a.Peak, a.PeakHi = sign*slices.Max(a.Fan.Mean[:week]), sign*slices.Max(a.Fan.Hi80[:week])
	if sign < 0 {
		f := &a.Fan
		for _, line := range [][]float64{f.Mean, f.Lo80, f.Hi80, f.Lo95, f.Hi95} {
			for i := range line {
				line[i] = -line[i]
			}
		}
		f.Lo80, f.Hi80, f.Lo95, f.Hi95 = f.Hi80, f.Lo80, f.Hi95, f.Lo95
	}
	a.Buffer.Peak = a.Pool.buffer(a.Limit, a.Peak)
	if z, ok := a.Reading.Largest(); ok && a.Pool.Zoned {
		a.Lost, a.Buffer.ZoneLost = z.Name, a.Pool.buffer(a.Limit-z.Limit, a.Peak)
	}
}

// buffer is how many times the use fits the limit; 0 where nobody can tell.
func (p Pool) buffer(limit, use float64) float64 {
	if p.Floor {
		limit, use = use, limit
	}
	if use <= 0 || math.IsNaN(limit) || math.IsNaN(use) {
		return 0
	}
	return max(limit, 0) / use
}

// judge counts how often past forecasts held.
func (a *Answer) judge() {
	past := a.History.Past
	if len(past) != len(a.History.Hours) {
		return
	}
	for i, s := range past {
		v := a.History.Hours[i]
		if math.IsNaN(v) || math.IsNaN(s.Lo) || math.IsNaN(s.Hi) {
			continue
		}
		a.Asked++
		if s.Lo <= v && v <= s.Hi {
			a.Held++
		}
	}
}

// Urgent says that room has to be ordered.
func (a Answer) Urgent() bool { return a.Pressing() != "" }

// Pressing says why room has to be ordered, in a few words: the limit may be reached sooner than it takes to make room,
// or the pool does not survive the loss of its largest zone. It is empty where neither is so.
func (a Answer) Pressing() string {
	switch {
	case a.Until.P10 != Never && a.Until.P10 < a.Lead:
		return "order room"
	case a.Buffer.ZoneLost > 0 && a.Buffer.ZoneLost < 1:
		return "too small without " + a.Lost
	}
	return ""
}

// Sort puts the most urgent first.
func Sort(answers []Answer) {
	rank := func(d time.Duration) time.Duration {
		if d == Never {
			return math.MaxInt64
		}
		return d
	}
	slices.SortStableFunc(answers, func(a, b Answer) int {
		if a.Urgent() != b.Urgent() {
			if a.Urgent() {
				return -1
			}
			return 1
		}
		least := func(a Answer) float64 { return cmp.Or(a.Buffer.Peak, a.Buffer.Now, math.Inf(1)) }
		return cmp.Or(
			cmp.Compare(rank(a.Until.P10), rank(b.Until.P10)), cmp.Compare(least(a), least(b)),
			cmp.Compare(a.Pool.Name, b.Pool.Name), cmp.Compare(a.Reading.Key(), b.Reading.Key()))
	})
}
