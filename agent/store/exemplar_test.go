package store

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/golang/snappy"
	"github.com/prometheus/prometheus/prompb"
)

// TestExemplarsAreKept sends a sample with the trace it is an example of, and asks for it as Grafana does.
func TestExemplarsAreKept(t *testing.T) {
	s := open(t)
	srv := httptest.NewServer(s.Handler("1.0.0", func() Rules { return nil }))
	defer srv.Close()
	at := begin.UnixMilli()
	req := &prompb.WriteRequest{Timeseries: []prompb.TimeSeries{{
		Labels:    []prompb.Label{{Name: "__name__", Value: "http_requests_total"}, {Name: "job", Value: "api"}},
		Samples:   []prompb.Sample{{Value: 3, Timestamp: at}},
		Exemplars: []prompb.Exemplar{{Labels: []prompb.Label{{Name: "trace_id", Value: "abc123"}}, Value: 1, Timestamp: at}},
	}}}
	body, err := req.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	post, err := http.NewRequest(http.MethodPost, srv.URL+"/api/v1/write", bytes.NewReader(snappy.Encode(nil, body)))
	if err != nil {
		t.Fatal(err)
	}
	post.Header.Set("Content-Type", "application/x-protobuf")
	post.Header.Set("Content-Encoding", "snappy")
	resp, err := http.DefaultClient.Do(post)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		t.Fatal(resp.Status)
	}
	resp, err = http.Get(srv.URL + fmt.Sprintf("/api/v1/query_exemplars?query=http_requests_total&start=%d&end=%d", begin.Unix()-60, begin.Add(time.Minute).Unix()))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || !strings.Contains(string(text), `"trace_id":"abc123"`) {
		t.Errorf("%s, %v; want the exemplar", text, err)
	}
}
