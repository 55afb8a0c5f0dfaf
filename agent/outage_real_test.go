package agent

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/navcloud/binnacle/agent/testport"
	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/alertingtest"
	"github.com/navcloud/binnacle/cmd/navcloud/api"
	"github.com/navcloud/binnacle/collectors/collectorstest/rabbitmqrig"
)

// nodesOn runs three nodes of NavCloud on a broker and clients at them, until the test ends.
func nodesOn(t *testing.T, broker, statsd string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	t.Cleanup(func() { cancel(); wg.Wait() })
	swarm := api.DefaultSwarm()
	swarm.Nodes, swarm.Streams, swarm.Users = nil, 180, 60
	for n := 1; n <= 3; n++ {
		cfg := api.DefaultConfig()
		cfg.Listen, cfg.Node, cfg.StatsD, cfg.Broker = testport.Free(t), fmt.Sprintf("api-%d", n), statsd, broker
		cfg.Data = filepath.Join(t.TempDir(), "trips.db")
		swarm.Nodes = append(swarm.Nodes, cfg.Listen)
		wg.Go(func() {
			if err := api.Run(ctx, cfg); err != nil {
				t.Errorf("%s: %v", cfg.Node, err)
			}
		})
	}
	wg.Go(func() { _, _ = api.Swarm(ctx, swarm) }) // what it misses is what the outage is about
}

// TestRealOutageOfTheBrokerIsOnePage kills the lone broker of three nodes, and restarts the agent before it has paged.
func TestRealOutageOfTheBrokerIsOnePage(t *testing.T) {
	if os.Getenv("BINNACLE_REAL") == "" {
		t.Skip("a real broker is started only where BINNACLE_REAL is set")
	}
	if err := rabbitmqrig.LoneAvailable(); err != nil {
		t.Skip(err)
	}
	broker, err := rabbitmqrig.StartLone(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := broker.Close(); err != nil {
			t.Error(err)
		}
	})
	pd := alertingtest.NewPagerDuty()
	t.Cleanup(pd.Close)
	statsd := testport.Free(t)
	cfg, err := ParseConfig("t.yaml", []byte(fmt.Sprintf(`
data: %s
listen: %s
interval: 2s
deadline: 1s
node: {name: mq}
collect: {statsd: {listen: ['udp://%s?other_nodes=true']}, riak: off, rabbitmq: {url: 'http://%s', metrics_url: 'http://%s', user: monitor, password: monitor}}
rules: {interval: 2s, packs: [navcloud, rabbitmq]}
route: {pagerduty: {routing_key: %s, events_url: '%s', api_url: '%s', token: t, from: a@example.org}}
`, t.TempDir(), testport.Free(t), statsd, broker.Management, broker.Metrics, alertingtest.RoutingKey, pd.URL(), pd.URL())))
	if err != nil {
		t.Fatal(err)
	}
	_, end := run(t, cfg)
	defer func() { end() }()
	nodesOn(t, "amqp://monitor:monitor@"+broker.AMQP+"/", statsd)
	until := func(what string, limit time.Duration, holds func() bool) {
		t.Helper()
		for begin := time.Now(); !holds(); time.Sleep(100 * time.Millisecond) {
			if time.Since(begin) > limit {
				t.Fatalf("%s: not within %v; calls %+v", what, limit, pd.Calls())
			}
		}
	}

	time.Sleep(80 * time.Second)           // delivery is judged over a minute
	if in := pd.Incidents(); len(in) > 0 { // the daily test of the channel opens none
		t.Fatalf("healthy, and paged: %+v", in)
	}
	if err := broker.Kill(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(10 * time.Second)
	end()
	var a *Agent
	a, end = run(t, cfg)
	until("the page", 3*time.Minute, func() bool { return len(pd.Incidents()) > 0 })
	until("the symptom in it", 3*time.Minute, func() bool {
		return slices.ContainsFunc(a.route.dispatch.View().Problems, func(p alerting.ProblemView) bool {
			return p.Root.Rule() == "RabbitMQDown" && p.Priority == alerting.P1 && slices.ContainsFunc(p.Explained, func(e alerting.ExplainedAlarm) bool {
				return e.Alarm.Rule() == "NavCloudEventsNotDelivered"
			})
		})
	})
	if err := broker.Boot(t.Context()); err != nil {
		t.Fatal(err)
	}
	until("the resolve", 6*time.Minute, func() bool {
		in := pd.Incidents()
		return len(in) > 0 && !slices.ContainsFunc(in, func(i alertingtest.Incident) bool { return i.Status != "resolved" })
	})
	if in := pd.Incidents(); len(in) != 1 || !strings.Contains(in[0].Key, "RabbitMQDown") {
		t.Errorf("incidents %+v; want one, of the broker", in)
	}
}
