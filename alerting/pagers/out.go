package pagers

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/navcloud/binnacle/agent/damage"
	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/pagers/pagerduty"
	"github.com/navcloud/binnacle/alerting/pagers/receivers"
)

// Sender is what each pager is.
type Sender interface {
	Send(ctx context.Context, a alerting.Action) alerting.Result
}

type acknowledger interface {
	Acknowledge(ctx context.Context, route, key string) alerting.Result
}

type prover interface {
	Channels() []string
	Prove(ctx context.Context, channel, from string) alerting.Result
}

// Options are what an Out takes besides its configuration.
type Options struct {
	Log       *slog.Logger
	BoardURL  string
	AckURL    func(key string) string
	Low       bool              // everything at low urgency
	Transport http.RoundTripper // in place of the network; for tests
	Folder    string            // where what waits for a pager outlives the process; empty: nowhere
	Damaged   func(damage.Report)
	Old       *Out // in force before a reload: its unchanged pagers go on with what they have in hand; may be nil
	// PagerDuty is route.pagerduty; nil where that has no key.
	PagerDuty *pagerduty.Client
	// Second is route.pagerduty's second channel, for routes that have none of their own; may be nil.
	Second Sender
}

// Out sends to all pagers of a configuration.
type Out struct {
	opts   Options
	cfg    Config
	log    *slog.Logger
	routes *routes
	pagers map[string]Sender // by name
	copies map[string]*copies
}

// New makes an Out. It sends nothing.
func New(c Config, o Options) (*Out, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	rs, err := newRoutes(c)
	if err != nil {
		return nil, err
	}
	out := &Out{opts: o, cfg: c, log: o.Log, routes: rs, pagers: map[string]Sender{}, copies: map[string]*copies{}}
	if o.PagerDuty != nil {
		out.pagers[PagerDuty] = o.PagerDuty
	}
	for _, name := range slices.Sorted(maps.Keys(c.Pagers)) {
		if o.Old.same(name, c, o) {
			out.pagers[name], out.copies[name] = o.Old.pagers[name], o.Old.copies[name]
			continue
		}
		if out.pagers[name], err = open(name, c, o); err != nil {
			return nil, fmt.Errorf("pagers.%s: %w", name, err)
		}
	}
	for name, p := range out.pagers {
		if out.copies[name] == nil {
			out.copies[name] = newCopies(name, p, o.Log)
			if o.Old == nil || o.Old.copies[name] == nil { // else what waits comes as the old one ends
				out.copies[name].load(o.Folder, o.Damaged)
			}
		}
	}
	out.opts.Old = nil // it is not kept
	return out, nil
}

// same says whether a pager of an earlier configuration is the one that is wanted now.
func (o *Out) same(name string, c Config, with Options) bool {
	if o == nil {
		return false
	}
	old, ok := o.cfg.Pagers[name]
	return ok && old.Key() == c.Pagers[name].Key() && o.opts.BoardURL == with.BoardURL && o.opts.Low == with.Low &&
		slices.Equal(o.cfg.Templates, c.Templates) && with.AckURL != nil == (o.opts.AckURL != nil)
}

func open(name string, c Config, o Options) (Sender, error) {
	p := c.Pagers[name]
	if p.PagerDuty != nil {
		client, err := pagerduty.New(*p.PagerDuty, pagerduty.Options{Log: o.Log, ClientURL: o.BoardURL, Low: o.Low, Transport: o.Transport})
		if err != nil {
			return nil, err
		}
		return client, nil
	}
	r, err := receivers.New(p.Receiver, receivers.Options{
		Name: name, Log: o.Log, BoardURL: o.BoardURL, AckURL: o.AckURL, Templates: c.Templates, Transport: o.Transport,
	})
	if err != nil {
		return nil, err
	}
	return r, nil
}

// Close ends what is still being repeated, but for pagers that next has too; it may be nil. What waits for a pager that next
// has with other settings goes on there.
func (o *Out) Close(next *Out) {
	for name, c := range o.copies {
		switch {
		case next == nil:
			c.close()
			<-c.idle()
			c.settled()
		case next.copies[name] == nil:
			path := c.path
			if k := c.leave(); len(k.Waiting) > 0 {
				c.log.Warn("copies dropped: the pager is not configured any more", "waiting", len(k.Waiting))
			}
			forget(path)
		case next.copies[name] != c:
			to, path := next.copies[name], c.path
			k := c.leave()
			to.mu.Lock()
			if path != "" {
				to.path = path
			}
			to.take(k)
			to.changed()
			to.mu.Unlock()
		}
	}
}

// RouteOf is the name of the route of an alarm at a time.
func (o *Out) RouteOf(labels map[string]string, p alerting.Priority, at time.Time) string {
	return o.routes.of(labels, p, at)
}

// ways are the pagers of a route. One that a reload took away is the default's.
func (o *Out) ways(name string) route {
	if r, ok := o.routes.byName[name]; ok {
		return r
	}
	if o.pagers[PagerDuty] != nil && !o.has(name) {
		return route{Route: Route{To: []string{PagerDuty}}} // one of route.pagerduty's own routes
	}
	if o.has(name) {
		return route{Route: Route{To: []string{name}}}
	}
	return o.routes.byName[o.routes.rest]
}

func (o *Out) has(name string) bool { _, ok := o.pagers[name]; return ok }

