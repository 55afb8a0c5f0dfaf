// Package agent is one node's runtime: configuration, schedule, wiring, drain and status.
//
// Everything else of the project is handed to each other here, and nowhere else. Run blocks until its
// context ends and then drains: what reads stops first, what delivers flushes after.
package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/navcloud/binnacle/agent/damage"
	"github.com/navcloud/binnacle/agent/door"
	"github.com/navcloud/binnacle/agent/inventory"
	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/agent/planner"
	"github.com/navcloud/binnacle/agent/rollup"
	"github.com/navcloud/binnacle/agent/series"
	"github.com/navcloud/binnacle/agent/store"
	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/dispatch"
	"github.com/navcloud/binnacle/alerting/intake"
	"github.com/navcloud/binnacle/alerting/pagers/pagerduty"
	"github.com/navcloud/binnacle/alerting/rules"
)

// Hooks are what a program that embeds the agent may listen to. All may be nil.
type Hooks struct {
	Version string
	Log     *slog.Logger
	Pages   io.Writer // text of each page, where there is no routing key
	Sent    func(alerting.Action, alerting.Result)
	Ready   func(address string) // told once the agent serves
}

// Run runs an agent until ctx ends.
func Run(ctx context.Context, cfg Config, h Hooks) error {
	a, err := New(cfg, h)
	if err != nil {
		return err
	}
	return a.Run(ctx)
}

// Agent is one node's runtime.
type Agent struct {
	hooks Hooks
	log   *slog.Logger
	begun time.Time
	data  string // where store, ledger and spools are: Data, or what stands in for it while that cannot be written

	listener net.Listener
	door     *door.Door
	series   *series.Registry
	store    *store.Store // nil when the role is off
	dispatch *dispatch.Dispatcher
	pager    *pagerduty.Client // nil without a routing key
	intake   *intake.Intake
	client   *intake.Client // nil when this node's alarms go to itself
	reloads  chan reload
	history  *history
	kept     *store.Store       // the figures of pools; nil when the role capacity is off
	long     *store.Store       // samples every five minutes; nil when rollups are off
	rollup   *rollup.Rollup     // writes them; nil as long is
	planner  *planner.Planner   // nil likewise
	cutOff   *pagerduty.CutOff  // nil without a routing key of its own
	returns  *pagerduty.Returns // the same, where alarms are routed

	where  whereabouts
	damage damage.Log // what was found broken in the data folder

	mu       sync.Mutex
	cfg      Config
	instance inventory.Instance // once it is known
	gather   *running
	rules    *rules.Manager // nil when the role is off
	endRules context.CancelFunc
	fault    error // of the last reload
	dataErr  error // why Data cannot be used
}

type reload struct {
	again bool // the configuration in force, since what it does not say has become known
	cfg   Config
	err   error
	done  chan error
}

// New opens what can fail: the port, the folder, the database. An error is one that an operator can act on.
func New(cfg Config, h Hooks) (*Agent, error) {
	if h.Log == nil {
		h.Log = slog.New(slog.DiscardHandler)
	}
	if err := exists(cfg.Route.Topology); err != nil {
		return nil, fmt.Errorf("route.topology: %s: %w", cfg.Route.Topology, err)
	}
	a := &Agent{hooks: h, log: h.Log, begun: time.Now(), cfg: cfg, reloads: make(chan reload), where: whereabouts{root: "/"}}
	var err error
	if a.listener, err = net.Listen("tcp", cfg.Listen); err != nil {
		return nil, fmt.Errorf("listen: %s is not free (is another binnacle running? --listen takes another address): %w", cfg.Listen, err)
	}
	if err := a.open(); err != nil {
		return nil, errors.Join(err, a.listener.Close())
	}
	return a, nil
}

func (a *Agent) open() error {
	if err := a.openData(); err != nil {
		return err
	}
	var err error
	if a.door, err = a.newDoor(a.cfg); err != nil {
		return errors.Join(err, a.closeStore())
	}
	a.history = &history{node: a.cfg.nodeName(), data: a.data, runbook: a.cfg.runbooks() + ruleHistory, log: a.log, put: a.put}
	var put func(context.Context, ...alerting.Input) error
	if !a.cfg.Route.Off {
		first, second, client, err := a.cfg.Route.pagers(a.cfg.boardURL(), a.log, a.hooks.Pages)
		if err != nil {
			return errors.Join(err, a.closeStore())
		}
		a.pager = client
		if a.dispatch, err = newDispatcher(a.cfg, a.damaged, first, second, a.log, a.hooks.Sent); err != nil {
			return errors.Join(err, a.closeStore())
		}
		put = a.dispatch.Put
		if err := a.watchReturns(&put); err != nil {
			return errors.Join(err, a.closeStore())
		}
		a.intake = intake.New(intake.Options{
			Put: put, Who: door.Who, Desk: a.desk(), View: a.dispatch.View, Version: a.hooks.Version,
			Deployed: a.deployed, Log: a.log.With("part", "intake"),
		})
	}
	if len(a.cfg.Rules.Routers) > 0 {
		if err := a.openClient(); err != nil {
			return errors.Join(err, a.closeStore())
		}
	}
	return nil
}

