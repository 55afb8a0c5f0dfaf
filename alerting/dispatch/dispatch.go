// Package dispatch runs the router: it gathers inputs and timers, is the only caller of Router.Step, makes
// each decision durable, has it carried out and feeds the answer back.
//
// It decides nothing and knows no pager. It fails open: when the ledger cannot be written, pages go out
// all the same, state stays in memory, and an alarm about ourselves rises. Put, View and the questions
// may be called by many goroutines; Run blocks, and when it returns nothing of it runs on.
package dispatch

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/ledger"
)

// Router is what package router makes, as far as it is used here.
type Router interface {
	Step(now time.Time, in []alerting.Input) (out []alerting.Action, next time.Time)
	Restore([]alerting.Record)
	// Snapshot is called as Step is; what it returns makes the View, once, at any time.
	Snapshot() func() alerting.View
}

// Pager carries an action out and says what became of it. It has deadlines of its own.
type Pager interface {
	Send(ctx context.Context, a alerting.Action) alerting.Result
}

// Acknowledger is what a Pager also is where a person can take an incident elsewhere.
type Acknowledger interface {
	Acknowledge(ctx context.Context, route, key string) alerting.Result
}

// Options are what a Dispatcher works with.
type Options struct {
	Router Router
	Pager  Pager
	Second Pager                         // for P1s that Pager cannot deliver; may be nil
	Ledger func() (ledger.Ledger, error) // opens it, tried again while it fails; nil: none is wanted
	// Runbooks is the URL in front of the name of a rule, of the alarms about ourselves; may be empty.
	Runbooks string
	Node     string // whose the alarms about ourselves are
	// Shared says that other routers have the same ledger, so that one of them sends. Holder names this one among them,
	// the same after a restart; empty: Node.
	Shared bool
	Holder string
	HTTP   http.RoundTripper // for the heartbeat; nil: the network
	Log    *slog.Logger
	// Sent is told of each action and its answer, one at a time, for a terminal that shows them; may be nil.
	Sent func(a alerting.Action, r alerting.Result)
}

// Bounds of what waits.
const (
	chunk     = 500 // inputs of one message
	maxChunks = 100 // messages that wait; who puts more has to wait
	maxStep   = 10_000
	maxJobs   = 64 // for one route
	tick      = 5 * time.Second
)

// Dispatcher is the loop around a router.
type Dispatcher struct {
	cfg   Config
	opts  Options
	log   *slog.Logger
	book  *book
	watch *watch
	stats *stats

	refusals refusals
	proofs   proofs
	steps    steps

	inputs chan []alerting.Input
	answer chan answer

	mu    sync.Mutex // guards the router
	stale bool       // a step was made since the last view

	viewing  sync.Mutex // guards what follows; it is taken before mu
	viewed   alerting.View
	fault    string        // that examine found last
	viewAt   time.Time     // when it was made
	viewCost time.Duration // what it took

	routes  map[string]chan job // owned by the loop
	backlog []answer            // owned by the loop
	workers sync.WaitGroup
	extra   chan job // acknowledgements and notes for the pager
}

