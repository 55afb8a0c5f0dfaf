package collectors

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
	"github.com/navcloud/binnacle/collectors/collectorstest/rabbitmqrig"
)

// realWatch watches a real cluster from the namespaces of its nodes, as an agent on each would.
type realWatch struct {
	mu    sync.Mutex
	state [rabbitmqrig.Size + 1]string
	view  [rabbitmqrig.Size + 1]string
	value [rabbitmqrig.Size + 1]map[string]float64
}

func watchReal(t *testing.T, c *rabbitmqrig.Cluster) *realWatch {
	t.Helper()
	w := &realWatch{}
	for n := 1; n <= rabbitmqrig.Size; n++ {
		opt := rabbitmqDefaults
		opt.User, opt.Password = "monitor", secret.New("monitor")
		opt.Name = fmt.Sprintf("rabbit@n%d", n)
		opt.Exchanges = []rabbitmqExchange{{Name: "nav.events", Consumers: 3}}
		col, err := newRabbitmq(Env{
			Options: opt, Root: t.TempDir(), Node: fmt.Sprintf("n%d", n), Dial: c.Dial(n), Now: time.Now,
			HTTP: &http.Transport{DialContext: c.Dial(n), MaxIdleConnsPerHost: 4}, Log: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		var wg sync.WaitGroup
		wg.Go(func() { _ = col.(Runner).Run(ctx) })
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

func (w *realWatch) note(n int, c Collector) {
	b := &metric.Batch{Time: time.Now()}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	var blind *BlindError
	if err := c.Collect(ctx, b); err != nil && !errors.As(err, &blind) {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.value[n], w.view[n] = map[string]float64{}, ""
	for _, s := range b.Samples {
		w.value[n][s.Desc.Name+s.Labels.With("cluster", "").String()] = s.Value
		switch {
		case s.Desc == rabbitmqStateDesc && s.Value == 1:
			w.state[n] = s.Labels.Get("state")
		case s.Desc == rabbitmqView && s.Value == 1:
			w.view[n] = strings.ReplaceAll(s.Labels.Get("side"), "rabbit@", "")
		}
	}
}

// until waits until what holds, and says how long it took since begin.
func (w *realWatch) until(t *testing.T, what string, begin time.Time, limit time.Duration, holds func() bool) {
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
	w.mu.Lock()
	defer w.mu.Unlock()
	t.Fatalf("%s: not within %s; states %v, views %v", what, limit, w.state[1:], w.view[1:])
}

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
	w.until(t, "healthy", time.Now(), time.Minute, func() bool {
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

// TestRealPause goes through all that takes a node away, with a short tick time.
func TestRealPause(t *testing.T) {
	c, w := realCluster(t, rabbitmqrig.Options{Handling: "pause_minority", Tick: 8 * time.Second})
	const suspected, running, paused = "partition_suspected", "running", "paused"
	all := w.is(running, running, running)

	begin := time.Now()
	must(t, c.Cut(2))
	w.until(t, "paused", begin, 50*time.Second, w.is(running, paused, running))
	begin = time.Now()
	must(t, c.Heal(2))
	w.until(t, "back from pause", begin, time.Minute, all)

	// A restart shows by counters that fall, so they must have grown since the one before: two within seconds of
	// each other count as one.
	const restarts, attempts = "rabbitmq_app_restarts_total{}", "rabbitmq_auth_attempts_total{}"
	begin = time.Now()
	w.until(t, "the pause is counted", begin, time.Minute, func() bool {
		return w.value[2][restarts] == 1 && w.value[1][attempts] > 20 && w.value[2][attempts] > 20
	})
	begin = time.Now()
	must(t, c.Drop(1, 2))
	w.until(t, "dropped once is counted", begin, 40*time.Second, func() bool {
		return w.value[1][restarts]+w.value[2][restarts] >= 2
	})
	w.until(t, "back from the drop", begin, time.Minute, all)

	begin = time.Now()
	must(t, c.CutPair(1, 2))
	w.until(t, "pair cut is suspected by both and not by the third", begin, 10*time.Second, w.is(suspected, suspected, running))
	begin = time.Now()
	must(t, c.HealPair(1, 2))
	w.until(t, "back from the pair cut", begin, 2*time.Minute, all)

	begin = time.Now()
	must(t, c.Signal(3, syscall.SIGSTOP))
	w.until(t, "frozen", begin, 20*time.Second, w.is("", "", "frozen"))
	begin = time.Now()
	must(t, c.Signal(3, syscall.SIGCONT))
	w.until(t, "thawed", begin, 2*time.Minute, all)

	begin = time.Now()
	must(t, c.Signal(3, syscall.SIGTERM))
	w.until(t, "down", begin, 40*time.Second, w.is(running, running, "down"))
	begin = time.Now()
	must(t, c.Boot(3))
	w.until(t, "started again", begin, 2*time.Minute, all)
	if w.value[3]["rabbitmq_vm_restarts_total{}"] < 1 {
		t.Error("the restart of the virtual machine is not counted")
	}
}
