package agent

import (
	"context"
	"errors"
	"log/slog"
	"reflect"
	"slices"
	"time"

	"github.com/navcloud/binnacle/agent/damage"
	"github.com/navcloud/binnacle/agent/door"
	"github.com/navcloud/binnacle/agent/health"
	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/agent/secret"
	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/dispatch"
	"github.com/navcloud/binnacle/alerting/intake"
	"github.com/navcloud/binnacle/alerting/ledger"
	"github.com/navcloud/binnacle/alerting/pagers"
	"github.com/navcloud/binnacle/alerting/pagers/pagerduty"
	"github.com/navcloud/binnacle/alerting/router"
)

// RouteConfig is the role route. Without a routing key pages are shown and logged.
type RouteConfig struct {
	Off       bool             `yaml:"-"`
	Delivery  dispatch.Config  `yaml:",inline"`
	PagerDuty pagerduty.Config `yaml:"pagerduty"`
	Ways      pagers.Config    `yaml:",inline"` // pagers, default, routes, windows, maintenance, templates
	// Topology is a file that replaces what agents tell, or with add: true adds to it: {"entities": {"node:a": {"kind": "node", "parents": [...]}}}.
	Topology string            `yaml:"topology"`
	Order    alerting.Settings `yaml:"order"` // waits, holds and limits
	// ChartLinks puts the address of the alarm's chart into messages: a picture of 7 days, behind a signed link that needs no login.
	// It wants web.external_url with https.
	ChartLinks bool `yaml:"chart_links"`
	// Ledger is a file in the data folder, or one that the routers of a fleet (order.fleet) share.
	Ledger LedgerConfig `yaml:"ledger"`
}

// LedgerConfig says where decisions are kept.
type LedgerConfig struct {
	NATS ledger.NATS `yaml:"nats"`
}

func defaultRoute() RouteConfig {
	return RouteConfig{Delivery: dispatch.DefaultConfig(), PagerDuty: pagerduty.DefaultConfig(), Order: alerting.DefaultSettings(), Ledger: LedgerConfig{NATS: ledger.DefaultNATS()}}
}

// Validate says what is out of bounds in what has no field of its own.
func (c RouteConfig) Validate() error {
	err := errors.Join(c.Delivery.Validate(), c.Ways.ValidateWith(c.PagerDuty.Configured()))
	if err != nil || len(c.Ways.Maintenance) == 0 {
		return err
	}
	_, err = c.Recurring()
	return err
}

// Settings are those of the router: waits and limits, and which route an alarm takes. Whoever decides as production does has
// them from here.
func (c RouteConfig) Settings() alerting.Settings {
	set := c.Order
	set.RouteBy = c.PagerDuty.RouteOf
	if low := c.PagerDuty.Low; c.PagerDuty.Configured() && !low.Webhook.IsZero() {
		set.LowRoute, set.NotifyP4 = pagerduty.LowRoute, low.P4
	}
	if len(c.Ways.Pagers)+len(c.Ways.Routes) > 0 {
		if to, err := c.Ways.RouteOf(); err == nil { // what is wrong with it was said when it was read
			set.RouteTo = to
		}
	}
	return set
}

// routeRole decides and pages. Its loop, the writer of its ledger and its pager are what the agent cannot do without.
type routeRole struct {
	a        *Agent
	crew     *crew
	dispatch *dispatch.Dispatcher // nil where the role is off
	intake   *intake.Intake       // nil likewise
	out      *wayOut              // nil likewise
	webhook  *pagerduty.Webhook   // nil likewise
	facts    *fleetFacts          // of other nodes; nil where no clusters are judged here
	returns  *pagerduty.Returns   // nil unless nodes page by themselves that no router hears
	poll     *crew                // of the pager's acknowledgements
	cloud    cloud                // what AWS is asked
}

