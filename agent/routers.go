package agent

import (
	"context"
	"fmt"
	"log/slog"
	"reflect"
	"sync"
	"time"

	"github.com/navcloud/binnacle/agent/health"
	"github.com/navcloud/binnacle/alerting/intake"
	"github.com/navcloud/binnacle/alerting/pagers/pagerduty"
	"github.com/navcloud/binnacle/alerting/rules"
)

// routerBeat is how often a node makes sure that the routers hear it: a wrong password must be seen before the first alarm.
const routerBeat = 20 * time.Second

// routersRole posts the alarms of this node to the routers, and pages by itself where none hears it and it may.
type routersRole struct {
	a *Agent

	mu  sync.Mutex
	now *toRouters
}

// toRouters is what one configuration makes of the role.
type toRouters struct {
	client *intake.Client    // nil where alarms go to this node itself
	cutOff *pagerduty.CutOff // nil without a routing key of its own
	crew   *crew             // nil until it works
}

func newRoutersRole(a *Agent) (*routersRole, error) {
	now, err := openRouters(a.config(), a.log, &a.facts)
	return &routersRole{a: a, now: now}, err
}

// openRouters makes what tells the routers of this node's alarms and, with a pager for that, of their absence.
func openRouters(cfg Config, log *slog.Logger, facts *ownFacts) (*toRouters, error) {
	r := &toRouters{}
	if len(cfg.Rules.Routers) == 0 {
		return r, nil
	}
	tr, err := cfg.Rules.Login.Transport()
	if err != nil {
		return nil, fmt.Errorf("rules.login: %w", err)
	}
	r.client = intake.NewClient(intake.ClientOptions{
		Routers: cfg.Rules.Routers, Transport: tr, Header: cfg.Rules.Login.Header(), Beat: routerBeat, Node: cfg.nodeName(), Log: log.With("part", "client"),
		Facts: func() []intake.Figure { return facts.all(time.Now()) }, OfFleet: rules.OfFleet,
	})
	c := cfg.Rules.CutOff
	if !c.PagerDuty.Configured() {
		return r, nil
	}
	pager, err := cfg.cutOffPager(log)
	if err != nil {
		return nil, err
	}
	r.cutOff = &pagerduty.CutOff{
		Fleet: c.Fleet, AZ: cfg.Node.Tags["az"], Node: cfg.nodeName(), After: c.After, Spread: c.Spread,
		Unreachable: r.client.Unreachable, Worst: r.client.Worst, Pager: pager, Put: r.client.Put, Log: log.With("part", "cut off"),
	}
	return r, nil
}

func (c Config) cutOffPager(log *slog.Logger) (*pagerduty.Client, error) {
	pager, err := pagerduty.New(c.Rules.CutOff.PagerDuty, pagerduty.Options{Log: log.With("part", "cut off"), ClientURL: c.boardURL()})
	if err != nil {
		return nil, fmt.Errorf("rules.cut_off: %w", err)
	}
	return pager, nil
}

func (r *routersRole) name() string { return "routers" }

func (r *routersRole) get() *toRouters {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.now
}

// client is what posts alarms; nil where they go to this node itself.
func (r *routersRole) client() *intake.Client { return r.get().client }

func (r *routersRole) start(ctx context.Context) error {
	c := r.a.roster.crew(ctx)
	r.get().start(c)
	if r.client() != nil {
		c.work("alarms of before", r.a.settleTold)
	}
	return nil
}

func (t *toRouters) start(c *crew) {
	t.crew = c
	if t.client != nil {
		c.work("routers", t.client.Run)
	}
	if t.cutOff != nil {
		c.work("cut off", t.cutOff.Run)
	}
}

func (r *routersRole) stop() error {
	r.get().crew.stop()
	return nil
}

// change makes a new client where other routers, or another login, are wanted. It knows all that the one before told.
func (r *routersRole) change(cfg Config) (*change, error) {
	old := r.a.config()
	same := reflect.DeepEqual(old.Rules.Routers, cfg.Rules.Routers) && reflect.DeepEqual(old.Rules.Login, cfg.Rules.Login) &&
		reflect.DeepEqual(old.Rules.CutOff, cfg.Rules.CutOff) && old.nodeName() == cfg.nodeName() && old.Node.Tags["az"] == cfg.Node.Tags["az"]
	if same {
		return nil, nil
	}
	next, err := openRouters(cfg, r.a.log, &r.a.facts)
	if err != nil {
		return nil, err
	}
	return &change{
		what: []string{"rules.routers"},
		commit: func() {
			before := r.get()
			if before.client != nil && next.client != nil {
				next.client.Know(before.client)
			}
			r.mu.Lock()
			r.now = next
			r.mu.Unlock()
			next.start(r.a.roster.crew(context.Background()))
			before.crew.stop()
		},
		cancel: func() {}, // nothing of it is open
	}, nil
}

func (r *routersRole) status(s *health.Status) {
	if c := r.client(); c != nil {
		for _, state := range c.Routers() {
			s.Routers = append(s.Routers, health.Router(state))
		}
	}
}
