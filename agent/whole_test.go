package agent

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/navcloud/binnacle/agent/sinks/sinkstest"
	"github.com/navcloud/binnacle/agent/testport"
	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/alertingtest"
	"github.com/navcloud/binnacle/alerting/intake"
)

// TestAPacketBecomesAMetricAnAlarmAndAPage walks the whole way once, at the shortest intervals: the
// database and the sockets live in real time.
func TestAPacketBecomesAMetricAnAlarmAndAPage(t *testing.T) {
	pd, cw := alertingtest.NewPagerDuty(), sinkstest.NewCloudWatch()
	defer pd.Close()
	defer cw.Close()
	dir := t.TempDir()
	rule := filepath.Join(dir, "rules.yaml")
	text := "groups:\n- name: g\n  interval: 1s\n  rules:\n  - alert: TripsFail\n    expr: increase(trips_failed_total[1m]) > 0\n" +
		"    labels: {severity: critical, kind: symptom, layer: symptom, entity: 'service:trips'}\n    annotations: {summary: Trips fail, guidance: Look at the store.}\n"
	if err := os.WriteFile(rule, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	statsd := testport.Free(t)
	cfg, err := ParseConfig("test.yaml", []byte(fmt.Sprintf(`
data: %s/data
listen: %s
interval: 1s
deadline: 500ms
node: {name: n1, tags: {stack: test}}
collect: {statsd: {listen: ['udp://%s']}, riak: off, rabbitmq: off, host_systemd: off}
ship: {cloudwatch: {namespace: Test, region: eu-west-1, endpoint: '%s', access_key_id: a, secret_access_key: b}}
rules: {packs: [], files: ['%s'], interval: 1s}
route: {pagerduty: {routing_key: 0123456789abcdef0123456789abcdef, events_url: '%s'}, order: {wait: {symptom_alone: 0s}}}
`, dir, testport.Free(t), statsd, cw.URL(), rule, pd.URL())))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	sent, ready, done := make(chan alerting.Action, 10), make(chan string, 1), make(chan error, 1)
	go func() {
		done <- Run(ctx, cfg, Hooks{
			Log:   slog.New(slog.DiscardHandler),
			Ready: func(addr string) { ready <- addr },
			Sent:  func(a alerting.Action, _ alerting.Result) { sent <- a },
		})
	}()
	select {
	case <-ready:
	case err := <-done:
		t.Fatal(err)
	}
	c, err := net.Dial("udp", statsd)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write([]byte("trips.failed:3|c\ntrips.ok:4|c\nbroken")); err != nil {
		t.Fatal(err)
	}
	a := <-sent
	if a.Kind != alerting.Trigger || a.Page.Priority != alerting.P1 || a.Page.Rule != "TripsFail" || a.Page.Guidance != "Look at the store." {
		t.Errorf("page = %+v", a.Page)
	}
	if pages := pd.Pages(); len(pages) != 1 || !strings.Contains(fmt.Sprintf("%+v", pages[0]), "P1 Trips fail [TripsFail]") {
		t.Errorf("PagerDuty has %+v", pages)
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Run = %v", err)
	}
	sum := 0.0
	for _, d := range cw.Datums() {
		if d.Name == "trips.failed" || d.Name == "trips.ok" {
			sum += d.Value
			if d.Stats != nil {
				sum += d.Stats.Sum
			}
		}
	}
	if sum != 7 {
		t.Errorf("CloudWatch has %v of the 7 counted; the last flush came after the last window", sum)
	}
}

func TestAPortInUse(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	cfg := Default()
	cfg.Data, cfg.Listen = t.TempDir(), l.Addr().String()
	if _, err := New(cfg, Hooks{}); err == nil || !strings.Contains(err.Error(), "is not free") {
		t.Errorf("New on a port in use = %v", err)
	}
}

func TestABadReloadKeepsTheOldConfiguration(t *testing.T) {
	pd := alertingtest.NewPagerDuty()
	defer pd.Close()
	const text = "data: %s\nlisten: %s\ncollect: %s\nrules: {packs: []}\n" +
		"route: {pagerduty: {routing_key: 0123456789abcdef0123456789abcdef, events_url: '%s'}}\n"
	data, web := t.TempDir(), testport.Free(t)
	cfg := parsed(t, text, data, web, "off", pd.URL())
	a, done := run(t, cfg)
	ctx := t.Context()
	bad := cfg
	bad.Data += "-other"
	if err := a.Reload(ctx, bad, nil); err == nil || a.Status().Reload == "" {
		t.Errorf("Reload = %v, status %q; want a refusal that status tells", err, a.Status().Reload)
	}
	bad = cfg
	bad.Route.Order.Wait.SymptomAlone, bad.Rules.Routers, bad.Web.ExternalURL = 0, []string{"http://127.0.0.1:1"}, "http://x"
	if err := a.Reload(ctx, bad, nil); err == nil || err.Error() != "only a restart changes route, rules.routers" {
		t.Errorf("Reload = %v; want a refusal that names what would not be in force", err)
	}
	// What goes on meanwhile reads the configuration, too: the race detector looks on.
	var meanwhile sync.WaitGroup
	meanwhile.Go(func() {
		for range 100 {
			a.route.events(ctx, nil)
			a.route.deployed(ctx, intake.Deploy{Service: "s", Version: "1", At: time.Now()})
			_ = a.config().boardURL()
			_ = a.pages()
		}
	})
	good := parsed(t, text, data, web, "{statsd: {listen: ['udp://"+testport.Free(t)+"']}}", pd.URL())
	good.Node.Name = "renamed"
	if err := a.Reload(ctx, good, nil); err != nil || a.Status().Node != "renamed" || a.Status().Reload != "" {
		t.Errorf("Reload = %v, status %+v", err, a.Status())
	}
	meanwhile.Wait()
	done()
}

// run starts an agent, and returns once it serves, with what ends it.
func run(t *testing.T, cfg Config, before ...func(*Agent)) (a *Agent, end func()) {
	t.Helper()
	a, stop := begin(t, cfg, before...)
	return a, func() {
		t.Helper()
		if err := stop(); err != nil {
			t.Error(err)
		}
	}
}

// begin is run for an agent that may end with an error.
func begin(t *testing.T, cfg Config, before ...func(*Agent)) (a *Agent, end func() error) {
	t.Helper()
	ready, done := make(chan string, 1), make(chan error, 1)
	a, err := New(cfg, Hooks{Ready: func(addr string) { ready <- addr }})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range before {
		f(a)
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() { done <- a.Run(ctx) }()
	select {
	case <-ready:
	case err := <-done:
		t.Fatal(err)
	}
	return a, func() error {
		cancel()
		return <-done
	}
}
