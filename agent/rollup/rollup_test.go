package rollup

import (
	"context"
	"encoding/json"
	"log/slog"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/agent/store"
)

var begin = time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC)

var (
	streams = &metric.Desc{Name: "navcloud_streams_open", Kind: metric.Gauge}
	opened  = &metric.Desc{Name: "navcloud_streams_opened", Kind: metric.Delta}
	latency = &metric.Desc{Name: "navcloud_fanout_latency", Kind: metric.Distribution, Unit: metric.Seconds}
	load    = &metric.Desc{Name: "host_load1", Kind: metric.Gauge}
	own     = &metric.Desc{Name: "binnacle_store_series", Kind: metric.Gauge}
)

func open(t *testing.T, interval time.Duration) *store.Store {
	t.Helper()
	s, err := store.Open(t.TempDir(), store.Options{Retention: 762 * 24 * time.Hour, RetentionSize: 1 << 30, Interval: interval, Log: slog.New(slog.DiscardHandler)})
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

// fill writes samples every ten seconds after from, up to to: as many streams as minutes since begin, one opened and one
// sent after 20 ms each time. The node b is gone after an hour.
func fill(t *testing.T, s *store.Store, from, to time.Time) {
	t.Helper()
	for at := from.Add(10 * time.Second); !at.After(to); at = at.Add(10 * time.Second) {
		b := &metric.Batch{Time: at}
		b.Add(streams, math.Floor(at.Sub(begin).Minutes()), "node", "a")
		b.Add(opened, 1, "node", "a")
		b.Add(load, 2, "node", "a")
		b.Add(own, 9)
		if !at.After(begin.Add(time.Hour)) {
			b.Add(load, 1, "node", "b")
		}
		h := &metric.Histogram{}
		h.Observe(0.02, 1)
		b.Samples = append(b.Samples, metric.Sample{Desc: latency, Time: at, Hist: h})
		if err := s.Append(t.Context(), "test", at, b.Samples); err != nil {
			t.Fatal(err)
		}
	}
}

func newRollup(from, to *store.Store, change func(*Config)) *Rollup {
	o := Options{Config: Default(), From: from, To: to, Now: func() time.Time { return begin.Add(3 * time.Hour) }, Log: slog.New(slog.DiscardHandler)}
	if change != nil {
		change(&o.Config)
	}
	return New(o)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// value is what a query gives at a time; NaN for nothing.
func value(t *testing.T, s *store.Store, query string, at time.Time) float64 {
	t.Helper()
	out, err := s.Instant(t.Context(), query, at)
	must(t, err)
	switch len(out) {
	case 0:
		return math.NaN()
	case 1:
		return out[0].Points[0].V
	}
	t.Fatalf("%s: %d series", query, len(out))
	return 0
}

func TestOldAndNewReadAlike(t *testing.T) {
	first, long := open(t, 10*time.Second), open(t, Every)
	fill(t, first, begin, begin.Add(3*time.Hour))
	r := newRollup(first, long, nil)
	must(t, r.copy(t.Context(), begin.Add(3*time.Hour)))
	if s := r.Stats(); s.LeftOut != 0 || s.Refused != 0 || !s.Until.Equal(begin.Add(3*time.Hour)) {
		t.Errorf("stats = %+v", s)
	}

	// The store as it is once the first two hours and a half are too old for it.
	now := open(t, 10*time.Second)
	fill(t, now, begin.Add(150*time.Minute), begin.Add(3*time.Hour))
	now.ReadOlder(long)
	end := begin.Add(3 * time.Hour)
	for _, c := range []struct {
		query string
		at    time.Time
		want  float64
	}{
		{`navcloud_streams_open`, begin.Add(61 * time.Minute), 60},                        // of the five minutes that ended
		{`navcloud_streams_open`, begin.Add(64*time.Minute + 59*time.Second), 60},         // the next comes a second later
		{`navcloud_streams_open`, begin.Add(170 * time.Minute), 170},                      // as fine as ever
		{`count_over_time(navcloud_streams_open[2h])`, begin.Add(2 * time.Hour), 24},      // one every five minutes
		{`count_over_time(navcloud_streams_open[20m])`, begin.Add(160 * time.Minute), 62}, // 2 old ones and 60: none twice
		{`count(navcloud_streams_open)`, begin.Add(160 * time.Minute), 1},                 // one series, of both
		{`increase(navcloud_streams_opened_total[1h])`, begin.Add(2 * time.Hour), 360},    // a counter
		{`histogram_count(rate(navcloud_fanout_latency_seconds[1h]))`, begin.Add(2 * time.Hour), 0.1},
		{`host_load1{node="b"}`, begin.Add(58 * time.Minute), 1},
		{`host_load1{node="b"}`, begin.Add(75 * time.Minute), math.NaN()},      // it ended
		{`count(binnacle_store_series)`, begin.Add(2 * time.Hour), math.NaN()}, // not chosen
		{`max_over_time(navcloud_streams_open[3h])`, end, 180},
	} {
		got := value(t, now, c.query, c.at)
		if math.IsNaN(c.want) != math.IsNaN(got) || math.Abs(got-c.want) > 0.02*math.Abs(c.want) {
			t.Errorf("%s at %s = %v, want %v", c.query, c.at.Format("15:04:05"), got, c.want)
		}
	}
	if got := value(t, now, `histogram_quantile(0.5, rate(navcloud_fanout_latency_seconds[1h]))`, begin.Add(2*time.Hour)); math.Abs(got-0.02) > 0.002 {
		t.Errorf("median of the past = %v, want 0.02", got)
	}
	// A chart from the old into the new has no gap.
	out, err := now.Range(t.Context(), `navcloud_streams_open`, begin.Add(10*time.Minute), end, time.Minute)
	must(t, err)
	if len(out) != 1 || len(out[0].Points) != 171 {
		t.Errorf("%d series with %d points, want 1 with 171", len(out), len(out[0].Points))
	}
}

func TestGoesOnWhereItEnded(t *testing.T) {
	from, long := open(t, 10*time.Second), open(t, Every)
	fill(t, from, begin, begin.Add(3*time.Hour))
	must(t, newRollup(from, long, nil).copy(t.Context(), begin.Add(95*time.Minute)))
	again := newRollup(from, long, nil) // the agent was started again
	if !again.stats.Until.After(begin.Add(94 * time.Minute)) {
		t.Errorf("goes on at %s", again.stats.Until)
	}
	again.stats.Until = again.stats.Until.Add(-10 * time.Minute) // as after a crash in between
	must(t, again.copy(t.Context(), begin.Add(3*time.Hour)))
	if s := again.Stats(); s.Refused != 0 {
		t.Errorf("stats = %+v", s)
	}
	if got := value(t, long, `count_over_time(navcloud_streams_open[3h])`, begin.Add(3*time.Hour)); got != 36 {
		t.Errorf("%v samples in three hours, want 36", got)
	}
}

func TestFirstSelectorsComeFirst(t *testing.T) {
	from, long := open(t, 10*time.Second), open(t, Every)
	fill(t, from, begin, begin.Add(20*time.Minute))
	r := newRollup(from, long, func(c *Config) { c.MaxSeries = 4 })
	must(t, r.copy(t.Context(), begin.Add(10*time.Minute)))
	must(t, r.copy(t.Context(), begin.Add(20*time.Minute)))
	if s := r.Stats(); s.Series != 4 || s.LeftOut != 1 {
		t.Errorf("stats = %+v, want 4 series and one left out", s)
	}
	if got := value(t, long, `count({__name__=~"navcloud_.+"})`, begin.Add(20*time.Minute)); got != 3 {
		t.Errorf("%v series of NavCloud, want 3", got)
	}
}

func TestAPlaceIsFreeAfterADay(t *testing.T) {
	from, long := open(t, 10*time.Second), open(t, Every)
	fill(t, from, begin, begin.Add(70*time.Minute))
	r := newRollup(from, long, func(c *Config) { c.MaxSeries = 1 })
	r.o.Config.Series = []string{`host_load1`}
	must(t, r.copy(t.Context(), begin.Add(time.Hour)))
	for hash := range r.seen {
		r.seen[hash] = begin.Add(-rest)
	}
	must(t, r.copy(t.Context(), begin.Add(70*time.Minute)))
	if len(r.seen) > 1 {
		t.Errorf("%d series are known, want one", len(r.seen))
	}
}

func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		from, long := open(t, 10*time.Second), open(t, Every)
		ctx, cancel := context.WithCancel(t.Context())
		begun := time.Now()
		r := newRollup(from, long, nil)
		r.o.Now = time.Now
		var wg sync.WaitGroup
		wg.Go(func() { must(t, r.Run(ctx)) })
		for range 60 {
			time.Sleep(time.Minute)
			b := &metric.Batch{Time: time.Now()}
			b.Add(streams, 7)
			must(t, from.Append(ctx, "test", b.Time, b.Samples))
		}
		time.Sleep(time.Second)
		cancel()
		wg.Wait()
		if got := r.Stats().Until; !got.Equal(begun.Add(50 * time.Minute)) {
			t.Errorf("copied until %s, want ten minutes before %s", got, time.Now())
		}
		if got := value(t, long, `count_over_time(navcloud_streams_open[1h])`, time.Now()); got != 10 {
			t.Errorf("%v samples, want 10", got)
		}
	})
}

