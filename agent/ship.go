package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/navcloud/binnacle/agent/health"
	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/agent/series"
	"github.com/navcloud/binnacle/agent/sinks"
)

// shipRole feeds the destinations. A reload keeps those whose settings are as before, with what waits in them; one that
// replaces another takes samples at once, and delivers when the other has drained. Nothing that reads waits for either.
type shipRole struct {
	a    *Agent
	crew *crew // of destinations that drain beside their successors

	mu   sync.Mutex
	dest []*destination
}

// maxHeld is how many samples wait in memory for a destination that is not open yet.
const maxHeld = 20_000

// dropNotOpen is the reason of samples that came over that.
const dropNotOpen = "not_open"

// destination is one place that samples go to. It takes them from its first moment on.
type destination struct {
	plan  sinkPlan
	env   sinks.Env
	drain func() time.Duration // for the last flush, as the configuration in force says
	crew  *crew
	after <-chan struct{} // closed when the one that it replaces has let its spool go; nil: there is none
	done  chan struct{}   // closed when this one has

	mu    sync.Mutex
	sink  sinks.Sink   // open, and not behind its queue yet
	queue *sinks.Queue // nil until it is open
	held  []series.Update
	room  int     // for samples in held
	lost  float64 // samples that found no room
	begun time.Time
}

func newShipRole(a *Agent) *shipRole { return &shipRole{a: a} }

func (r *shipRole) name() string { return "ship" }

func (r *shipRole) list() []*destination {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.dest
}

func (r *shipRole) start(ctx context.Context) error {
	cfg := r.a.config()
	plans, err := r.plans(cfg)
	if err != nil {
		return err
	}
	r.crew = r.a.roster.crew(ctx)
	var dest []*destination
	for _, p := range plans {
		d := r.make(cfg, p)
		d.work()
		dest = append(dest, d)
	}
	r.mu.Lock()
	r.dest = dest
	r.mu.Unlock()
	return nil
}

// plans are the destinations of a configuration, with small spools where a folder stands in for the configured one.
func (r *shipRole) plans(cfg Config) ([]sinkPlan, error) {
	plans, err := sinkPlans(cfg)
	if r.a.folder.fault() != nil {
		for i := range plans {
			o := &plans[i].common.Spool
			o.Bytes = min(o.Bytes, standInSpool)
		}
	}
	return plans, err
}

func (r *shipRole) make(cfg Config, p sinkPlan) *destination {
	return &destination{
		plan: p, drain: func() time.Duration { return r.a.config().Drain }, crew: r.a.roster.crew(context.Background()), done: make(chan struct{}), room: maxHeld, begun: time.Now(),
		env: sinks.Env{Node: cfg.nodeName(), Tags: cfg.Node.Tags, Instance: r.a.instanceID(), Data: r.a.folder.dir(), Log: r.a.log, Damaged: r.a.damaged},
	}
}

// put hands what was collected to all destinations, none of which keeps the list of points. It does not block.
func (r *shipRole) put(u series.Update) {
	for _, d := range r.list() {
		d.put(u)
	}
}

// events hands what clients told beside figures to the destinations that take it and are open.
func (r *shipRole) events(events []metric.Event) {
	for _, d := range r.list() {
		d.mu.Lock()
		if d.queue != nil {
			d.queue.PutEvents(events)
		}
		d.mu.Unlock()
	}
}

func (r *shipRole) stop() error {
	all := r.list()
	errs := make([]error, len(all))
	var wg sync.WaitGroup
	for i, d := range all { // they drain side by side
		wg.Go(func() { errs[i] = d.stop() })
	}
	wg.Wait()
	r.crew.stop()
	return errors.Join(errs...)
}

func (r *shipRole) change(cfg Config) (*change, error) {
	plans, err := r.plans(cfg)
	if err != nil {
		return nil, err
	}
	before := r.list()
	var dest, fresh []*destination
	ends := slices.Clone(before)
	c := &change{cancel: func() {
		for _, d := range fresh {
			d.close()
		}
	}}
	for _, p := range plans {
		next := r.make(cfg, p)
		i := slices.IndexFunc(before, func(d *destination) bool { return d.plan.spec.Name == p.spec.Name })
		if i >= 0 && before[i].same(next) {
			dest = append(dest, before[i])
			ends = slices.DeleteFunc(ends, func(d *destination) bool { return d == before[i] })
			continue
		}
		if i >= 0 {
			next.after = before[i].done
		}
		if err := next.open(); err != nil {
			c.cancel()
			return nil, err
		}
		dest, fresh = append(dest, next), append(fresh, next)
		c.what = append(c.what, next.name())
	}
	for _, d := range ends {
		if !slices.Contains(c.what, d.name()) {
			c.what = append(c.what, d.name())
		}
	}
	if len(c.what) == 0 {
		return nil, nil
	}
	c.commit = func() {
		r.mu.Lock()
		r.dest = dest
		r.mu.Unlock()
		for _, d := range ends {
			r.crew.wg.Go(func() { r.end(d) })
		}
		for _, d := range fresh {
			d.work()
		}
	}
	return c, nil
}

