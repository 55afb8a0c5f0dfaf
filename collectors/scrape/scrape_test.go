package scrape

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/histogram"
	"go.yaml.in/yaml/v3"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/collectors"
)

// bench runs a collector with the jobs of a text, and keeps what it delivers.
type bench struct {
	t       *testing.T
	c       *collector
	batches chan []metric.Sample

	mu       sync.Mutex
	rejected map[string]int
}

func start(t *testing.T, text string) *bench {
	t.Helper()
	var o Options
	if err := yaml.Unmarshal([]byte(text), &o); err != nil {
		t.Fatal(err)
	}
	if err := o.Validate(); err != nil {
		t.Fatal(err)
	}
	w := &bench{t: t, batches: make(chan []metric.Sample, 1000), rejected: map[string]int{}}
	made, err := newCollector(collectors.Env{
		Options: o, Node: "n1", Now: time.Now, Log: slog.New(slog.DiscardHandler),
		Reserved: func(name string) bool { return strings.HasPrefix(name, "host_") || name == "up" },
		Deliver:  func(_ string, b *metric.Batch, _ time.Duration) { w.batches <- b.Samples },
		Rejected: func(reason, _ string) { w.mu.Lock(); defer w.mu.Unlock(); w.rejected[reason]++ },
	})
	if err != nil {
		t.Fatal(err)
	}
	w.c = made.(*collector)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); _ = w.c.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return w
}

// until waits for a batch that says so, and returns it as name{labels} to value.
func (w *bench) until(want func(map[string]metric.Sample) bool) map[string]metric.Sample {
	w.t.Helper()
	end := time.After(3 * time.Minute)
	var last map[string]metric.Sample
	for {
		select {
		case samples := <-w.batches:
			last = map[string]metric.Sample{}
			for _, s := range samples {
				last[s.Desc.Name+s.Labels.String()] = s
			}
			if want(last) {
				return last
			}
		case <-end:
			w.t.Fatalf("no batch is as wanted; the last was %v", last)
		}
	}
}

func up(v float64) func(map[string]metric.Sample) bool {
	return func(b map[string]metric.Sample) bool {
		for key, s := range b {
			if strings.HasPrefix(key, "up{") {
				return s.Value == v
			}
		}
		return false
	}
}

func address(s *httptest.Server) string { return s.Listener.Addr().String() }

func TestSeriesAreThoseOfPrometheus(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	body := `# TYPE reqs counter
reqs{code="200"} 7
# TYPE temp_celsius gauge
temp_celsius NaN
# TYPE lat_seconds histogram
lat_seconds_bucket{le="0.1"} 3
lat_seconds_bucket{le="+Inf"} 4
lat_seconds_sum 0.5
lat_seconds_count 4
# TYPE plain untyped
plain{node="other"} 5
`
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if body == "" {
			w.WriteHeader(http.StatusInternalServerError)
		}
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		fmt.Fprint(w, body)
	}))
	defer s.Close()
	set := func(text string) { mu.Lock(); defer mu.Unlock(); body = text }
	w := start(t, fmt.Sprintf("jobs: [{job_name: app, scrape_interval: 1s, scrape_timeout: 900ms, static_configs: [{targets: ['%s']}]}]", address(s)))
	got := w.until(up(1))
	id := fmt.Sprintf(`instance="%s",job="app",node="n1"`, address(s))
	for key, want := range map[string]struct {
		kind  metric.Kind
		name  string
		value float64
	}{
		`reqs{code="200",` + id + `}`: {metric.Counter, "reqs", 7},
		`lat_seconds_bucket{` + strings.Replace(id, `job="app"`, `job="app",le="0.1"`, 1) + `}`:  {metric.Counter, "lat_seconds_bucket", 3},
		`lat_seconds_bucket{` + strings.Replace(id, `job="app"`, `job="app",le="+Inf"`, 1) + `}`: {metric.Counter, "lat_seconds_bucket", 4},
		`lat_seconds_sum{` + id + `}`:                              {metric.Counter, "lat_seconds_sum", 0.5},
		`plain{` + strings.Replace(id, `"n1"`, `"other"`, 1) + `}`: {metric.Gauge, "plain", 5},
		`scrape_samples_scraped{` + id + `}`:                       {metric.Gauge, "scrape_samples_scraped", 7},
	} {
		s, ok := got[key]
		if !ok || s.Desc.Kind != want.kind || metric.PromName(s.Desc) != want.name || s.Value != want.value {
			t.Errorf("%s = %v, want %s %v %v ", key, s, want.name, want.kind, want.value)
		}
	}
	if _, ok := got[`temp_celsius{`+id+`}`]; !ok {
		t.Error("a gauge that is NaN is missing")
	}

	set("other 1\n")
	got = w.until(func(b map[string]metric.Sample) bool { _, ok := b[`other{`+id+`}`]; return ok })
	if _, still := got[`reqs{code="200",`+id+`}`]; still {
		t.Error("a series that is not exposed any more is told on")
	}
	set("")
	got = w.until(up(0))
	if _, still := got[`other{`+id+`}`]; still {
		t.Error("a series of a target that fails is told on")
	}
	b := &metric.Batch{Time: time.Now()}
	if err := w.c.Collect(t.Context(), b); err != nil || len(w.c.Notes()) != 1 {
		t.Errorf("Collect: %v, notes %q; want one note of the target that fails", err, w.c.Notes())
	}
}

