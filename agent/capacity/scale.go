package capacity

import "math"

// scale is how a series is seen by what models it: in logs where all of it is positive, so that a swing is a share
// of its level.
type scale struct{ log bool }

func scaleOf(x []float64) scale {
	for _, v := range x {
		if v <= 0 {
			return scale{}
		}
	}
	return scale{log: true}
}

func (s scale) in(x []float64) []float64 {
	out := make([]float64, len(x))
	copy(out, x)
	if s.log {
		for i, v := range out {
			out[i] = math.Log(max(v, 1e-9))
		}
	}
	return out
}

func (s scale) out(z []float64) []float64 {
	if s.log {
		for i, v := range z {
			z[i] = math.Exp(min(v, 700))
		}
	}
	return z
}
