package agent

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/navcloud/binnacle/agent/health"
	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/collectors"
)

// collectRole runs the collectors. A reload keeps those whose settings are as before, with their sockets and what they know,
// and opens others before it ends those that they replace: no packet is lost between.
type collectRole struct {
	a    *Agent
	crew *crew
	base atomic.Pointer[metric.Labels] // of this node, on each series

	expected *expected

	sources sources

	mu   sync.Mutex
	jobs []*jobAtWork // in the order of the catalogue
}

// jobAtWork is a job, or the place of one that cannot open yet.
type jobAtWork struct {
	plan plan
	node string // the name that it was opened under
	crew *crew

	forgotten atomic.Bool // what it watches is expected no more: another one takes its place

	mu  sync.Mutex
	job *job // nil while it cannot open
}

func newCollectRole(a *Agent) *collectRole { return &collectRole{a: a} }

func (r *collectRole) name() string { return "collect" }

func (r *collectRole) list() []*jobAtWork {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.jobs
}

func (r *collectRole) start(ctx context.Context) error {
	cfg := r.a.config()
	plans, err := collectorPlans(cfg)
	if err != nil {
		return err
	}
	r.crew = r.a.roster.crew(ctx)
	r.expected = openExpected(r.a.folder.dir(), time.Now, r.a.log, r.a.damaged)
	r.setBase(cfg)
	var jobs []*jobAtWork
	for _, p := range plans {
		w := &jobAtWork{plan: p, node: cfg.nodeName(), crew: r.a.roster.crew(ctx)}
		jobs = append(jobs, w)
		name := "collect." + p.spec.Name
		open := func() (err error) {
			j, err := r.open(cfg, p)
			if err == nil {
				w.set(j)
			}
			return err
		}
		if w.crew.open(name, open, func() { w.work(name) }) {
			w.work(name)
		}
	}
	r.mu.Lock()
	r.jobs = jobs
	r.mu.Unlock()
	r.endSeries(jobs) // what an earlier life collected and this one does not
	return nil
}

// scrapedLabels mark what was scraped: the rule packs take what has none for the agent's own.
var scrapedLabels = []string{"job", "instance"}

// setBase says what is put on every series.
func (r *collectRole) setBase(cfg Config) {
	base := metric.Labels{{Name: "node", Value: cfg.nodeName()}}
	for k, v := range cfg.Node.Tags {
		if slices.Contains(scrapedLabels, k) {
			continue
		}
		base = append(base, metric.Label{Name: k, Value: v})
	}
	base = metric.Normalize(base)
	r.base.Store(&base)
}

// open makes the job of a plan; its sockets are open from here on.
func (r *collectRole) open(cfg Config, p plan) (*job, error) {
	e := env(cfg, r.a.folder.dir(), time.Now, r.a.log, r.a.self)
	e.Version = r.a.hooks.Version
	e.Damaged = r.a.damaged
	e.AWS = r.a.route.asker
	lines := newRejects(r.a.log.With("collector", p.spec.Name))
	e.Rejected = lines.count
	e.Expected = p.configured() || r.expected.has(p.spec.Name)
	e.Deliver = func(source string, b *metric.Batch, within time.Duration) {
		r.deliverFrom(p.spec.Name, source, b, within)
	}
	c, err := p.newCollector(e)
	if err != nil {
		return nil, err
	}
	j := &job{plan: p, collector: c, now: e.Now, log: r.a.log, errs: map[string]float64{}, parts: parts{}, rejects: lines, seen: e.Expected}
	if p.spec.Service {
		j.noteSeen = r.expected.note
	}
	j.state = health.Collector{Name: p.spec.Name, Interval: p.interval}
	if p.spec.Service || p.spec.Name == "self" {
		r.a.facts.opens(p.spec.Name, p.interval)
	}
	j.deliver = func(b *metric.Batch) { r.deliver(p.spec.Name, b) }
	return j, nil
}

// deliver resolves what a batch means for its series and hands that to the store and the destinations, neither of which
// blocks for long.
func (r *collectRole) deliver(from string, b *metric.Batch) {
	r.resolve(from, *r.base.Load(), b)
	r.endOverdue(b.Time)
}

func (r *collectRole) resolve(from string, base metric.Labels, b *metric.Batch) {
	ctx := context.Background()
	if r.read(from) {
		u := r.a.store.series.Resolve(from, b.Time, base, b.Samples)
		r.a.store.keep(ctx, u)
		r.a.facts.told(&u)
		r.a.ship.put(u)
		u.Done()
	}
	if len(b.Events) > 0 {
		r.a.ship.events(b.Events)
		r.a.route.events(ctx, b.Events)
	}
}

// read says whether anything reads what a source collects: else no series and no total of it is kept. A total that was once
// kept goes on, also while a reload leaves no destination.
func (r *collectRole) read(from string) bool {
	return !r.a.config().Store.Off || len(r.a.ship.list()) > 0 || r.a.facts.reads(from) || r.a.store.series.Has(from)
}

func (w *jobAtWork) set(j *job) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.job = j
}

func (w *jobAtWork) get() *job {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.job
}

func (w *jobAtWork) work(name string) { w.crew.work(name, w.get().run) }

// unopened says what of its collector could not be opened.
func (w *jobAtWork) unopened() error {
	j := w.get()
	if j == nil {
		return nil
	}
	if o, ok := j.collector.(collectors.Opener); ok {
		return o.Opened()
	}
	return nil
}

// same says whether the job goes on as it is under the plan p and the name node.
func (w *jobAtWork) same(p plan, node string) bool {
	return !w.forgotten.Load() && w.node == node && w.plan.interval == p.interval && w.plan.deadline == p.deadline && w.plan.unasked == p.unasked && reflect.DeepEqual(w.plan.options, p.options)
}