func TestNobodySpeaksAsTheAgent(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		fmt.Fprint(w, "host_up 1\nmine 1\n")
	}))
	defer s.Close()
	w := start(t, fmt.Sprintf("jobs: [{job_name: x, scrape_interval: 1s, scrape_timeout: 900ms, static_configs: [{targets: ['%s']}], metric_relabel_configs: [{action: labeldrop, regex: job}]}]", address(s)))
	got := w.until(func(b map[string]metric.Sample) bool {
		for key := range b {
			if strings.HasPrefix(key, "mine{") {
				return true
			}
		}
		return false
	})
	for key := range got {
		if strings.HasPrefix(key, "host_up{") {
			t.Errorf("%s came through without a job", key)
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.rejected["reserved"] == 0 {
		t.Errorf("rejected = %v; want the line counted as reserved", w.rejected)
	}
}

func TestCredentialsDoNotFollowARedirect(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var here, there string
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		there = r.Header.Get("Authorization")
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		fmt.Fprint(w, "x 1\n")
	}))
	defer other.Close()
	moved := strings.Replace(other.URL, "127.0.0.1", "localhost", 1)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		here = r.Header.Get("Authorization")
		http.Redirect(w, r, moved, http.StatusFound)
	}))
	defer s.Close()
	w := start(t, fmt.Sprintf("jobs: [{job_name: x, scrape_interval: 1s, scrape_timeout: 900ms, basic_auth: {username: u, password: p}, static_configs: [{targets: ['%s']}]}]", address(s)))
	w.until(up(1))
	mu.Lock()
	defer mu.Unlock()
	if here == "" || there != "" {
		t.Errorf("Authorization at the target %q, at another host %q; want it at the target alone", here, there)
	}
}

func TestLinkLocalIsRefused(t *testing.T) {
	c := &collector{}
	for address, refused := range map[string]bool{
		"169.254.169.254:80": true, "[fe80::1%lo]:80": true, "[fd00:ec2::254]:80": true, "[::ffff:169.254.169.254]:80": true,
		"127.0.0.1:80": false, "10.0.0.1:9100": false, "[::1]:80": false,
	} {
		if err := c.control("tcp", address, nil); (err != nil) != refused {
			t.Errorf("control(%s) = %v, want refused %v", address, err, refused)
		}
	}
	c.options.AllowLinkLocal = true
	if err := c.control("tcp", "169.254.169.254:80", nil); err != nil {
		t.Errorf("with allow_link_local: %v", err)
	}
}

func TestATargetThatIsTooLargeIsRefused(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		for i := range 50_001 {
			fmt.Fprintf(w, "x{n=\"%d\"} 1\n", i)
		}
	}))
	defer s.Close()
	w := start(t, fmt.Sprintf("jobs: [{job_name: x, scrape_interval: 3s, scrape_timeout: 3s, static_configs: [{targets: ['%s']}]}]", address(s)))
	if got := w.until(up(0)); len(got) > 20 {
		t.Errorf("%d series of a target above the limit; want those of the scrape alone", len(got))
	}
}

