package sinks

import (
	"errors"
	"strconv"
	"strings"

	"github.com/prometheus/prometheus/storage"

	"github.com/navcloud/binnacle/agent/metric"
)

// A receiver of remote-write that has native histograms off refuses a whole request for one of them, with a 500 that would be
// tried for ever. It gets distributions as classic histograms from then on: for each a series for each of these limits, one
// without a limit, the sum and the count.

// classicLimits are the upper limits of the buckets, in the unit of the metric: 100 µs to 10,000 s of a timer.
var classicLimits = func() (out []float64) {
	for _, power := range []string{"e-4", "e-3", "e-2", "e-1", "e0", "e1", "e2", "e3"} {
		for _, digits := range []string{"1", "2.5", "5"} {
			v, _ := strconv.ParseFloat(digits+power, 64) // these are numbers
			out = append(out, v)
		}
	}
	return append(out, 1e4)
}()

// refusesNative says that a receiver refused a request for its native histograms.
// Source: storage.ErrNativeHistogramsDisabled of Prometheus, which its receiver answers as text; read 30 November 2026.
func refusesNative(err error) bool {
	var status *statusError
	return errors.As(err, &status) && strings.Contains(status.text, storage.ErrNativeHistogramsDisabled.Error())
}

// classic returns samples with their distributions, which are totals, as classic histograms.
func classic(samples []metric.Sample) []metric.Sample {
	out := make([]metric.Sample, 0, len(samples))
	for _, s := range samples {
		if s.Hist == nil {
			out = append(out, s)
			continue
		}
		name := metric.PromName(s.Desc)
		add := func(suffix string, v float64, labels metric.Labels) {
			d := &metric.Desc{Name: name + suffix, Kind: metric.Counter, Help: s.Desc.Help, Exact: true}
			out = append(out, metric.Sample{Desc: d, Labels: labels, Time: s.Time, Value: v})
		}
		for i, n := range upTo(s.Hist, classicLimits) {
			add("_bucket", n, s.Labels.With("le", strconv.FormatFloat(classicLimits[i], 'g', -1, 64)))
		}
		add("_bucket", s.Hist.Count, s.Labels.With("le", "+Inf"))
		add("_sum", s.Hist.Sum, s.Labels)
		add("_count", s.Hist.Count, s.Labels)
	}
	return out
}

// upTo returns how many values are at most each of some limits, which are positive and in rising order. A bucket counts for the
// limits that its upper end does not pass, so that at most one bucket, 2.2 % wide, is missing from each.
func upTo(h *metric.Histogram, limits []float64) []float64 {
	out := make([]float64, len(limits))
	below := h.Zero
	for _, c := range h.Negative {
		below += c
	}
	n := 0
	for i, c := range h.Positive {
		for n < len(limits) && metric.Upper(i) > limits[n]*(1+1e-9) {
			out[n] = below
			n++
		}
		below += c
	}
	for ; n < len(limits); n++ {
		out[n] = below
	}
	return out
}
