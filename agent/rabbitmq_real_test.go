package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/agent/testport"
	"github.com/navcloud/binnacle/alerting/alertingtest"
	"github.com/navcloud/binnacle/collectors"
	"github.com/navcloud/binnacle/collectors/catalogue"
	"github.com/navcloud/binnacle/collectors/collectorstest/rabbitmqrig"
)

// realFleet is an agent that judges and pages, fed by the collector of each node of a real cluster, as by remote-write.
type realFleet struct {
	pd  *alertingtest.PagerDuty
	cfg Config
	now atomic.Pointer[Agent] // that runs; nil between two
	end func() error          // ends it

	units string         // folder of what a service manager would say of each node, and of what agents keep
	stop  map[int]func() // ends the agent that collects on a node

	mu    sync.Mutex
	state map[int]string
	side  map[int]string
	peers map[int]int                // that answer at their port
	mute  map[int]bool               // nodes whose agent says nothing
	trips map[int]int                // brokers whose messages of the active probe came
	sent  map[int]map[string]float64 // such messages by what became of them
}

func newRealFleet(t *testing.T, c *rabbitmqrig.Cluster, units string) *realFleet {
	t.Helper()
	f := &realFleet{
		pd: alertingtest.NewPagerDuty(), units: units, stop: map[int]func(){}, state: map[int]string{}, side: map[int]string{}, peers: map[int]int{}, trips: map[int]int{},
		mute: map[int]bool{}, sent: map[int]map[string]float64{},
	}
	cfg, err := ParseConfig("test.yaml", []byte(fmt.Sprintf(`
data: %s
listen: %s
collect: off
rules: {packs: [rabbitmq]}
route: {pagerduty: {routing_key: %s, events_url: '%s', api_url: '%s', token: t, from: a@example.org}}
`, t.TempDir(), testport.Free(t), alertingtest.RoutingKey, f.pd.URL(), f.pd.URL())))
	if err != nil {
		t.Fatal(err)
	}
	f.cfg = cfg
	f.run(t)
	for n := 1; n <= rabbitmqrig.Size; n++ {
		f.watch(t, c, n)
	}
	t.Cleanup(func() {
		for _, stop := range f.stop {
			stop()
		}
		if err := f.end(); err != nil {
			t.Error(err)
		}
		f.pd.Close()
	})
	return f
}

// watch lets an agent collect on a node, with what one before it kept there.
func (f *realFleet) watch(t *testing.T, c *rabbitmqrig.Cluster, n int) {
	t.Helper()
	col := realCollector(t, c, n, filepath.Join(f.units, fmt.Sprintf("n%d", n)), f.kept(n))
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { _ = col.(collectors.Runner).Run(ctx) })
	wg.Go(func() { f.feed(ctx, n, col) })
	f.stop[n] = func() { cancel(); wg.Wait() }
}

// kept is the folder of what the agent of a node keeps.
func (f *realFleet) kept(n int) string { return filepath.Join(f.units, fmt.Sprintf("kept%d", n)) }

