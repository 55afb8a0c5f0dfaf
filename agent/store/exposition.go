package store

import (
	"cmp"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/prometheus/model/histogram"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/agent/series"
)

// current is for how long a figure is the current one: Prometheus' own lookback.
const current = 5 * time.Minute

// exposition answers with the current value of every series, in the form that the client asks for: text, OpenMetrics or
// protobuf. Distributions come as native histograms in protobuf, which alone has them, else as summaries.
func (s *Store) exposition(w http.ResponseWriter, r *http.Request) {
	format := expfmt.NegotiateAccept(r.Header, expfmt.DefaultOpenMetricsAcceptedFormats()...)
	distribution := dto.MetricType_SUMMARY
	if format.FormatType() == expfmt.TypeProtoDelim {
		distribution = dto.MetricType_HISTOGRAM
	}
	s.expose(w, format, familiesOf(s.series.Latest(s.opts.Now().Add(-current)), distribution))
}

func (s *Store) expose(w http.ResponseWriter, format expfmt.Format, families []*dto.MetricFamily) {
	w.Header().Set("Content-Type", string(format))
	enc := expfmt.NewEncoder(w, format)
	for _, f := range families {
		if err := enc.Encode(f); err != nil {
			s.opts.Log.Debug("exposition not delivered", "err", err)
			return
		}
	}
	if c, ok := enc.(expfmt.Closer); ok {
		if err := c.Close(); err != nil {
			s.opts.Log.Debug("exposition not delivered", "err", err)
		}
	}
}

// familiesOf gathers points into families, sorted by name. In these forms a family takes more names than its own: a
// summary those of its count and sum, a counter its name without _total. A gauge whose name a summary takes is left out;
// a counter whose name a gauge has is written as unknown, under its full name. The store has them all. distribution is the type that
// distributions have.
func familiesOf(points []series.Point, distribution dto.MetricType) []*dto.MetricFamily {
	kinds := map[string]metric.Kind{}
	for i := range points {
		kinds[points[i].Name] = points[i].Desc.Kind
	}
	families := map[string]*dto.MetricFamily{}
	for i := range points {
		p := &points[i]
		if taken(kinds, p.Name) {
			continue
		}
		kind := dto.MetricType_GAUGE
		switch p.Desc.Kind {
		case metric.Counter, metric.Delta:
			kind = dto.MetricType_COUNTER
			name, total := strings.CutSuffix(p.Name, "_total")
			if _, both := kinds[name]; !total || both || taken(kinds, name) {
				kind = dto.MetricType_UNTYPED
			}
		case metric.Distribution:
			kind = distribution
		}
		f := families[p.Name]
		if f == nil {
			f = &dto.MetricFamily{Name: ptr(p.Name), Type: kind.Enum()}
			if p.Desc.Help != "" {
				f.Help = ptr(strings.ToValidUTF8(p.Desc.Help, "\ufffd"))
			}
			if u := string(p.Desc.Unit); u != "" && strings.HasSuffix(strings.TrimSuffix(p.Name, "_total"), "_"+u) {
				f.Unit = ptr(u)
			}
			families[p.Name] = f
		}
		f.Metric = append(f.Metric, metricOf(p, kind))
	}
	for _, f := range families {
		slices.SortFunc(f.Metric, func(a, b *dto.Metric) int {
			return slices.CompareFunc(a.Label, b.Label, func(x, y *dto.LabelPair) int {
				return cmp.Or(strings.Compare(x.GetName(), y.GetName()), strings.Compare(x.GetValue(), y.GetValue()))
			})
		})
	}
	return slices.SortedFunc(maps.Values(families), func(a, b *dto.MetricFamily) int { return strings.Compare(a.GetName(), b.GetName()) })
}

// taken says whether another family takes a name.
func taken(kinds map[string]metric.Kind, name string) bool {
	for _, suffix := range []string{"_count", "_sum", "_created"} {
		of, cut := strings.CutSuffix(name, suffix)
		if k, has := kinds[of]; cut && has && k == metric.Distribution {
			return true
		}
		if _, has := kinds[of+"_total"]; cut && has && suffix == "_created" {
			return true
		}
	}
	return false
}

func metricOf(p *series.Point, kind dto.MetricType) *dto.Metric {
	m := &dto.Metric{}
	for _, l := range p.Labels {
		if p.Hist != nil && l.Name == "quantile" { // which is the summary's own
			l.Name = "exported_quantile"
		}
		m.Label = append(m.Label, &dto.LabelPair{Name: ptr(l.Name), Value: ptr(strings.ToValidUTF8(l.Value, "\ufffd"))})
	}
	switch {
	case kind == dto.MetricType_HISTOGRAM:
		m.Histogram = nativeOf(p.Hist)
	case p.Hist != nil:
		m.Summary = &dto.Summary{SampleCount: ptr(uint64(max(p.Hist.Count, 0) + 0.5)), SampleSum: ptr(p.Hist.Sum)}
		for _, q := range []float64{0.5, 0.9, 0.99} {
			m.Summary.Quantile = append(m.Summary.Quantile, &dto.Quantile{Quantile: ptr(q), Value: ptr(p.Hist.Quantile(q))})
		}
	case kind == dto.MetricType_COUNTER:
		m.Counter = &dto.Counter{Value: ptr(p.Value)}
	case kind == dto.MetricType_UNTYPED:
		m.Untyped = &dto.Untyped{Value: ptr(p.Value)}
	default:
		m.Gauge = &dto.Gauge{Value: ptr(p.Value)}
	}
	return m
}

// nativeOf is a distribution with its buckets, as the store has them.
func nativeOf(h *metric.Histogram) *dto.Histogram {
	fh := native(h)
	return &dto.Histogram{
		SampleCountFloat: ptr(fh.Count), SampleSum: ptr(fh.Sum), Schema: ptr(fh.Schema), ZeroThreshold: ptr(fh.ZeroThreshold), ZeroCountFloat: ptr(fh.ZeroCount),
		PositiveSpan: spansOf(fh.PositiveSpans), PositiveCount: fh.PositiveBuckets, NegativeSpan: spansOf(fh.NegativeSpans), NegativeCount: fh.NegativeBuckets,
	}
}

func spansOf(in []histogram.Span) (out []*dto.BucketSpan) {
	for _, s := range in {
		out = append(out, &dto.BucketSpan{Offset: ptr(s.Offset), Length: ptr(s.Length)})
	}
	return out
}

func ptr[T any](v T) *T { return &v }
