package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/agent/secret"
	"github.com/navcloud/binnacle/collectors"
	"github.com/navcloud/binnacle/collectors/collectorstest"
	"github.com/navcloud/binnacle/collectors/collectorstest/fixture"
)

// watch is an agent's collector on each of the three nodes of a stand-in.
type watch struct {
	s    *collectorstest.RabbitMQ
	node map[string]collectors.Collector
	seen map[string]map[string]float64 // node: series: value, as last collected
}

// watchRabbitmq starts the collectors; they end with the test.
func watchRabbitmq(t *testing.T, s *collectorstest.RabbitMQ) *watch {
	t.Helper()
	w := &watch{s, map[string]collectors.Collector{}, map[string]map[string]float64{}}
	for _, node := range collectorstest.Nodes {
		opt := defaultOptions
		if err := yaml.Unmarshal([]byte(s.Config(node)), &opt); err != nil {
			t.Fatal(err)
		}
		c, err := newCollector(collectors.Env{
			Options: opt, Root: collectors.Root(t.TempDir()), Node: node, HTTP: s.Transport(), Dial: s.Dial, Now: time.Now,
			Log: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		w.node[node] = c
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			_ = c.(collectors.Runner).Run(ctx)
			close(ended)
		}()
		t.Cleanup(func() {
			cancel()
			<-ended
		})
	}
	return w
}

// collect collects from all nodes every 2 s for d, and keeps what came last.
func (w *watch) collect(t *testing.T, d time.Duration) {
	t.Helper()
	for end := time.Now().Add(d); ; time.Sleep(2 * time.Second) {
		for node, c := range w.node {
			b := &metric.Batch{Time: time.Now()}
			var blind *collectors.BlindError
			if err := c.Collect(t.Context(), b); err != nil && !errors.As(err, &blind) {
				t.Fatalf("%s: %v", node, err)
			}
			w.seen[node] = map[string]float64{}
			for _, x := range b.Samples {
				w.seen[node][x.Desc.Name+x.Labels.String()] = x.Value
			}
		}
		if !time.Now().Before(end) {
			return
		}
	}
}

// state is the one that a node is said to be in.
func (w *watch) state(t *testing.T, node string) string {
	t.Helper()
	var in []string
	for _, st := range nodeStates {
		if w.seen[node][fmt.Sprintf(`rabbitmq_state{cluster="%s",state="%s"}`, w.cluster(node), st)] == 1 {
			in = append(in, string(st))
		}
	}
	if len(in) != 1 {
		t.Fatalf("%s is in states %v, want one", node, in)
	}
	return in[0]
}

func (w *watch) cluster(node string) string {
	if _, ok := w.seen[node][`rabbitmq_up{cluster="nav-rig"}`]; ok {
		return "nav-rig"
	}
	return "rabbitmq"
}

// untilState returns how long it takes until node is in a state, at most limit.
func (w *watch) untilState(t *testing.T, node, state string, limit time.Duration) time.Duration {
	t.Helper()
	begin := time.Now()
	for time.Since(begin) <= limit {
		w.collect(t, 0)
		if w.state(t, node) == state {
			return time.Since(begin)
		}
		time.Sleep(500 * time.Millisecond)
	}
	t.Fatalf("%s is %s after %s, want %s", node, w.state(t, node), limit, state)
	return 0
}

func playRabbitmq(t *testing.T, play func(t *testing.T, w *watch)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := collectorstest.NewRabbitMQInProcess()
		w := watchRabbitmq(t, s)
		w.collect(t, time.Minute)
		for node := range w.node {
			if got := w.state(t, node); got != "running" {
				t.Fatalf("healthy: %s is %s", node, got)
			}
		}
		play(t, w)
	})
}

