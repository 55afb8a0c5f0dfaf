package agent

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync/atomic"

	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/dispatch"
	"github.com/navcloud/binnacle/alerting/pagers/pagerduty"
)

// pagers are the ways out that one configuration has.
type pagers struct {
	first   dispatch.Pager
	second  dispatch.Pager    // nil where there is no second channel
	client  *pagerduty.Client // first, where there is a routing key
	routeOf func(labels map[string]string) string
}

// pagers makes them. Without a routing key pages are shown and logged.
func (c RouteConfig) pagers(boardURL string, log *slog.Logger, out io.Writer) (*pagers, error) {
	p := &pagers{routeOf: c.PagerDuty.RouteOf}
	if !c.PagerDuty.Configured() {
		p.first = pagerduty.NewLog(log.With("part", "pages"), out)
		return p, nil
	}
	o := pagerduty.Options{Log: log.With("part", "pagerduty"), ClientURL: boardURL, Low: c.Delivery.Mode == dispatch.Low}
	var err error
	if p.client, err = pagerduty.New(c.PagerDuty, o); err != nil {
		return nil, fmt.Errorf("pagerduty: %w", err)
	}
	p.first = p.client
	second, err := pagerduty.NewSecond(c.PagerDuty, o)
	if err != nil {
		return nil, fmt.Errorf("pagerduty: second channel: %w", err)
	}
	if second != nil {
		p.second = second
	}
	return p, nil
}

// wayOut is the pager that the dispatcher has for life. A reload changes what is behind it: keys, tokens, addresses.
type wayOut struct{ now atomic.Pointer[pagers] }

func newWayOut(p *pagers) *wayOut {
	w := &wayOut{}
	w.set(p)
	return w
}

func (w *wayOut) get() *pagers  { return w.now.Load() }
func (w *wayOut) set(p *pagers) { w.now.Store(p) }

// routeOf is the name of the route for an alarm's labels.
func (w *wayOut) routeOf(labels map[string]string) string { return w.get().routeOf(labels) }

// first is the pager; the one where pages are shown and logged can do less, and that stays so until a restart.
func (w *wayOut) first() dispatch.Pager {
	if w.get().client == nil {
		return w.get().first
	}
	return (*firstOut)(w)
}

// second is the second channel, nil where there is none, which stays so until a restart.
func (w *wayOut) second() dispatch.Pager {
	if w.get().second == nil {
		return nil
	}
	return (*secondOut)(w)
}

type firstOut wayOut

// Send implements dispatch.Pager.
func (w *firstOut) Send(ctx context.Context, a alerting.Action) alerting.Result {
	return (*wayOut)(w).get().client.Send(ctx, a)
}

// Acknowledge implements dispatch.Acknowledger.
func (w *firstOut) Acknowledge(ctx context.Context, route, key string) alerting.Result {
	return (*wayOut)(w).get().client.Acknowledge(ctx, route, key)
}

// Escalate implements dispatch.Escalator.
func (w *firstOut) Escalate(ctx context.Context, key string, level int) alerting.Result {
	return (*wayOut)(w).get().client.Escalate(ctx, key, level)
}

type secondOut wayOut

// Send implements dispatch.Pager.
func (w *secondOut) Send(ctx context.Context, a alerting.Action) alerting.Result {
	return (*wayOut)(w).get().second.Send(ctx, a)
}

// Channels and Prove implement dispatch.Prover.
func (w *firstOut) Channels() []string { return (*wayOut)(w).get().client.Channels() }

// Warm implements dispatch.Warmer.
func (w *firstOut) Warm(ctx context.Context) { (*wayOut)(w).get().client.Warm(ctx) }

// Prove makes sure that a channel accepts what it is sent.
func (w *firstOut) Prove(ctx context.Context, channel, from string) alerting.Result {
	return (*wayOut)(w).get().client.Prove(ctx, channel, from)
}

// Channels and Prove implement dispatch.Prover, for a second channel that can be tried.
func (w *secondOut) Channels() []string {
	if p, ok := (*wayOut)(w).get().second.(dispatch.Prover); ok {
		return p.Channels()
	}
	return nil
}

// Prove makes sure that the second channel accepts what it is sent.
func (w *secondOut) Prove(ctx context.Context, channel, from string) alerting.Result {
	if p, ok := (*wayOut)(w).get().second.(dispatch.Prover); ok {
		return p.Prove(ctx, channel, from)
	}
	return alerting.Result{Outcome: alerting.Refused, Detail: "it cannot be tried"}
}
