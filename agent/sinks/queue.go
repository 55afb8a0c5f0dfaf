package sinks

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/agent/series"
)

// Reasons why a sample was not delivered, the label reason of binnacle_sink_dropped_samples_total.
// Those of Checker come on top.
const (
	dropQueueFull   = "queue_full"   // memory is full and there is no spool
	dropSpoolFull   = "spool_full"   // the spool's bound was reached: the oldest went
	dropSpoolFailed = "spool_failed" // the disk did not take it
	dropLate        = "late"         // older than the destination takes
	dropRefused     = "refused"      // the destination will never take it
	dropEvents      = "events"       // events and checks that could not be told
	dropShutdown    = "shutdown"     // not delivered before the agent ended
)

// Checker is what a Sink also is when it knows before sending what its destination would refuse.
// Check returns why, in one word, or "" for what may pass. It is called for each sample as it comes.
type Checker interface {
	Check(s metric.Sample) (reason string)
}

// shaper is what a Sink also is when it wants samples in another form than collectors give: folded into minutes, as
// what was added, as totals. It stands before the queue, so that a repeated Write repeats the same figures. form says
// whether the destination wants a point, and under which labels; put appends to dst what a sample becomes at once; due
// appends what has become ready by now, and all that is held when last is set. Calls do not overlap.
type shaper interface {
	form(p *series.Point) (metric.Sample, bool)
	put(dst []metric.Sample, s metric.Sample) []metric.Sample
	due(dst []metric.Sample, now time.Time, last bool) []metric.Sample
}

// Eventer is what a Sink also is when it takes events and checks as its clients sent them. They are told once: what was
// not taken is lost.
type Eventer interface {
	WriteEvents(ctx context.Context, events []metric.Event) error
}

// maxEvents bounds the events held between two flushes.
const maxEvents = 1000

// PutEvents hands events to the queue, where its sink takes any. What there is no room for is counted.
func (q *Queue) PutEvents(events []metric.Event) {
	if _, takes := q.sink.(Eventer); !takes {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	n := min(len(events), maxEvents-len(q.events))
	q.events = append(q.events, events[:n]...)
	q.stats.Dropped[dropEvents] += float64(len(events) - n)
}

func (q *Queue) flushEvents(ctx context.Context) {
	q.mu.Lock()
	events := q.events
	q.events = nil
	q.mu.Unlock()
	if len(events) == 0 {
		return
	}
	if err := q.sink.(Eventer).WriteEvents(ctx, events); err != nil {
		q.drop(dropEvents, len(events))
		q.tellRefusal("err", err, "events", len(events))
	}
}

// QueueOptions are how a Queue treats its Sink. DefaultQueue holds the defaults.
type QueueOptions struct {
	Depth    int           `yaml:"depth"`    // samples held in memory; 1,000 to 10,000,000
	Batch    int           `yaml:"batch"`    // samples in one Write at most
	Every    time.Duration `yaml:"every"`    // between flushes; 1s to 10m
	Deadline time.Duration `yaml:"deadline"` // for one flush with all its retries; at most every
	MaxAge   time.Duration `yaml:"max_age"`  // older samples are dropped; 0: never
}

// DefaultQueue returns the options of a destination that says nothing else.
func DefaultQueue() QueueOptions {
	return QueueOptions{Depth: 100_000, Batch: 2_000, Every: 10 * time.Second, Deadline: 9 * time.Second}
}

// Validate says what is out of bounds.
func (o QueueOptions) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if o.Depth < 1000 || o.Depth > 10_000_000 {
		bad("depth: %d is outside 1000 to 10000000", o.Depth)
	}
	if o.Batch < 1 || o.Batch > o.Depth {
		bad("batch: %d is outside 1 to depth (%d)", o.Batch, o.Depth)
	}
	if o.Every < time.Second || o.Every > 10*time.Minute {
		bad("every: %v is outside 1s to 10m", o.Every)
	}
	if o.Deadline <= 0 || o.Deadline > o.Every {
		bad("deadline: %v is not between 0s and every (%v)", o.Deadline, o.Every)
	}
	if o.MaxAge < 0 {
		bad("max_age: %v is below 0s", o.MaxAge)
	}
	return errors.Join(errs...)
}

// Queue stands in front of one Sink. Put may be called by many goroutines and never blocks; Run
// flushes until its context ends, and Drain flushes one last time after Run returned.
type Queue struct {
	name  string
	sink  Sink
	view  *viewer // nil: all, as it is
	check Checker // nil when the sink has none
	shape shaper
	spool *Spool // nil: memory only
	opts  QueueOptions
	phase time.Duration
	log   *slog.Logger

	// Run's and Drain's alone:
	pauses      pauses
	most        int // samples that the destination takes in a write; 0: as the options say
	searches    int // for what it refuses, since searchSince
	searchSince time.Time
	refusing    bool // whether this flush told of a refusal; Run's and Drain's alone

	mu      sync.Mutex
	events  []metric.Event
	pending []metric.Sample // shaped, oldest first
	flying  []metric.Sample // taken from pending by the flush under way
	stats   Stats
}