// put hands alarms to whoever routes.
func (a *Agent) put(in []alerting.Input) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	var err error
	switch {
	case a.client != nil:
		err = a.client.Put(ctx, in...)
	case a.dispatch != nil:
		err = a.dispatch.Put(ctx, in...)
	}
	if err != nil {
		a.log.Error("alarms not taken; they are told again within a minute", "alarms", len(in), "err", err)
	}
}

// trimEvery is how often pages of the program's file that nothing needs any more are given back: those of the start
// soon after it.
var trimEvery = []time.Duration{20 * time.Second, 40 * time.Second, 2 * time.Minute, 10 * time.Minute}

// Run serves until ctx ends, then drains.
func (a *Agent) Run(ctx context.Context) error {
	core, stopCore := context.WithCancel(context.WithoutCancel(ctx)) // what delivers outlives what reads
	defer stopCore()
	var parts sync.WaitGroup
	part := func(name string, run func(context.Context) error) {
		parts.Go(func() {
			if err := run(core); err != nil && core.Err() == nil {
				a.log.Error("part stopped", "part", name, "err", err)
			}
		})
	}
	if a.dispatch != nil {
		part("dispatch", a.dispatch.Run)
		part("intake", a.intake.Run)
		part("topology", a.feedTopology)
		part("settle", a.settle)
		if a.pager != nil {
			part("poll", func(ctx context.Context) error { return a.pager.Poll(ctx, a.dispatch.Open, a.dispatch.Put) })
		}
	}
	if a.client != nil {
		part("client", a.client.Run)
	}
	if a.planner != nil {
		part("capacity", a.planner.Run)
	}
	if a.rollup != nil {
		part("rollups", a.rollup.Run)
	}
	if a.cutOff != nil {
		part("cut off", a.cutOff.Run)
	}
	if a.returns != nil {
		part("returns", a.returns.Run)
	}
	part("discover", a.discover)
	part("damage", a.tellDamage)
	part("trim", func(ctx context.Context) error {
		for i := 0; ; i++ {
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(trimEvery[min(i, len(trimEvery)-1)]):
				if err := trim(); err != nil {
					return err
				}
			}
		}
	})
	err := a.apply(ctx, core, a.cfg)
	if err == nil {
		part("web", a.serve)
		if a.hooks.Ready != nil {
			a.hooks.Ready(a.listener.Addr().String())
		}
		a.log.Info("running", "version", a.hooks.Version, "node", a.cfg.nodeName(), "listen", a.listener.Addr().String(), "data", a.data)
		a.loop(ctx, core)
	}
	err = errors.Join(err, a.endGather())
	a.stopRules()
	stopCore()
	parts.Wait()
	err = errors.Join(err, a.closeStore())
	a.log.Info("stopped")
	return err
}

// loop takes reloads until ctx ends.
func (a *Agent) loop(ctx, core context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case r := <-a.reloads:
			if r.again {
				r.done <- a.apply(ctx, core, a.config())
				continue
			}
			err := r.err
			if err == nil {
				err = a.apply(ctx, core, r.cfg)
			}
			a.mu.Lock()
			a.fault = err
			a.mu.Unlock()
			if err != nil {
				a.log.Error("reload refused: the old configuration goes on", "err", err)
			} else {
				a.log.Info("reloaded")
			}
			r.done <- err
		}
	}
}

// Reload takes a new configuration, or the error of reading it, and returns what became of it. What a
// reload cannot change is told.
func (a *Agent) Reload(ctx context.Context, cfg Config, err error) error {
	r := reload{cfg: cfg, err: err, done: make(chan error, 1)}
	select {
	case a.reloads <- r:
		return <-r.done
	case <-ctx.Done():
		return ctx.Err()
	}
}

