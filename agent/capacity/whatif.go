package capacity

import (
	"math"
	"slices"
	"time"
)

// WhatIf is a question: how would it be.
type WhatIf struct {
	Growth   float64       // of demand, or of the speed at which something fills, as a share: 0.2 is a fifth more
	Nodes    float64       // more than now, or fewer
	Zone     bool          // the largest zone is lost
	Launch   float64       // demand that comes on top, in the pool's unit
	LaunchIn time.Duration // when it begins
}

// Asks says whether anything is asked.
func (w WhatIf) Asks() bool { return w != WhatIf{} }

// If returns the answer as it would be. Nodes count where the pool grows by nodes, a zone where it is spread over zones.
// The time until the limit of a demand is then told for the hours alone that are forecast, not for the
// months beyond.
func (a Answer) If(w WhatIf) Answer {
	grow := 1 + w.Growth
	before := a
	a.Reading.Zones = slices.Clone(a.Reading.Zones)
	if n := a.Reading.Nodes(); a.Pool.Nodes != "" && a.Pool.PerNode && n > 0 {
		ratio := max(n+w.Nodes, 0) / n
		for i := range a.Reading.Zones {
			a.Reading.Zones[i].Nodes *= ratio
			a.Reading.Zones[i].Limit *= ratio
		}
		a.Limit *= ratio
	}
	zone, many := a.Reading.Largest()
	if w.Zone && many && a.Pool.Zoned {
		a.Limit -= zone.Limit
	}
	if a.Pool.Kind == Demand {
		a.Use *= grow
		if w.LaunchIn <= 0 {
			a.Use += w.Launch
		}
	}
	a.Buffer.Now = a.Pool.buffer(a.Limit, a.Use)
	if a.Lacks != "" {
		return a
	}
	if a.Pool.Kind == Demand {
		a.Fan = a.Fan.grown(grow, w)
		a.Until = a.Fan.Runway(a.Limit, 24).in(time.Hour)
	} else {
		a.Fan = a.Fan.steeper(before.Use, grow)
		a.Until = before.Until.scaled((a.Limit - a.Use) / ((before.Limit - before.Use) * grow))
	}
	a.Buffer.ZoneLost, a.Lost = 0, ""
	if week := min(hoursWeek, len(a.Fan.Mean)); week > 0 && !a.Pool.Floor {
		a.Peak, a.PeakHi = slices.Max(a.Fan.Mean[:week]), slices.Max(a.Fan.Hi80[:week])
		a.Buffer.Peak = a.Pool.buffer(a.Limit, a.Peak)
		if !w.Zone && many && a.Pool.Zoned {
			a.Lost, a.Buffer.ZoneLost = zone.Name, a.Pool.buffer(a.Limit-zone.Limit, a.Peak)
		}
	}
	if a.passed() {
		a.Until = Until{Within: 1}
	}
	return a
}

// grown is the fan of a demand that is larger, and has a launch on top of it.
func (f Fan) grown(grow float64, w WhatIf) Fan {
	from := int(w.LaunchIn / time.Hour)
	for _, line := range []*[]float64{&f.Mean, &f.Lo80, &f.Hi80, &f.Lo95, &f.Hi95} {
		*line = slices.Clone(*line)
		for k := range *line {
			(*line)[k] *= grow
			if k >= from {
				(*line)[k] += w.Launch
			}
		}
	}
	f.sd = slices.Clone(f.sd)
	for k := range f.sd {
		f.sd[k] *= math.Abs(grow)
	}
	return f
}

// steeper is the fan of what fills from now on, times as fast.
func (f Fan) steeper(now, times float64) Fan {
	for _, line := range []*[]float64{&f.Mean, &f.Lo80, &f.Hi80, &f.Lo95, &f.Hi95} {
		*line = slices.Clone(*line)
		for k := range *line {
			(*line)[k] = now + times*((*line)[k]-now)
		}
	}
	return f
}

// scaled is the time until the limit where it takes ratio times as long.
func (u Until) scaled(ratio float64) Until {
	if math.IsNaN(ratio) || math.IsInf(ratio, 0) || ratio < 0 {
		return u
	}
	if u.Within == 1 && u.P50 == 0 {
		return u
	}
	for _, t := range []*time.Duration{&u.P10, &u.P50, &u.P90} {
		if *t == Never {
			continue
		}
		if *t = time.Duration(float64(*t) * ratio); *t > u.Horizon {
			*t = Never
		}
	}
	return u
}
