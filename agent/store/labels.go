package store

import (
	"sync/atomic"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
)

// LabelLimit is how many labels a series may have unless told. kube-state-metrics' labels of one node are some 60; Mimir takes 30
// and VictoriaMetrics 40 unless told.
// Source: grafana.com/docs/mimir, max-label-names-per-series; docs.victoriametrics.com, maxLabelsPerTimeseries; read November 2026.
const LabelLimit = 200

// manyLabels counts the samples of series that have more labels than they may.
type manyLabels struct {
	count  atomic.Uint64
	logged atomic.Int64 // Unix time in seconds
}

func (m *manyLabels) refuse(o Options, ls labels.Labels) {
	m.count.Add(1)
	now := o.Now().Unix()
	if last := m.logged.Load(); now-last >= 600 && m.logged.CompareAndSwap(last, now) {
		o.Requests.Warn("series refused: too many labels", "metric", ls.Get(model.MetricNameLabel), "labels", ls.Len(), "label_limit", o.LabelLimit)
	}
}