// apply puts a configuration into force: new collectors first, then the old ones end, then new rules.
func (a *Agent) apply(ctx, core context.Context, cfg Config) error {
	old := a.config()
	if err := reloadable(old, cfg); err != nil {
		return err
	}
	cfg.Node.Tags = a.placed(cfg.Node.Tags)
	g, err := newGatherer(cfg, env(cfg, a.data, time.Now, a.log, a.self), a.log)
	if err != nil {
		return err
	}
	g.series, g.keep, g.events, g.data = a.series, a.keep, a.takeEvents, a.data
	if a.dataErr != nil {
		g.boundSpools(standInSpool)
	}
	m, err := a.newRules(core, cfg)
	if err != nil {
		return err
	}
	drainErr := a.endGather()
	a.stopRules()
	r := start(ctx, g)
	a.mu.Lock()
	a.cfg, a.gather, a.rules = cfg, r, m
	a.mu.Unlock()
	if m != nil {
		rctx, cancel := context.WithCancel(core)
		a.endRules = cancel
		go func() { _ = m.Run(rctx) }() // it only ever returns nil, after cancel
	}
	return drainErr
}

// reloadable refuses what only a restart changes, by name: what is silently not in force is found out at night.
func reloadable(old, cfg Config) error {
	var changed []string
	for _, c := range []struct {
		name     string
		old, cfg any
	}{
		{"listen", old.Listen, cfg.Listen},
		{"data", old.Data, cfg.Data},
		{"log", old.Log, cfg.Log},
		{"store", old.Store, cfg.Store},
		{"web", old.Web, cfg.Web},
		{"capacity", old.Capacity, cfg.Capacity},
		{"route", old.Route, cfg.Route},
		{"rules.routers", old.Rules.Routers, cfg.Rules.Routers},
		{"rules.login", old.Rules.Login, cfg.Rules.Login},
		{"rules.cut_off", old.Rules.CutOff, cfg.Rules.CutOff},
	} {
		if !reflect.DeepEqual(c.old, c.cfg) {
			changed = append(changed, c.name)
		}
	}
	if len(changed) > 0 {
		return fmt.Errorf("only a restart changes %s", strings.Join(changed, ", "))
	}
	return nil
}

func (a *Agent) newRules(core context.Context, cfg Config) (*rules.Manager, error) {
	if cfg.Rules.Off || a.store == nil {
		return nil, nil
	}
	return rules.New(core, rules.Options{
		Interval: cfg.Rules.Interval, Packs: cfg.Rules.Packs, Files: cfg.Rules.Files, Dir: filepath.Join(a.data, "rules"),
		ExternalURL: cfg.boardURL(), Queryable: a.store.Queryable(), Appendable: a.store.Appendable(), Engine: a.store.Engine(),
		Notify: a.put, Log: a.log, Now: time.Now,
	})
}

func (a *Agent) endGather() error {
	a.mu.Lock()
	r := a.gather
	a.gather = nil
	a.mu.Unlock()
	if r == nil {
		return nil
	}
	return r.end()
}

func (a *Agent) stopRules() {
	if a.endRules != nil {
		a.endRules()
		a.endRules = nil
	}
}

// keep writes into the store. What it refuses it counts.
func (a *Agent) keep(ctx context.Context, u series.Update) {
	if a.store != nil {
		a.history.wrote(time.Now(), a.store.Write(ctx, u))
	}
}

func (a *Agent) takeEvents(ctx context.Context, events []metric.Event) {
	if a.intake == nil {
		return
	}
	if err := a.intake.Events(ctx, events, a.config().nodeName()); err != nil {
		a.log.Error("events not taken", "err", err)
	}
}

// deployed tells the pager of a deploy mark, to be shown beside incidents.
func (a *Agent) deployed(ctx context.Context, d intake.Deploy) {
	if a.pager == nil {
		return
	}
	text := "Deploy of " + d.Service + " " + d.Version
	if d.Text != "" {
		text += ": " + d.Text
	}
	r := a.pager.SendChange(ctx, pagerduty.Change{Summary: text, Source: a.config().nodeName(), At: d.At, Link: d.URL})
	if r.Outcome != alerting.Accepted {
		a.log.Warn("deploy mark not taken by the pager", "outcome", r.Outcome, "detail", r.Detail)
	}
}

// boardURL is how people reach the board.
func (c Config) boardURL() string {
	if c.Web.ExternalURL != "" {
		return c.Web.ExternalURL
	}
	return "http://" + c.Listen
}

// runbooks is the URL that is in front of the name of a rule.
func (c Config) runbooks() string { return strings.TrimSuffix(c.boardURL(), "/") + "/runbooks/" }