func TestRabbitmqCutIsSuspectedOnEveryNodeWithinTenSeconds(t *testing.T) {
	playRabbitmq(t, func(t *testing.T, w *watch) {
		w.s.Play("partition-cut-unnoticed")
		cut := time.Now()
		for node := range w.node {
			w.untilState(t, node, "partition_suspected", 10*time.Second-time.Since(cut))
		}
		w.collect(t, 20*time.Second)
		if _, ok := w.seen["n1"][`rabbitmq_view{cluster="nav-rig",side="rabbit@n1+rabbit@n2+rabbit@n3"}`]; !ok {
			t.Error("the view of before is not told as over")
		}
		for series, v := range w.seen["n1"] {
			if strings.HasPrefix(series, "rabbitmq_view{") && v != 0 || strings.HasPrefix(series, "rabbitmq_peer_running{") {
				t.Errorf("%s %g is told while nobody knows", series, v)
			}
		}
		in := w.seen["n1"][`rabbitmq_peer_declared_down_in_seconds{broker="rabbit@n1",cluster="nav-rig",peer="rabbit@n2"}`]
		if in <= 0 || in >= 60 {
			t.Errorf("peer is declared down in %g s, want within the tick time of 60 s", in)
		}
	})
}

func TestRabbitmqSplitIsToldWithBothSides(t *testing.T) {
	for _, situation := range []string{"partition-ignore-cut-noticed", "partition-ignore-healed"} {
		playRabbitmq(t, func(t *testing.T, w *watch) {
			w.s.Play("partition-cut-unnoticed")
			w.collect(t, 30*time.Second)
			w.s.Play(situation)
			w.collect(t, 10*time.Second)
			for node, side := range map[string]string{"n1": "rabbit@n1+rabbit@n3", "n2": "rabbit@n2", "n3": "rabbit@n1+rabbit@n3"} {
				if w.seen[node][`rabbitmq_view{cluster="nav-rig",side="`+side+`"}`] != 1 {
					t.Errorf("%s: %s does not see itself on the side %s", situation, node, side)
				}
				if got := w.state(t, node); got != "running" {
					t.Errorf("%s: %s is %s; the brokers know by now", situation, node, got)
				}
			}
			w.s.Play("healthy")
			w.collect(t, 20*time.Second)
			if w.seen["n2"][`rabbitmq_view{cluster="nav-rig",side="rabbit@n1+rabbit@n2+rabbit@n3"}`] != 1 {
				t.Error("after healing n2 does not see all three")
			}
		})
	}
}

func TestRabbitmqTellsDeathsApart(t *testing.T) {
	for situation, want := range map[string]string{
		"paused-minority-during": "paused", "frozen-node": "frozen", collectorstest.Down: "down",
	} {
		playRabbitmq(t, func(t *testing.T, w *watch) {
			w.s.Play(situation)
			took := w.untilState(t, "n2", want, 20*time.Second)
			t.Logf("%s after %s", want, took)
			w.collect(t, 30*time.Second)
			if got := w.state(t, "n2"); got != want {
				t.Errorf("%s: n2 went on to %s", situation, got)
			}
			for _, gone := range []string{`rabbitmq_alarm{cluster="nav-rig",resource="memory"}`, `rabbitmq_connections{cluster="nav-rig"}`} {
				if v, ok := w.seen["n2"][gone]; ok {
					t.Errorf("%s: %s is still told as %g", situation, gone, v)
				}
			}
		})
	}
}

func TestRabbitmqCountsRestartsThatNobodySaw(t *testing.T) {
	playRabbitmq(t, func(t *testing.T, w *watch) {
		w.s.Play("blip-one-link-after-20s")
		w.collect(t, 20*time.Second)
		for node, want := range map[string]float64{"n1": 1, "n2": 1, "n3": 0} {
			if got := w.seen[node][`rabbitmq_app_restarts_total{cluster="nav-rig"}`]; got != want {
				t.Errorf("%s: %g restarts of the application, want %g", node, got, want)
			}
			if got := w.seen[node][`rabbitmq_vm_restarts_total{cluster="nav-rig"}`]; got != 0 {
				t.Errorf("%s: %g restarts of the virtual machine, want none", node, got)
			}
		}
	})
}