func TestATargetThatDisappearsIsNamed(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		fmt.Fprint(w, "x 1\n")
	}))
	defer s.Close()
	list := filepath.Join(t.TempDir(), "targets.json")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(list+".new", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(list+".new", list); err != nil {
			t.Fatal(err)
		}
	}
	write(fmt.Sprintf(`[{"targets": [%q]}]`, address(s)))
	w := start(t, fmt.Sprintf("jobs: [{job_name: x, scrape_interval: 1s, scrape_timeout: 900ms, file_sd_configs: [{files: [%s], refresh_interval: 1s}]}]", list))
	w.until(up(1))
	named := func() string {
		b := &metric.Batch{Time: time.Now()}
		if err := w.c.Collect(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		for _, s := range b.Samples {
			if s.Desc == descGone {
				return s.Labels.Get("target")
			}
		}
		return ""
	}
	for range 1800 { // the health of a target is noted after its scrape was delivered
		if named(); scraped(w.c, address(s)) {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	write("[]")
	for range 1800 {
		if got := named(); got == address(s) {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Error("the target that left the list is not named within three minutes")
}

func TestFaultsOfJobs(t *testing.T) {
	for name, tc := range map[string]struct{ text, want string }{
		"no targets":            {"jobs: [{job_name: x}]", "no targets"},
		"a discovery we lack":   {"jobs: [{job_name: x, consul_sd_configs: []}]", "consul_sd_configs: unknown name, or a discovery that is not built in"},
		"a word nobody knows":   {"jobs: [{job_name: x, static_config: []}]", "static_config: unknown name"},
		"no name":               {"jobs: [{static_configs: [{targets: [a]}]}]", "job_name is empty"},
		"a relative file":       {"jobs: [{job_name: x, file_sd_configs: [{files: [a.json]}]}]", "want an absolute path"},
		"a timeout too long":    {"jobs: [{job_name: x, scrape_interval: 5s, scrape_timeout: 6s, static_configs: [{targets: [a]}]}]", "scrape timeout greater than scrape interval"},
		"a bad relabel":         {"jobs: [{job_name: x, static_configs: [{targets: [a]}], relabel_configs: [{action: nope}]}]", "unknown relabel action"},
		"a variable not set":    {"jobs: [{job_name: x, basic_auth: {username: u, password: '${env:NOT_SET_ANYWHERE}'}, static_configs: [{targets: [a]}]}]", "NOT_SET_ANYWHERE"},
		"two passwords of many": {"jobs: [{job_name: x, basic_auth: {username: u}, bearer_token: t, static_configs: [{targets: [a]}]}]", "at most one of"},
	} {
		var o Options
		if err := yaml.Unmarshal([]byte(tc.text), &o); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v; want %q in it", name, err, tc.want)
		}
	}
}

func TestAJobIsShownWithoutItsSecrets(t *testing.T) {
	t.Setenv("SCRAPE_PASSWORD", "hunter22")
	var o Options
	if err := yaml.Unmarshal([]byte("jobs: [{job_name: x, basic_auth: {username: u, password: '${env:SCRAPE_PASSWORD}'}, static_configs: [{targets: ['a:1']}]}]"), &o); err != nil {
		t.Fatal(err)
	}
	out, err := yaml.Marshal(o)
	if err != nil || strings.Contains(string(out), "hunter22") || !strings.Contains(string(out), "sample_limit: 50000") {
		t.Errorf("shown: %v\n%s\nwant defaults and no password", err, out)
	}
}

func scraped(c *collector, instance string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.seen[[2]string{"x", instance}]
	return s != nil && s.scraped
}

func TestANativeHistogramTellsWhatItGrewBy(t *testing.T) {
	total := func(count float64) *histogram.FloatHistogram {
		return &histogram.FloatHistogram{
			Schema: 0, Count: count, Sum: 3 * count, PositiveSpans: []histogram.Span{{Offset: 2, Length: 1}}, PositiveBuckets: []float64{count},
		}
	}
	var e entry
	if h := e.since(total(10)); h != nil {
		t.Errorf("the first total = %v; want nothing, since nobody knows when it began", h)
	}
	h := e.since(total(14))
	if h == nil || h.Count != 4 || h.Sum != 12 || h.Quantile(0.5) < 2 || h.Quantile(0.5) > 4.1 {
		t.Errorf("10, then 14 = %+v; want 4 of 2 to 4 with sum 12", h)
	}
	if h := e.since(total(3)); h == nil || h.Count != 3 {
		t.Errorf("a total that fell = %+v; want all 3 of it", h)
	}
}
