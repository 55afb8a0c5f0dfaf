package metric

import (
	"encoding/json"
	"fmt"
)

// histogramJSON is how a Histogram is written into files. Buckets are pairs of index and count.
type histogramJSON struct {
	Count float64      `json:"count"`
	Sum   float64      `json:"sum"`
	Zero  float64      `json:"zero,omitempty"`
	Min   float64      `json:"min"`
	Max   float64      `json:"max"`
	Pos   [][2]float64 `json:"pos,omitempty"`
	Neg   [][2]float64 `json:"neg,omitempty"`
}

// MarshalJSON implements json.Marshaler; nothing is lost.
func (h *Histogram) MarshalJSON() ([]byte, error) {
	out := histogramJSON{Count: h.Count, Sum: h.Sum, Zero: h.Zero, Min: h.Min, Max: h.Max}
	for i, c := range h.Positive {
		out.Pos = append(out.Pos, [2]float64{float64(i), c})
	}
	for i, c := range h.Negative {
		out.Neg = append(out.Neg, [2]float64{float64(i), c})
	}
	return json.Marshal(out)
}

// UnmarshalJSON implements json.Unmarshaler.
func (h *Histogram) UnmarshalJSON(b []byte) error {
	var in histogramJSON
	if err := json.Unmarshal(b, &in); err != nil {
		return err
	}
	*h = Histogram{Count: in.Count, Sum: in.Sum, Zero: in.Zero, Min: in.Min, Max: in.Max}
	for _, s := range []struct {
		add   func(i int32, count float64)
		pairs [][2]float64
	}{
		{func(i int32, c float64) { h.both().pos.add(i, c) }, in.Pos},
		{func(i int32, c float64) { h.negatives().add(i, c) }, in.Neg},
	} {
		for _, p := range s.pairs {
			// The range of a float64: an index beyond it would cost memory without end.
			if !(p[0] >= -1100*perOctave && p[0] <= 1100*perOctave) || !(p[1] > 0) {
				return fmt.Errorf("histogram: a bucket %v of %v", p[0], p[1])
			}
			s.add(int32(p[0]), p[1])
		}
	}
	return nil
}