// Send carries an action out at the first pager of its route, and leaves the others their copies.
func (o *Out) Send(ctx context.Context, a alerting.Action) alerting.Result {
	r := o.ways(a.Route)
	if len(r.To) == 0 {
		return alerting.Result{ActionID: a.ID, Outcome: alerting.Refused, Detail: fmt.Sprintf("route %q has no pager", a.Route)}
	}
	for _, name := range r.To[1:] {
		o.copies[name].put(a)
	}
	if a.Kind == alerting.Resolve { // whoever was called besides
		for _, e := range r.others() {
			o.copies[e].resolve(a)
		}
	}
	res := o.pagers[r.To[0]].Send(ctx, a)
	for _, name := range append(r.To[1:len(r.To):len(r.To)], r.others()...) { // before the ledger says that it is done
		o.copies[name].settled()
	}
	return res
}

// Second carries a page out in place of the first pager of its route.
func (o *Out) Second(ctx context.Context, a alerting.Action) alerting.Result {
	p := o.opts.Second
	r := o.ways(a.Route)
	if r.Second != "" {
		p = o.pagers[r.Second]
	}
	if p == nil {
		return alerting.Result{ActionID: a.ID, Outcome: alerting.Refused, Detail: fmt.Sprintf("route %s has no second pager", a.Route)}
	}
	res := p.Send(ctx, a)
	if r.Second != "" && res.Outcome == alerting.Accepted {
		o.copies[r.Second].called(a.Key)
		o.copies[r.Second].settled()
	}
	return res
}

// HasSecond says whether any route has a second pager.
func (o *Out) HasSecond() bool {
	return o.opts.Second != nil || slices.ContainsFunc(o.routes.list, func(r route) bool { return r.Second != "" })
}

// Acknowledge tells the pagers of a route that a person has the incident.
func (o *Out) Acknowledge(ctx context.Context, routeName, key string) alerting.Result {
	out := alerting.Result{Outcome: alerting.Accepted}
	r := o.ways(routeName)
	for i, name := range append(slices.Clone(r.To), r.others()...) {
		p, ok := o.pagers[name].(acknowledger)
		if !ok || i >= len(r.To) && !o.copies[name].has(key) {
			continue
		}
		if res := p.Acknowledge(ctx, routeName, key); res.Outcome != alerting.Accepted {
			out = res
		}
	}
	return out
}

// Escalate hands an incident to the next level at PagerDuty, where its route goes there; another route calls its steps in
// their order.
func (o *Out) Escalate(ctx context.Context, rec alerting.Record, level int) alerting.Result {
	r := o.ways(rec.Route)
	if n := level - 2; n >= 0 && n < len(r.Escalate) {
		return o.Step(ctx, rec, r.Escalate[n].To)
	}
	for _, name := range r.To {
		if p, ok := o.pagers[name].(*pagerduty.Client); ok {
			return p.Escalate(ctx, rec.Key, level-len(r.Escalate))
		}
	}
	return alerting.Result{Outcome: alerting.Refused, Detail: fmt.Sprintf("route %s has no further step (route.routes.escalate)", rec.Route)}
}

// Steps are who is called while nobody acknowledges an incident of a route.
func (o *Out) Steps(routeName string) []Escalate { return o.ways(routeName).Escalate }

// Step pages one more pager for an open incident.
func (o *Out) Step(ctx context.Context, rec alerting.Record, to string) alerting.Result {
	p := o.pagers[to]
	if p == nil {
		return alerting.Result{Outcome: alerting.Refused, Detail: "no pager " + to}
	}
	a := alerting.Action{Kind: alerting.Trigger, Key: rec.Key, Route: rec.Route, Page: rec.Page, Record: rec}
	res := p.Send(ctx, a)
	if res.Outcome == alerting.Accepted {
		o.copies[to].called(rec.Key)
	}
	return res
}

// Called notes that a pager has an incident, as a ledger remembers.
func (o *Out) Called(key, to string) {
	if c := o.copies[to]; c != nil {
		c.called(key)
	}
}

// Channels are the pagers that can be tried without waking anybody.
func (o *Out) Channels() (names []string) {
	for _, name := range slices.Sorted(maps.Keys(o.pagers)) {
		if name == PagerDuty {
			names = append(names, o.opts.PagerDuty.Channels()...)
		} else if p, ok := o.pagers[name].(prover); ok && len(p.Channels()) > 0 {
			names = append(names, name)
		}
	}
	return names
}

// Channel is the one of a route: its first pager's, which decides whether a page was delivered.
func (o *Out) Channel(route string) string {
	if to := o.ways(route).To; len(to) > 0 && to[0] != PagerDuty {
		return to[0]
	}
	return route
}

// Prove tries one.
func (o *Out) Prove(ctx context.Context, channel, from string) alerting.Result {
	p, ok := o.pagers[channel].(prover)
	if !ok || channel == PagerDuty {
		if o.opts.PagerDuty == nil {
			return alerting.Result{Outcome: alerting.Refused, Detail: "no pager " + channel}
		}
		return o.opts.PagerDuty.Prove(ctx, channel, from)
	}
	if c := p.Channels(); len(c) > 0 {
		channel = c[0]
	}
	return p.Prove(ctx, channel, from)
}

// Warm keeps the connections to PagerDuty open.
func (o *Out) Warm(ctx context.Context) {
	for _, p := range o.pagers {
		if c, ok := p.(*pagerduty.Client); ok {
			c.Warm(ctx)
		}
	}
}

// Names are those of all pagers, sorted.
func (o *Out) Names() []string { return slices.Sorted(maps.Keys(o.pagers)) }

// Pager is the one of a name; nil: there is none.
func (o *Out) Pager(name string) Sender { return o.pagers[name] }