func (r *collectRole) stop() error {
	r.crew.stop()
	endAll(r.list())
	return nil
}

// endAll ends jobs side by side, each with what it had gathered.
func endAll(jobs []*jobAtWork) {
	var wg sync.WaitGroup
	for _, w := range jobs {
		wg.Go(w.crew.stop)
	}
	wg.Wait()
}

func (r *collectRole) change(cfg Config) (*change, error) {
	plans, err := collectorPlans(cfg)
	if err != nil {
		return nil, err
	}
	old, before := r.a.config(), r.list()
	c := &change{}
	if !reflect.DeepEqual(old.Node, cfg.Node) {
		c.what = append(c.what, "node")
	}
	var jobs, fresh []*jobAtWork
	ends := slices.Clone(before)
	c.cancel = func() {
		for _, w := range fresh {
			closeCollector(w.job.collector)
		}
	}
	for _, p := range plans {
		i := slices.IndexFunc(before, func(w *jobAtWork) bool { return w.plan.spec.Name == p.spec.Name })
		if i >= 0 && before[i].same(p, cfg.nodeName()) {
			jobs = append(jobs, before[i])
			ends = slices.DeleteFunc(ends, func(w *jobAtWork) bool { return w == before[i] })
			continue
		}
		j, err := r.open(cfg, p)
		if err != nil {
			c.cancel()
			return nil, err
		}
		w := &jobAtWork{plan: p, node: cfg.nodeName(), crew: r.a.roster.crew(r.crew.ctx), job: j}
		jobs, fresh = append(jobs, w), append(fresh, w)
		if err := w.unopened(); err != nil && (i < 0 || before[i].unopened() == nil) { // what was so before is no reason
			c.cancel()
			return nil, fmt.Errorf("collect.%s: %w", p.spec.Name, err)
		}
		c.what = append(c.what, "collect."+p.spec.Name)
	}
	for _, w := range ends {
		if name := "collect." + w.plan.spec.Name; !slices.Contains(c.what, name) {
			c.what = append(c.what, name)
		}
	}
	if len(c.what) == 0 {
		return nil, nil
	}
	c.commit = func() {
		r.setBase(cfg)
		for _, w := range fresh {
			w.work("collect." + w.plan.spec.Name)
		}
		r.mu.Lock()
		r.jobs = jobs
		r.mu.Unlock()
		endAll(ends) // while the new ones read
		r.endSeries(jobs)
		for _, w := range ends {
			if !slices.ContainsFunc(jobs, func(o *jobAtWork) bool { return o.plan.spec.Name == w.plan.spec.Name }) {
				r.a.roster.gone("collect." + w.plan.spec.Name)
			}
		}
	}
	return c, nil
}

// endSeries ends the series of collectors that the configuration before had and this one has not.
func (r *collectRole) endSeries(jobs []*jobAtWork) {
	runs := map[string]bool{sourceCapacity: true}
	for _, w := range jobs {
		runs[w.plan.spec.Name] = true
	}
	if u := r.a.store.series.End(time.Now(), func(source string) bool { return runs[collectorOf(source)] }); len(u.Ended) > 0 {
		r.a.store.keep(context.Background(), u)
	}
}

// closeCollector closes the sockets of a collector that is not going to run.
func closeCollector(c collectors.Collector) {
	if c, ok := c.(interface{ Close() error }); ok {
		_ = c.Close()
	}
}

func (r *collectRole) status(s *health.Status) {
	for _, w := range r.list() {
		s.Collectors = append(s.Collectors, r.statusOf(w))
	}
}

func (r *collectRole) statusOf(w *jobAtWork) health.Collector {
	if j := w.get(); j != nil {
		return j.status()
	}
	fault := r.a.roster.fault("collect." + w.plan.spec.Name)
	return health.Collector{Name: w.plan.spec.Name, Interval: w.plan.interval, Reason: "open", Error: fault, LastRun: r.a.begun}
}

// The agent's own figures of collecting; the label collector names it.
var (
	descCollectorUp = &metric.Desc{Name: "binnacle_collector_up", Help: "1 while a collector sees what it looks for; reason says why not"}
	descCollect     = &metric.Desc{Name: "binnacle_collect_seconds", Unit: metric.Seconds, Help: "Duration of the last collection"}
	descErrors      = &metric.Desc{Name: "binnacle_collect_errors_total", Kind: metric.Counter, Help: "Collections that failed, by reason"}
	descOverruns    = &metric.Desc{Name: "binnacle_collect_overruns_total", Kind: metric.Counter, Help: "Collections left out since the one before had not ended"}
)

// report appends the figures of collecting. A collector whose subject was never there says nothing.
func (r *collectRole) report(b *metric.Batch) {
	for _, w := range r.list() {
		s := r.statusOf(w)
		if !s.Absent && !s.LastRun.IsZero() {
			b.Bool(descCollectorUp, s.Up, "collector", s.Name, "reason", s.Reason)
			b.Add(descCollect, s.Took.Seconds(), "collector", s.Name)
			b.Add(descOverruns, s.Overruns, "collector", s.Name)
		}
		if j := w.get(); j != nil {
			if !s.Absent && !s.LastRun.IsZero() {
				j.mu.Lock()
				j.reportChecks(b)
				j.mu.Unlock()
			}
			for reason, n := range j.rejects.counts() {
				b.Add(descRejectedLines, n, "collector", s.Name, "reason", reason)
			}
			for reason, n := range j.failures() {
				b.Add(descErrors, n, "collector", s.Name, "reason", reason)
			}
		}
	}
}
