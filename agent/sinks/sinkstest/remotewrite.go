package sinkstest

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"

	"github.com/golang/snappy"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/prompb"
	writev2 "github.com/prometheus/prometheus/prompb/io/prometheus/write/v2"
)

// RemoteSample is one sample that a remote-write receiver took.
type RemoteSample struct {
	Labels     map[string]string
	Time       int64 // milliseconds since 1970
	Value      float64
	Count, Sum float64 // of a native histogram
	Histogram  bool
	Type, Help string // of version 2
}

// Name returns the metric name.
func (s RemoteSample) Name() string { return s.Labels[model.MetricNameLabel] }

// RemoteWrite is a fake receiver of remote-write. It enforces what the specification wants of a
// sender: sorted unique labels, a legal name, values in their place, histograms that add up.
type RemoteWrite struct {
	Server
	// Only1 makes it a receiver of version 1 that says so; Silent1 one that doesn't look at the content type,
	// as Prometheus 2.42, finds nothing in a body of version 2, and is content. Set before it is used.
	Only1, Silent1 bool
	// NoNative makes it one that has native histograms off: it refuses a request that has any, as Prometheus does.
	NoNative bool
	samples  []RemoteSample
	versions []int // of each request that was taken
}

// NewRemoteWrite makes one.
func NewRemoteWrite() *RemoteWrite {
	r := &RemoteWrite{}
	r.handler = r
	return r
}

// Samples returns what was taken, in order.
func (r *RemoteWrite) Samples() []RemoteSample {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.samples)
}

// Versions returns the protocol's version of each request that was taken.
func (r *RemoteWrite) Versions() []int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.versions)
}

// ServeHTTP answers as a receiver does.
func (r *RemoteWrite) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	raw, err := io.ReadAll(io.LimitReader(req.Body, 32<<20))
	if a := r.next(); a.play(w, req) {
		return
	}
	version := 1
	if req.Header.Get("Content-Type") == "application/x-protobuf;proto=io.prometheus.write.v2.Request" {
		version = 2
	}
	if version == 2 && r.Only1 {
		http.Error(w, "version 1 only", http.StatusUnsupportedMediaType)
		return
	}
	var body []byte
	if err == nil {
		body, err = snappy.Decode(nil, raw)
	}
	if err != nil || req.Header.Get("Content-Encoding") != "snappy" {
		http.Error(w, fmt.Sprint("not snappy: ", err), http.StatusBadRequest)
		return
	}
	var got []RemoteSample
	switch {
	case version == 2 && r.Silent1:
		w.WriteHeader(http.StatusNoContent)
		return
	case version == 2:
		got, err = decode2(body)
	default:
		got, err = decode1(body)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if r.NoNative && slices.ContainsFunc(got, func(s RemoteSample) bool { return s.Histogram }) {
		http.Error(w, "native histograms are disabled", http.StatusInternalServerError)
		return
	}
	r.mu.Lock()
	r.samples, r.versions = append(r.samples, got...), append(r.versions, version)
	r.mu.Unlock()
	if version == 2 {
		w.Header().Set("X-Prometheus-Remote-Write-Samples-Written", strconv.Itoa(len(got)))
	}
	w.WriteHeader(http.StatusNoContent)
}

func decode2(body []byte) (out []RemoteSample, err error) {
	var req writev2.Request
	if err := req.Unmarshal(body); err != nil {
		return nil, err
	}
	if len(req.Symbols) == 0 || req.Symbols[0] != "" {
		return nil, errors.New("the first symbol must be empty")
	}
	b := labels.NewScratchBuilder(0)
	for _, ts := range req.Timeseries {
		ls, err := ts.ToLabels(&b, req.Symbols)
		if err != nil {
			return nil, err
		}
		var names []string
		for i := 0; i < len(ts.LabelsRefs); i += 2 {
			names = append(names, req.Symbols[ts.LabelsRefs[i]])
		}
		base := RemoteSample{Labels: ls.Map(), Type: ts.Metadata.Type.String(), Help: req.Symbols[ts.Metadata.HelpRef]}
		if err := checkNames(names, base); err != nil {
			return nil, err
		}
		for _, s := range ts.Samples {
			base.Time, base.Value = s.Timestamp, s.Value
			out = append(out, base)
		}
		for _, h := range ts.Histograms {
			if base, err = withHistogram(base, h.Timestamp, h.ToFloatHistogram()); err != nil {
				return nil, err
			}
			out = append(out, base)
		}
	}
	return out, nil
}

func decode1(body []byte) (out []RemoteSample, err error) {
	var req prompb.WriteRequest
	if err := req.Unmarshal(body); err != nil {
		return nil, err
	}
	for _, ts := range req.Timeseries {
		base := RemoteSample{Labels: map[string]string{}}
		var names []string
		for _, l := range ts.Labels {
			names = append(names, l.Name)
			base.Labels[l.Name] = l.Value
		}
		if err := checkNames(names, base); err != nil {
			return nil, err
		}
		for _, s := range ts.Samples {
			base.Time, base.Value = s.Timestamp, s.Value
			out = append(out, base)
		}
		for _, h := range ts.Histograms {
			if base, err = withHistogram(base, h.Timestamp, h.ToFloatHistogram()); err != nil {
				return nil, err
			}
			out = append(out, base)
		}
	}
	return out, nil
}

func checkNames(names []string, s RemoteSample) error {
	if !slices.IsSorted(names) || len(slices.Compact(slices.Clone(names))) != len(names) {
		return fmt.Errorf("labels %v are not sorted and unique", names)
	}
	if s.Name() == "" {
		return fmt.Errorf("labels %v hold no name", names)
	}
	for _, n := range names {
		for i, c := range n {
			if c != '_' && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (i == 0 || c < '0' || c > '9') {
				return fmt.Errorf("label name %q is not legal", n)
			}
		}
	}
	return nil
}

func withHistogram(s RemoteSample, at int64, h *histogram.FloatHistogram) (RemoteSample, error) {
	if err := h.Validate(); err != nil {
		return s, err
	}
	in := h.ZeroCount
	for _, c := range append(slices.Clone(h.PositiveBuckets), h.NegativeBuckets...) {
		in += c
	}
	if d := in - h.Count; d > 1e-6*h.Count || d < -1e-6*h.Count {
		return s, fmt.Errorf("histogram of %v holds %v in its buckets", h.Count, in)
	}
	s.Time, s.Count, s.Sum, s.Histogram = at, h.Count, h.Sum, true
	return s, nil
}
