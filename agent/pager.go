package agent

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/navcloud/binnacle/agent/damage"
	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/dispatch"
	"github.com/navcloud/binnacle/alerting/pagers"
	"github.com/navcloud/binnacle/alerting/pagers/pagerduty"
)

// exits are the ways out that one configuration has.
type exits struct {
	log     dispatch.Pager    // where nothing else is configured: pages are shown and logged
	second  dispatch.Pager    // nil where there is no second channel
	client  *pagerduty.Client // route.pagerduty; nil without a routing key
	out     *pagers.Out       // route.pagers; nil where there are none
	routeOf func(labels map[string]string) string
}

// kept is where what waits for a pager outlives the process, and who hears where it cannot be read.
type kept struct {
	folder  string
	damaged func(damage.Report)
}

// exits makes them. old are those in force, whose unchanged pagers go on with what they have in hand; may be nil.
func (c RouteConfig) exits(boardURL string, log *slog.Logger, out io.Writer, k kept, old *exits) (*exits, error) {
	p := &exits{routeOf: c.PagerDuty.RouteOf}
	if !c.configured() {
		p.log = pagerduty.NewLog(log.With("part", "pages"), out)
		return p, nil
	}
	var err error
	if c.PagerDuty.Configured() {
		o := pagerduty.Options{Log: log.With("part", "pagerduty"), ClientURL: boardURL, Low: c.Delivery.Mode == dispatch.Low}
		if p.client, err = pagerduty.New(c.PagerDuty, o); err != nil {
			return nil, fmt.Errorf("pagerduty: %w", err)
		}
		second, err := pagerduty.NewSecond(c.PagerDuty, o)
		if err != nil {
			return nil, fmt.Errorf("pagerduty: second channel: %w", err)
		}
		if second != nil {
			p.second = second
		}
	}
	if len(c.Ways.Pagers)+len(c.Ways.Routes) == 0 {
		return p, nil
	}
	o := pagers.Options{
		Log: log.With("part", "pagers"), BoardURL: boardURL, AckURL: c.ackLinks(boardURL).url, Low: c.Delivery.Mode == dispatch.Low,
		PagerDuty: p.client, Second: p.second, Folder: k.folder, Damaged: k.damaged,
	}
	if old != nil {
		o.Old = old.out
	}
	if p.out, err = pagers.New(c.Ways, o); err != nil {
		return nil, err
	}
	if p.out.HasSecond() {
		p.second = secondOf{p.out, p.second}
	}
	return p, nil
}

// configured says whether pages go anywhere but to a log.
func (c RouteConfig) configured() bool { return c.PagerDuty.Configured() || c.Ways.Configured() }

// hasSecond says whether there is a second channel.
func (c RouteConfig) hasSecond() bool {
	for _, r := range c.Ways.Routes {
		if r.Second != "" {
			return true
		}
	}
	return !c.PagerDuty.Second.RoutingKey.IsZero() || !c.PagerDuty.Second.Webhook.IsZero()
}

// secondOf is the second pager of each route.
type secondOf struct {
	out  *pagers.Out
	rest dispatch.Pager // what route.pagerduty has; may be nil
}

// Send implements dispatch.Pager.
func (s secondOf) Send(ctx context.Context, a alerting.Action) alerting.Result {
	return s.out.Second(ctx, a)
}

// Channels and Prove are those of what route.pagerduty has: the pagers of routes are tried as such.
func (s secondOf) Channels() []string {
	if p, ok := s.rest.(dispatch.Prover); ok {
		return p.Channels()
	}
	return nil
}

// Prove makes sure that the second channel accepts what it is sent.
func (s secondOf) Prove(ctx context.Context, channel, from string) alerting.Result {
	if p, ok := s.rest.(dispatch.Prover); ok {
		return p.Prove(ctx, channel, from)
	}
	return alerting.Result{Outcome: alerting.Refused, Detail: "it cannot be tried"}
}

// wayOut is the pager that the dispatcher has for life. A reload changes what is behind it: pagers, routes, keys, addresses.
type wayOut struct {
	now   atomic.Pointer[exits]
	prove func(ctx context.Context, kind alerting.ActionKind, key string, p alerting.Page) alerting.Page
}

func newWayOut(p *exits, prove func(context.Context, alerting.ActionKind, string, alerting.Page) alerting.Page) *wayOut {
	w := &wayOut{prove: prove}
	w.set(p)
	return w
}

func (w *wayOut) get() *exits  { return w.now.Load() }
func (w *wayOut) set(p *exits) { w.now.Store(p) }

// close ends what pagers still repeat.
func (e *exits) close(next *exits) {
	if e.out != nil {
		var kept *pagers.Out
		if next != nil {
			kept = next.out
		}
		e.out.Close(kept)
	}
}

// keyOf is the dedup key of an incident at PagerDuty by its ID there.
func (e *exits) keyOf(ctx context.Context, id string) (key string) {
	if e.client != nil {
		key = e.client.KeyOf(ctx, id)
	}
	if key == "" && e.out != nil {
		key = e.out.KeyOf(ctx, id)
	}
	return key
}