// run starts an agent that judges and pages, on the data of the one before.
func (f *realFleet) run(t *testing.T) {
	t.Helper()
	a, err := New(f.cfg, Hooks{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	f.end = func() error { cancel(); return <-ended }
	f.now.Store(a)
}

// restart ends the agent in order and starts it again.
func (f *realFleet) restart(t *testing.T) {
	t.Helper()
	f.now.Store(nil)
	must(t, f.end())
	f.run(t)
}

func realCollector(t *testing.T, c *rabbitmqrig.Cluster, n int, unit, kept string) collectors.Collector {
	t.Helper()
	spec, ok := catalogue.Lookup("rabbitmq")
	if !ok {
		t.Fatal("no collector rabbitmq")
	}
	opt := reflect.New(reflect.TypeOf(spec.Options))
	opt.Elem().Set(reflect.ValueOf(spec.Options))
	config := fmt.Sprintf(`{user: monitor, password: monitor, name: rabbit@n%d, exchanges: [{name: nav.events, consumers: 3}],
  unit: [cat, '%s'], probe: {user: %s, password: %s, every: 2s}}`, n, unit, rabbitmqrig.Probe, rabbitmqrig.Probe)
	if err := yaml.Unmarshal([]byte(config), opt.Interface()); err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	for _, dir := range []string{"run/systemd/system", "proc/self", "proc/2"} { // the unit is asked; of processes nothing is seen
		must(t, os.MkdirAll(filepath.Join(root, dir), 0o700))
	}
	col, err := spec.New(collectors.Env{
		Options: opt.Elem().Interface(), Root: collectors.Root(root), State: kept, Node: fmt.Sprintf("n%d", n), Dial: c.Dial(n), Now: time.Now,
		HTTP: &http.Transport{DialContext: c.Dial(n), MaxIdleConnsPerHost: 4}, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	return col
}

// feed collects every 2 s into the agent's store, with the labels that an agent on the node puts on.
func (f *realFleet) feed(ctx context.Context, n int, col collectors.Collector) {
	for ctx.Err() == nil {
		b := &metric.Batch{Time: time.Now()}
		look, cancel := context.WithTimeout(ctx, 8*time.Second)
		var blind *collectors.BlindError
		err := col.Collect(look, b)
		cancel()
		if err == nil || errors.As(err, &blind) {
			f.take(ctx, n, b)
		}
		select {
		case <-time.After(2 * time.Second):
		case <-ctx.Done():
		}
	}
}

func (f *realFleet) take(ctx context.Context, n int, b *metric.Batch) {
	node, az := fmt.Sprintf("n%d", n), string(rune('a'+n-1))
	f.mu.Lock()
	if f.mute[n] {
		f.mu.Unlock()
		return
	}
	f.side[n], f.peers[n], f.trips[n], f.sent[n] = "", 0, 0, map[string]float64{}
	for i, s := range b.Samples {
		switch {
		case s.Desc.Name == "rabbitmq_state" && s.Value == 1:
			f.state[n] = s.Labels.Get("state")
		case s.Desc.Name == "rabbitmq_view" && s.Value == 1:
			f.side[n] = strings.ReplaceAll(s.Labels.Get("side"), "rabbit@", "")
		case s.Desc.Name == "rabbitmq_peer_tcp_up" && s.Value == 1:
			f.peers[n]++
		case s.Desc.Name == "rabbitmq_roundtrip_received_total" && s.Value > 0:
			f.trips[n]++
		case s.Desc.Name == "rabbitmq_roundtrip_published_total":
			f.sent[n][s.Labels.Get("result")] = s.Value
		}
		b.Samples[i].Labels = s.Labels.With("node", node).With("az", az)
	}
	f.mu.Unlock()
	a := f.now.Load()
	if a == nil {
		return
	}
	if main := a.store.get().main; main != nil { // once it has started
		_ = main.Append(ctx, "rabbitmq@"+node, b.Time, b.Samples) // it ends with the test
	}
}

// all says whether every node is in one state, on these sides.
func (f *realFleet) all(state string, sides ...string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for n := 1; n <= rabbitmqrig.Size; n++ {
		if f.state[n] != state || len(sides) > 0 && f.side[n] != sides[n-1] {
			return false
		}
	}
	return true
}

// seenBy says whether a node sees itself on a side.
func (f *realFleet) seenBy(n int, side string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.side[n] == side
}

// connected says whether every node reaches all the others, and messages of the active probe came from all.
func (f *realFleet) connected() bool {
	if !f.connectedPeers() {
		return false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for n := 1; n <= rabbitmqrig.Size; n++ {
		if f.trips[n] != rabbitmqrig.Size {
			return false
		}
	}
	return true
}

// connectedPeers says whether every node reaches all the others.
func (f *realFleet) connectedPeers() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for n := 1; n <= rabbitmqrig.Size; n++ {
		if f.peers[n] != rabbitmqrig.Size-1 {
			return false
		}
	}
	return true
}

// until waits until what holds, says how long that took since begin, and returns when it held.
func (f *realFleet) until(t *testing.T, what string, begin time.Time, limit time.Duration, holds func() bool) time.Time {
	t.Helper()
	for time.Since(begin) < limit {
		if holds() {
			t.Logf("%s: %.1f s", what, time.Since(begin).Seconds())
			return time.Now()
		}
		time.Sleep(100 * time.Millisecond)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	t.Fatalf("%s: not within %s; states %v, sides %v, peers %v, trips %v, sent %v, calls %+v",
		what, limit, f.state, f.side, f.peers, f.trips, f.sent, f.pd.Calls())
	return time.Time{}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// value is what a query yields now; 0 for nothing.
func (f *realFleet) value(t *testing.T, q string) float64 {
	t.Helper()
	main := f.now.Load().store.get().main
	query, err := main.Engine().NewInstantQuery(t.Context(), main.Queryable(), nil, q, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	defer query.Close()
	v, err := query.Exec(t.Context()).Vector()
	if err != nil {
		t.Fatal(err)
	}
	if len(v) == 0 {
		return 0
	}
	return v[0].F
}
