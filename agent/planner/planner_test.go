package planner

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/navcloud/binnacle/agent/capacity"
	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/agent/store"
)

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

func open(t *testing.T, name string) *store.Store {
	t.Helper()
	s, err := store.Open(filepath.Join(t.TempDir(), name), store.Options{
		Retention: 100 * day, RetentionSize: 1 << 30, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return noon },
	})
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

var (
	descOpen = &metric.Desc{Name: "navcloud_streams_open"}
	descMost = &metric.Desc{Name: "navcloud_streams_limit"}
	descSize = &metric.Desc{Name: "host_filesystem_size_bytes"}
	descFree = &metric.Desc{Name: "host_filesystem_available_bytes"}
)

// fleet writes the last days of two nodes in two zones into s: their streams swing with the day, and the disk of one
// fills by 1 GB an hour, with 240 GB left at noon.
func fleet(t *testing.T, s *store.Store, days int) {
	t.Helper()
	for at := noon.Add(-time.Duration(days) * day); !at.After(noon); at = at.Add(Every) {
		b := &metric.Batch{Time: at}
		swing := 1 + 0.3*math.Sin(2*math.Pi*float64(at.Hour()*60+at.Minute())/1440)
		for _, n := range []string{"a", "b"} {
			b.Add(descOpen, 100*swing, "stack", "s", "az", n, "node", "nav-"+n)
			b.Add(descMost, 500, "stack", "s", "az", n, "node", "nav-"+n)
		}
		b.Add(descSize, 1000e9, "node", "nav-a", "mountpoint", "/")
		b.Add(descFree, 240e9+1e9*noon.Sub(at).Hours(), "node", "nav-a", "mountpoint", "/")
		if err := s.Append(t.Context(), "test", at, b.Samples); err != nil {
			t.Fatal(err)
		}
	}
}

func planned(t *testing.T, main *store.Store, cfg Config) (*Planner, *store.Store) {
	t.Helper()
	kept := open(t, "kept")
	return New(Options{
		Config: cfg, Main: main, Kept: kept, Now: func() time.Time { return noon }, Log: slog.New(slog.DiscardHandler),
		Publish: func(context.Context, *metric.Batch) {},
	}), kept
}