// words say where pages go.
func (e *exits) words() string {
	switch {
	case e.out != nil:
		return strings.Join(e.out.Names(), ", ")
	case e.client != nil:
		return "PagerDuty"
	}
	return "pages are shown and logged: no routing key is set"
}

// routeOf is the name of the route for an alarm's labels, as route.pagerduty has it.
func (w *wayOut) routeOf(labels map[string]string) string { return w.get().routeOf(labels) }

// routeTo is the name of the route that route.routes has for an alarm; empty: none.
func (w *wayOut) routeTo(labels map[string]string, p alerting.Priority, at time.Time) string {
	if out := w.get().out; out != nil {
		return out.RouteOf(labels, p, at)
	}
	return ""
}

// first is the pager; the one where pages are shown and logged can do less, and that stays so until a restart.
func (w *wayOut) first() dispatch.Pager {
	if w.get().log != nil {
		return (*logOut)(w)
	}
	return (*firstOut)(w)
}

// proved is an action as it is sent, with what proves it.
func (w *wayOut) proved(ctx context.Context, a alerting.Action) alerting.Action {
	a.Page = w.prove(ctx, a.Kind, a.Key, a.Page)
	return a
}

type logOut wayOut

// Send implements dispatch.Pager.
func (w *logOut) Send(ctx context.Context, a alerting.Action) alerting.Result {
	return (*wayOut)(w).get().log.Send(ctx, (*wayOut)(w).proved(ctx, a))
}

// second is the second channel, nil where there is none, which stays so until a restart.
func (w *wayOut) second() dispatch.Pager {
	if w.get().second == nil {
		return nil
	}
	return (*secondOut)(w)
}

type firstOut wayOut

func (w *firstOut) get() *exits { return (*wayOut)(w).get() }

// Send implements dispatch.Pager.
func (w *firstOut) Send(ctx context.Context, a alerting.Action) alerting.Result {
	a = (*wayOut)(w).proved(ctx, a)
	if out := w.get().out; out != nil {
		return out.Send(ctx, a)
	}
	return w.get().client.Send(ctx, a)
}

// Acknowledge implements dispatch.Acknowledger.
func (w *firstOut) Acknowledge(ctx context.Context, route, key string) alerting.Result {
	if out := w.get().out; out != nil {
		return out.Acknowledge(ctx, route, key)
	}
	return w.get().client.Acknowledge(ctx, route, key)
}

// Steps, Step, Called and EscalateRecord implement dispatch.Caller.
func (w *firstOut) Steps(route string) (steps []dispatch.Step) {
	out := w.get().out
	if out == nil {
		return nil
	}
	for _, s := range out.Steps(route) {
		steps = append(steps, dispatch.Step(s))
	}
	return steps
}

// Step pages one more pager for an open incident.
func (w *firstOut) Step(ctx context.Context, rec alerting.Record, to string) alerting.Result {
	if out := w.get().out; out != nil {
		rec.Page = w.prove(ctx, alerting.Trigger, rec.Key, rec.Page)
		return out.Step(ctx, rec, to)
	}
	return alerting.Result{Outcome: alerting.Refused, Detail: "no pager " + to}
}

// Called notes who was called before the start.
func (w *firstOut) Called(key, to string) {
	if out := w.get().out; out != nil {
		out.Called(key, to)
	}
}

// EscalateRecord gets who is next on call.
func (w *firstOut) EscalateRecord(ctx context.Context, rec alerting.Record, level int) alerting.Result {
	if out := w.get().out; out != nil {
		return out.Escalate(ctx, rec, level)
	}
	return w.get().client.Escalate(ctx, rec.Key, level)
}

// Channels and Prove implement dispatch.Prover.
func (w *firstOut) Channels() []string {
	if out := w.get().out; out != nil {
		return out.Channels()
	}
	return w.get().client.Channels()
}

// Channel is the one of a route.
func (w *firstOut) Channel(route string) string {
	if out := w.get().out; out != nil {
		return out.Channel(route)
	}
	return route
}

// Prove makes sure that a channel accepts what it is sent.
func (w *firstOut) Prove(ctx context.Context, channel, from string) alerting.Result {
	if out := w.get().out; out != nil {
		return out.Prove(ctx, channel, from)
	}
	return w.get().client.Prove(ctx, channel, from)
}

// Warm implements dispatch.Warmer.
func (w *firstOut) Warm(ctx context.Context) {
	if out := w.get().out; out != nil {
		out.Warm(ctx)
		return
	}
	w.get().client.Warm(ctx)
}

type secondOut wayOut

// Send implements dispatch.Pager.
func (w *secondOut) Send(ctx context.Context, a alerting.Action) alerting.Result {
	return (*wayOut)(w).get().second.Send(ctx, (*wayOut)(w).proved(ctx, a))
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
