package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/agent/secret"
	"github.com/navcloud/binnacle/collectors"
	"github.com/navcloud/binnacle/collectors/collectorstest/rabbitmqrig"
)

// realWatch watches a real cluster from the namespaces of its nodes, as an agent on each would.
type realWatch struct {
	cluster *rabbitmqrig.Cluster

	mu    sync.Mutex
	state [rabbitmqrig.Size + 1]string
	view  [rabbitmqrig.Size + 1]string
	value [rabbitmqrig.Size + 1]map[string]float64

	changed time.Time // a state, last
}

func watchReal(t *testing.T, c *rabbitmqrig.Cluster) *realWatch {
	t.Helper()
	w := &realWatch{cluster: c}
	for n := 1; n <= rabbitmqrig.Size; n++ {
		opt := defaultOptions
		opt.User, opt.Password = "monitor", secret.New("monitor")
		opt.Name = fmt.Sprintf("rabbit@n%d", n)
		opt.SlowEvery = 5 * time.Second
		opt.Exchanges = []exchangeOption{{Name: "nav.events", Consumers: 3}}
		col, err := newCollector(collectors.Env{
			Options: opt, Root: collectors.Root(t.TempDir()), Node: fmt.Sprintf("n%d", n), Dial: c.Dial(n), Now: time.Now,
			HTTP: &http.Transport{DialContext: c.Dial(n), MaxIdleConnsPerHost: 4}, Log: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		var wg sync.WaitGroup
		wg.Go(func() { _ = col.(collectors.Runner).Run(ctx) })
		wg.Go(func() {
			for ctx.Err() == nil {
				w.note(n, col)
				select {
				case <-time.After(500 * time.Millisecond):
				case <-ctx.Done():
				}
			}
		})
		t.Cleanup(func() {
			cancel()
			wg.Wait()
		})
	}
	return w
}

func (w *realWatch) note(n int, c collectors.Collector) {
	b := &metric.Batch{Time: time.Now()}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	var blind *collectors.BlindError
	if err := c.Collect(ctx, b); err != nil && !errors.As(err, &blind) {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.value[n], w.view[n] = map[string]float64{}, ""
	for _, s := range b.Samples {
		w.value[n][s.Desc.Name+s.Labels.With("cluster", "").String()] = s.Value
		switch {
		case s.Desc == descState && s.Value == 1:
			if is := s.Labels.Get("state"); is != w.state[n] {
				w.state[n], w.changed = is, time.Now()
			}
		case s.Desc == descView && s.Value == 1:
			w.view[n] = strings.ReplaceAll(s.Labels.Get("side"), "rabbit@", "")
		}
	}
}

// limit is how long any state may take to come: on a busy machine the brokers are ten times slower than on an idle one,
// and how long each took is in the log.
const limit = 5 * time.Minute

// until waits until what holds, and says how long it took since begin.
func (w *realWatch) until(t *testing.T, what string, begin time.Time, holds func() bool) {
	t.Helper()
	for time.Since(begin) < limit {
		w.mu.Lock()
		ok := holds()
		w.mu.Unlock()
		if ok {
			t.Logf("%s: %.1f s", what, time.Since(begin).Seconds())
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	for n := 1; n <= rabbitmqrig.Size; n++ {
		t.Logf("log of n%d:\n%s", n, w.cluster.Log(n, 40))
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	t.Fatalf("%s: not within %s; states %v, views %v, counters %v", what, limit, w.state[1:], w.view[1:], w.counters())
}

// counters are those that a restart shows in, of each node in turn.
func (w *realWatch) counters() []string {
	var out []string
	for n := 1; n <= rabbitmqrig.Size; n++ {
		out = append(out, fmt.Sprintf("n%d: restarts %g, attempts %g, machine up %g s", n,
			w.value[n][appRestarts], w.value[n][authAttempts], w.value[n]["rabbitmq_erlang_uptime_seconds{}"]))
	}
	return out
}

// again is how many restarts of the application were counted on these nodes.
func (w *realWatch) again(nodes ...int) float64 {
	sum := 0.0
	for _, n := range nodes {
		sum += w.value[n][appRestarts]
	}
	return sum
}

// restartsTold returns a check that no more restarts of the application were counted since than the brokers' logs tell of.
func restartsTold(t *testing.T, c *rabbitmqrig.Cluster) func(*realWatch) {
	t.Helper()
	starts := func(n int) float64 {
		v, err := c.Starts(n)
		must(t, err)
		return float64(v)
	}
	var before [rabbitmqrig.Size + 1]float64
	for n := 1; n <= rabbitmqrig.Size; n++ {
		before[n] = starts(n)
	}
	return func(w *realWatch) {
		for n := 1; n <= rabbitmqrig.Size; n++ {
			told := starts(n) - before[n]
			w.mu.Lock()
			if counted := w.again(n); counted > told {
				t.Errorf("n%d: %g restarts counted, its log tells of %g", n, counted, told)
			}
			w.mu.Unlock()
		}
	}
}

const (
	appRestarts, authAttempts = "rabbitmq_app_restarts_total{}", "rabbitmq_auth_attempts_total{}"
	vhostsDown                = "rabbitmq_vhosts_down{}"
)

// is says whether the nodes are in these states; "" is any.
func (w *realWatch) is(states ...string) func() bool {
	return func() bool {
		for i, s := range states {
			if s != "" && w.state[i+1] != s {
				return false
			}
		}
		return true
	}
}

func (w *realWatch) views(views ...string) func() bool {
	return func() bool {
		for i, v := range views {
			if w.view[i+1] != v {
				return false
			}
		}
		return true
	}
}

func realCluster(t *testing.T, o rabbitmqrig.Options) (*rabbitmqrig.Cluster, *realWatch) {
	t.Helper()
	if os.Getenv("BINNACLE_REAL") == "" {
		t.Skip("real brokers are started only where BINNACLE_REAL is set")
	}
	if err := rabbitmqrig.Available(); err != nil {
		t.Skip(err)
	}
	c, err := rabbitmqrig.Start(t.Context(), t.TempDir(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	w := watchReal(t, c)
	w.until(t, "healthy", time.Now(), func() bool {
		for n := 1; n <= rabbitmqrig.Size; n++ { // a second or two after the start nobody knows addresses yet
			up := 0.0
			for series, v := range w.value[n] {
				if strings.HasPrefix(series, "rabbitmq_peer_tcp_up{") {
					up += v
				}
			}
			if up != rabbitmqrig.Size-1 {
				return false
			}
		}
		return w.is("running", "running", "running")() && w.views("n1+n2+n3", "n1+n2+n3", "n1+n2+n3")()
	})
	return c, w
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// vhostStops stops a vhost of one node and starts it again: that node tells, its peer does not, and all run.
func vhostStops(t *testing.T, c *rabbitmqrig.Cluster, w *realWatch) {
	t.Helper()
	down := func(n1, n2 float64) func() bool {
		return func() bool {
			v1, told1 := w.value[1][vhostsDown]
			v2, told2 := w.value[2][vhostsDown]
			return told1 && told2 && v1 == n1 && v2 == n2 && w.is("running", "running", "running")()
		}
	}
	begin := time.Now()
	must(t, c.StopVHost(2, "binnacle"))
	w.until(t, "a vhost is down on one node", begin, down(0, 1))
	begin = time.Now()
	must(t, c.RestartVHost(2, "binnacle"))
	w.until(t, "the vhost runs again", begin, down(0, 0))
}

// TestRealPause goes through all that takes a node away, with a short tick time.
func TestRealPause(t *testing.T) {
	c, w := realCluster(t, rabbitmqrig.Options{Handling: "pause_minority", Tick: 8 * time.Second})
	const suspected, running, paused = "partition_suspected", "running", "paused"
	all := w.is(running, running, running)
	toldOf := restartsTold(t, c)

	begin := time.Now()
	must(t, c.Cut(2))
	w.until(t, "paused", begin, w.is(running, paused, running))
	begin = time.Now()
	must(t, c.Heal(2))
	w.until(t, "back from pause", begin, all)

	// A restart shows by counters that fall, so they must have grown since the one before: two within seconds of
	// each other count as one. A busy machine's brokers pause again after a heal, so their log says how often it was.
	begin = time.Now()
	w.until(t, "the pause is counted", begin, func() bool {
		return all() && w.again(2) >= 1 && w.value[1][authAttempts] > 20 && w.value[2][authAttempts] > 20
	})
	w.mu.Lock()
	before := w.again(1, 2)
	w.mu.Unlock()
	begin = time.Now()
	must(t, c.Drop(1, 2))
	w.until(t, "dropped once is counted", begin, func() bool { return w.again(1, 2) > before })
	w.until(t, "back from the drop", begin, all)
	w.until(t, "at rest", begin, func() bool { return all() && time.Since(w.changed) > 10*time.Second })
	toldOf(w)

	vhostStops(t, c, w)

	begin = time.Now()
	must(t, c.StopApp(3))
	w.until(t, "stopped by hand, with its peers there", begin, func() bool {
		return w.is("", "", paused)() && w.value[3][`rabbitmq_evidence{evidence="peers_reachable"}`] == 1
	})
	begin = time.Now()
	must(t, c.StartApp(3))
	w.until(t, "started by hand", begin, all)

	begin = time.Now()
	must(t, c.CutPair(1, 2))
	w.until(t, "pair cut is suspected by both and not by the third", begin, w.is(suspected, suspected, running))
	begin = time.Now()
	must(t, c.HealPair(1, 2))
	w.until(t, "back from the pair cut", begin, all)

	begin = time.Now()
	must(t, c.Signal(3, syscall.SIGSTOP))
	w.until(t, "frozen", begin, w.is("", "", "frozen"))
	begin = time.Now()
	must(t, c.Signal(3, syscall.SIGCONT))
	w.until(t, "thawed", begin, all)

	begin = time.Now()
	must(t, c.Signal(3, syscall.SIGTERM))
	w.until(t, "down", begin, w.is(running, running, "down"))
	begin = time.Now()
	must(t, c.Boot(3))
	w.until(t, "started again", begin, all)
	if w.value[3]["rabbitmq_vm_restarts_total{}"] < 1 {
		t.Error("the restart of the virtual machine is not counted")
	}
}
