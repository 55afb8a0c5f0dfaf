package dispatch

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/ledger"
)

const (
	stepRetry   = 30 * time.Second // after a call that was not accepted
	stepTimeout = 30 * time.Second
	stepBy      = "escalation" // who called, in the ledger
	stepPrefix  = "called "
)

// steps are the automatic calls of further pagers, by incident.
type steps struct {
	mu    sync.Mutex
	ready bool // the ledger was asked for those of an earlier life
	done  map[string]int
	busy  map[string]bool
	tried map[string]time.Time
}

// next is the number of steps that were made for an incident; false: one is under way, or its turn has not come.
func (s *steps) next(key string, now time.Time) (int, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ready || s.busy[key] || now.Sub(s.tried[key]) < stepRetry {
		return 0, false
	}
	return s.done[key], true
}

func (s *steps) begin(key string, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.make()
	s.busy[key], s.tried[key] = true, now
}

func (s *steps) end(key string, made bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.make()
	delete(s.busy, key)
	if made {
		s.done[key]++
		delete(s.tried, key) // the next step has a time of its own
	}
}

func (s *steps) make() {
	if s.done == nil {
		s.done, s.busy, s.tried = map[string]int{}, map[string]bool{}, map[string]time.Time{}
	}
}

// keep forgets what is not open any more.
func (s *steps) keep(open map[string]bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k := range s.done {
		if !open[k] {
			delete(s.done, k)
		}
	}
	for k := range s.tried {
		if !open[k] {
			delete(s.tried, k)
		}
	}
}

// recallSteps learns from the ledger which steps were made before the start.
func (d *Dispatcher) recallSteps(ctx context.Context) {
	caller, ok := d.opts.Pager.(Caller)
	if ok {
		since := time.Now()
		for _, rec := range d.book.records() {
			if rec.Open && rec.OpenedAt.Before(since) {
				since = rec.OpenedAt
			}
		}
		events, err := d.History(ctx, ledger.Query{Since: since, Kinds: []ledger.Kind{ledger.Escalated}})
		if err != nil {
			d.log.Warn("escalations before the start are not known: a pager may be called again", "err", err)
		}
		for _, e := range events {
			to, auto := strings.CutPrefix(e.Detail, stepPrefix)
			if e.By == stepBy && auto {
				d.steps.end(e.Key, true)
				caller.Called(e.Key, to)
			}
		}
	}
	d.steps.mu.Lock()
	defer d.steps.mu.Unlock()
	d.steps.ready = true
}

// stepOn calls who is next for incidents that nobody acknowledged in time.
func (d *Dispatcher) stepOn(ctx context.Context, now time.Time) {
	caller, ok := d.opts.Pager.(Caller)
	if !ok || d.cfg.Mode != On && d.cfg.Mode != Low || !d.book.sends() {
		return
	}
	open := map[string]bool{}
	for _, rec := range d.book.records() {
		if !rec.Open {
			continue
		}
		open[rec.Key] = true
		if rec.AckedBy != "" || rec.SilencedUntil.After(now) || rec.Pending != "" && rec.Kind == alerting.Resolve {
			continue
		}
		todo := caller.Steps(rec.Route)
		n, due := d.steps.next(rec.Key, now)
		if !due || n >= len(todo) || now.Sub(rec.OpenedAt) < todo[n].After {
			continue
		}
		d.steps.begin(rec.Key, now)
		d.workers.Go(func() { d.call(ctx, caller, rec, todo[n].To) })
	}
	d.steps.keep(open)
}

func (d *Dispatcher) call(ctx context.Context, caller Caller, rec alerting.Record, to string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stepTimeout)
	defer cancel()
	r := caller.Step(ctx, rec, to)
	d.steps.end(rec.Key, r.Outcome == alerting.Accepted)
	if r.Outcome != alerting.Accepted {
		d.log.Warn("escalation not accepted", "key", rec.Key, "to", to, "outcome", r.Outcome.String(), "detail", r.Detail)
		return
	}
	d.book.put(nil, ledger.Event{
		At: time.Now(), Kind: ledger.Escalated, Key: rec.Key, Route: rec.Route, Priority: rec.Page.Priority, Title: rec.Page.Sentence,
		By: stepBy, Detail: stepPrefix + to,
	})
}
