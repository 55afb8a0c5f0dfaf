// Package capacity says when a limit will be reached: forecasts with intervals, the time until a resource is
// used up, the buffer that is left, and how throughput grows with nodes.
//
// It consists of pure functions of numbers: it reads no store, knows no clock and draws nothing. A series is a
// slice of values at equal steps, oldest first; a missing value is NaN. Answers are intervals and
// probabilities, and ErrHistory where the past does not carry an answer. Everything may be called by many
// goroutines at once.
package capacity

import (
	"errors"
	"math"
	"slices"
)

// ErrHistory says that the past is too short, or has too many holes, to say anything of the future.
var ErrHistory = errors.New("not enough history")

// fill returns x without leading missing values and with each hole filled by the value one period earlier, else
// by the last one. Where more than a quarter is missing, or anything is infinite, there is nothing to go by:
// ErrHistory.
func fill(x []float64, period int) ([]float64, error) {
	first := slices.IndexFunc(x, func(v float64) bool { return !math.IsNaN(v) })
	if first < 0 {
		return nil, ErrHistory
	}
	out := slices.Clone(x[first:])
	missing := 0
	for i, v := range out {
		switch {
		case math.IsInf(v, 0):
			return nil, ErrHistory
		case !math.IsNaN(v):
			continue
		case period > 0 && i >= period:
			out[i] = out[i-period]
		default:
			out[i] = out[i-1]
		}
		missing++
	}
	if 4*missing > len(out) {
		return nil, ErrHistory
	}
	return out, nil
}

// median returns the middle of x, NaN of none. It sorts x.
func median(x []float64) float64 {
	if len(x) == 0 {
		return math.NaN()
	}
	slices.Sort(x)
	return (x[(len(x)-1)/2] + x[len(x)/2]) / 2
}

// quantile returns the q-quantile of x by linear interpolation, NaN of none. It sorts x.
func quantile(x []float64, q float64) float64 {
	if len(x) == 0 {
		return math.NaN()
	}
	slices.Sort(x)
	at := q * float64(len(x)-1)
	i := int(at)
	if i+1 >= len(x) {
		return x[len(x)-1]
	}
	return x[i] + (at-float64(i))*(x[i+1]-x[i])
}

// theilSen returns the median of the slopes between all pairs of y, per step: up to 29 % of the values may be
// anything. It returns 0 for fewer than two.
// Source: Sen, Journal of the American Statistical Association 63 (1968), 1379-1389.
func theilSen(y []float64) float64 {
	if len(y) < 2 {
		return 0
	}
	slopes := make([]float64, 0, len(y)*(len(y)-1)/2)
	for i := range y {
		for j := i + 1; j < len(y); j++ {
			slopes = append(slopes, (y[j]-y[i])/float64(j-i))
		}
	}
	return median(slopes)
}
