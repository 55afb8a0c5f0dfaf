package store

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/golang/snappy"
	"github.com/prometheus/prometheus/prompb"
	writev2 "github.com/prometheus/prometheus/prompb/io/prometheus/write/v2"
)

// receivers are the two versions of remote-write, and OTLP. What is fuzzed is what their compression holds.
var receivers = []struct{ path, contentType, encoding string }{
	{"/api/v1/write", "application/x-protobuf;proto=prometheus.WriteRequest", "snappy"},
	{"/api/v1/write", "application/x-protobuf;proto=io.prometheus.write.v2.Request", "snappy"},
	{"/api/v1/otlp/v1/metrics", "application/x-protobuf", ""},
}

// FuzzReceive holds that no body brings the receivers down, and that a fault is told as the sender's, so that it does
// not send it for ever. A database that refuses a sample is no fault of its own either.
func FuzzReceive(f *testing.F) {
	now := time.Now().UnixMilli()
	v1 := &prompb.WriteRequest{Timeseries: []prompb.TimeSeries{{
		Labels:  []prompb.Label{{Name: "__name__", Value: "up"}, {Name: "job", Value: "x"}},
		Samples: []prompb.Sample{{Value: 1, Timestamp: now}},
	}}}
	b1, err := v1.Marshal()
	if err != nil {
		f.Fatal(err)
	}
	v2 := &writev2.Request{
		Symbols:    []string{"", "__name__", "up"},
		Timeseries: []writev2.TimeSeries{{LabelsRefs: []uint32{1, 2}, Samples: []writev2.Sample{{Value: 1, Timestamp: now}}}},
	}
	b2, err := v2.Marshal()
	if err != nil {
		f.Fatal(err)
	}
	v2.Timeseries[0].LabelsRefs = []uint32{1, 7}
	b3, err := v2.Marshal()
	if err != nil {
		f.Fatal(err)
	}
	for _, b := range [][]byte{nil, b1, b1[:len(b1)/2], b2, b3, []byte("<html>no</html>")} {
		f.Add(b)
	}
	s, err := Open(f.TempDir(), Options{Retention: 24 * time.Hour, RetentionSize: 1 << 30, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = s.Close() })
	handler := s.Handler("v1", nil)
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, to := range receivers {
			sent := body
			if to.encoding == "snappy" {
				sent = snappy.Encode(nil, body)
			}
			req := httptest.NewRequest(http.MethodPost, to.path, bytes.NewReader(sent))
			req.Header.Set("Content-Type", to.contentType)
			req.Header.Set("Content-Encoding", to.encoding)
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, req)
			if w.Code >= http.StatusInternalServerError {
				t.Errorf("%s (%s): %d %s for %q", to.path, to.contentType, w.Code, w.Body, body)
			}
		}
	})
}