func newRouteRole(a *Agent) (*routeRole, error) {
	r := &routeRole{a: a}
	cfg := a.config()
	if cfg.Route.Off {
		return r, nil
	}
	p, err := cfg.Route.exits(cfg.boardURL(), a.log, a.hooks.Pages, kept{a.folder.dir(), a.damaged}, nil)
	if err != nil {
		return nil, err
	}
	r.out = newWayOut(p, a.proofs.prove)
	if r.dispatch, err = newDispatcher(cfg, a.damaged, r.out, a.log, a.hooks.Sent); err != nil {
		return nil, err
	}
	r.webhook = pagerduty.NewWebhook(func() []secret.Secret { return a.config().Route.PagerDuty.WebhookSecrets }, r.dispatch.Put,
		func(ctx context.Context, id string) string { return r.out.get().keyOf(ctx, id) }, a.log.With("part", "webhook"))
	put := func(ctx context.Context, in ...alerting.Input) error {
		return r.dispatch.Put(ctx, a.ownLinks(a.censor.inputs(in))...)
	}
	if cfg.Rules.CutOff.PagerDuty.Configured() {
		back, err := cfg.cutOffPager(a.log)
		if err != nil {
			return nil, err
		}
		r.returns = pagerduty.NewReturns(cfg.Rules.CutOff.Fleet, back, a.log.With("part", "cut off"))
		put = func(ctx context.Context, in ...alerting.Input) error {
			r.returns.See(in...) // which of them are back
			return r.dispatch.Put(ctx, a.ownLinks(a.censor.inputs(in))...)
		}
	}
	var facts func(context.Context, intake.FactsPost) error // nil: this router judges no clusters
	if cfg.judgesFleet() {
		r.facts = newFleetFacts(cfg.nodeName(), a.store.keep, time.Now)
		facts = r.facts.take
	}
	r.intake = intake.New(intake.Options{
		Put: put, Facts: facts, Who: door.Who, Desk: a.desk(r.dispatch), View: r.dispatch.View, Version: a.hooks.Version,
		Routes:  func() []string { return a.config().Route.Ways.RouteNames() },
		Noticed: r.noticed, Deployed: r.deployed, Lives: r.lives, Config: cfg.Intake.Config, Replicas: cfg.Intake.replicas(), Folder: cfg.Data, Damaged: a.damaged, Log: a.log.With("part", "intake"),
	})
	return r, nil
}

func (r *routeRole) name() string { return "route" }

func (r *routeRole) start(ctx context.Context) error {
	r.crew, r.poll = r.a.roster.crew(ctx), r.a.roster.crew(ctx)
	if r.dispatch == nil {
		return nil
	}
	r.crew.vital("dispatch", r.dispatch.Run)
	r.crew.work("intake", r.intake.Run)
	r.crew.work("topology", r.a.feedTopology)
	if r.facts != nil {
		r.crew.work("facts", r.facts.run)
	}
	r.crew.work("settle", r.a.settle)
	r.crew.work("maintenance", r.keepMaintenance)
	if r.returns != nil {
		r.crew.work("returns", r.returns.Run)
	}
	if cfg := r.a.config(); cfg.asksAWS() {
		r.startAWS(cfg)
	}
	r.startPoll()
	return nil
}

func (r *routeRole) startPoll() {
	e := r.out.get()
	if e.client != nil {
		r.poll.work("pager", func(ctx context.Context) error { return e.client.Poll(ctx, r.openAt(e), r.dispatch.Put) })
	}
	if e.out != nil {
		r.poll.work("pagers", func(ctx context.Context) error { return e.out.Poll(ctx, r.dispatch.Open, r.dispatch.Put) })
	}
}

// openAt are the open incidents that route.pagerduty has.
func (r *routeRole) openAt(e *exits) func() []alerting.Record {
	if e.out == nil {
		return r.dispatch.Open
	}
	return func() []alerting.Record {
		return slices.DeleteFunc(r.dispatch.Open(), func(rec alerting.Record) bool { return !e.out.Has(rec.Route, pagers.PagerDuty) })
	}
}

func (r *routeRole) stop() error {
	r.poll.stop()
	r.crew.stop()
	if a := r.cloud.account.Load(); a != nil {
		if err := a.Keep(); err != nil {
			r.a.log.Warn("what was spent at AWS", "err", err)
		}
	}
	if r.out != nil {
		r.out.get().close(nil)
	}
	return nil
}

// change makes new clients of the pager, whose keys and tokens may have changed, and sets to work what is asked of AWS anew.
func (r *routeRole) change(cfg Config) (*change, error) {
	old := r.a.config()
	if r.dispatch == nil {
		return nil, nil
	}
	c, err := r.changePagers(old, cfg)
	if err != nil || !startsAWS(old, cfg) {
		return c, err
	}
	if c == nil {
		c = &change{commit: func() {}, cancel: func() {}}
	}
	pagers := c.commit
	c.what = append(c.what, "aws")
	c.commit = func() { pagers(); r.startAWS(cfg) }
	return c, nil
}

