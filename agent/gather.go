package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/navcloud/binnacle/agent/health"
	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/agent/series"
	"github.com/navcloud/binnacle/agent/sinks"
	"github.com/navcloud/binnacle/collectors"
)

// gatherer is what collects and ships under one configuration. A new configuration makes a new one:
// its sockets open before those of the old one close, so that no packet is lost between.
type gatherer struct {
	cfg    Config
	data   string // folder of the spools
	log    *slog.Logger
	jobs   []*job
	plans  []sinkPlan
	base   metric.Labels
	series *series.Registry
	keep   func(ctx context.Context, u series.Update) // into the store
	events func(ctx context.Context, events []metric.Event)

	mu     sync.Mutex
	queues []*sinks.Queue
}

// newGatherer builds the collectors; destinations are opened by run, when the old ones are closed.
func newGatherer(cfg Config, e collectors.Env, log *slog.Logger) (*gatherer, error) {
	plans, err := collectorPlans(cfg)
	if err != nil {
		return nil, err
	}
	ships, err := sinkPlans(cfg)
	if err != nil {
		return nil, err
	}
	g := &gatherer{cfg: cfg, log: log, plans: ships}
	g.base = metric.Labels{{Name: "node", Value: cfg.nodeName()}}
	for k, v := range cfg.Node.Tags {
		g.base = append(g.base, metric.Label{Name: k, Value: v})
	}
	g.base = metric.Normalize(g.base)
	var errs []error
	for _, p := range plans {
		lines := newRejects(log.With("collector", p.spec.Name))
		e.Rejected = lines.count
		c, err := p.newCollector(e)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		j := &job{plan: p, collector: c, now: e.Now, log: log, errs: map[string]float64{}, parts: parts{}, rejects: lines}
		j.state = health.Collector{Name: p.spec.Name, Interval: p.interval}
		j.deliver = func(b *metric.Batch) { g.deliver(p.spec.Name, b) }
		g.jobs = append(g.jobs, j)
	}
	return g, errors.Join(errs...)
}

// deliver resolves what a batch means for its series and hands that to the store and the queues, neither of which blocks
// for long.
func (g *gatherer) deliver(from string, b *metric.Batch) {
	ctx := context.Background()
	u := g.series.Resolve(from, b.Time, g.base, b.Samples)
	g.keep(ctx, u)
	g.mu.Lock()
	queues := g.queues
	g.mu.Unlock()
	for _, q := range queues {
		q.Put(u)
	}
	if len(b.Events) > 0 {
		g.events(ctx, b.Events)
	}
}

// run collects and ships until ctx ends. Then what reads stops first, and what delivers drains after.
func (g *gatherer) run(ctx context.Context) error {
	queues, err := openSinks(g.cfg, g.data, g.plans, g.log)
	if err != nil {
		return err
	}
	g.mu.Lock()
	g.queues = queues
	g.mu.Unlock()
	g.endOthers(ctx)

	shipping, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	var readers, senders sync.WaitGroup
	for _, q := range queues {
		senders.Go(func() {
			if err := q.Run(shipping); err != nil {
				g.log.Error("sink stopped", "sink", q.Stats().Name, "err", err)
			}
		})
	}
	for _, j := range g.jobs {
		readers.Go(func() {
			if err := j.run(ctx); err != nil {
				g.log.Error("collector stopped", "collector", j.spec.Name, "err", err)
			}
		})
	}
	readers.Wait() // from here on nothing is read
	stop()
	senders.Wait()
	return g.drain(queues)
}

// endOthers ends the series of collectors that the configuration before had and this one has not.
func (g *gatherer) endOthers(ctx context.Context) {
	runs := map[string]bool{sourceCapacity: true}
	for _, j := range g.jobs {
		runs[j.spec.Name] = true
	}
	if u := g.series.End(time.Now(), func(source string) bool { return runs[source] }); len(u.Ended) > 0 {
		g.keep(ctx, u)
	}
}

// sourceCapacity is what feeds the registry of series beside the collectors.
const sourceCapacity = "capacity"

// boundSpools lets no spool grow above n bytes.
func (g *gatherer) boundSpools(n int64) {
	for i := range g.plans {
		o := &g.plans[i].common.Spool
		o.Bytes = min(o.Bytes, n)
	}
}

func (g *gatherer) drain(queues []*sinks.Queue) error {
	ctx, cancel := context.WithTimeout(context.Background(), g.cfg.Drain)
	defer cancel()
	errs := make([]error, len(queues))
	var wg sync.WaitGroup
	for i, q := range queues {
		wg.Go(func() {
			if err := q.Drain(ctx); err != nil {
				errs[i] = fmt.Errorf("sink %s: last flush: %w", q.Stats().Name, err)
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

func (g *gatherer) sinkStats() []sinks.Stats {
	g.mu.Lock()
	defer g.mu.Unlock()
	out := make([]sinks.Stats, 0, len(g.queues))
	for _, q := range g.queues {
		out = append(out, q.Stats())
	}
	return out
}

func (g *gatherer) collectorStats() []health.Collector {
	out := make([]health.Collector, 0, len(g.jobs))
	for _, j := range g.jobs {
		out = append(out, j.status())
	}
	return out
}

// The agent's own figures of collecting; the label collector names it.
var (
	descCollectorUp = &metric.Desc{Name: "binnacle_collector_up", Help: "1 while a collector sees what it looks for; reason says why not"}
	descCollect     = &metric.Desc{Name: "binnacle_collect_seconds", Unit: metric.Seconds, Help: "Duration of the last collection"}
	descErrors      = &metric.Desc{Name: "binnacle_collect_errors_total", Kind: metric.Counter, Help: "Collections that failed, by reason"}
	descOverruns    = &metric.Desc{Name: "binnacle_collect_overruns_total", Kind: metric.Counter, Help: "Collections left out since the one before had not ended"}
)

// report appends the figures of collecting and shipping. A collector whose subject was never there says nothing.
func (g *gatherer) report(b *metric.Batch) {
	for _, j := range g.jobs {
		j.mu.Lock()
		s, errs := j.state, j.errs
		if !s.Absent && !s.LastRun.IsZero() {
			reason := s.Reason
			b.Bool(descCollectorUp, s.Up, "collector", s.Name, "reason", reason)
			b.Add(descCollect, s.Took.Seconds(), "collector", s.Name)
			b.Add(descOverruns, s.Overruns, "collector", s.Name)
			j.reportChecks(b)
		}
		for reason, n := range j.rejects.counts() {
			b.Add(descRejectedLines, n, "collector", s.Name, "reason", reason)
		}
		for reason, n := range errs {
			b.Add(descErrors, n, "collector", s.Name, "reason", reason)
		}
		j.mu.Unlock()
	}
	for _, s := range g.sinkStats() {
		s.Append(b)
	}
}

// running is a gatherer under way.
type running struct {
	*gatherer
	stop context.CancelFunc
	done chan error
}

func start(ctx context.Context, g *gatherer) *running {
	ctx, cancel := context.WithCancel(ctx)
	r := &running{gatherer: g, stop: cancel, done: make(chan error, 1)}
	go func() { r.done <- g.run(ctx) }()
	return r
}

// end stops and waits.
func (r *running) end() error {
	r.stop()
	return <-r.done
}
