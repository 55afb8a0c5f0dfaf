package sinks

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"math"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	metricspb "go.opentelemetry.io/proto/otlp/metrics/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/navcloud/binnacle/agent/metric"
)

// OTLP are the options of the destination otlp: any receiver of OTLP/HTTP in protobuf. The URL is whole, as in
// http://collector:4318/v1/metrics.
type OTLP struct {
	HTTPOptions `yaml:",inline"`
	// Attributes of the resource, beside service.name, host.name and the node's tags.
	Attributes map[string]string `yaml:"attributes"`
}

// DefaultOTLP returns the defaults.
func DefaultOTLP() OTLP { return OTLP{} }

// maxOTLPBuckets bounds one exponential histogram; above it neighbours are joined.
// Source: 160 is the SDKs' own default, OpenTelemetry Metrics SDK specification, read November 2026.
const maxOTLPBuckets = 160

type otlp struct {
	*poster
	resource *resourcepb.Resource
}

// NewOTLP returns the Sink of an OTLP receiver.
func NewOTLP(o OTLP, env Env) (Sink, error) {
	p, err := newPoster("otlp", o.HTTPOptions, env)
	if err != nil {
		return nil, err
	}
	at := map[string]string{"service.name": "binnacle", "host.name": env.Node, "service.instance.id": env.Node}
	for _, m := range []map[string]string{env.Tags, o.Attributes} {
		for k, v := range m {
			at[k] = v
		}
	}
	var ls metric.Labels
	for k, v := range at {
		ls = append(ls, metric.Label{Name: k, Value: v})
	}
	return &otlp{poster: p, resource: &resourcepb.Resource{Attributes: attributes(metric.Normalize(ls))}}, nil
}

func (o *otlp) shaper() shaper { return totals{said: true} }

// Write implements Sink. Receivers take what they can of a request; what they refused of it they tell
// in a success, and no repetition would cure it.
func (o *otlp) Write(ctx context.Context, samples []metric.Sample) error {
	if len(samples) == 0 {
		return nil
	}
	body, err := proto.Marshal(o.encode(samples)) // of the same wire form as the export request
	if err != nil {
		return Permanent(fmt.Errorf("otlp: %w", err))
	}
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	if _, err = w.Write(body); err == nil {
		err = w.Close()
	}
	if err != nil {
		return Permanent(fmt.Errorf("otlp: %w", err))
	}
	_, answer, err := o.post(ctx, z.Bytes(), map[string]string{"Content-Type": "application/x-protobuf", "Content-Encoding": "gzip"})
	if err != nil {
		return err
	}
	if n, why := rejected(answer); n > 0 {
		return &RejectedError{N: n, Err: fmt.Errorf("otlp: %d data points rejected: %s", n, why)}
	}
	return nil
}

// rejected reads the partial success of an ExportMetricsServiceResponse: how many data points were not
// taken, and why. The generated type is not used, since its package brings gRPC along.
// Source: opentelemetry-proto, metrics_service.proto, read November 2026.
func rejected(answer []byte) (n int, why string) {
	partial := field(answer, 1)
	for len(partial) > 0 {
		num, typ, k := protowire.ConsumeTag(partial)
		if k < 0 {
			return 0, ""
		}
		m := protowire.ConsumeFieldValue(num, typ, partial[k:])
		if m < 0 {
			return 0, ""
		}
		switch {
		case num == 1 && typ == protowire.VarintType:
			v, _ := protowire.ConsumeVarint(partial[k:])
			n = int(min(v, math.MaxInt32))
		case num == 2 && typ == protowire.BytesType:
			v, _ := protowire.ConsumeString(partial[k:])
			why = v
		}
		partial = partial[k+m:]
	}
	return n, why
}

// field returns the bytes of the field want of a message, nil when there is none.
func field(msg []byte, want protowire.Number) []byte {
	for len(msg) > 0 {
		num, typ, k := protowire.ConsumeTag(msg)
		if k < 0 {
			return nil
		}
		m := protowire.ConsumeFieldValue(num, typ, msg[k:])
		if m < 0 {
			return nil
		}
		if num == want && typ == protowire.BytesType {
			v, _ := protowire.ConsumeBytes(msg[k:])
			return v
		}
		msg = msg[k+m:]
	}
	return nil
}

