package sinks

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/golang/snappy"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/prompb"
	writev2 "github.com/prometheus/prometheus/prompb/io/prometheus/write/v2"

	"github.com/navcloud/binnacle/agent/metric"
)

// RemoteWrite are the options of the destination remote_write: any receiver of Prometheus' protocol, the store of
// another node among them.
type RemoteWrite struct {
	HTTPOptions `yaml:",inline"`
	// Version is 2, 1, or 0 for 2 with a fall back to 1 when the receiver doesn't know it.
	Version int `yaml:"version"`
}

// DefaultRemoteWrite returns the defaults.
func DefaultRemoteWrite() RemoteWrite { return RemoteWrite{} }

// Validate says all that is wrong.
func (o RemoteWrite) Validate() error {
	err := o.HTTPOptions.Validate()
	if o.Version < 0 || o.Version > 2 {
		err = errors.Join(err, fmt.Errorf("version: %d is none of 0, 1, 2", o.Version))
	}
	return err
}

// Content types and header. Source: Prometheus Remote-Write 2.0 and 1.0 specifications, read November 2026.
const (
	contentV1     = "application/x-protobuf"
	contentV2     = "application/x-protobuf;proto=io.prometheus.write.v2.Request"
	headerWritten = "X-Prometheus-Remote-Write-Samples-Written"
)

type remoteWrite struct {
	*poster
	node metric.Labels // on every series that says nothing else
	old  atomic.Bool   // whether the receiver speaks version 1 alone
	auto bool

	plain atomic.Bool // whether the receiver has native histograms off
	log   *slog.Logger
}

// NewRemoteWrite returns the Sink of a remote-write receiver.
func NewRemoteWrite(o RemoteWrite, env Env) (Sink, error) {
	p, err := newPoster("remote_write", o.HTTPOptions, env)
	if err != nil {
		return nil, err
	}
	r := &remoteWrite{poster: p, node: env.labels(), auto: o.Version == 0, log: env.Log}
	r.old.Store(o.Version == 1)
	return r, nil
}

func (r *remoteWrite) shaper() shaper { return totals{} }

// Write implements Sink. Receivers take a request whole or tell a fault of it, so it is never partial.
func (r *remoteWrite) Write(ctx context.Context, samples []metric.Sample) error {
	if len(samples) == 0 {
		return nil
	}
	if r.plain.Load() {
		return r.send(ctx, classic(samples))
	}
	err := r.send(ctx, samples)
	if !refusesNative(err) {
		return err
	}
	if !r.plain.Swap(true) {
		r.log.Warn("distributions are sent as classic histograms: the receiver has native histograms off", "sink", r.name)
	}
	return r.send(ctx, classic(samples))
}

func (r *remoteWrite) send(ctx context.Context, samples []metric.Sample) error {
	if !r.old.Load() {
		again, err := r.write2(ctx, samples)
		if !again {
			return err
		}
		r.old.Store(true)
	}
	return r.write1(ctx, samples)
}

// write2 speaks version 2. again says that the receiver did not understand and version 1 is to be tried:
// it says so by 415, or by a success without the count of what it wrote.
func (r *remoteWrite) write2(ctx context.Context, samples []metric.Sample) (again bool, err error) {
	req := r.encode2(samples)
	body, err := req.OptimizedMarshal(nil)
	if err != nil {
		return false, Permanent(fmt.Errorf("remote_write: %w", err))
	}
	header, _, err := r.post(ctx, snappy.Encode(nil, body), map[string]string{
		"Content-Type": contentV2, "Content-Encoding": "snappy", "X-Prometheus-Remote-Write-Version": "2.0.0",
	})
	var status *statusError
	switch {
	case errors.As(err, &status):
		return r.auto && status.status == http.StatusUnsupportedMediaType, err
	case err != nil:
		return false, err
	}
	return r.auto && header.Get(headerWritten) == "", nil
}

