// Package agent is one node's runtime: configuration, schedule, wiring, drain and status.
//
// Everything else of the project is handed to each other here, and nowhere else. An agent is a stack of roles (store,
// route, routers, web, rules, ship, collect): each is a value that starts, stops, says how it is, and opens a new
// configuration beside the one that works. They start in that order and stop in the reverse one: what reads ends first, what
// delivers drains after. Run blocks until its context ends, or until a part ends without which nobody is paged.
package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/navcloud/binnacle/agent/damage"
	"github.com/navcloud/binnacle/agent/inventory"
	"github.com/navcloud/binnacle/alerting"
)

// Hooks are what a program that embeds the agent may listen to. All may be nil.
type Hooks struct {
	Version string
	Log     *slog.Logger
	Pages   io.Writer // text of each page, where there is no routing key
	Sent    func(alerting.Action, alerting.Result)
	Ready   func(address string) // told once the agent serves
	Applied func(Config)         // told of each configuration that a reload puts into force
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
	hooks   Hooks
	log     *slog.Logger
	begun   time.Time
	where   whereabouts
	roster  *roster
	failed  chan error // holds the first end of a part that the agent cannot do without
	reloads chan reload
	pings   chan chan struct{}
	history *history
	folder  *folder
	damage  damage.Log // what was found broken in the data folder
	censor  censor
	proofs  *proofs // what pages are sent with
	tops    *tops   // what alarms about this machine are sent with

	store   *storeRole
	route   *routeRole
	routers *routersRole
	web     *webRole
	rules   *rulesRole
	ship    *shipRole
	collect *collectRole
	facts   ownFacts // what routers are sent of what it collects
	told    *told    // which of its alarms fire, for the life after this one

	mu       sync.Mutex
	cfg      Config
	renewed  chan struct{}      // closed when another takes the place of cfg
	loaded   time.Time          // since when cfg is in force
	fault    error              // of the last reload
	instance inventory.Instance // once it is known
	leaving  string             // why this instance ends soon; empty: it does not
}

// New makes an agent, and takes what no other may have: the port and the data folder. An error is one that an operator can
// act on.
func New(cfg Config, h Hooks) (*Agent, error) {
	if err := cfg.checkData(); err != nil {
		return nil, err
	}
	if h.Log == nil {
		h.Log = slog.New(slog.DiscardHandler)
	}
	for _, n := range cfg.Notes {
		h.Log.Warn("configuration: " + n)
	}
	now := time.Now()
	a := &Agent{
		hooks: h, log: h.Log, begun: now, loaded: now, cfg: cfg, where: whereabouts{root: "/"},
		reloads: make(chan reload), pings: make(chan chan struct{}), failed: make(chan error, 1), renewed: make(chan struct{}),
	}
	a.proofs = &proofs{config: a.config, dir: func() string { return a.folder.dir() }, log: h.Log.With("part", "proofs")}
	a.tops = newTops(a)
	a.roster = newRoster(h.Log, func(err error) {
		select {
		case a.failed <- err:
		default: // one reason is enough
		}
	})
	var err error
	if a.web, err = newWebRole(a); err != nil {
		return nil, err
	}
	if a.folder, err = openFolder(cfg.Data, h.Log); err != nil {
		return nil, errors.Join(err, a.web.close())
	}
	a.told = openTold(a.folder.dir(), time.Now, h.Log, a.damaged)
	a.history = &history{node: cfg.nodeName(), data: a.folder.dir(), runbook: cfg.runbooks() + ruleHistory, log: a.log, put: a.put}
	a.store, a.rules, a.ship, a.collect = newStoreRole(a), newRulesRole(a), newShipRole(a), newCollectRole(a)
	if a.route, err = newRouteRole(a); err == nil {
		a.routers, err = newRoutersRole(a)
	}
	if err == nil {
		err = a.web.protect()
	}
	if err != nil {
		return nil, errors.Join(err, a.folder.close(), a.web.close())
	}
	return a, nil
}

// Run serves until ctx ends, then drains. Its error is why the agent could not start, or ended by itself.
func (a *Agent) Run(ctx context.Context) error {
	var running stack
	err := running.start(ctx, a.store, a.route, a.routers, a.web, a.rules, a.ship, a.collect)
	aside := a.roster.crew(ctx)
	if err == nil {
		a.beside(aside)
		address := a.web.address()
		if a.hooks.Ready != nil {
			a.hooks.Ready(address)
		}
		a.log.Info("running", "version", a.hooks.Version, "node", a.config().nodeName(), "listen", address, "data", a.folder.dir())
		err = a.loop(ctx, &running)
	}
	a.web.ready.Store(false)
	aside.stop()
	err = errors.Join(err, running.stop(), a.folder.close(), a.web.close())
	a.log.Info("stopped")
	return err
}

// beside sets to work what belongs to no role.
func (a *Agent) beside(c *crew) {
	c.work("discover", a.discover)
	c.work("notices", a.watchNotices)
	c.work("tops", a.tops.run)
	c.work("trim", trimNowAndThen)
	c.work("watch", a.watchParts)
	c.work("certificates", a.keepCertificate)
	c.work("damage", a.tellDamage)
	a.web.ready.Store(true)
}

// loop takes reloads until ctx ends. Its error is that of a part that ended and must not.
func (a *Agent) loop(ctx context.Context, running *stack) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-a.failed:
			a.log.Error("the agent ends", "err", err)
			return err
		case r := <-a.reloads:
			r.done <- a.reload(running, r)
		case answered := <-a.pings:
			close(answered)
		}
	}
}

