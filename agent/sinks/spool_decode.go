package sinks

import (
	"bytes"
	"encoding/gob"
	"errors"
	"time"

	"github.com/navcloud/binnacle/agent/metric"
)

var errSpooled = errors.New("spool: a record that makes no sense")

func decodeSamples(body []byte) ([]metric.Sample, error) {
	var batch spooled
	if err := gob.NewDecoder(bytes.NewReader(body)).Decode(&batch); err != nil {
		return nil, err
	}
	out := make([]metric.Sample, len(batch.Samples))
	for i, s := range batch.Samples {
		if s.Desc < 0 || s.Desc >= len(batch.Descs) {
			return nil, errSpooled
		}
		h, ok := s.Hist.unpack()
		if !ok {
			return nil, errSpooled
		}
		out[i] = metric.Sample{
			Desc: &batch.Descs[s.Desc], Labels: s.Labels, Time: time.Unix(0, s.Time).UTC(), Value: s.Value, Hist: h,
		}
	}
	return out, nil
}

// unpack makes the histogram again: each bucket's own value falls into it, and the exact figures are
// put over what that observed.
func (p *spooledHist) unpack() (*metric.Histogram, bool) {
	if p == nil {
		return nil, true
	}
	if len(p.Pos) != len(p.PosCounts) || len(p.Neg) != len(p.NegCounts) {
		return nil, false
	}
	h := &metric.Histogram{}
	for i, at := range p.Pos {
		h.Observe(metric.Mid(at), p.PosCounts[i])
	}
	for i, at := range p.Neg {
		h.Observe(-metric.Mid(at), p.NegCounts[i])
	}
	h.Count, h.Sum, h.Zero, h.Min, h.Max = p.Count, p.Sum, p.Zero, p.Min, p.Max
	return h, true
}