// New makes a Dispatcher.
func New(c Config, o Options) (*Dispatcher, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if o.Router == nil || o.Pager == nil {
		return nil, errors.New("dispatch: want a router and a pager")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if c.Mode == Off {
		o.Ledger = nil
	}
	d := &Dispatcher{
		cfg: c, opts: o, log: o.Log, book: newBook(o, c), watch: newWatch(c, o), stats: newStats(),
		stale: true, inputs: make(chan []alerting.Input, maxChunks), answer: make(chan answer, maxJobs), routes: map[string]chan job{}, extra: make(chan job, maxJobs),
	}
	d.watch.took = d.proofs.took
	return d, nil
}

// Put hands inputs to the router. It blocks while too many wait, until ctx ends; then some of in may have
// been taken, which is harmless: inputs may be told twice.
func (d *Dispatcher) Put(ctx context.Context, in ...alerting.Input) error {
	for len(in) > 0 {
		n := min(chunk, len(in))
		select {
		case d.inputs <- in[:n:n]:
		case <-ctx.Done():
			return ctx.Err()
		}
		in = in[n:]
	}
	return nil
}

// Acknowledge is Put for a person at the board or the command line: the pager is told as well, so that it
// stops escalating.
func (d *Dispatcher) Acknowledge(ctx context.Context, a alerting.Acked) error {
	if err := d.Put(ctx, a); err != nil {
		return err
	}
	if a.Undo || !d.acknowledges() {
		return nil
	}
	rec, ok := d.book.record(d.keyOf(a.Key))
	if !ok || !rec.Open {
		return nil // not paged yet: the pager is told when it is
	}
	select {
	case d.extra <- job{ack: &rec}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// viewShare bounds the share of time that making views may take.
const viewShare = 10

// View returns what the router thinks now; where a view is costly, what it thought a moment ago. It is made once for all who ask, and
// while it is made the router goes on.
func (d *Dispatcher) View() alerting.View {
	d.viewing.Lock()
	defer d.viewing.Unlock()
	begin := time.Now()
	if view := d.snapshot(begin.Sub(d.viewAt) >= viewShare*d.viewCost); view != nil {
		d.viewed = view()
		d.examine()
		d.viewAt = time.Now()
		d.viewCost = d.viewAt.Sub(begin)
	}
	return d.viewed
}

// Ended are the silences that ended within alerting.SilenceKept, the last ended first. They cover nothing.
func (d *Dispatcher) Ended() []alerting.Silence { return d.book.past(time.Now()) }

// snapshot waits for the router, and is nil where nothing new is to be seen, or not yet.
func (d *Dispatcher) snapshot(due bool) func() alerting.View {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.stale || !due {
		return nil
	}
	d.stale = false
	return d.opts.Router.Snapshot()
}

// examine looks, in shadow mode, for what must never be; d.viewing is held. It is logged when it comes and when it changes.
func (d *Dispatcher) examine() {
	if d.cfg.Mode != Shadow {
		return
	}
	fault := ""
	if err := d.viewed.Check(); err != nil {
		fault = err.Error()
	}
	if fault != d.fault && fault != "" {
		d.log.Error("the router is at fault, please report it", "fault", fault)
	}
	d.fault = fault
}

// Calm says that rule is one of the alarms that a Dispatcher raises about itself, and that it does not now.
func (d *Dispatcher) Calm(rule string) bool { return d.watch.calm(rule) }

// Open returns the records of the open incidents, for polling; none where another router sends, which polls too.
func (d *Dispatcher) Open() []alerting.Record {
	if !d.book.sends() {
		return nil
	}
	return d.book.records()
}

// heard takes what the other routers did.
func (d *Dispatcher) heard(in []alerting.Input) []alerting.Input {
	for _, i := range in {
		if l, ok := i.(alerting.Leads); ok && !l.On {
			d.watch.forget()
		}
	}
	return in
}

// History asks the ledger what happened.
func (d *Dispatcher) History(ctx context.Context, q ledger.Query) ([]ledger.Event, error) {
	return d.book.history(ctx, q)
}

// Run restores what the ledger holds and runs the router until ctx ends; then calls that are under way
// are waited for, and what they brought is written.
func (d *Dispatcher) Run(ctx context.Context) error {
	st := d.book.start()
	silences := d.restore(st)

	// The writer outlives the workers, whose last answers it writes.
	writing, stopWriting := context.WithCancel(context.Background())
	written := make(chan struct{})
	go func() { defer close(written); d.book.run(writing) }()

	d.book.put(nil, ledger.Event{At: time.Now(), Kind: ledger.Started, By: d.opts.Node, Detail: string(d.cfg.Mode)})
	d.workers.Go(func() { d.watch.heartbeat(ctx) })
	d.workers.Go(func() { d.prove(ctx) })
	d.workers.Go(func() { d.recallSteps(ctx) })
	d.workers.Go(func() { d.book.hold(ctx) })
	d.workers.Go(func() { d.book.follow(ctx) })
	if d.book.shared {
		silences = append(silences, alerting.Leads{On: false})
	}
	d.loop(ctx, silences)
	close(d.book.done)

	d.drain()
	stopWriting()
	select {
	case <-written:
	case <-time.After(2 * d.cfg.LedgerWait): // a disk that hangs does not keep the agent from ending
	}
	return nil
}

// restore tells the router of its earlier life.
func (d *Dispatcher) restore(st ledger.State) []alerting.Input {
	var recs []alerting.Record
	for _, e := range st.Entries {
		if e.Shadow == (d.cfg.Mode == Shadow) {
			recs = append(recs, e.Record)
		}
	}
	d.mu.Lock()
	d.opts.Router.Restore(recs)
	d.mu.Unlock()
	var in []alerting.Input
	now := time.Now()
	for _, s := range st.Silences {
		if s.EndsAt.After(now) {
			in = append(in, alerting.Silenced{Silence: s})
		}
	}
	d.log.Info("router starts", "mode", string(d.cfg.Mode), "records", len(recs), "silences", len(in))
	return in
}

func (d *Dispatcher) loop(ctx context.Context, in []alerting.Input) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	ticks := time.NewTicker(tick)
	defer ticks.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case more := <-d.inputs:
			in = append(in, d.note(more)...)
		case a := <-d.answer:
			in = append(in, d.settled(a)...)
		case more := <-d.book.others:
			in = append(in, d.heard(more)...)
		case j := <-d.extra:
			d.enqueue(ctx, j.route(), j)
			continue
		case late := <-d.book.late:
			d.mu.Lock()
			d.opts.Router.Restore(late)
			d.mu.Unlock()
		case <-timer.C:
		case <-ticks.C:
			in = append(in, d.look(ctx)...)
		}
		in = append(in, d.more(len(in))...)
		for _, a := range d.backlog {
			in = append(in, d.settled(a)...)
		}
		d.backlog = d.backlog[:0]
		timer.Reset(d.step(ctx, in))
		in = nil
	}
}

// more takes what waits already, so that a storm costs few steps.
func (d *Dispatcher) more(n int) []alerting.Input {
	var in []alerting.Input
	for n+len(in) < maxStep {
		select {
		case more := <-d.inputs:
			in = append(in, d.note(more)...)
		case a := <-d.answer:
			in = append(in, d.settled(a)...)
		default:
			return in
		}
	}
	return in
}

// step lets the router decide, starts what it wants done, and returns when it wants to be asked again.
func (d *Dispatcher) step(ctx context.Context, in []alerting.Input) time.Duration {
	now := time.Now()
	d.mu.Lock()
	actions, next := d.opts.Router.Step(now, in)
	d.stale = true
	d.mu.Unlock()
	d.watch.alive()
	for _, a := range actions {
		if d.watch.decided(a, now) {
			d.stats.decided(a, now)
		}
		d.enqueue(ctx, a.Route, job{action: a, at: now})
	}
	if len(d.backlog) > 0 {
		return 0
	}
	if next.IsZero() {
		return time.Hour
	}
	return max(time.Until(next), time.Millisecond)
}