func TestRabbitmqHealthyStaysQuiet(t *testing.T) {
	playRabbitmq(t, func(t *testing.T, w *watch) {
		for range 10 {
			w.collect(t, time.Minute)
			for node := range w.node {
				if got := w.state(t, node); got != "running" {
					t.Fatalf("%s is %s", node, got)
				}
				if w.seen[node][`rabbitmq_app_restarts_total{cluster="nav-rig"}`] != 0 {
					t.Fatalf("%s: a restart that was none", node)
				}
			}
		}
		for _, side := range []string{"in", "out"} {
			if _, ok := w.seen["n1"][`rabbitmq_exchange_published_`+side+`_total{cluster="nav-rig",exchange="nav.events"}`]; !ok {
				t.Errorf("no events %s of nav.events", side)
			}
		}
		if _, ok := w.seen["n2"][`rabbitmq_exchange_bindings{cluster="nav-rig",exchange="nav.events"}`]; ok {
			t.Error("n2 accounts for the exchange too: one node of each side should")
		}
	})
}

func TestJudgeRabbitmq(t *testing.T) {
	up := stateFacts{plugin: answerOK, alarms: answerOK}
	with := func(change func(*stateFacts)) stateFacts {
		f := up
		change(&f)
		return f
	}
	mute := func(p processSeen, ports map[string]answer) stateFacts {
		return stateFacts{plugin: answerRefused, alarms: answerRefused, process: p, ports: ports}
	}
	there := processSeen{known: true, there: true, age: time.Hour}
	for name, c := range map[string]struct {
		facts stateFacts
		want  nodeState
		why   string
	}{
		"all well":                   {up, stateRunning, ""},
		"a peer was stopped":         {with(func(f *stateFacts) { f.peersRefused = []string{"b"} }), stateRunning, evPeerRefused},
		"the cut is known by now":    {with(func(f *stateFacts) { f.peersLost = []string{"b"} }), stateRunning, evPeerSilent},
		"peer silent":                {with(func(f *stateFacts) { f.peersSilent = []string{"b"} }), stateSuspected, evPeerSilent},
		"cluster silent, not enough": {with(func(f *stateFacts) { f.clusterSilent = 3 * time.Second }), stateRunning, ""},
		"cluster silent":             {with(func(f *stateFacts) { f.clusterSilent = 5 * time.Second }), stateSuspected, evClusterSilent},
		"queue grows alone":          {with(func(f *stateFacts) { f.queuesGrow = []string{"b"} }), stateRunning, ""},
		"no plugin":                  {with(func(f *stateFacts) { f.plugin = answerRefused }), stateBlind, evNoPlugin},
		"wrong password":             {with(func(f *stateFacts) { f.alarms, f.deniedReason = answerDenied, "Login failed" }), stateBlind, evLoginFailed},
		"no rights":                  {with(func(f *stateFacts) { f.alarms, f.deniedReason = answerDenied, "Access refused." }), stateBlind, evAccessRefused},
		"only AMQP listens":          {mute(there, map[string]answer{"amqp": answerOK}), stateBlind, evNoManagement},
		"stopped by a signal":        {with(func(f *stateFacts) { f.process = processSeen{known: true, there: true, stopped: true} }), stateFrozen, evProcessStopped},
		"frozen":                     {stateFacts{plugin: answerSilent, alarms: answerSilent}, stateFrozen, evSilent},
		"paused":                     {mute(there, nil), statePaused, evPortsRefused},
		"starting":                   {mute(processSeen{known: true, there: true, age: time.Minute}, nil), stateStarting, evPortsRefused},
		"down":                       {mute(processSeen{known: true}, nil), stateDown, evProcessGone},
		"down, elsewhere":            {mute(processSeen{}, nil), stateDown, evPortsRefused},
		"paused, not in our /proc": {with(func(f *stateFacts) {
			*f = mute(processSeen{known: true}, map[string]answer{"distribution": answerOK})
			f.ran = true
		}), statePaused, evDistOpen},
	} {
		got, ev := judge(c.facts)
		if got != c.want || !strings.Contains(strings.Join(ev, " "), c.why) {
			t.Errorf("%s: %s because of %v, want %s because of %q", name, got, ev, c.want, c.why)
		}
	}
}