// NewQueue puts a queue in front of s. phase shifts its flushes within each interval, so that the
// nodes of a fleet do not all call at once. spool may be nil.
func NewQueue(name string, s Sink, o QueueOptions, phase time.Duration, spool *Spool, log *slog.Logger) *Queue {
	q := &Queue{name: name, sink: s, spool: spool, opts: o, phase: phase, log: log}
	q.check, _ = s.(Checker)
	q.shape = asCollected{}
	if sh, ok := s.(interface{ shaper() shaper }); ok {
		q.shape = sh.shaper()
	}
	q.stats = Stats{Name: name, Dropped: map[string]float64{}}
	return q
}

// Put hands what a source collected to the queue. It never blocks: what there is no room for is counted.
func (q *Queue) Put(u series.Update) {
	q.mu.Lock()
	defer q.mu.Unlock()
	viewed := false
	if t, ok := q.shape.(totals); ok && q.view != nil && q.view.merged != nil {
		u, viewed = q.view.merge(u, t.said), true
	}
	for i := range u.Points {
		s, wanted := q.shape.form(&u.Points[i])
		if !wanted {
			continue
		}
		if q.view != nil && !viewed {
			if s, wanted = q.view.apply(s); !wanted {
				continue
			}
		}
		if q.check != nil {
			if reason := q.check.Check(s); reason != "" {
				q.stats.Dropped[reason]++
				continue
			}
		}
		q.pending = q.shape.put(q.pending, s)
	}
	q.bound()
}

// bound gives up the oldest samples over the depth. The caller holds mu.
func (q *Queue) bound() {
	if over := len(q.pending) + len(q.flying) - q.opts.Depth; over > 0 {
		over = min(over, len(q.pending))
		q.pending = append(q.pending[:0:0], q.pending[over:]...)
		q.stats.Dropped[dropQueueFull] += float64(over)
	}
}

func (q *Queue) drop(reason string, n int) {
	if n <= 0 {
		return
	}
	q.mu.Lock()
	q.stats.Dropped[reason] += float64(n)
	q.mu.Unlock()
}

// Run flushes at each interval until ctx ends. A write under way is then given up; its samples stay
// for Drain.
func (q *Queue) Run(ctx context.Context) error {
	for {
		now := time.Now()
		next := now.Truncate(q.opts.Every).Add(q.phase % q.opts.Every)
		if !next.After(now) {
			next = next.Add(q.opts.Every)
		}
		timer := time.NewTimer(next.Sub(now))
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
		_ = q.flush(ctx, false) // it is told by Stats and the log, and tried again
	}
}

// Drain delivers what is held, the open window included, until ctx ends; what then remains goes to the
// spool, or is counted as lost. It closes the sink and the spool.
func (q *Queue) Drain(ctx context.Context) error {
	err := q.flush(ctx, true)
	q.mu.Lock()
	left := len(q.pending)
	q.pending = nil
	q.mu.Unlock()
	q.drop(dropShutdown, left)
	if c, ok := q.sink.(io.Closer); ok {
		err = errors.Join(err, c.Close())
	}
	if q.spool != nil {
		err = errors.Join(err, q.spool.Close())
	}
	if err != nil {
		return fmt.Errorf("sink %s: %w", q.name, err)
	}
	return nil
}

// flush delivers what is due, older first: the spool, then memory. What it could not deliver is in the
// spool afterwards, or back in memory where there is none.
func (q *Queue) flush(ctx context.Context, last bool) error {
	q.mu.Lock()
	q.pending = q.shape.due(q.pending, time.Now(), last)
	q.bound()
	fresh := q.pending
	q.pending, q.flying = nil, fresh
	q.mu.Unlock()

	if !last && time.Now().Before(q.pauses.until) {
		q.keep(fresh)
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, q.opts.Deadline)
	defer cancel()
	q.flushEvents(ctx)
	if q.spool != nil && q.spool.Stats().Samples > 0 {
		q.keep(fresh)
		return q.replay(ctx)
	}
	rest, err := q.deliver(ctx, fresh)
	q.keep(rest)
	return err
}

// keep puts samples that were not delivered where they wait.
func (q *Queue) keep(samples []metric.Sample) {
	q.mu.Lock()
	q.flying = nil
	if q.spool == nil && len(samples) > 0 {
		q.pending = append(samples[:len(samples):len(samples)], q.pending...)
		q.bound()
	}
	q.mu.Unlock()
	if len(samples) == 0 || q.spool == nil {
		return
	}
	kept, lost, err := q.spool.Append(samples)
	q.drop(dropSpoolFull, lost)
	if err == nil {
		return
	}
	q.log.Error("spool failed", "sink", q.name, "err", err)
	q.drop(dropSpoolFailed, len(samples)-kept)
}

// replay delivers from the spool until it is empty.
func (q *Queue) replay(ctx context.Context) error {
	for {
		batch, lost, err := q.spool.Peek()
		q.drop(dropSpoolFailed, lost)
		if err != nil {
			return fmt.Errorf("spool: %w", err)
		}
		if len(batch) == 0 {
			return nil
		}
		rest, err := q.deliver(ctx, batch)
		if nerr := q.spool.Next(len(batch) - len(rest)); nerr != nil {
			return errors.Join(err, nerr)
		}
		if err != nil {
			return err
		}
	}
}
