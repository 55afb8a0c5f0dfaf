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

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"

	"github.com/navcloud/binnacle/agent/metric"
)

// TestMetricsAreWhatTheClientAsksFor has names and labels in the store that collide in the forms of /metrics.
func TestMetricsAreWhatTheClientAsksFor(t *testing.T) {
	s := open(t)
	now := time.Now()
	dist := &metric.Desc{Name: "two_h", Kind: metric.Distribution}
	h := func(labels ...string) metric.Sample {
		x := hist(now, 1)
		x.Desc, x.Labels = dist, metric.L(labels...)
		return x
	}
	gauge := func(name string, labels ...string) metric.Sample {
		return sample(&metric.Desc{Name: name, Kind: metric.Gauge, Help: "a \"quoted\" \\ help"}, now, 3, labels...)
	}
	total := &metric.Desc{Name: "x_total", Kind: metric.Counter}
	if err := s.Append(t.Context(), "x", now, []metric.Sample{
		h("a", "1"), h("a", "2"), h("quantile", "0.5"), gauge("two_h_count"), gauge("x", "k", `"q"\b`), sample(total, now, 1), sample(opened, now, 1),
	}); err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(s.Handler("v1", nil))
	defer srv.Close()
	for accept, want := range map[string]string{
		"":                         "text/plain; version=0.0.4",
		"text/plain;version=0.0.4": "text/plain; version=0.0.4",
		"application/openmetrics-text;version=1.0.0":                                                 "application/openmetrics-text; version=1.0.0",
		"application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited": "application/vnd.google.protobuf",
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL+"/metrics", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Accept", accept)
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if got := resp.Header.Get("Content-Type"); err != nil || !strings.HasPrefix(got, want) {
			t.Errorf("Accept %q: %s, %v; want %s", accept, got, err, want)
		}
		if strings.Contains(want, "openmetrics") {
			interleaved(t, string(body))
			continue
		}
		unique(t, accept, expfmt.NewDecoder(bytes.NewReader(body), expfmt.ResponseFormat(resp.Header)))
	}
}

// A Prometheus that takes native histograms gets the buckets that the store has: its own reader finds them the same.
func TestDistributionsAreNativeHistogramsInProtobuf(t *testing.T) {
	s := open(t)
	now := time.Now()
	if err := s.Append(t.Context(), "x", now, []metric.Sample{hist(now, 0.25, -3, 0, 1024, 1025)}); err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(s.Handler("v1", nil))
	defer srv.Close()
	const proto = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", proto)
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	p := textparse.NewProtobufParser(body, false, false, false, false, labels.NewSymbolTable())
	for {
		e, err := p.Next()
		if err != nil {
			t.Fatal("no histogram came: ", err)
		}
		if e != textparse.EntryHistogram {
			continue
		}
		_, _, h, fh := p.Histogram()
		if h != nil || fh == nil || fh.Validate() != nil || fh.Count != 5 || fh.Sum != 2046.25 || fh.ZeroCount != 1 || fh.Schema != metric.Schema {
			t.Errorf("%v %v", h, fh)
		}
		positive, negative := 0.0, 0.0
		for _, c := range fh.PositiveBuckets {
			positive += c
		}
		for _, c := range fh.NegativeBuckets {
			negative += c
		}
		if positive != 3 || negative != 1 {
			t.Errorf("%v above and %v below zero; want 3 and 1", positive, negative)
		}
		return
	}
}

// interleaved checks what OpenMetrics forbids: samples of one metric apart from each other.
func interleaved(t *testing.T, body string) {
	t.Helper()
	if !strings.HasSuffix(body, "# EOF\n") {
		t.Errorf("no end in %q", body)
	}
	var order []string
	for l := range strings.Lines(body) {
		if a, ok := strings.CutPrefix(l, "two_h"); ok {
			_, ls, _ := strings.Cut(a, "{")
			for _, k := range []string{`a="1"`, `a="2"`, `exported_quantile="0.5"`} {
				if strings.Contains(ls, k) && (len(order) == 0 || order[len(order)-1] != k) {
					order = append(order, k)
				}
			}
		}
	}
	if len(order) != 3 {
		t.Errorf("metrics of the distribution are interleaved: %v in\n%s", order, body)
	}
}

// unique decodes all families and checks that no series is there twice.
func unique(t *testing.T, accept string, dec expfmt.Decoder) {
	t.Helper()
	seen, n := map[string]bool{}, 0
	for {
		var f dto.MetricFamily
		err := dec.Decode(&f)
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatalf("Accept %q: %v", accept, err)
		}
		n++
		if !model.LegacyValidation.IsValidMetricName(f.GetName()) {
			t.Errorf("name %q", f.GetName())
		}
		for _, m := range f.Metric {
			names := map[string]bool{}
			for _, l := range m.Label {
				if names[l.GetName()] {
					t.Errorf("%s has label %s twice", f.GetName(), l.GetName())
				}
				names[l.GetName()] = true
			}
			key := fmt.Sprint(f.GetName(), m.Label)
			if seen[key] {
				t.Errorf("%s is there twice", key)
			}
			seen[key] = true
		}
	}
	if n < 4 {
		t.Errorf("Accept %q: %d families", accept, n)
	}
}
