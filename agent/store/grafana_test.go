package store

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/navcloud/binnacle/agent/metric"
)

// TestGrafanaAsks holds the set of requests that Grafana's Prometheus data source makes: when it is saved and tested,
// when its query editor and its variables look names up, when a panel is drawn, and for its list of alerts.
// Source: grafana/grafana, packages/grafana-prometheus and pkg/promlib, of 10.0 to 12, read November 2026.
func TestGrafanaAsks(t *testing.T) {
	s := open(t)
	for i := range 20 {
		at := begin.Add(time.Duration(i) * 15 * time.Second)
		batch := []metric.Sample{sample(load, at, float64(i), "node", "n1"), sample(load, at, 2, "node", "n2"), sample(opened, at, 3, "node", "n1"), hist(at, 0.01, 0.2)}
		if err := s.Append(t.Context(), "test", at, batch); err != nil {
			t.Fatal(err)
		}
	}
	srv := httptest.NewServer(s.Handler("1.0.0", func() Rules { return nil }))
	defer srv.Close()
	unix := func(at time.Time) string { return strconv.FormatInt(at.Unix(), 10) }
	start, end := unix(begin), unix(begin.Add(5*time.Minute))
	times := url.Values{"start": {start}, "end": {end}}
	with := func(kv ...string) url.Values {
		v := url.Values{}
		for k, x := range times {
			v[k] = x
		}
		for i := 0; i < len(kv); i += 2 {
			v.Set(kv[i], kv[i+1])
		}
		return v
	}
	for name, tc := range map[string]struct {
		method, path string
		form         url.Values
		status       int
		want         []string
	}{
		"save and test":            {"POST", "/api/v1/query", url.Values{"query": {"1+1"}, "time": {end}}, 200, []string{`"resultType":"scalar"`, `"2"`}},
		"save and test, by GET":    {"GET", "/api/v1/query", url.Values{"query": {"1+1"}, "time": {end}}, 200, []string{`"2"`}},
		"what are you":             {"GET", "/api/v1/status/buildinfo", nil, 200, []string{`"version":"3.16.0","revision":"1.0.0"`, `"status":"success"`}},
		"names of metrics":         {"GET", "/api/v1/label/__name__/values", times, 200, []string{`"host_load1"`, `"navcloud_fanout_latency_seconds"`, `"navcloud_streams_opened_total"`}},
		"names of labels":          {"GET", "/api/v1/labels", with("match[]", "host_load1"), 200, []string{`["__name__","node"]`}},
		"names of labels, by POST": {"POST", "/api/v1/labels", with("match[]", "host_load1"), 200, []string{`["__name__","node"]`}},
		"values of a label":        {"GET", "/api/v1/label/node/values", with("match[]", `host_load1{node=~".+"}`), 200, []string{`["n1","n2"]`}},
		"values, with a limit":     {"GET", "/api/v1/label/node/values", with("limit", "1"), 200, []string{`["n1"]`}},
		"series of a selector":     {"POST", "/api/v1/series", with("match[]", "host_load1"), 200, []string{`"node":"n1"`, `"node":"n2"`}},
		"what metrics mean":        {"GET", "/api/v1/metadata", url.Values{"limit": {"40000"}}, 200, []string{`"host_load1":[{"type":"gauge","help":"Load"`}},
		"a panel":                  {"POST", "/api/v1/query_range", with("query", `host_load1{node="n1"}`, "step", "15"), 200, []string{`"resultType":"matrix"`, `"19"`}},
		"a panel, steps in words":  {"POST", "/api/v1/query_range", with("query", "rate(navcloud_streams_opened_total[1m])", "step", "15s"), 200, []string{`"0.2"`}},
		"a panel of histograms":    {"POST", "/api/v1/query_range", with("query", "navcloud_fanout_latency_seconds", "step", "15"), 200, []string{`"histograms":[`, `"count":"`}},
		"a heat map":               {"POST", "/api/v1/query_range", with("query", "histogram_quantile(0.99, rate(navcloud_fanout_latency_seconds[1m]))", "step", "15"), 200, []string{`"matrix"`}},
		"a table":                  {"POST", "/api/v1/query", url.Values{"query": {"sum by (node) (host_load1)"}, "time": {end}}, 200, []string{`"resultType":"vector"`, `"n2"`}},
		"exemplars":                {"GET", "/api/v1/query_exemplars", with("query", "host_load1"), 200, []string{`"status":"success"`}},
		"its list of alerts":       {"GET", "/api/v1/rules", nil, 200, []string{`"groups":[]`}},
		"alerts":                   {"GET", "/api/v1/alerts", nil, 200, []string{`"alerts":[]`}},
		"format the query":         {"POST", "/api/v1/format_query", url.Values{"query": {"sum(host_load1)by(node)"}}, 200, []string{`sum by (node) (host_load1)`}},
		"a query that is wrong":    {"POST", "/api/v1/query_range", with("query", "sum(", "step", "15"), 400, []string{`"errorType":"bad_data"`, `parse error`}},
		"too many points":          {"POST", "/api/v1/query_range", url.Values{"query": {"host_load1"}, "start": {"0"}, "end": {end}, "step": {"1"}}, 400, []string{`exceeded maximum resolution`}},
	} {
		t.Run(name, func(t *testing.T) {
			var body io.Reader
			address := srv.URL + tc.path
			if tc.method == http.MethodPost {
				body = strings.NewReader(tc.form.Encode())
			} else if tc.form != nil {
				address += "?" + tc.form.Encode()
			}
			req, err := http.NewRequest(tc.method, address, body)
			if err != nil {
				t.Fatal(err)
			}
			if body != nil {
				req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			}
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			got, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			if resp.StatusCode != tc.status || !strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json") {
				t.Errorf("%s %s: status %d, %s; want %d and JSON\n%.300s", tc.method, tc.path, resp.StatusCode, resp.Header.Get("Content-Type"), tc.status, got)
			}
			for _, w := range tc.want {
				if !strings.Contains(string(got), w) {
					t.Errorf("%s %s lacks %s:\n%.600s", tc.method, tc.path, w, got)
				}
			}
		})
	}
}