// Alive errs where the agent's own loop or the router does not answer before ctx ends: where it hangs, a restart is what helps.
func (a *Agent) Alive(ctx context.Context) error {
	loop, routed := make(chan struct{}), make(chan struct{})
	select {
	case a.pings <- loop:
	case <-ctx.Done():
		return fmt.Errorf("the agent's loop: %w", ctx.Err())
	}
	go func() {
		defer close(routed)
		if d := a.route.dispatch; d != nil {
			d.View() // which waits while the router decides
		}
	}()
	select {
	case <-routed:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("the router: %w", ctx.Err())
	}
}

// reload is a new configuration, or the error of reading it.
type reload struct {
	again bool // the configuration in force, since what it does not say has become known
	cfg   Config
	err   error
	done  chan error
}

// Reload takes a new configuration, or the error of reading it, and returns what became of it: it is in force in all roles,
// or in none.
func (a *Agent) Reload(ctx context.Context, cfg Config, err error) error {
	return a.ask(ctx, reload{cfg: cfg, err: err, done: make(chan error, 1)})
}

// again puts the configuration in force once more, where more is known or open than before.
func (a *Agent) again(ctx context.Context) error {
	return a.ask(ctx, reload{again: true, done: make(chan error, 1)})
}

func (a *Agent) ask(ctx context.Context, r reload) error {
	select {
	case a.reloads <- r:
		return <-r.done
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (a *Agent) reload(running *stack, r reload) error {
	if r.again {
		what, err := a.apply(running, a.config())
		if err == nil && len(what) > 0 {
			a.log.Info("more is known or open: put into force", "changed", strings.Join(what, ", "))
		}
		return err
	}
	var what []string
	err := r.err
	if err == nil {
		what, err = a.apply(running, r.cfg)
	}
	a.mu.Lock()
	a.fault = err
	if err == nil {
		a.loaded = time.Now()
	}
	since := a.loaded
	a.mu.Unlock()
	if err != nil {
		a.log.Error("reload refused: the configuration before it is in force", "since", since, "err", err)
		return err
	}
	if len(what) == 0 {
		what = []string{"nothing"}
	}
	a.log.Info("reloaded: the new configuration is in force", "changed", strings.Join(what, ", "))
	if a.hooks.Applied != nil {
		a.hooks.Applied(r.cfg)
	}
	return nil
}

// apply puts a configuration into force in all roles, or in none.
func (a *Agent) apply(running *stack, cfg Config) ([]string, error) {
	old := a.config()
	if err := reloadable(old, cfg); err != nil {
		return nil, err
	}
	cfg.Node.Tags = a.placed(cfg.Node.Tags)
	what, err := running.change(cfg)
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	a.cfg = cfg
	close(a.renewed)
	a.renewed = make(chan struct{})
	a.mu.Unlock()
	a.web.renew() // its pages show what the configuration says
	return what, nil
}

// config returns the configuration in force, which a reload changes.
func (a *Agent) config() Config {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.cfg
}

// untilRenewed is the configuration in force, and a channel that is closed when another takes its place.
func (a *Agent) untilRenewed() (Config, <-chan struct{}) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.cfg, a.renewed
}

// put hands alarms to whoever routes.
func (a *Agent) put(in []alerting.Input) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	var err error
	in = a.censor.inputs(a.tops.add(in))
	client := a.routers.client()
	if client != nil {
		a.told.note(in)
	}
	switch {
	case client != nil && a.route.facts != nil:
		here, post := a.split(in)
		err = errors.Join(a.route.dispatch.Put(ctx, here...), client.Put(ctx, post...))
	case client != nil:
		err = client.Put(ctx, in...)
	case a.route.dispatch != nil:
		err = a.route.dispatch.Put(ctx, in...)
	}
	if err != nil {
		a.log.Error("alarms not taken; they are told again within a minute", "alarms", len(in), "err", err)
	}
}

// boardURL is how people reach the board. What a node without a board says is no address where it listens on all: routers put
// their own in its place.
func (c Config) boardURL() string {
	if u := c.Web.BoardURL(); u != "" {
		return u
	}
	if c.Route.Off {
		return "http://" + c.Listen + c.Web.Base()
	}
	return c.Reached()
}

// Reached is where others reach the API and the pages, as far as the agent can know: by its name where it listens on all addresses.
func (c Config) Reached() string {
	scheme, at := "http", c.Listen
	if c.Web.Secure() {
		scheme = "https"
	}
	if host, port, err := net.SplitHostPort(at); err == nil {
		if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
			at = net.JoinHostPort(c.PublicName(), port)
		}
	}
	return scheme + "://" + at + c.Web.Base()
}

// PublicName is the name by which others reach this machine: the first of web.hosts, else the node's.
func (c Config) PublicName() string {
	if len(c.Web.Hosts) > 0 {
		return c.Web.Hosts[0]
	}
	return c.nodeName()
}

// runbooks is the URL that is in front of the name of a rule.
func (c Config) runbooks() string { return strings.TrimSuffix(c.boardURL(), "/") + "/runbooks/" }

// listening says why an address cannot be listened on.
func listening(address string, err error) error {
	return fmt.Errorf("listen: %s is not free (is another binnacle running? --listen takes another address): %w", address, err)
}
