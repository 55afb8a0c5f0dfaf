package agent

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/navcloud/binnacle/alerting"
)

func TestANodeThatNoRouterHearsHasItsOwnPager(t *testing.T) {
	start := func(more string) *Agent {
		t.Helper()
		cfg, err := ParseConfig("test.yaml", []byte(fmt.Sprintf("data: %s\nlisten: 127.0.0.1:0\nnode: {name: n1, tags: {az: eu-west-1b}}\ncollect: off\nstore: off\n%s", t.TempDir(), more)))
		if err != nil {
			t.Fatal(err)
		}
		a, err := New(cfg, Hooks{Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { // what New opened, Run closes
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			_ = a.Run(ctx)
		})
		return a
	}
	if a := start("rules: {routers: ['http://127.0.0.1:1']}\nroute: off\n"); a.routers.get().cutOff != nil || a.route.returns != nil {
		t.Error("a node without a routing key of its own would page")
	}
	const key = "pagerduty: {routing_key: 0123456789abcdef0123456789abcdef}"
	node := start("rules: {routers: ['http://127.0.0.1:1'], cut_off: {fleet: prod, " + key + "}}\nroute: off\n")
	if c := node.routers.get().cutOff; c == nil || c.Fleet != "prod" || c.AZ != "eu-west-1b" || c.Node != "n1" || c.After != time.Minute || node.route.returns != nil {
		t.Errorf("cut off: %+v; want that of n1 in eu-west-1b of prod, and no router", c)
	}
	bad := alerting.Alarm{Labels: map[string]string{alerting.LabelRule: "DiskFull", alerting.LabelSeverity: "critical"}, StartsAt: time.Now()}
	node.put([]alerting.Input{alerting.Firing{Alarm: bad}})
	if worst, ok := node.routers.get().cutOff.Worst(); !ok || worst.Rule() != "DiskFull" {
		t.Errorf("worst alarm %v; want that of the node", worst)
	}
	router := start("rules: {routers: ['http://127.0.0.1:1'], cut_off: {" + key + "}}\n")
	if router.route.returns == nil {
		t.Fatal("a router does not see who is back")
	}
}
