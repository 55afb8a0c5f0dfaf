package sinkstest

import (
	"fmt"
	"math"
	"net/http"
	"slices"

	metricspb "go.opentelemetry.io/proto/otlp/metrics/v1"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// OTLPPoint is one data point that an OTLP receiver took.
type OTLPPoint struct {
	Name, Unit, Kind string // gauge, sum, histogram
	Attributes       map[string]string
	Time             uint64 // nanoseconds since 1970
	Value            float64
	Count            uint64
	Sum              float64
	Scale            int32
	First            int32 // offset of the first positive bucket
	Buckets          []uint64
}

// OTLP is a fake receiver of OTLP/HTTP in protobuf.
type OTLP struct {
	Server
	// Reject is how many data points of each request it says it refused.
	Reject   int64
	points   []OTLPPoint
	resource map[string]string
}

// NewOTLP makes one.
func NewOTLP() *OTLP {
	o := &OTLP{}
	o.handler = o
	return o
}

// Points returns what was taken, in order.
func (o *OTLP) Points() []OTLPPoint {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.points)
}

// Resource returns the attributes of the last resource.
func (o *OTLP) Resource() map[string]string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.resource
}

// ServeHTTP answers as a receiver does.
func (o *OTLP) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := readBody(r, 32<<20)
	if a := o.next(); a.play(w, r) {
		return
	}
	var data metricspb.MetricsData
	if err == nil {
		err = proto.Unmarshal(body, &data)
	}
	if err != nil || r.Header.Get("Content-Type") != "application/x-protobuf" {
		http.Error(w, fmt.Sprint("not OTLP: ", err), http.StatusBadRequest)
		return
	}
	points, resource, err := readMetrics(&data)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	o.mu.Lock()
	o.points, o.resource = append(o.points, points...), resource
	o.mu.Unlock()
	w.Header().Set("Content-Type", "application/x-protobuf")
	if o.Reject > 0 { // ExportMetricsServiceResponse.partial_success
		var p []byte
		p = protowire.AppendVarint(protowire.AppendTag(p, 1, protowire.VarintType), uint64(o.Reject))
		p = protowire.AppendString(protowire.AppendTag(p, 2, protowire.BytesType), "too old")
		_, _ = w.Write(protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), p))
	}
}

func readMetrics(data *metricspb.MetricsData) (out []OTLPPoint, resource map[string]string, err error) {
	resource = map[string]string{}
	for _, rm := range data.ResourceMetrics {
		for _, kv := range rm.GetResource().GetAttributes() {
			resource[kv.Key] = kv.Value.GetStringValue()
		}
		for _, sm := range rm.ScopeMetrics {
			for _, m := range sm.Metrics {
				ps, err := readMetric(m)
				if err != nil {
					return nil, nil, err
				}
				out = append(out, ps...)
			}
		}
	}
	return out, resource, nil
}

func readMetric(m *metricspb.Metric) (out []OTLPPoint, err error) {
	base := OTLPPoint{Name: m.Name, Unit: m.Unit}
	numbers := func(kind string, ps []*metricspb.NumberDataPoint) {
		for _, p := range ps {
			q := base
			q.Kind, q.Time, q.Value, q.Attributes = kind, p.TimeUnixNano, p.GetAsDouble(), map[string]string{}
			for _, kv := range p.Attributes {
				q.Attributes[kv.Key] = kv.Value.GetStringValue()
			}
			out = append(out, q)
		}
	}
	const cumulative = metricspb.AggregationTemporality_AGGREGATION_TEMPORALITY_CUMULATIVE
	switch d := m.Data.(type) {
	case *metricspb.Metric_Gauge:
		numbers("gauge", d.Gauge.DataPoints)
	case *metricspb.Metric_Sum:
		if d.Sum.AggregationTemporality != cumulative || !d.Sum.IsMonotonic {
			return nil, fmt.Errorf("%s: want a cumulative and monotonic sum", m.Name) // as Prometheus does
		}
		numbers("sum", d.Sum.DataPoints)
	case *metricspb.Metric_ExponentialHistogram:
		if d.ExponentialHistogram.AggregationTemporality != cumulative {
			return nil, fmt.Errorf("%s: want a cumulative histogram", m.Name)
		}
		for _, p := range d.ExponentialHistogram.DataPoints {
			q := base
			q.Kind, q.Time, q.Count, q.Sum, q.Scale = "histogram", p.TimeUnixNano, p.Count, p.GetSum(), p.Scale
			q.Attributes = map[string]string{}
			for _, kv := range p.Attributes {
				q.Attributes[kv.Key] = kv.Value.GetStringValue()
			}
			q.First, q.Buckets = p.Positive.GetOffset(), p.Positive.GetBucketCounts()
			in := p.ZeroCount
			for _, c := range append(slices.Clone(q.Buckets), p.Negative.GetBucketCounts()...) {
				in += c
			}
			if in != p.Count || math.IsNaN(q.Sum) {
				return nil, fmt.Errorf("%s: %d in the buckets, %d in all", m.Name, in, p.Count)
			}
			out = append(out, q)
		}
	default:
		return nil, fmt.Errorf("%s: no data", m.Name)
	}
	return out, nil
}