func TestRabbitmqStoppedInOrder(t *testing.T) {
	for unit, want := range map[string]float64{
		"ActiveState=inactive\nResult=success": 1, "ActiveState=failed\nResult=exit-code": 0, "ActiveState=inactive\nResult=signal": 0,
	} {
		root := t.TempDir()
		for _, dir := range []string{"proc/self", "run/systemd/system"} {
			if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		opt := defaultOptions
		opt.User, opt.Unit = "monitor", []string{"printf", unit + "\n"}
		c, err := newCollector(collectors.Env{
			Options: opt, Root: collectors.Root(root), HTTP: fixture.HTTP{}, Dial: fixture.DialNothing, Now: time.Now, Log: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		var b *metric.Batch
		for range 2 { // the second look knows that it is down
			b = &metric.Batch{Time: time.Now()}
			if err := c.Collect(t.Context(), b); err != nil {
				t.Fatal(err)
			}
		}
		for _, s := range b.Samples {
			if s.Desc == descInOrder && s.Value != want {
				t.Errorf("%q: stopped in order %g, want %g", unit, s.Value, want)
			}
		}
	}
}

func TestRabbitmqOptionsTellAllFaults(t *testing.T) {
	opt := defaultOptions
	opt.URL, opt.Password = "localhost:15672", secret.New("x")
	opt.Exchanges = []exchangeOption{{Name: "a"}, {Name: "a"}, {}}
	opt.Queues = []queueOption{{}}
	opt.LocalEvery, opt.TopQueues = 0, -1
	err := opt.Validate()
	if err == nil {
		t.Fatal("no fault is told")
	}
	for _, want := range []string{"url:", "user:", "exchanges[1]:", "exchanges[2]:", "queues[0]:", "local_every:", "top_queues:"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("nothing of %s in %v", want, err)
		}
	}
	if err := defaultOptions.Validate(); err != nil {
		t.Errorf("the defaults are wrong: %v", err)
	}
}

// TestRabbitmqWrongAnswers holds that a lying or broken endpoint hurts nothing but itself.
func TestRabbitmqWrongAnswers(t *testing.T) {
	synctest.Test(t, wrongAnswers) // reading 33 MB takes no time there
}

func wrongAnswers(t *testing.T) {
	for name, body := range map[string]string{
		"html": "<html>", "half": `[{"name":"rabbit@n1","running":tr`, "too long": `[{"name":"` + strings.Repeat("x", 33<<20),
		"other type": `{"error":"x"}`, "empty": "",
	} {
		h := fixture.HTTP{
			"metrics":                        {Status: 200, Body: []byte("rabbitmq_connections 2\nerlang_vm_dist_node_state{peer=\"rabbit@b\"} 3\n")},
			"api/health/checks/local-alarms": {Status: 200, Body: []byte(`{"status":"ok"}`)},
			"api/nodes?columns=name,running,partitions,cluster_links": {Status: 200, Body: []byte(body)},
		}
		opt := defaultOptions
		opt.User = "monitor"
		c, err := newCollector(collectors.Env{Options: opt, Root: collectors.Root(t.TempDir()), HTTP: h, Dial: fixture.DialNothing, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		b := &metric.Batch{Time: time.Now()}
		if err := c.Collect(t.Context(), b); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		got := map[string]float64{}
		for _, s := range b.Samples {
			got[s.Desc.Name+s.Labels.With("cluster", "").String()] = s.Value
		}
		if got[`rabbitmq_probe_success{endpoint="nodes"}`] != 0 || got["rabbitmq_connections{}"] != 2 {
			t.Errorf("%s: nodes %g, connections %g; want 0 and 2", name, got[`rabbitmq_probe_success{endpoint="nodes"}`], got["rabbitmq_connections{}"])
		}
		if _, ok := got["rabbitmq_cluster_nodes_running{}"]; ok {
			t.Errorf("%s: a number of running nodes is told", name)
		}
	}
}