// end lets a destination drain that is not fed any more.
func (r *shipRole) end(d *destination) {
	if err := d.stop(); err != nil {
		r.a.log.Error("last flush of a destination that was changed", "err", err)
	}
	if !slices.ContainsFunc(r.list(), func(o *destination) bool { return o.name() == d.name() }) {
		r.a.roster.gone(d.name())
	}
}

func (r *shipRole) stats() []sinks.Stats {
	list := r.list()
	out := make([]sinks.Stats, 0, len(list))
	for _, d := range list {
		s := d.stats()
		if fault := r.a.roster.fault(d.name()); fault != "" && s.LastError == "" {
			s.LastError = fault
		}
		out = append(out, s)
	}
	return out
}

func (r *shipRole) status(s *health.Status) {
	for _, q := range r.stats() {
		s.Sinks = append(s.Sinks, health.Sink{
			Name: q.Name, Up: q.DownSince.IsZero(), DownSince: q.DownSince, LastSuccess: q.LastSuccess, Error: q.LastError,
			Sent: q.Sent, Waiting: q.Depth, Spooled: q.Spool.Samples, SpoolBytes: q.Spool.Bytes, SpoolOldest: q.Spool.Oldest, Dropped: q.Dropped,
		})
	}
}

// report appends the figures of shipping.
func (r *shipRole) report(b *metric.Batch) {
	for _, s := range r.stats() {
		s.Append(b)
	}
}

func (d *destination) name() string { return "ship." + d.plan.spec.Name }

// same says whether o would be what d is.
func (d *destination) same(o *destination) bool {
	return reflect.DeepEqual(d.plan.options, o.plan.options) && reflect.DeepEqual(d.plan.common, o.plan.common) &&
		d.env.Node == o.env.Node && (d.env.Instance == o.env.Instance || cmp.Or(d.plan.spec.Kind, d.plan.spec.Name) != "cloudwatch") && maps.Equal(d.env.Tags, o.env.Tags) && d.env.Data == o.env.Data
}

// open makes the sink. It asks nobody: what it needs is here, or is not.
func (d *destination) open() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.sink != nil {
		return nil
	}
	sink, err := d.plan.spec.New(d.plan.options, d.env)
	if err != nil {
		return err // which names it
	}
	d.sink = sink
	return nil
}

// close closes a destination that was opened and never worked.
func (d *destination) close() {
	if c, ok := d.sink.(io.Closer); ok {
		_ = c.Close()
	}
}

func (d *destination) put(u series.Update) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch n := len(u.Points); {
	case d.queue != nil:
		d.queue.Put(u)
	case n <= d.room:
		u.Points = slices.Clone(u.Points) // the caller uses its own again
		d.held = append(d.held, u)
		d.room -= n
	default:
		d.lost += float64(n)
	}
}

// waiting is how many samples are held; d.mu is held.
func (d *destination) waiting() int { return maxHeld - d.room }

// work opens the destination, again while it cannot, and ships until it is stopped.
func (d *destination) work() { d.crew.work(d.name(), d.ship) }

func (d *destination) ship(ctx context.Context) error {
	if d.after != nil {
		select {
		case <-d.after: // its drain is bounded
		case <-ctx.Done():
			return nil
		}
	}
	if err := d.open(); err != nil {
		return err
	}
	q, err := d.attach()
	if err != nil {
		return err
	}
	return q.Run(ctx)
}

// attach puts the sink behind its queue, which takes what waited.
func (d *destination) attach() (*sinks.Queue, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.queue != nil { // it ran before, and panicked
		return d.queue, nil
	}
	q, err := d.plan.spec.Queue(d.sink, d.plan.options, d.plan.common, d.env)
	if err != nil {
		return nil, err
	}
	for _, u := range d.held {
		q.Put(u)
	}
	d.queue, d.held = q, nil
	return q, nil
}

// stop ends the shipping, and delivers what is held within the time of a drain.
func (d *destination) stop() error {
	defer close(d.done)
	d.crew.stop()
	d.mu.Lock()
	q, left := d.queue, d.waiting()
	d.mu.Unlock()
	if q == nil {
		d.close()
		if left > 0 {
			d.env.Log.Warn("samples lost: the destination was never open", "sink", d.plan.spec.Name, "samples", left)
		}
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), d.drain())
	defer cancel()
	if err := q.Drain(ctx); err != nil {
		return fmt.Errorf("sink %s: last flush: %w", d.plan.spec.Name, err)
	}
	return nil
}

// stats are those of the queue; of a destination that is not open, what waits for it.
func (d *destination) stats() sinks.Stats {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.queue == nil {
		s := sinks.Stats{Name: d.plan.spec.Name, Depth: d.waiting(), Dropped: map[string]float64{dropNotOpen: d.lost}, DownSince: d.begun}
		if len(d.held) > 0 {
			s.Oldest = d.held[0].At
		}
		return s
	}
	s := d.queue.Stats()
	if d.lost > 0 {
		s.Dropped[dropNotOpen] += d.lost
	}
	return s
}
