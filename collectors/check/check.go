// Package check runs the parts of a collector that go at their own pace, and keeps how each ended: a check that hangs
// holds up no other, and no endpoint has more than one request of ours in flight.
//
// It knows nothing of what is asked. What a check found it hands to its collector, under the collector's lock.
package check

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/navcloud/binnacle/collectors"
)

// Check asks one thing, again and again. Its fields are set before the first run; how it stands is guarded by the lock
// of its Set.
type Check struct {
	Name     string
	Every    time.Duration // between the begins of two runs
	Deadline time.Duration // of one run
	// Do asks without the lock. keep takes over what was found, under the lock; it may come with an error where a part
	// was found.
	Do   func(context.Context) (keep func(), err error)
	Skip func() bool // under the lock: nothing to ask now; nil: never
	// Rest is how long to wait instead of Every after a run that took so long and ended so; nil: Every.
	Rest   func(took time.Duration, err error) time.Duration
	Prompt bool // whoever waits for the Set's first answers waits for this one

	busy chan struct{} // holds one while a run is under way: Once and Run may meet, and answers must not come out of order

	done   bool // the last run was not skipped
	err    error
	took   time.Duration
	wait   time.Duration
	keptAt time.Time // when keep last ran
	since  time.Time // since when it fails; zero while it does not
	failed int       // runs in a row
}

// Done reports whether the check has run and was not skipped the last time.
func (c *Check) Done() bool { return c.done }

// Err is how the last run ended.
func (c *Check) Err() error { return c.err }

// OK reports whether the last run ended well.
func (c *Check) OK() bool { return c.done && c.err == nil }

// Took is how long the last run took.
func (c *Check) Took() time.Duration { return c.took }

// Fresh reports whether what was last found is young enough to be told at now, however later runs ended.
func (c *Check) Fresh(now time.Time) bool {
	return !c.keptAt.IsZero() && now.Sub(c.keptAt) <= 2*c.wait+c.Deadline
}

// Current reports whether the last run ended well and what it found is young enough to be told at now.
func (c *Check) Current(now time.Time) bool { return c.OK() && c.Fresh(now) }

// blindLogged is the run in a row that fails at which a check is logged.
const blindLogged = 3

// Set is the checks of one collector, and the lock that guards how they stand.
type Set struct {
	mu     sync.Locker
	now    func() time.Time
	log    *slog.Logger
	checks []*Check
	first  chan struct{}
}

// NewSet returns a set of checks, guarded by mu.
func NewSet(mu sync.Locker, now func() time.Time, log *slog.Logger, checks ...*Check) *Set {
	s := &Set{mu: mu, now: now, log: log, checks: slices.DeleteFunc(checks, func(c *Check) bool { return c == nil }), first: make(chan struct{})}
	for _, c := range s.checks {
		c.busy = make(chan struct{}, 1)
	}
	return s
}

// All returns the checks in their order.
func (s *Set) All() []*Check { return s.checks }

// First is closed when Run has run every prompt check once.
func (s *Set) First() <-chan struct{} { return s.first }

// Once runs every check one time, side by side, and waits for all of them. Those that may have nothing to ask come
// after those that tell.
func (s *Set) Once(ctx context.Context) {
	for _, optional := range []bool{false, true} {
		var wg sync.WaitGroup
		for _, c := range s.checks {
			if (c.Skip != nil) == optional {
				wg.Go(func() { s.run(ctx, c) })
			}
		}
		wg.Wait()
	}
}

// Run runs each check at its own pace until ctx ends.
func (s *Set) Run(ctx context.Context) {
	var wg, prompt sync.WaitGroup
	for _, c := range s.checks {
		if c.Prompt {
			prompt.Add(1)
		}
		wg.Go(func() { s.loop(ctx, c, prompt.Done) })
	}
	wg.Go(func() {
		prompt.Wait()
		close(s.first)
	})
	wg.Wait()
}

func (s *Set) loop(ctx context.Context, c *Check, ranFirst func()) {
	for first := true; ; first = false {
		wait := s.run(ctx, c)
		if first && c.Prompt {
			ranFirst()
		}
		if ctx.Err() != nil {
			return
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
}

// skipRetry is how soon a check that had nothing to ask is tried again: what it waits for may have come.
const skipRetry = 5 * time.Second

// run runs a check once, after the run that is under way, and returns how long to rest.
func (s *Set) run(ctx context.Context, c *Check) time.Duration {
	select {
	case c.busy <- struct{}{}:
		defer func() { <-c.busy }()
	case <-ctx.Done():
		return 0
	}
	begin := s.now()
	s.mu.Lock()
	if c.Skip != nil && c.Skip() {
		c.done, c.err, c.since, c.failed = false, nil, time.Time{}, 0
		s.mu.Unlock()
		return min(c.Every, skipRetry)
	}
	s.mu.Unlock()

	one, cancel := context.WithTimeout(ctx, c.Deadline)
	keep, err := c.Do(one)
	cancel()
	if err != nil && context.Cause(ctx) == context.Canceled {
		return 0 // we end, which says nothing of what was asked
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	c.done, c.err, c.took = true, err, now.Sub(begin)
	if keep != nil {
		c.keptAt = now
		keep()
	}
	s.note(c, begin)
	c.wait = c.Every
	if c.Rest != nil {
		c.wait = c.Rest(c.took, err)
	}
	return max(c.wait-c.took, c.wait/4)
}

// note keeps since when a check fails, and logs it when it stays so and when it is over.
func (s *Set) note(c *Check, begin time.Time) {
	if c.err == nil {
		if c.failed >= blindLogged {
			s.log.Info("check answers again", "check", c.Name, "failed_for", begin.Sub(c.since).Round(time.Second))
		}
		c.since, c.failed = time.Time{}, 0
		return
	}
	if c.failed++; c.failed == 1 {
		c.since = begin
	}
	if c.failed == blindLogged {
		s.log.Warn("check fails", "check", c.Name, "err", c.err)
	}
}

// States returns how each check that has run stands; the lock is held. reason names an error in few words.
func (s *Set) States(reason func(error) string) []collectors.CheckState {
	var out []collectors.CheckState
	for _, c := range s.checks {
		if !c.done {
			continue
		}
		st := collectors.CheckState{Name: c.Name, Every: max(c.Every, c.wait), Since: c.since}
		if c.err != nil {
			st.Reason, st.Err = reason(c.err), c.err
		}
		out = append(out, st)
	}
	return out
}
