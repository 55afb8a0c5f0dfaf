package store

import (
	"errors"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/agent/series"
)

var begin = time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC)

var (
	load    = &metric.Desc{Name: "host_load1", Kind: metric.Gauge, Help: "Load"}
	opened  = &metric.Desc{Name: "navcloud.streams.opened", Kind: metric.Delta, Help: "Streams opened"}
	latency = &metric.Desc{Name: "navcloud.fanout.latency", Kind: metric.Distribution, Unit: metric.Seconds}
	boots   = &metric.Desc{Name: "host_forks_total", Kind: metric.Counter}
)

func open(t *testing.T) *Store {
	t.Helper()
	s, err := Open(t.TempDir(), Options{Retention: 24 * time.Hour, RetentionSize: 1 << 30, Exemplars: 100, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func sample(d *metric.Desc, at time.Time, v float64, kv ...string) metric.Sample {
	return metric.Sample{Desc: d, Labels: metric.L(kv...), Time: at, Value: v}
}

func hist(at time.Time, vs ...float64) metric.Sample {
	h := &metric.Histogram{}
	for _, v := range vs {
		h.Observe(v, 1)
	}
	return metric.Sample{Desc: latency, Time: at, Hist: h}
}

func ask(t *testing.T, s *Store, q string, at time.Time) []Series {
	t.Helper()
	out, err := s.Instant(t.Context(), q, at)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func one(t *testing.T, s *Store, q string, at time.Time) float64 {
	t.Helper()
	out := ask(t, s, q, at)
	if len(out) != 1 {
		t.Fatalf("%s at %v = %v; want one series", q, at.Sub(begin), out)
	}
	return out[0].Points[0].V
}

func TestDeltasBecomeTotalsWhoseFirstIncreaseCounts(t *testing.T) {
	s := open(t)
	for i := range 4 {
		at := begin.Add(time.Duration(i) * 10 * time.Second)
		var in []metric.Sample
		if i != 2 { // a window in which nothing was counted
			in = append(in, sample(opened, at, 5, "node", "a"))
		}
		if err := s.Append(t.Context(), "statsd", at, in); err != nil {
			t.Fatal(err)
		}
	}
	end := begin.Add(30 * time.Second)
	if got := one(t, s, `navcloud_streams_opened_total{node="a"}`, end); got != 15 {
		t.Errorf("total = %v; want 15", got)
	}
	if got := one(t, s, `increase(navcloud_streams_opened_total[1m])`, end); math.Abs(got-15) > 3 {
		t.Errorf("increase = %v; want about 15: the first delta counts too", got)
	}
	if got := one(t, s, `navcloud_streams_opened_total`, begin.Add(20*time.Second)); got != 10 {
		t.Errorf("total in the empty window = %v; want 10", got)
	}
}

func TestDistributionsBecomeNativeHistograms(t *testing.T) {
	s := open(t)
	for i := range 3 {
		at := begin.Add(time.Duration(i) * 10 * time.Second)
		if err := s.Append(t.Context(), "statsd", at, []metric.Sample{hist(at, 0.010, 0.020, 0.030, 7, -1, 0)}); err != nil {
			t.Fatal(err)
		}
	}
	end := begin.Add(20 * time.Second)
	if got := one(t, s, `histogram_count(navcloud_fanout_latency_seconds)`, end); got != 18 {
		t.Errorf("count = %v; want 18", got)
	}
	if got := one(t, s, `histogram_quantile(1, navcloud_fanout_latency_seconds)`, end); math.Abs(got-7)/7 > 0.022 {
		t.Errorf("maximum = %v; want 7 within a bucket", got)
	}
	if got := one(t, s, `histogram_sum(navcloud_fanout_latency_seconds)`, end); math.Abs(got-3*6.06) > 1e-9 {
		t.Errorf("sum = %v; want %v", got, 3*6.06)
	}
}

func TestWhatIsNotSentAnyMoreEndsAtOnce(t *testing.T) {
	s := open(t)
	for i, in := range [][]metric.Sample{
		{sample(load, begin, 1, "node", "a"), sample(boots, begin, 7)},
		{sample(boots, begin.Add(10*time.Second), 8)},
	} {
		if err := s.Append(t.Context(), "host", begin.Add(time.Duration(i)*10*time.Second), in); err != nil {
			t.Fatal(err)
		}
	}
	if got := ask(t, s, "host_load1", begin.Add(11*time.Second)); len(got) != 0 {
		t.Errorf("host_load1 = %v; want nothing: absent is not yesterday's value", got)
	}
	if got := one(t, s, "host_forks_total", begin.Add(11*time.Second)); got != 8 {
		t.Errorf("host_forks_total = %v; want 8", got)
	}
}

func TestRefusalsAreCountedAndHurtNoOther(t *testing.T) {
	s := open(t)
	s.series = series.New(series.Options{MaxSeries: 2})
	in := []metric.Sample{
		sample(load, begin, 1, "node", "a"),
		sample(load, begin.Add(-48*time.Hour), 1, "node", "old"),
		sample(load, begin, 1, "node", "b"),
		sample(load, begin, 1, "node", "c"),
	}
	if err := s.Append(t.Context(), "host", begin, in[:1]); err != nil {
		t.Fatal(err)
	}
	if err := s.Append(t.Context(), "late", begin, in[1:]); err != nil {
		t.Fatal(err)
	}
	st := s.Stats()
	if st.Refused["too_old"]+st.Refused["out_of_bounds"] != 1 || st.Refused["max_series"] != 2 {
		t.Errorf("refused = %v", st.Refused)
	}
}

func TestRange(t *testing.T) {
	s := open(t)
	for i := range 3 {
		at := begin.Add(time.Duration(i) * time.Minute)
		if err := s.Append(t.Context(), "host", at, []metric.Sample{sample(load, at, float64(i))}); err != nil {
			t.Fatal(err)
		}
	}
	got, err := s.Range(t.Context(), "host_load1", begin, begin.Add(2*time.Minute), time.Minute)
	if err != nil || len(got) != 1 || len(got[0].Points) != 3 || got[0].Points[2].V != 2 || got[0].Name != "host_load1" {
		t.Errorf("Range = %v, %v", got, err)
	}
	if _, err := s.Instant(t.Context(), "sum(", begin); err == nil {
		t.Error("a broken query gave no error")
	}
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	s := open(t)
	if _, err := Open(s.dir, s.opts); !errors.Is(err, ErrInUse) {
		t.Errorf("second Open = %v; want %v", err, ErrInUse)
	}
}

func TestHandlerAnswersAsPrometheusDoes(t *testing.T) {
	s := open(t)
	now := time.Now()
	if err := s.Append(t.Context(), "x", now, []metric.Sample{sample(load, now, 2, "node", `a"b`), sample(opened, now, 1), hist(now, 1)}); err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(s.Handler("v1", nil))
	defer srv.Close()
	for path, want := range map[string]string{
		"/api/v1/query?query=host_load1":      `"value":[`,
		"/api/v1/labels":                      `"node"`,
		"/api/v1/status/buildinfo":            `"version":"3.16.0","revision":"v1"`,
		"/api/v1/metadata?limit=x":            `"limit must be a number"`,
		"/api/v1/metadata?limit=0":            `"data":{}`,
		"/api/v1/scrape_pools":                `"scrapePools":[]`,
		"/api/v1/targets":                     `"droppedTargetCounts":{}`,
		"/api/v1/notifications":               `"data":[]`,
		"/federate?match[]=host_load1":        "host_load1{instance=\"\",node=\"a\\\"b\"} 2 ",
		"/federate?match[]=%7B":               "parse error",
		"/api/v1/metadata?metric=host_load1":  `{"host_load1":[{"type":"gauge","help":"Load","unit":""}]}`,
		"/api/v1/status/tsdb":                 `"numSeries"`,
		"/api/v1/query?query=host_load1%5B1m": `"errorType":"bad_data"`,
		"/metrics":                            "host_load1{node=\"a\\\"b\"} 2\n",
	} {
		resp, err := http.Get(srv.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil || !strings.Contains(string(body), want) {
			t.Errorf("GET %s = %d %.300s, %v; want %s in it", path, resp.StatusCode, body, err, want)
		}
	}
}

func TestBlocksSuitRetention(t *testing.T) {
	const day = 24 * time.Hour
	for _, c := range []struct {
		retention, interval, shortest, longest time.Duration
	}{
		{15 * day, 10 * time.Second, 2 * time.Hour, 36 * time.Hour},
		{762 * day, 5 * time.Minute, 10 * time.Hour, 31 * day},
		{time.Hour, 10 * time.Second, 2 * time.Hour, 2 * time.Hour},
	} {
		short, long := blocks(Options{Retention: c.retention, Interval: c.interval})
		if short != c.shortest.Milliseconds() || long != c.longest.Milliseconds() {
			t.Errorf("%s every %s: blocks of %s to %s", c.retention, c.interval, time.Duration(short)*time.Millisecond, time.Duration(long)*time.Millisecond)
		}
	}
}
