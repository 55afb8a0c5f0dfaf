package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"math/rand/v2"
	"runtime/debug"
	"sync"
	"time"

	"github.com/navcloud/binnacle/agent/health"
	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/collectors"
)

// absentRetry is how often a collector looks again for what is not on this machine.
const absentRetry = time.Minute

// maxPanicPause bounds how long a collector that panics is left alone.
const maxPanicPause = 5 * time.Minute

// job runs one collector on its schedule. A collector that hangs or panics hurts no other: each has
// a goroutine, a deadline and at most one collection under way.
type job struct {
	plan
	collector collectors.Collector
	now       func() time.Time
	log       *slog.Logger
	deliver   func(*metric.Batch)
	noteSeen  func(service string) // keeps that it saw what it looks for; nil: that is not kept

	mu      sync.Mutex
	state   health.Collector
	errs    map[string]float64 // by reason
	busy    bool               // a collection is under way
	pause   time.Duration      // after a panic, doubled each time
	seen    bool               // it saw what it looks for at least once, or should
	overrun float64            // collections left out since the one before had not ended

	parts      parts // of what it looks at, those that it could not see
	rejects    *rejects
	blindSince time.Time // since when it sees nothing; zero while it does, or there is nothing
}

// run collects until ctx ends, then once more for a Runner, whose last window would be lost otherwise.
func (j *job) run(ctx context.Context) error {
	var runner sync.WaitGroup
	runCtx, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	r, isRunner := j.collector.(collectors.Runner)
	if isRunner {
		runner.Go(func() { j.supervise(runCtx, r) })
	}
	// A random start spreads the collectors over the interval; the first look is soon, for status.
	wait := rand.N(min(j.interval, time.Second))
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			stop()
			runner.Wait()
			if isRunner {
				j.collect(context.WithoutCancel(ctx))
			}
			return nil
		case <-timer.C:
			begin := j.now()
			next := j.collect(ctx)
			timer.Reset(max(next-j.now().Sub(begin), 0))
		}
	}
}

// supervise keeps a Runner running: one that fails or panics is started again after a pause.
func (j *job) supervise(ctx context.Context, r collectors.Runner) {
	for pause := time.Second; ctx.Err() == nil; pause = min(2*pause, time.Minute) {
		err := guard(func() error { return r.Run(ctx) })
		if ctx.Err() != nil {
			return
		}
		j.log.Error("collector stopped", "collector", j.spec.Name, "err", err, "again_in", pause)
		j.note("runner", err)
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// collect looks once and returns how long after its begin the next look is due. A collection that
// outlives its deadline goes on by itself; the next ones are left out until it ends.
func (j *job) collect(ctx context.Context) time.Duration {
	j.mu.Lock()
	if j.busy {
		j.overrun++
		j.state.Overruns = j.overrun
		j.mu.Unlock()
		j.failed(collectors.Blind("hung", errors.New("the collection before has not ended")))
		return j.interval
	}
	j.busy = true
	j.mu.Unlock()

	cctx, cancel := context.WithTimeout(ctx, j.deadline)
	b := &metric.Batch{Time: j.now()}
	done := make(chan error, 1)
	go func() {
		err := guard(func() error { return j.collector.Collect(cctx, b) })
		cancel()
		j.mu.Lock()
		j.busy = false
		j.mu.Unlock()
		done <- err
	}()
	grace := time.NewTimer(j.deadline + j.deadline/4 + 100*time.Millisecond)
	defer grace.Stop()
	select {
	case err := <-done:
		return j.finished(b, err)
	case <-grace.C:
		j.failed(collectors.Blind("hung", fmt.Errorf("no answer within the deadline of %v", j.deadline)))
		return j.interval
	}
}

func (j *job) finished(b *metric.Batch, err error) time.Duration {
	took := j.now().Sub(b.Time)
	defer func() { // after what came of it: who has run and is not up is blind
		j.mu.Lock()
		j.state.LastRun, j.state.Took, j.state.Series = b.Time, took, len(b.Samples)
		j.mu.Unlock()
	}()
	if len(b.Samples) > 0 || len(b.Events) > 0 {
		j.deliver(b)
	}
	if errors.Is(err, collectors.ErrAbsent) && !j.seen {
		j.mu.Lock()
		j.blindSince = time.Time{}
		j.state.Absent, j.state.Up, j.state.Reason, j.state.Error = true, false, "", ""
		j.mu.Unlock()
		return max(absentRetry, j.interval)
	}
	j.mu.Lock()
	err = j.parts.see(b.Time, err)
	j.mu.Unlock()
	if err != nil {
		j.failed(err)
		var p *panicError
		if errors.As(err, &p) {
			j.pause = min(max(2*j.pause, j.interval), maxPanicPause)
			return j.pause
		}
		return j.interval
	}
	j.pause = 0
	j.succeeded(b.Time)
	return j.interval
}

func (j *job) succeeded(at time.Time) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.noteSeen != nil {
		j.noteSeen(j.spec.Name)
	}
	j.seen = true
	if !j.state.Up && j.state.Error != "" {
		j.log.Info("collector recovered", "collector", j.spec.Name, "down", j.now().Sub(j.blindSince).Round(time.Second))
	}
	j.blindSince = time.Time{}
	j.state.Up, j.state.Absent, j.state.Reason, j.state.Error, j.state.LastUp = true, false, "", "", at
}

// failed notes an error, and logs it when it is news.
func (j *job) failed(err error) {
	reason := reasonOf(err)
	j.mu.Lock()
	news := j.state.Reason != reason
	j.mu.Unlock()
	if news {
		j.log.Warn("collector failed", "collector", j.spec.Name, "reason", reason, "err", err)
	}
	j.note(reason, err)
}

func (j *job) note(reason string, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.errs[reason]++
	if j.blindSince.IsZero() {
		j.blindSince = j.now()
	}
	j.state.Up, j.state.Absent, j.state.Reason, j.state.Error = false, false, reason, errText(err)
}

// reasonOf is the label reason: few values.
func reasonOf(err error) string {
	var blind *collectors.BlindError
	var p *panicError
	switch {
	case errors.As(err, &blind):
		return blind.Reason
	case errors.As(err, &p):
		return "panic"
	case errors.Is(err, collectors.ErrAbsent):
		return "gone"
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	case errors.Is(err, fs.ErrPermission):
		return "permission"
	case errors.Is(err, fs.ErrNotExist):
		return "missing"
	}
	return "error"
}

// failures counts collections that failed, by reason.
func (j *job) failures() map[string]float64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return maps.Clone(j.errs)
}

func (j *job) status() health.Collector {
	j.mu.Lock()
	defer j.mu.Unlock()
	s := j.state
	s.Checks, s.Rejected = healthChecks(j.checkStates(), j.now()), j.rejects.counts()
	if h, ok := j.collector.(collectors.Hider); ok && s.Up {
		s.Hidden = h.Hidden()
	}
	if n, ok := j.collector.(collectors.Noter); ok {
		s.Notes = n.Notes()
	}
	return s
}

// panicError is a panic that was caught.
type panicError struct{ text string }

func (e *panicError) Error() string { return e.text }

func guard(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = &panicError{fmt.Sprintf("panic: %v\n%s", r, debug.Stack())}
		}
	}()
	return f()
}
