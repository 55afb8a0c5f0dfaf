package store

import (
	"sync/atomic"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
)

// LabelLimit is how many labels a series may have unless told. kube-state-metrics' labels of one node are some 60; Mimir takes 30
// and VictoriaMetrics 40 unless told.
// Source: grafana.com/docs/mimir, max-label-names-per-series; docs.victoriametrics.com, maxLabelsPerTimeseries; read November 2026.
const LabelLimit = 200

// maxBuckets are the buckets of one native histogram. OpenTelemetry makes 160 unless told, Prometheus' own library as many as
// are used. The engine copies all of them at each step.
// Source: opentelemetry.io, "Metrics SDK", Base2 Exponential Bucket Histogram Aggregation; read 30 November 2026.
const maxBuckets = 4096

// tooMuch counts the samples of series that have more labels or buckets than they may.
type tooMuch struct {
	labels, buckets atomic.Uint64
	logged          atomic.Int64 // Unix time in seconds
}

// has says whether a sample is too much, and counts it then. What of a series is known by its reference was looked at before.
func (m *tooMuch) has(o Options, known bool, ls labels.Labels, h *histogram.Histogram, fh *histogram.FloatHistogram) bool {
	buckets := 0
	switch {
	case h != nil:
		buckets = len(h.PositiveBuckets) + len(h.NegativeBuckets)
	case fh != nil:
		buckets = len(fh.PositiveBuckets) + len(fh.NegativeBuckets)
	}
	switch {
	case !known && ls.Len() > o.LabelLimit:
		m.labels.Add(1)
	case buckets > maxBuckets:
		m.buckets.Add(1)
	default:
		return false
	}
	now := o.Now().Unix()
	if last := m.logged.Load(); now-last >= 600 && m.logged.CompareAndSwap(last, now) {
		o.Requests.Warn("series refused: too many labels or buckets", "metric", ls.Get(model.MetricNameLabel),
			"labels", ls.Len(), "label_limit", o.LabelLimit, "buckets", buckets, "bucket_limit", maxBuckets)
	}
	return true
}
