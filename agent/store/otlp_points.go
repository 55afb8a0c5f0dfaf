package store

import "go.opentelemetry.io/collector/pdata/pmetric"

// points is a list of data points of one kind.
type points[P any] interface {
	Len() int
	At(i int) P
	AppendEmpty() P
	RemoveIf(f func(P) bool)
}

// eachPoint calls do for each point of from, with to holding that one alone.
func eachPoint[P interface{ CopyTo(P) }](from, to points[P], do func()) {
	for i := range from.Len() {
		to.RemoveIf(func(P) bool { return true })
		from.At(i).CopyTo(to.AppendEmpty())
		do()
	}
}

// singly calls do for each data point of md, with all that is said of it. What is no metric of a kind that is known has no
// points: do is called for it as a whole.
func singly(md pmetric.Metrics, do func(pmetric.Metrics)) {
	for _, resource := range md.ResourceMetrics().All() {
		for _, scope := range resource.ScopeMetrics().All() {
			one := pmetric.NewMetrics()
			r := one.ResourceMetrics().AppendEmpty()
			resource.Resource().CopyTo(r.Resource())
			s := r.ScopeMetrics().AppendEmpty()
			scope.Scope().CopyTo(s.Scope())
			s.SetSchemaUrl(scope.SchemaUrl())
			m := s.Metrics().AppendEmpty()
			for _, from := range scope.Metrics().All() {
				m.SetName(from.Name())
				m.SetUnit(from.Unit())
				m.SetDescription(from.Description())
				pointsOf(from, m, func() { do(one) })
			}
		}
	}
}

// pointsOf calls do for each point of from, with to being of its kind and having that one alone.
func pointsOf(from, to pmetric.Metric, do func()) {
	switch from.Type() {
	case pmetric.MetricTypeGauge:
		eachPoint(from.Gauge().DataPoints(), to.SetEmptyGauge().DataPoints(), do)
	case pmetric.MetricTypeSum:
		sum := to.SetEmptySum()
		sum.SetIsMonotonic(from.Sum().IsMonotonic())
		sum.SetAggregationTemporality(from.Sum().AggregationTemporality())
		eachPoint(from.Sum().DataPoints(), sum.DataPoints(), do)
	case pmetric.MetricTypeHistogram:
		h := to.SetEmptyHistogram()
		h.SetAggregationTemporality(from.Histogram().AggregationTemporality())
		eachPoint(from.Histogram().DataPoints(), h.DataPoints(), do)
	case pmetric.MetricTypeExponentialHistogram:
		h := to.SetEmptyExponentialHistogram()
		h.SetAggregationTemporality(from.ExponentialHistogram().AggregationTemporality())
		eachPoint(from.ExponentialHistogram().DataPoints(), h.DataPoints(), do)
	case pmetric.MetricTypeSummary:
		eachPoint(from.Summary().DataPoints(), to.SetEmptySummary().DataPoints(), do)
	default:
		from.CopyTo(to)
		do()
	}
}