func (r *remoteWrite) encode2(samples []metric.Sample) *writev2.Request {
	symbols := writev2.NewSymbolTable()
	req := &writev2.Request{Timeseries: make([]writev2.TimeSeries, len(samples))}
	for i, s := range samples {
		ts := &req.Timeseries[i]
		for _, l := range r.labels(s) {
			ts.LabelsRefs = append(ts.LabelsRefs, symbols.Symbolize(l.Name), symbols.Symbolize(l.Value))
		}
		ts.Metadata = writev2.Metadata{
			Type:    writev2.FromMetadataType(promType(s.Desc.Kind)),
			HelpRef: symbols.Symbolize(s.Desc.Help), UnitRef: symbols.Symbolize(string(s.Desc.Unit)),
		}
		if s.Hist != nil {
			ts.Histograms = []writev2.Histogram{writev2.FromFloatHistogram(0, s.Time.UnixMilli(), native(s.Hist))}
		} else {
			ts.Samples = []writev2.Sample{{Value: s.Value, Timestamp: s.Time.UnixMilli()}}
		}
	}
	req.Symbols = symbols.Symbols()
	return req
}

func (r *remoteWrite) write1(ctx context.Context, samples []metric.Sample) error {
	req := &prompb.WriteRequest{Timeseries: make([]prompb.TimeSeries, len(samples))}
	for i, s := range samples {
		ts := &req.Timeseries[i]
		for _, l := range r.labels(s) {
			ts.Labels = append(ts.Labels, prompb.Label{Name: l.Name, Value: l.Value})
		}
		if s.Hist != nil {
			ts.Histograms = []prompb.Histogram{prompb.FromFloatHistogram(s.Time.UnixMilli(), native(s.Hist))}
		} else {
			ts.Samples = []prompb.Sample{{Value: s.Value, Timestamp: s.Time.UnixMilli()}}
		}
	}
	body, err := req.Marshal()
	if err != nil {
		return Permanent(fmt.Errorf("remote_write: %w", err))
	}
	_, _, err = r.post(ctx, snappy.Encode(nil, body), map[string]string{
		"Content-Type": contentV1, "Content-Encoding": "snappy", "X-Prometheus-Remote-Write-Version": "0.1.0",
	})
	return err
}

// labels returns the labels of s with its name and the node's, sorted.
func (r *remoteWrite) labels(s metric.Sample) metric.Labels {
	out := make(metric.Labels, 0, len(s.Labels)+len(r.node)+1)
	out = append(out, r.node...)
	for _, l := range s.Labels {
		out = append(out, metric.Label{Name: metric.LabelName(l.Name), Value: l.Value})
	}
	return metric.Normalize(append(out, metric.Label{Name: model.MetricNameLabel, Value: metric.PromName(s.Desc)}))
}

// labels are what every series of the node has: its name and its tags.
func (e Env) labels() metric.Labels {
	out := metric.Labels{{Name: "node", Value: e.Node}}
	for k, v := range e.Tags {
		out = append(out, metric.Label{Name: metric.LabelName(k), Value: v})
	}
	return metric.Normalize(out)
}

func promType(k metric.Kind) model.MetricType {
	switch k {
	case metric.Counter, metric.Delta:
		return model.MetricTypeCounter
	case metric.Distribution:
		return model.MetricTypeHistogram
	}
	return model.MetricTypeGauge
}

// native makes the Prometheus form of h: a float histogram of the same schema.
func native(h *metric.Histogram) *histogram.FloatHistogram {
	const zeroThreshold = 2.938735877055719e-39 // 2^-128, the library's default
	fh := &histogram.FloatHistogram{
		Schema: metric.Schema, ZeroThreshold: zeroThreshold, ZeroCount: h.Zero, Count: h.Count, Sum: h.Sum,
	}
	fh.PositiveSpans, fh.PositiveBuckets = nativeSpans(h.Positive)
	fh.NegativeSpans, fh.NegativeBuckets = nativeSpans(h.Negative)
	return fh
}

// nativeSpans puts neighbours into one span; up to two empty buckets are cheaper than a new one.
func nativeSpans(buckets func(func(int32, float64) bool)) (spans []histogram.Span, counts []float64) {
	next := int32(0)
	for i, c := range buckets {
		switch gap := i - next; {
		case len(spans) == 0 || gap > 2:
			spans = append(spans, histogram.Span{Offset: gap, Length: 1})
		default:
			counts = append(counts, make([]float64, gap)...)
			spans[len(spans)-1].Length += uint32(gap) + 1
		}
		counts = append(counts, c)
		next = i + 1
	}
	return spans, counts
}

// remoteWriteEvery is how often nodes send: rules of a router judge what is at most this old.
const remoteWriteEvery = 5 * time.Second