func TestValidate(t *testing.T) {
	must(t, Default().Validate())
	for want, change := range map[string]func(*Config){
		"retention: 1h0m0s": func(c *Config) { c.Retention = time.Hour },
		"retention_size: 1": func(c *Config) { c.RetentionSize = 1 },
		"max_series: 0":     func(c *Config) { c.MaxSeries = 0 },
		"series: want":      func(c *Config) { c.Series = nil },
		`series: "sum(up)"`: func(c *Config) { c.Series = []string{"sum(up)"} },
	} {
		c := Default()
		change(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: have %v", want, err)
		}
	}
}

// BenchmarkCopy copies what 1,000 series sampled every ten seconds leave behind in an hour.
func BenchmarkCopy(b *testing.B) {
	o := store.Options{Retention: 24 * time.Hour, RetentionSize: 1 << 30, Log: slog.New(slog.DiscardHandler)}
	from, err := store.Open(b.TempDir(), o)
	if err != nil {
		b.Fatal(err)
	}
	for at := begin; at.Before(begin.Add(time.Hour)); at = at.Add(10 * time.Second) {
		batch := &metric.Batch{Time: at}
		for i := range 1000 {
			batch.Add(load, float64(i), "i", strconv.Itoa(i))
		}
		if err := from.Append(b.Context(), "x", at, batch.Samples); err != nil {
			b.Fatal(err)
		}
	}
	b.ResetTimer()
	for b.Loop() {
		long, err := store.Open(b.TempDir(), o)
		if err != nil {
			b.Fatal(err)
		}
		if err := newRollup(from, long, nil).copy(b.Context(), begin.Add(time.Hour)); err != nil {
			b.Fatal(err)
		}
		if err := long.Close(); err != nil {
			b.Fatal(err)
		}
	}
	if err := from.Close(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkSize reports what a kept sample costs on disk: sixty days of a hundred series, a fifth each of counters, seconds of
// a processor, bytes in pages, states that stand still, and what changes once in eight hours.
func BenchmarkSize(b *testing.B) {
	const series, days = 100, 60
	for b.Loop() {
		dir, rnd := b.TempDir(), rand.New(rand.NewPCG(1, 1))
		long, err := store.Open(dir, store.Options{Retention: 762 * 24 * time.Hour, RetentionSize: 1 << 30, Interval: Every, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			b.Fatal(err)
		}
		v := make([]float64, series)
		for at := begin; at.Before(begin.Add(days * 24 * time.Hour)); at = at.Add(Every) {
			batch := &metric.Batch{Time: at.Add(time.Duration(rnd.IntN(6)) * time.Millisecond)}
			for i := range v {
				v[i] = next(rnd, i%5, v[i])
				batch.Add(load, v[i], "i", strconv.Itoa(i))
			}
			if err := long.Append(b.Context(), "x", batch.Time, batch.Samples); err != nil {
				b.Fatal(err)
			}
		}
		if err := long.Close(); err != nil {
			b.Fatal(err)
		}
		bytes, samples := blocksIn(b, dir)
		b.ReportMetric(float64(bytes)/float64(samples), "B/sample")
	}
}

func next(rnd *rand.Rand, kind int, v float64) float64 {
	switch kind {
	case 0:
		return v + float64(rnd.IntN(1000))
	case 1:
		return math.Round((v+rnd.Float64()*300)*100) / 100
	case 2:
		return 4096 * float64(1_000_000+rnd.IntN(1000))
	case 3:
		return 1
	}
	return v + float64((99-rnd.IntN(100))/99)
}

// blocksIn is the size of the blocks in a database, and how many samples are in them.
func blocksIn(b *testing.B, dir string) (bytes, samples int64) {
	b.Helper()
	metas, err := filepath.Glob(filepath.Join(dir, "*", "meta.json"))
	if err != nil || len(metas) == 0 {
		b.Fatal("no block", err)
	}
	for _, path := range metas {
		text, err := os.ReadFile(path)
		if err != nil {
			b.Fatal(err)
		}
		var meta struct{ Stats struct{ NumSamples int64 } }
		if err := json.Unmarshal(text, &meta); err != nil {
			b.Fatal(err)
		}
		samples += meta.Stats.NumSamples
		err = filepath.WalkDir(filepath.Dir(path), func(_ string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			in, err := d.Info()
			if err == nil {
				bytes += in.Size()
			}
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	return bytes, samples
}
