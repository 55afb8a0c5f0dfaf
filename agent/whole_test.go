package agent

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/navcloud/binnacle/agent/sinks/sinkstest"
	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/alertingtest"
)

// freePort returns a loopback port that was free a moment ago.
func freePort(t *testing.T, network string) string {
	t.Helper()
	if network == "udp" {
		c, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		return c.LocalAddr().String()
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

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
	statsd := freePort(t, "udp")
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
`, dir, freePort(t, "tcp"), statsd, cw.URL(), rule, pd.URL())))
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

func TestAPortInUseAndAFolderThatCannotBeWritten(t *testing.T) {
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
	file := filepath.Join(cfg.Data, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	dir, err := dataDir(file)
	if err == nil || dir == file {
		t.Errorf("dataDir of a file = %q, %v; want another folder and an error", dir, err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Error(err)
	}
}

func TestABadReloadKeepsTheOldConfiguration(t *testing.T) {
	cfg, err := ParseConfig("t.yaml", []byte(fmt.Sprintf("data: %s\nlisten: %s\ncollect: off\nrules: {packs: []}\n", t.TempDir(), freePort(t, "tcp"))))
	if err != nil {
		t.Fatal(err)
	}
	a, err := New(cfg, Hooks{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	bad := cfg
	bad.Listen = "127.0.0.1:1"
	if err := a.Reload(ctx, bad, nil); err == nil || a.Status().Reload == "" {
		t.Errorf("Reload = %v, status %q; want a refusal that status tells", err, a.Status().Reload)
	}
	good := cfg
	good.Collect.Off = false
	good.Node.Name = "renamed"
	if err := a.Reload(ctx, good, nil); err != nil || a.Status().Node != "renamed" || a.Status().Reload != "" {
		t.Errorf("Reload = %v, status %+v", err, a.Status())
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