func (o *otlp) encode(samples []metric.Sample) *metricspb.MetricsData {
	scope := &metricspb.ScopeMetrics{Scope: &commonpb.InstrumentationScope{Name: "binnacle"}}
	var last *metric.Desc
	for _, s := range samples {
		if s.Desc != last { // neighbours of one metric share its description
			last = s.Desc
			scope.Metrics = append(scope.Metrics, describe(s.Desc))
		}
		addPoint(scope.Metrics[len(scope.Metrics)-1], s)
	}
	return &metricspb.MetricsData{ResourceMetrics: []*metricspb.ResourceMetrics{
		{Resource: o.resource, ScopeMetrics: []*metricspb.ScopeMetrics{scope}},
	}}
}

func describe(d *metric.Desc) *metricspb.Metric {
	const cumulative = metricspb.AggregationTemporality_AGGREGATION_TEMPORALITY_CUMULATIVE
	m := &metricspb.Metric{Name: d.Name, Description: d.Help, Unit: otlpUnit(d.Unit)}
	switch d.Kind {
	case metric.Counter, metric.Delta:
		m.Data = &metricspb.Metric_Sum{Sum: &metricspb.Sum{AggregationTemporality: cumulative, IsMonotonic: true}}
	case metric.Distribution:
		m.Data = &metricspb.Metric_ExponentialHistogram{ExponentialHistogram: &metricspb.ExponentialHistogram{AggregationTemporality: cumulative}}
	default:
		m.Data = &metricspb.Metric_Gauge{Gauge: &metricspb.Gauge{}}
	}
	return m
}

// otlpUnit spells a unit as UCUM does.
func otlpUnit(u metric.Unit) string {
	switch u {
	case metric.Seconds:
		return "s"
	case metric.Bytes:
		return "By"
	case metric.Ratio:
		return "1"
	case metric.Celsius:
		return "Cel"
	}
	return ""
}

func addPoint(m *metricspb.Metric, s metric.Sample) {
	at := uint64(s.Time.UnixNano())
	if h, ok := m.Data.(*metricspb.Metric_ExponentialHistogram); ok {
		h.ExponentialHistogram.DataPoints = append(h.ExponentialHistogram.DataPoints, histPoint(s, at))
		return
	}
	p := &metricspb.NumberDataPoint{
		Attributes: attributes(s.Labels), TimeUnixNano: at, Value: &metricspb.NumberDataPoint_AsDouble{AsDouble: s.Value},
	}
	switch d := m.Data.(type) {
	case *metricspb.Metric_Sum:
		d.Sum.DataPoints = append(d.Sum.DataPoints, p)
	case *metricspb.Metric_Gauge:
		d.Gauge.DataPoints = append(d.Gauge.DataPoints, p)
	}
}

func histPoint(s metric.Sample, at uint64) *metricspb.ExponentialHistogramDataPoint {
	h := s.Hist
	p := &metricspb.ExponentialHistogramDataPoint{
		Attributes: attributes(s.Labels), TimeUnixNano: at, Sum: &h.Sum, ZeroCount: uint64(math.Round(h.Zero)),
	}
	down := int32(0)
	for ; down < 16; down++ {
		var over bool
		if p.Positive, over = dense(h.Positive, down); over {
			continue
		}
		if p.Negative, over = dense(h.Negative, down); !over {
			break
		}
	}
	p.Scale = metric.Schema - down
	// Counts are whole there, weights need not be: the count is of what the buckets hold.
	p.Count = p.ZeroCount
	for _, b := range []*metricspb.ExponentialHistogramDataPoint_Buckets{p.Positive, p.Negative} {
		for _, c := range b.GetBucketCounts() {
			p.Count += c
		}
	}
	return p
}

// dense lays buckets out side by side, joined 2^down at a time. OTLP's bucket i holds what lies above
// base^i, ours what lies up to it: hence the one between them.
func dense(buckets func(func(int32, float64) bool), down int32) (b *metricspb.ExponentialHistogramDataPoint_Buckets, over bool) {
	b = &metricspb.ExponentialHistogramDataPoint_Buckets{}
	var sums []float64
	for i, c := range buckets {
		at := (i - 1) >> down
		if len(sums) == 0 {
			b.Offset = at
		}
		n := int(at-b.Offset) + 1
		if n > maxOTLPBuckets {
			return nil, true
		}
		sums = append(sums, make([]float64, n-len(sums))...)
		sums[n-1] += c
	}
	for _, c := range sums {
		b.BucketCounts = append(b.BucketCounts, uint64(math.Round(c)))
	}
	return b, false
}

func attributes(ls metric.Labels) []*commonpb.KeyValue {
	out := make([]*commonpb.KeyValue, len(ls))
	for i, l := range ls {
		out[i] = &commonpb.KeyValue{Key: l.Name, Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: l.Value}}}
	}
	return out
}
