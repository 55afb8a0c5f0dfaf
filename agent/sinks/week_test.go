package sinks_test

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/tsdb/chunkenc"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/agent/secret"
	registry "github.com/navcloud/binnacle/agent/series"
	"github.com/navcloud/binnacle/agent/sinks"
	"github.com/navcloud/binnacle/agent/sinks/sinkstest"
	"github.com/navcloud/binnacle/agent/store"
	"github.com/navcloud/binnacle/collectors/statsd"
)

// seeds is how many weeks are lived through.
const seeds = 200

// TestAWeekAddsUpEverywhere lives through weeks of random silence, reloads, restarts, crashes, clashing names, and packets
// out of order. At every destination the increases add up to what was sent, less what was counted as lost.
func TestAWeekAddsUpEverywhere(t *testing.T) {
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	n := seeds
	if testing.Short() || raceEnabled { // .ci/test lives through all of them without the race detector, which makes them ten times as long
		n = 10
	}
	for seed := range n {
		w := newWeek(t, uint64(seed))
		for end := w.now.Add(7 * 24 * time.Hour); w.now.Before(end); {
			w.step()
		}
		w.end()
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// week is an agent's path of figures without its clock.
type week struct {
	*rand.Rand
	t      *testing.T
	now    time.Time
	dir    string
	base   metric.Labels
	reg    *registry.Registry
	store  *store.Store
	queues []*sinks.Queue
	window *statsd.Window

	write *sinkstest.RemoteWrite
	otlp  *sinkstest.OTLP
	cloud *sinkstest.CloudWatch

	newest  time.Time
	back    bool                // in this week the clock steps back, and no counter is read: what it held up then is a matter of luck
	turns   bool                // or names change their kind
	crashes bool                // in this week
	reading float64             // of a counter that a collector reads
	taken   map[string]*reading // by the labels of the node: the newest that was taken
	open    map[string]float64  // what the open window holds, by name
	sent    map[string]float64  // what destinations of totals should have, by name
	added   map[string]float64  // what CloudWatch should have
}

func newWeek(t *testing.T, seed uint64) *week {
	w := &week{
		Rand: rand.New(rand.NewPCG(seed, 7)), t: t, dir: t.TempDir(), base: metric.L("node", "a"),
		now:   time.Now().Add(-11 * 24 * time.Hour).Truncate(time.Minute),
		write: sinkstest.NewRemoteWrite(), otlp: sinkstest.NewOTLP(), cloud: sinkstest.NewCloudWatch(),
		open: map[string]float64{}, sent: map[string]float64{}, added: map[string]float64{}, reading: 1000, taken: map[string]*reading{},
	}
	w.crashes, w.turns = w.IntN(2) == 0, w.IntN(2) == 0
	w.back = !w.turns && w.IntN(2) == 0
	w.store = must(store.Open(filepath.Join(w.dir, "store"), store.Options{
		Retention: 30 * 24 * time.Hour, RetentionSize: 1 << 30, Log: slog.New(slog.DiscardHandler),
	}))
	w.start()
	return w
}

// start is what a process does before it collects.
func (w *week) start() {
	if w.now.After(w.newest) {
		w.newest = w.now
	}
	w.reg = registry.New(registry.Options{Begun: w.now})
	if err := w.reg.Load(filepath.Join(w.dir, "totals")); err != nil {
		w.t.Error(err)
	}
	w.window = statsd.NewWindow(statsd.Options{MaxSeries: 1000, Keep: time.Minute, Expire: 10 * time.Minute}, 1)
	w.queues = nil
	open := func(name string, o any, fake interface{ URL() string }) {
		spec, _ := sinks.Lookup(name)
		e := sinks.Env{Node: "a", Log: slog.New(slog.DiscardHandler)}
		switch f := fake.(type) {
		case *sinkstest.CloudWatch:
			e.HTTP = f.Transport()
		case *sinkstest.RemoteWrite:
			e.HTTP = f.Transport()
		case *sinkstest.OTLP:
			e.HTTP = f.Transport()
		}
		w.queues = append(w.queues, must(spec.Open(o, spec.Common, e)))
	}
	open("remote_write", sinks.RemoteWrite{HTTPOptions: sinks.HTTPOptions{URL: "http://x.test"}}, w.write)
	open("otlp", sinks.OTLP{HTTPOptions: sinks.HTTPOptions{URL: "http://x.test"}}, w.otlp)
	c := sinks.DefaultCloudWatch()
	c.Region, c.Endpoint, c.AccessKeyID, c.SecretAccessKey = "eu-west-1", "http://x.test", "x", secret.New("y")
	open("cloudwatch", c, w.cloud)
}

// pool are lines with the name that each adds to, and how much.
var pool = []struct {
	line, name string
	adds       float64
}{
	{"a.c:10|c", "a_c", 10},
	{"a_c:1|c", "a_c", 1},
	{"a-c:3|c|@0.5|#k:v", "a_c", 6},
	{"a_c:1|c|#k:v", "a_c", 1},
	{"rare:100|c", "rare", 100},
	{"m:1:2:3|c", "m", 6},
	{"neg:5|c", "neg", 5},
	{"neg:-1|c", "neg", -1}, // refused
	{"job:1|h", "job", 1},
	{"task:7|c", "task", 7},
	{"lat:320|ms", "lat_seconds", 1},
	{"lat_seconds:0.2|h|@0.25", "lat_seconds", 4},
	{"cd:2|c|#my-tag:a,my_tag:b", "cd", 2},
	{"x:1|h|#quantile:foo", "x", 1},
	{"task_total:5|c", "task", 5},
	{"disk.reads:3|c", "disk_reads", 3},
	{"u:a|s", "", 0},
	{"u:4|g", "", 0},
}

func (w *week) send() {
	p := pool[w.IntN(len(pool))]
	line := p.line
	if w.crashes && p.name == "disk_reads" {
		return // who had the name before a crash, nobody knows after it
	}
	if strings.Contains(line, "|c") && w.IntN(4) == 0 { // late, or ahead
		line += fmt.Sprintf("|T%d", w.now.Add(time.Duration(w.IntN(5400)-3600)*time.Second).Unix())
	}
	before := w.window.Counts().Aggregated
	w.window.Table(0).Packet(w.now.UnixNano(), []byte(line), statsd.Dialect{})
	if w.window.Counts().Aggregated > before {
		w.open[p.name] += p.adds
	}
}

func (w *week) step() {
	for range w.IntN(8) {
		w.send()
	}
	switch gap := w.IntN(20); {
	case gap == 0: // silence, of the machine itself
		w.now = w.now.Add(time.Duration(w.IntN(60)) * time.Hour)
	case gap == 1 && w.back: // its clock steps back
		w.now = w.now.Add(-time.Duration(w.IntN(30)) * time.Second)
	case gap == 2:
		w.quiet(w.IntN(40))
	default:
		w.now = w.now.Add(10 * time.Second)
	}
	w.collect()
	switch w.IntN(40) {
	case 0, 1: // reload
		w.window = statsd.NewWindow(statsd.Options{MaxSeries: 1000, Keep: time.Minute, Expire: 10 * time.Minute}, 1)
	case 2: // reload under another label
		w.base = metric.L("node", "a", "az", []string{"", "x"}[w.IntN(2)])
	case 3, 4: // restart
		if w.back { // what its step held up comes out before
			w.now = w.newest.Add(10 * time.Second)
			w.collect()
		}
		w.stop()
		if err := w.reg.Save(filepath.Join(w.dir, "totals")); err != nil {
			w.t.Error(err)
		}
		w.now = w.now.Add(time.Duration(1+w.IntN(1000)) * time.Second)
		w.start()
	case 5: // crash: the open window is gone
		if !w.crashes {
			return
		}
		w.now = w.newest.Add(10 * time.Second)
		w.collect()
		w.send()
		clear(w.open)
		w.stop()
		for _, r := range w.taken {
			r.forgotten = true
		}
		w.now = w.now.Add(time.Duration(1+w.IntN(10)) * time.Second)
		w.start()
	}
}

// quiet is n minutes with a collection each in which no client sends.
func (w *week) quiet(n int) {
	for range n {
		w.now = w.now.Add(time.Minute)
		w.collect()
	}
}

func (w *week) collect() {
	if w.now.After(w.newest) {
		w.newest = w.now
	}
	b := &metric.Batch{Time: w.now}
	w.window.Close(b)
	before := w.named()
	w.take(w.reg.Resolve("statsd", w.now, w.base, b.Samples))
	for name, n := range w.named() {
		if n > before[name] {
			delete(w.open, strings.TrimSuffix(name, "_total"))
		}
	}
	for name, v := range w.open {
		w.sent[name] += v
		w.added[name] += v
	}
	clear(w.open)
	if w.IntN(3) > 0 {
		w.read()
	}
}

// named is how many samples each name has lost for the sake of another.
func (w *week) named() map[string]float64 {
	out := map[string]float64{}
	for _, l := range w.reg.Stats().Named {
		if l.Reason != "gap" {
			out[l.Name] += l.Count
		}
	}
	return out
}

var diskReads = &metric.Desc{Name: "disk_reads_total", Kind: metric.Counter}

type reading struct {
	v         float64
	at        time.Time
	forgotten bool // by the registry, in a crash
}

// read is the collection of a counter that is a total already. The first reading is no increase; one that CloudWatch
// cannot compare, since there was a crash or a long silence, is none there.
func (w *week) read() {
	if w.back {
		return
	}
	was := w.taken[w.base.String()]
	switch n := w.IntN(12); {
	case was != nil && was.forgotten:
		w.reading += float64(w.IntN(100)) // nobody could tell anything else from an increase
	case n == 0:
		w.reading *= 1 - 1e-10 // a dip
	case n == 1:
		w.reading = float64(w.IntN(5)) // it began anew
	default:
		w.reading += float64(w.IntN(100))
	}
	lost := w.named()["disk_reads_total"]
	w.take(w.reg.Resolve("disk", w.now, w.base, []metric.Sample{{Desc: diskReads, Time: w.now, Value: w.reading}}))
	switch {
	case w.named()["disk_reads_total"] > lost:
		return
	case was == nil:
		w.taken[w.base.String()] = &reading{v: w.reading, at: w.now}
		return
	case !w.now.After(was.at) && !was.forgotten:
		return
	}
	add := w.reading - was.v
	switch {
	case add >= 0:
	case -add <= 1e-9*was.v:
		add, w.reading = 0, was.v
	default:
		add = w.reading
	}
	w.sent["disk_reads"] += add
	if !was.forgotten && w.now.Sub(was.at) <= time.Hour {
		w.added["disk_reads"] += add
	}
	*was = reading{v: w.reading, at: w.now}
}

func (w *week) take(u registry.Update) {
	if err := w.store.Write(context.Background(), u); err != nil {
		w.t.Error(err)
	}
	for _, q := range w.queues {
		q.Put(u)
	}
}

// stop delivers all that is held.
func (w *week) stop() {
	for _, q := range w.queues {
		if err := q.Drain(context.Background()); err != nil {
			w.t.Error(err)
		}
		for reason, n := range q.Stats().Dropped {
			if n > 0 {
				w.t.Errorf("%s dropped %v %s", q.Stats().Name, n, reason)
			}
		}
	}
}

// point is a total at a time.
type point struct {
	at int64
	v  float64
}

// increase is what PromQL's increase adds up, before it extrapolates.
func increase(ps []point) (sum float64) {
	slices.SortStableFunc(ps, func(a, b point) int { return int(a.at - b.at) })
	for i := 1; i < len(ps); i++ {
		if ps[i].v < ps[i-1].v {
			sum += ps[i].v
		} else {
			sum += ps[i].v - ps[i-1].v
		}
	}
	return sum
}

func (w *week) end() {
	for range 2 { // what a clock's step back holds up comes out
		w.now = w.newest.Add(time.Minute)
		w.collect()
		w.now = w.newest.Add(time.Second)
		w.read()
	}
	w.stop()
	inStore := w.inStore()
	w.same("store", sums(inStore), w.sent)
	remote, otlp := map[string][]point{}, map[string][]point{}
	for _, s := range w.write.Samples() {
		if !s.Histogram && !strings.HasSuffix(s.Name(), "_total") {
			continue
		}
		v := s.Value
		if s.Histogram {
			v = s.Count
		}
		remote[fmt.Sprint(s.Labels)] = append(remote[fmt.Sprint(s.Labels)], point{s.Time, v})
	}
	w.same("remote-write", sums(remote), w.sent)
	for _, p := range w.otlp.Points() {
		v := p.Value
		if p.Kind == "gauge" {
			continue
		}
		if p.Kind == "histogram" {
			v = float64(p.Count)
		}
		key := fmt.Sprint("map[__name__:", p.Name, " unit:", p.Unit, p.Attributes)
		otlp[key] = append(otlp[key], point{int64(p.Time / 1e6), v})
	}
	w.same("OTLP", sums(otlp), w.sent)
	cloud := map[string]float64{}
	for _, d := range w.cloud.Datums() {
		n := d.Value
		switch {
		case len(d.Counts) > 0:
			n = 0
			for _, c := range d.Counts {
				n += c
			}
		case d.Stats != nil: // a gauge
			continue
		}
		cloud[group(d.Name, d.Unit == "Seconds")] += n
	}
	w.same("CloudWatch", cloud, w.added)
	w.exposed(inStore) // increase has sorted it
	if err := w.store.Close(); err != nil {
		w.t.Error(err)
	}
}

// group is the name under which all spellings of a metric are compared.
func group(name string, seconds bool) string {
	name = strings.TrimSuffix(metric.Sanitize(name), "_total")
	if seconds && !strings.HasSuffix(name, "_seconds") {
		name += "_seconds"
	}
	return name
}

func sums(by map[string][]point) map[string]float64 {
	out := map[string]float64{}
	for key, ps := range by {
		_, name, _ := strings.Cut(key, "__name__:")
		name, _, _ = strings.Cut(name, " ")
		out[group(strings.TrimSuffix(name, "]"), strings.Contains(key, "unit:s"))] += increase(ps)
	}
	return out
}

func (w *week) same(where string, got, want map[string]float64) {
	for name, v := range want {
		if name != "" && math.Abs(got[name]-v) > 1e-6*v+1e-6 {
			w.t.Errorf("%s: %s increased by %v in all; want %v", where, name, got[name], v)
		}
	}
}

func (w *week) inStore() map[string][]point {
	q := must(w.store.Queryable().Querier(0, math.MaxInt64))
	defer q.Close()
	out := map[string][]point{}
	set := q.Select(context.Background(), false, nil, labels.MustNewMatcher(labels.MatchRegexp, "__name__", ".+"))
	var it chunkenc.Iterator
	for set.Next() {
		key := fmt.Sprint(set.At().Labels().Map())
		it = set.At().Iterator(it)
		for kind := it.Next(); kind != chunkenc.ValNone; kind = it.Next() {
			at, v := int64(0), 0.0
			if kind == chunkenc.ValFloat {
				at, v = it.At()
			} else {
				t, fh := it.AtFloatHistogram(nil)
				at, v = t, fh.Count
				if value.IsStaleNaN(fh.Sum) {
					continue
				}
			}
			if !value.IsStaleNaN(v) && (kind != chunkenc.ValFloat || strings.HasSuffix(set.At().Labels().Get("__name__"), "_total")) {
				out[key] = append(out[key], point{at, v})
			}
		}
	}
	return out
}

// exposed holds what /metrics reads against the newest in the store.
func (w *week) exposed(inStore map[string][]point) {
	for _, p := range w.reg.Latest(w.now.Add(-5 * time.Minute)) {
		if p.Form != registry.Total {
			continue
		}
		key, v := p.Labels.With("__name__", p.Name).Map(), p.Value
		if p.Hist != nil {
			v = p.Hist.Count
		}
		ps := inStore[fmt.Sprint(key)]
		if len(ps) == 0 || ps[len(ps)-1].v != v {
			w.t.Errorf("/metrics has %v for %v; the store %v", v, key, ps[max(len(ps)-1, 0):])
		}
	}
}
