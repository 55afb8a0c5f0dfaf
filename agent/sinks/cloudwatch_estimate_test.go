package sinks

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/agent/secret"
)

// sizes answers every request and keeps the length of its body as it was before compression.
type sizes struct {
	t *testing.T
	n []int
}

func (s *sizes) RoundTrip(r *http.Request) (*http.Response, error) {
	body := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(r.Body)
		if err != nil {
			s.t.Error(err)
			return nil, err
		}
		body = z
	}
	n, err := io.Copy(io.Discard, body)
	s.n = append(s.n, int(n))
	h := http.Header{"Smithy-Protocol": {"rpc-v2-cbor"}, "Content-Type": {"application/cbor"}}
	return &http.Response{StatusCode: 200, Header: h, Body: io.NopCloser(bytes.NewReader([]byte{0xa0})), Request: r}, err
}

// The estimate must not be below what the SDK's codec makes, else a request is refused for its size; nor far above,
// else requests are half empty.
func TestEstimateIsAbove(t *testing.T) {
	seen := &sizes{t: t}
	p, err := newPutter(CloudWatch{Region: "eu-west-1", Endpoint: "http://127.0.0.1:1", AccessKeyID: "a", SecretAccessKey: secret.New("b")}, Env{HTTP: seen})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	var dims metric.Labels
	for _, c := range "abcdefghijklmnopqrstuvwxyzABCD" {
		dims = append(dims, metric.Label{Name: strings.Repeat(string(c), 255), Value: strings.Repeat("v", 1024)})
	}
	values := make([]float64, maxDatumValues)
	for i := range values {
		values[i] = 1 / float64(i+3)
	}
	stats := &metric.Histogram{Count: 1e9, Sum: 1 / 3.0, Min: 1 / 7.0, Max: 1e300}
	for name, d := range map[string]datum{
		"a value":                    {name: "m", at: now, value: 1 / 3.0, seconds: 60},
		"a value with all it can":    {name: strings.Repeat("m", 255), dims: dims, at: now, value: 1 / 3.0, unit: metric.Seconds, seconds: 1},
		"a distribution":             {name: "m", dims: dims[:2], at: now, stats: stats, values: values, counts: values, unit: metric.Seconds, seconds: 60},
		"a distribution of a number": {name: "m", at: now, stats: stats, values: values[:1], counts: values[:1], unit: metric.Bytes, seconds: 60},
	} {
		const many = 20 // so that what surrounds them does not count
		ds := make([]datum, many)
		for i := range ds {
			ds[i] = d
		}
		seen.n = nil
		if err := p.put(t.Context(), "NavCloud", ds); err != nil || len(seen.n) != 1 {
			t.Fatalf("%s: put = %v, %d requests", name, err, len(seen.n))
		}
		real, estimate := seen.n[0], many*d.size()
		if estimate < real || estimate > 3*real {
			t.Errorf("%s: estimated %d bytes for %d; want no less, and no more than three times", name, estimate, real)
		}
	}
}