func (r *routeRole) changePagers(old, cfg Config) (*change, error) {
	var what []string
	if !reflect.DeepEqual(old.Route.PagerDuty, cfg.Route.PagerDuty) || old.boardURL() != cfg.boardURL() {
		what = append(what, "route.pagerduty")
	}
	if !old.Route.Ways.Equal(cfg.Route.Ways) {
		what = append(what, "route.pagers")
	}
	if old.Route.ChartLinks != cfg.Route.ChartLinks {
		what = append(what, "route.chart_links")
	}
	if len(what) == 0 {
		return nil, nil
	}
	p, err := cfg.Route.exits(cfg.boardURL(), r.a.log, r.a.hooks.Pages, kept{r.a.folder.dir(), r.a.damaged}, r.out.get())
	if err != nil {
		return nil, err
	}
	return &change{
		what: what,
		commit: func() {
			r.poll.stop()
			old := r.out.get()
			r.out.set(p)
			old.close(p)
			r.poll = r.a.roster.crew(context.Background())
			r.startPoll()
		},
		cancel: func() { p.close(r.out.get()) },
	}, nil
}

func (r *routeRole) status(s *health.Status) {
	if r.dispatch == nil || r.a.routers.client() != nil && r.out.get().log != nil {
		return
	}
	d := r.dispatch.Status()
	s.Route = &health.Route{Mode: string(d.Mode), Durable: d.Durable, StandsIn: d.StandsIn, StandsInFor: d.StandsInFor, Since: d.Since, Undelivered: d.Undelivered, Open: d.Open, Standby: d.Standby}
	s.Pager = r.out.get().words()
	for _, n := range r.intake.Nodes() {
		s.Route.Nodes = append(s.Route.Nodes, health.NodeHeard(n))
	}
	if c, ok := r.intake.Cloud(); ok || r.cloud.account.Load() != nil {
		s.Route.AWS = r.cloud.status(c)
	}
	for _, c := range d.Channels {
		s.Route.Channels = append(s.Route.Channels, health.Channel(c))
	}
	v := r.dispatch.View()
	s.Firing = v.Firing
	s.Problems = map[string]int{}
	for _, p := range v.Problems {
		s.Problems[p.Priority.String()]++
	}
}

// events are those of StatsD clients.
func (r *routeRole) events(ctx context.Context, events []metric.Event) {
	if c := r.a.routers.client(); c != nil {
		_ = c.Put(ctx, intake.Results(events, r.a.config().nodeName(), time.Now())...) // it has room, or counts
		return
	}
	if r.intake == nil {
		return
	}
	if err := r.intake.Events(ctx, events, r.a.config().nodeName()); err != nil {
		r.a.log.Error("events not taken", "err", err)
	}
}

// deployed tells the pager of a deploy mark, to be shown beside incidents.
func (r *routeRole) deployed(ctx context.Context, d intake.Deploy) {
	client := r.out.get().client
	if client == nil {
		return
	}
	text := "Deploy of " + d.Service + " " + d.Version
	if d.Text != "" {
		text += ": " + d.Text
	}
	res := client.SendChange(ctx, pagerduty.Change{Summary: text, Source: r.a.config().nodeName(), At: d.At, Link: d.URL})
	if res.Outcome != alerting.Accepted {
		r.a.log.Warn("deploy mark not taken by the pager", "outcome", res.Outcome, "detail", res.Detail)
	}
}

// noticed keeps a notification of another Alertmanager.
func (r *routeRole) noticed(n intake.Notice) {
	action := alerting.Trigger
	if n.Resolved {
		action = alerting.Resolve
	}
	r.dispatch.Theirs(ledger.Event{At: n.At, Action: action.String(), Key: n.Key, By: n.Receiver, Title: n.Title, Detail: n.Source, Alarms: n.Alarms})
}

// newDispatcher puts the router into its loop, its ledger in the data folder. told hears of what is damaged in that.
func newDispatcher(cfg Config, told func(damage.Report), out *wayOut, log *slog.Logger, sent func(alerting.Action, alerting.Result)) (*dispatch.Dispatcher, error) {
	set := cfg.RouterSettings()
	set.RouteBy, set.RouteTo = out.routeOf, out.routeTo // which a reload changes
	return dispatch.New(cfg.Route.Delivery, dispatch.Options{
		Router: router.New(set), Runbooks: cfg.runbooks(), Pager: out.first(), Second: out.second(), Node: cfg.nodeName(), Log: log.With("part", "dispatch"), Sent: sent,
		Ledger: func() (ledger.Ledger, error) {
			if c := cfg.Route.Ledger.NATS; c.Configured() {
				return ledger.OpenNATS(context.Background(), c, set.Fleet, ledger.Options{})
			}
			return openLedger(cfg.Data, told)
		},
		// Two routers on one machine have the same name, and never the same address.
		Shared: cfg.Route.Ledger.NATS.Configured(), Holder: cfg.nodeName() + " " + cfg.Listen,
	})
}