// look is what Run does at noon.
func look(t *testing.T, p *Planner, now time.Time) {
	t.Helper()
	readings, err := p.read(t.Context(), now)
	if err == nil {
		err = p.keep(t.Context(), now, readings)
	}
	if err == nil {
		err = p.assess(t.Context(), now, readings)
	}
	if err == nil {
		err = p.measure(t.Context(), now)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func answer(t *testing.T, p *Planner, pool string) capacity.Answer {
	t.Helper()
	for _, a := range p.Report().Answers {
		if a.Pool.Name == pool {
			return a
		}
	}
	t.Fatalf("no answer for the pool %s among %d", pool, len(p.Report().Answers))
	return capacity.Answer{}
}

func TestWhatTheStoreKnowsIsForecast(t *testing.T) {
	t.Parallel()
	main := open(t, "main")
	fleet(t, main, 4)
	cfg := Default()
	cfg.Limits = map[string]float64{"streams_per_node": 150}
	p, kept := planned(t, main, cfg)
	if err := p.backfill(t.Context()); err != nil {
		t.Fatal(err)
	}
	look(t, p, noon)

	b := answer(t, p, "balancer")
	if b.Lacks != "" || b.Limit != 500 || b.Use < 200 || b.Use > 202 || math.Abs(b.Peak-260) > 5 || b.Until.P10 != capacity.Never {
		t.Errorf("balancer: lacks %q, %v of %v, peak %v, %v; want 200 of 500, peak about 260, never", b.Lacks, b.Use, b.Limit, b.Peak, b.Until)
	}
	n := answer(t, p, "streams_per_node")
	if n.Limit != 300 || n.Buffer.ZoneLost >= 1 || n.Lost == "" || !n.Urgent() {
		t.Errorf("streams of nodes: limit %v, buffer %+v without %q; want 300 and no room without a zone", n.Limit, n.Buffer, n.Lost)
	}
	d := answer(t, p, "disk")
	if d.Until.P50 < 9*day || d.Until.P50 > 11*day || !d.Urgent() {
		t.Errorf("disk with 240 hours of room: %v", d.Until)
	}
	if d.Where() != "nav-a /" {
		t.Errorf("Where = %q", d.Where())
	}
	if got := p.Report().Scaling.Words; !strings.HasPrefix(got, "not enough history") {
		t.Errorf("Scaling = %q without latencies", got)
	}

	said, err := kept.Instant(t.Context(), `binnacle_capacity_forecast{pool="balancer", quantile="0.5"}`, noon)
	if err != nil || len(said) != 1 {
		t.Errorf("kept forecasts = %v, %v; want one", said, err)
	}
	// A day later what was said is held against what came.
	next := noon.Add(day)
	for at := noon.Add(Every); !at.After(next); at = at.Add(Every) {
		batch := &metric.Batch{Time: at}
		swing := 1 + 0.3*math.Sin(2*math.Pi*float64(at.Hour()*60+at.Minute())/1440)
		for _, n := range []string{"a", "b"} {
			batch.Add(descOpen, 100*swing, "stack", "s", "az", n, "node", "nav-"+n)
			batch.Add(descMost, 500, "stack", "s", "az", n, "node", "nav-"+n)
		}
		if err := main.Append(t.Context(), "test", at, batch.Samples); err != nil {
			t.Fatal(err)
		}
		readings, err := p.read(t.Context(), at)
		if err == nil {
			err = p.keep(t.Context(), at, readings)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	look(t, p, next)
	if b := answer(t, p, "balancer"); b.Asked != 1 || b.Held != 1 {
		t.Errorf("a day later %d of %d forecasts held; want 1 of 1: %+v", b.Held, b.Asked, b.History.Past[len(b.History.Past)-1])
	}
}

func TestSeriesForRules(t *testing.T) {
	t.Parallel()
	main := open(t, "main")
	fleet(t, main, 4)
	p, _ := planned(t, main, Default())
	if err := p.backfill(t.Context()); err != nil {
		t.Fatal(err)
	}
	look(t, p, noon)
	have := map[string]float64{}
	for _, s := range p.series(noon).Samples {
		have[s.Desc.Name+" "+s.Labels.Key()] = s.Value
	}
	find := func(name string, labels ...string) float64 {
		t.Helper()
		v, ok := have[name+" "+metric.L(labels...).Key()]
		if !ok {
			t.Errorf("no series %s%v", name, labels)
		}
		return v
	}
	if v := find("binnacle_runway_seconds", "pool", "disk", "node", "nav-a", "mountpoint", "/", "quantile", "0.1"); v <= 0 || v > 11*86400 {
		t.Errorf("runway = %v s; want up to 11 days", v)
	}
	if v := find("binnacle_capacity_lead_seconds", "pool", "disk", "node", "nav-a", "mountpoint", "/"); v != 14*86400 {
		t.Errorf("lead = %v", v)
	}
	find("binnacle_capacity_buffer", "pool", "balancer", "stack", "s", "when", "now")
	find("binnacle_forecast_value", "pool", "balancer", "stack", "s", "ahead", "1d", "quantile", "0.9")
	if _, ok := have["binnacle_runway_seconds "+metric.L("pool", "balancer", "stack", "s", "quantile", "0.1").Key()]; ok {
		t.Error("a runway is published for what is never full")
	}
}

func TestAPoolThatComesOrGoesIsNoticed(t *testing.T) {
	t.Parallel()
	main := open(t, "main")
	fleet(t, main, 1)
	p, _ := planned(t, main, Default())
	readings, err := p.read(t.Context(), noon)
	if err != nil {
		t.Fatal(err)
	}
	if p.refresh(noon, readings) {
		t.Error("new pools pass for known ones")
	}
	look(t, p, noon)
	if !p.refresh(noon, readings) {
		t.Error("the same pools pass for others")
	}
	for i := range readings {
		for j := range readings[i].readings {
			readings[i].readings[j].Limit *= 2
		}
	}
	p.refresh(noon, readings)
	p.undeclared(readings)
	if u := p.Report().Undeclared; len(u) != 1 || u[0] != "streams_per_node" {
		t.Errorf("undeclared = %v; want the streams of nodes, of which nobody said how many a node holds", u)
	}
	if a := answer(t, p, "balancer"); a.Limit != 1000 || a.Buffer.Now < 4.9 {
		t.Errorf("limit %v, buffer %v; want 1000 and nearly 5", a.Limit, a.Buffer.Now)
	}
	if p.refresh(noon, readings[:1]) {
		t.Error("a pool that is gone is not missed")
	}
}

func TestConfig(t *testing.T) {
	cfg := Default()
	if err := cfg.Validate(); err != nil {
		t.Errorf("defaults: %v", err)
	}
	bad := Config{LeadTime: time.Minute, History: day, Limits: map[string]float64{"balancr": 1, "disk": 0}}
	err := bad.Validate()
	for _, want := range []string{"lead_time: 1m0s is outside", "history: 24h0m0s is outside", `there is no pool "balancr"`, "disk: want a number above 0"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("faults = %v; want among them %q", err, want)
		}
	}
	err = errors.Join(PoolConfig{Use: "sum(", Kind: "demnd", LeadTime: -1}.faults()...)
	for _, want := range []string{"use: ", `kind: "demnd" is none of`, "lead_time: "} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("faults = %v; want among them %q", err, want)
		}
	}
	cfg.Pools = map[string]PoolConfig{"queue": {Use: "sum(x)", Limit: "1000"}, "balancer": {Use: "sum(y)", Limit: "max(z)"}}
	cfg.Limits = map[string]float64{"riak_operations": 5000}
	got := map[string]capacity.Pool{}
	for _, pool := range cfg.pools() {
		got[pool.Name] = pool
	}
	if w := cfg.Words(); !strings.Contains(w, "riak_operations") || !strings.HasSuffix(w, "without a limit until capacity.limits has one: streams_per_node, riak_processes, riak_keys") {
		t.Errorf("Words = %q", w)
	}
	if q := got["queue"]; q.Declared != 1000 || q.Limit != "" || q.Kind != capacity.Demand || q.Title != "queue" {
		t.Errorf("queue = %+v", q)
	}
	if got["balancer"].Use != "sum(y)" || got["riak_operations"].Declared != 5000 {
		t.Errorf("balancer, riak_operations = %+v, %+v", got["balancer"], got["riak_operations"])
	}
	for _, pool := range capacity.Pools() {
		for _, q := range []string{pool.Use, pool.Limit, pool.Nodes} {
			if _, err := store.Parser().ParseExpr(q); q != "" && err != nil {
				t.Errorf("pool %s: %v", pool.Name, err)
			}
		}
	}
}

func TestAQueryThatFailsHidesNoOtherPool(t *testing.T) {
	t.Parallel()
	main := open(t, "main")
	fleet(t, main, 1)
	cfg := Default()
	cfg.Pools = map[string]PoolConfig{"broken": {Use: "navcloud_streams_open * on (stack) navcloud_streams_limit", Limit: "1"}}
	p, _ := planned(t, main, cfg)
	readings, err := p.read(t.Context(), noon)
	if err == nil || !strings.HasPrefix(err.Error(), "pool broken: ") {
		t.Errorf("error = %v; want that of the pool", err)
	}
	p.note("reading", err)
	if err := p.assess(t.Context(), noon, readings); err != nil {
		t.Fatal(err)
	}
	p.note("forecast", nil)
	if r := p.Report(); len(r.Answers) != 2 || !strings.HasPrefix(r.Fault, "reading: pool broken: ") {
		t.Errorf("%d answers, fault %q; want balancer and disk, and the fault", len(r.Answers), r.Fault)
	}
	p.note("reading", nil)
	if f := p.Report().Fault; f != "" {
		t.Errorf("fault %q after it was over", f)
	}
}

func TestTheDaysAreKept(t *testing.T) {
	t.Parallel()
	main := open(t, "main")
	fleet(t, main, 3)
	p, kept := planned(t, main, Default())
	midnight := noon.Truncate(day)
	p.o.Now = func() time.Time { return midnight }
	if err := p.backfill(t.Context()); err != nil {
		t.Fatal(err)
	}
	readings, err := p.read(t.Context(), midnight)
	if err == nil {
		err = p.assess(t.Context(), midnight, readings)
	}
	if err != nil {
		t.Fatal(err)
	}
	got, err := kept.Instant(t.Context(), "binnacle_capacity_day", midnight)
	if err != nil || len(got) != 1 || math.Abs(got[0].Points[0].V-260) > 0.1 {
		t.Errorf("days kept = %v, %v; want 260 of the balancer, and none of the disk, which fills", got, err)
	}
	days := func(at time.Time) []float64 {
		t.Helper()
		h, err := p.history(t.Context(), readings[0].pool, readings[0].readings, at)
		if err != nil {
			t.Fatal(err)
		}
		return h[readings[0].readings[0].Key()].Days
	}
	if d := days(midnight.Add(day)); !(math.Abs(d[daysKept-2]-260) < 0.1 || math.Abs(d[daysKept-1]-260) < 0.1) {
		t.Errorf("days read = %v", d[daysKept-3:])
	}
}

// TestThePastGoesOn holds what is kept in memory against what is read anew.
func TestThePastGoesOn(t *testing.T) {
	t.Parallel()
	main := open(t, "main")
	fleet(t, main, 3)
	p, _ := planned(t, main, Default())
	if err := p.backfill(t.Context()); err != nil {
		t.Fatal(err)
	}
	readings, err := p.read(t.Context(), noon)
	if err != nil {
		t.Fatal(err)
	}
	f := readings[0]
	read := func(at time.Time) []float64 {
		t.Helper()
		h, err := p.history(t.Context(), f.pool, f.readings, at)
		if err != nil {
			t.Fatal(err)
		}
		return h[f.readings[0].Key()].Hours
	}
	read(noon.Add(-20 * hour))
	read(noon.Add(-17 * hour))
	grown := read(noon)
	delete(p.past, f.pool.Name)
	fresh := read(noon)
	for i := range fresh {
		if fresh[i] != grown[i] && !(math.IsNaN(fresh[i]) && math.IsNaN(grown[i])) {
			t.Fatalf("hour %d: %v in memory, %v anew", i, grown[i], fresh[i])
		}
	}
	if math.IsNaN(fresh[hoursKept-70]) {
		t.Error("nothing was read of three days ago")
	}
}

// TestStreamsThatMove holds the use of a pool to what all zones had at once: two hundred streams that went from one zone to another within
// five minutes are two hundred.
func TestStreamsThatMove(t *testing.T) {
	t.Parallel()
	main := open(t, "main")
	for i, use := range [][2]float64{{200, 200}, {200, 200}, {400, 0}, {400, 0}} {
		b := &metric.Batch{Time: noon.Add(time.Duration(i-3) * time.Minute)}
		for z, n := range []string{"a", "b"} {
			b.Add(descOpen, use[z], "stack", "s", "az", n, "node", "nav-"+n)
			b.Add(descMost, 500, "stack", "s", "az", n, "node", "nav-"+n)
		}
		if err := main.Append(t.Context(), "test", b.Time, b.Samples); err != nil {
			t.Fatal(err)
		}
	}
	p, _ := planned(t, main, Default())
	all, err := p.read(t.Context(), noon)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range all {
		if f.pool.Name == "balancer" && (len(f.readings) != 1 || f.readings[0].Use() != 400 || f.readings[0].Zones[0].Use != 400) {
			t.Errorf("the balancer's reading is %+v, want 400, all in zone a", f.readings)
		}
	}
}
