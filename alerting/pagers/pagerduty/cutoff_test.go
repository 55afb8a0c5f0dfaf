package pagerduty

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/navcloud/binnacle/agent/secret"
	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/alertingtest"
)

func TestThreeHundredCutOffNodesAreOneIncidentAndDelayNoPage(t *testing.T) {
	bubble(t, func(t *testing.T, p *alertingtest.PagerDuty) {
		cut := time.Now()
		var back atomic.Int64 // nanoseconds since the cut when it healed; 0: not yet
		nodeKey := func(c *Config) { c.RoutingKey = secret.New(strings.Repeat("e", 32)) }
		returns := NewReturns("fleet", client(t, p, nodeKey), slog.New(slog.DiscardHandler))
		ctx, stop := context.WithCancel(t.Context())
		var nodes sync.WaitGroup
		nodes.Go(func() { _ = returns.Run(ctx) })
		pager := client(t, p, nodeKey)
		for n := range 300 {
			c := &CutOff{
				Fleet: "fleet", AZ: "eu-west-1b", Node: fmt.Sprint("n", n), After: time.Minute, Spread: time.Minute, Pager: pager,
				Unreachable: func() time.Duration {
					if back.Load() > 0 {
						return 0
					}
					return time.Since(cut)
				},
				Worst: func() (alerting.Alarm, bool) { return alarm(n), n%2 == 0 },
				Put:   func(_ context.Context, in ...alerting.Input) error { returns.See(in...); return nil },
				Log:   slog.New(slog.DiscardHandler),
			}
			nodes.Go(func() { _ = c.Run(ctx) })
		}
		time.Sleep(55 * time.Second)
		synctest.Wait()
		if n := len(p.Calls()); n != 0 {
			t.Errorf("%d calls before a minute was over", n)
		}
		time.Sleep(35 * time.Second) // in the midst of the calls
		at := time.Now()
		if r := client(t, p, nil).Send(t.Context(), action(alerting.Trigger, "k", alerting.P1)); r.Outcome != alerting.Accepted || time.Since(at) > time.Second {
			t.Errorf("a P1 of the router = %+v after %v; want it accepted at once", r, time.Since(at))
		}
		time.Sleep(10 * time.Minute)
		in := p.Incidents()
		if len(in) != 2 || in[0].Key != "fleet:no-router:eu-west-1b" || in[0].Urgency != "high" || !strings.HasPrefix(in[0].Title, "P2 eu-west-1b: no router reached") {
			t.Fatalf("incidents %+v; want one of the zone and the router's", in)
		}
		told := 0
		for _, c := range p.Calls() {
			if c.Action == "trigger" && c.Status == 202 {
				told++
			}
		}
		if told != 301 {
			t.Errorf("%d accepted triggers; want one of each node and the router's", told)
		}
		back.Store(1)
		time.Sleep(cutOffLook + allBack + cutOffRetry)
		synctest.Wait()
		if in = p.Incidents(); in[0].Status != "resolved" || in[1].Status != "triggered" {
			t.Errorf("incidents %+v; want that of the zone resolved and the other open", in)
		}
		time.Sleep(10 * time.Minute)
		resolves := 0
		for _, c := range p.Calls() {
			if c.Action == "resolve" {
				resolves++
			}
		}
		if resolves != 1 {
			t.Errorf("%d resolves; want 1", resolves)
		}
		stop()
		nodes.Wait()
	})
}
