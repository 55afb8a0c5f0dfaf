// Package demo plays an incident on one machine, from the first packet to the last page.
//
// What judges and pages is the real thing: an agent with all roles, six light ones beside the nodes of RabbitMQ and
// Riak, three nodes of NavCloud and their clients as processes of their own. What answers as RabbitMQ and Riak are
// recordings of real clusters, and PagerDuty and CloudWatch are the fakes of the tests; nothing leaves the machine.
// The shipped rules and waits are in force; only collection and evaluation are quicker, every second or two.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/navcloud/binnacle/agent"
	"github.com/navcloud/binnacle/agent/sinks/sinkstest"
	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/alertingtest"
	"github.com/navcloud/binnacle/cmd/navcloud/api"
	"github.com/navcloud/binnacle/collectors/collectorstest"
)

// Options are what the command line may say.
type Options struct {
	Version  string
	Listen   string        // of the agent: API and pages
	RabbitMQ string        // amqp URL of a real broker for NavCloud's events; empty: passed on in process
	Headless bool          // end by itself, and say by the error whether the pages came as they should
	For      time.Duration // how long at the most, when headless: it ends once all is resolved
	Out      io.Writer
	TTY      bool // Out is a terminal: the line of counts is rewritten in place
	Log      *slog.Logger
}

// ackAfter is when the responder of the stand-in takes an incident of high urgency.
const ackAfter = 10 * time.Second

// world is all that stands around the agents.
type world struct {
	dir        string
	listen     string // of the main agent
	statsd     string
	pagerduty  *alertingtest.PagerDuty
	cloudwatch *sinkstest.CloudWatch
	rabbitmq   *collectorstest.RabbitMQ
	riak       *collectorstest.Riak
	bus        *api.Bus // nil where a real broker is used
}

func newWorld(o Options) (*world, error) {
	host, port, err := net.SplitHostPort(o.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen: want host:port, have %q", o.Listen)
	}
	w := &world{listen: o.Listen}
	if port == "0" {
		if w.listen, err = freeTCP(); err != nil {
			return nil, err
		}
		_, port, _ = net.SplitHostPort(w.listen)
		w.listen = net.JoinHostPort(host, port)
	}
	if w.statsd, err = freeUDP(); err != nil {
		return nil, err
	}
	if o.RabbitMQ == "" {
		if w.bus, err = api.NewBus("127.0.0.1:0"); err != nil {
			return nil, err
		}
	}
	if w.dir, err = os.MkdirTemp("", "binnacle-demo-"); err != nil {
		return nil, err
	}
	w.pagerduty, w.cloudwatch = alertingtest.NewPagerDuty(), sinkstest.NewCloudWatch()
	w.pagerduty.AckAfter = ackAfter
	w.pagerduty.WebhookURL, w.pagerduty.WebhookSecret = "http://"+w.listen+"/api/v1/pagerduty", webhook
	w.rabbitmq, w.riak = collectorstest.NewRabbitMQ(), collectorstest.NewRiak()
	return w, writeTopology(filepath.Join(w.dir, "topology.json"))
}

func (w *world) close() {
	w.pagerduty.Close()
	w.cloudwatch.Close()
	w.rabbitmq.Close()
	w.riak.Close()
	_ = os.RemoveAll(w.dir)
}

// broker is the URL that NavCloud's nodes pass events on by.
func (w *world) broker(o Options) string {
	if w.bus == nil {
		return o.RabbitMQ
	}
	return w.bus.URL()
}

// lights are the configurations of the agents beside RabbitMQ and Riak.
func (w *world) lights() (out []agent.Config, err error) {
	for i := range zones {
		n, r := collectorstest.Nodes[i], collectorstest.RiakNodes[i]
		for _, c := range []struct{ name, collector, section string }{
			{n, "rabbitmq", w.rabbitmq.Config(n) + "cluster: " + events},
			{r, "riak", w.riak.Config(r) + "cluster: " + trips},
		} {
			cfg, err := lightConfig(w, c.name, zones[i], c.collector, c.section)
			if err != nil {
				return nil, err
			}
			out = append(out, cfg)
		}
	}
	return out, nil
}

// group is a set of agents that end together, each by its own context.
type group struct {
	wg   sync.WaitGroup
	stop context.CancelFunc
	ctx  context.Context
	mu   sync.Mutex
	errs []error
}

func newGroup() *group {
	ctx, stop := context.WithCancel(context.Background())
	return &group{ctx: ctx, stop: stop}
}

func (g *group) run(f func(context.Context) error) {
	g.wg.Go(func() {
		if err := f(g.ctx); err != nil {
			g.mu.Lock()
			g.errs = append(g.errs, err)
			g.mu.Unlock()
		}
	})
}

func (g *group) end() error {
	g.stop()
	g.wg.Wait()
	return errors.Join(g.errs...)
}

// Run plays the demo until ctx ends or, headless, until everything is resolved or For has passed. Headless, its error says what was wrong
// with the pages.
func Run(ctx context.Context, o Options) (err error) {
	w, err := newWorld(o)
	if err != nil {
		return err
	}
	defer w.close()
	if err := inventPast(ctx, w, time.Now()); err != nil {
		return err
	}
	if o.Headless {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.For)
		defer cancel()
	}
	s := newScreen(o.Out, o.TTY)
	p := &play{w: w, screen: s, begun: time.Now(), verdict: &verdict{}}
	s.say("binnacle demo: three nodes of NavCloud with %d client streams, RabbitMQ and Riak in three zones, one agent on each.", streams)

	outer, light := newGroup(), newGroup()
	cfg, err := mainConfig(w)
	if err != nil {
		return err
	}
	main, err := agent.New(cfg, agent.Hooks{Version: o.Version, Log: o.Log, Sent: p.sent})
	if err != nil {
		return err
	}
	p.station = main
	outer.run(main.Run)
	if w.bus != nil {
		outer.run(w.bus.Run)
	}
	f, err := p.start(o, light)
	if err == nil {
		p.fleet = f
		p.settle(ctx)
		p.begun = time.Now()
		s.say("Home is at http://%s/\n", w.listen)
		err = p.run(ctx, o.Headless)
	}
	p.finish()
	if f != nil {
		f.end()
	}
	err = errors.Join(err, light.end(), outer.end())
	p.last(cfg)
	if err == nil && o.Headless {
		err = p.verdict.judge(w.pagerduty)
	}
	return err
}

// start starts the light agents and NavCloud.
func (p *play) start(o Options, light *group) (*fleet, error) {
	configs, err := p.w.lights()
	if err != nil {
		return nil, err
	}
	for _, c := range configs {
		a, err := agent.New(c, agent.Hooks{Version: o.Version, Log: o.Log.With("node", c.Node.Name)})
		if err != nil {
			return nil, err
		}
		light.run(a.Run)
	}
	return startFleet(p.w, p.w.broker(o))
}

// sent is told of every call to the pager; it must not block.
func (p *play) sent(a alerting.Action, r alerting.Result) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.news = append(p.news, told{time.Now(), a, r})
}
