package sinks

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/navcloud/binnacle/agent/metric"
)

// maxSearches bounds how many refused writes a minute go into the search for what a destination does not want: it is not
// to be flooded. Over it, what it refuses is given up as it stands.
const maxSearches = 32

// maxRefusals ends a search for poison: after so many samples refused one by one, with none taken
// between them, it is the whole batch that the destination won't have.
const maxRefusals = 16

// deliver writes samples in batches and returns those that still wait, with the reason.
func (q *Queue) deliver(ctx context.Context, samples []metric.Sample) (rest []metric.Sample, err error) {
	samples = q.young(samples)
	q.refusing = false
	for len(samples) > 0 {
		n := min(q.opts.Batch, len(samples))
		done, err := q.batch(ctx, samples[:n])
		samples = samples[done:]
		if err != nil {
			return samples, err
		}
	}
	return nil, nil
}

// young drops what is too old for the destination.
func (q *Queue) young(samples []metric.Sample) []metric.Sample {
	if q.opts.MaxAge == 0 {
		return samples
	}
	oldest := time.Now().Add(-q.opts.MaxAge)
	out := samples
	for i, s := range samples {
		if !s.Time.Before(oldest) {
			continue
		}
		out = append([]metric.Sample{}, samples[:i]...)
		for _, s := range samples[i:] {
			if !s.Time.Before(oldest) {
				out = append(out, s)
			}
		}
		break
	}
	q.drop(dropLate, len(samples)-len(out))
	return out
}

// batch writes one batch with retries until ctx ends, searching out what is refused for good. It
// returns how many samples, from the front, need no more work.
func (q *Queue) batch(ctx context.Context, batch []metric.Sample) (done int, err error) {
	refusals := 0
	bad := 0 // where known, batch[done:bad] holds a sample that is refused
	_, err = backoff.Retry(ctx, func() (struct{}, error) {
		for done < len(batch) {
			end := min(len(batch), done+q.limit())
			if bad > done {
				end = min(end, done+max((bad-done)/2, 1))
			}
			n, err := q.write(ctx, batch[done:end])
			done += n
			if n > 0 {
				refusals = 0
				q.pauses.end()
			}
			switch {
			case done == end:
			case errors.Is(err, ErrTooLarge) && end-done > 1:
				q.most = (end - done) / 2 // it stays so: the next one would be too large as well
			case IsPermanent(err) && end-done > 1 && q.maySearch():
				bad = end
			case IsPermanent(err) && end-done > 1:
				q.tellRefusal("err", err, "samples", end-done)
				q.drop(dropRefused, end-done)
				done, bad = end, 0
			case IsPermanent(err):
				q.refused(batch[done], err)
				done, bad = done+1, 0
				if refusals++; refusals == maxRefusals {
					q.drop(dropRefused, len(batch)-done)
					done = len(batch)
				}
			default:
				return struct{}{}, after(err)
			}
		}
		return struct{}{}, nil
	}, backoff.WithBackOff(&q.pauses), backoff.WithMaxElapsedTime(q.opts.Deadline))
	if err == nil {
		q.recovered()
		return done, nil
	}
	q.down(err)
	return done, err
}

// limit is how many samples one write may hold.
func (q *Queue) limit() int {
	if q.most > 0 {
		return q.most
	}
	return q.opts.Batch
}

// maySearch counts a refused write, and says whether the search may go on.
func (q *Queue) maySearch() bool {
	if now := time.Now(); now.Sub(q.searchSince) > time.Minute {
		q.searchSince, q.searches = now, 0
	}
	q.searches++
	return q.searches <= maxSearches
}

// Bounds of a pause between two attempts.
const (
	firstPause = 500 * time.Millisecond
	maxPause   = 15 * time.Second
)

// pauses are between attempts: each is a random one of up to twice the bound before, from flush to flush, until something
// is delivered. Source: "Exponential Backoff And Jitter", AWS Architecture Blog, full jitter; read 30 November 2026.
type pauses struct {
	bound time.Duration
	until time.Time
}

// NextBackOff implements backoff.BackOff.
func (p *pauses) NextBackOff() time.Duration {
	p.bound = min(max(2*p.bound, firstPause), maxPause)
	d := rand.N(p.bound)
	p.until = time.Now().Add(d)
	return d
}

// Reset implements backoff.BackOff: the next flush goes on where this one ends.
func (p *pauses) Reset() {}

func (p *pauses) end() { *p = pauses{} }

// write calls the sink and counts what came of it.
func (q *Queue) write(ctx context.Context, samples []metric.Sample) (n int, err error) {
	err = q.sink.Write(ctx, samples)
	var rejected *RejectedError
	if errors.As(err, &rejected) {
		lost := min(max(rejected.N, 1), len(samples))
		q.tellRefusal("err", err, "samples", lost)
		q.drop(dropRefused, lost)
		q.sent(len(samples)-lost, nil)
		return len(samples), nil
	}
	n, err = written(err, len(samples))
	q.sent(n, err)
	return n, err
}

// written returns how many of n samples a write delivered.
func written(err error, n int) (int, error) {
	var partial *PartialError
	switch {
	case err == nil:
		return n, nil
	case errors.As(err, &partial):
		return min(max(partial.Written, 0), n), err
	}
	return 0, err
}

// after gives the destination's own word on when to try again to the retry.
func after(err error) error {
	var ra *RetryAfterError
	if errors.As(err, &ra) && ra.After > 0 {
		return &retryAfter{&backoff.RetryAfterError{Duration: ra.After}, err}
	}
	return err
}

// retryAfter tells the retry how long to wait and everyone else what happened.
type retryAfter struct {
	wait *backoff.RetryAfterError
	err  error
}

func (e *retryAfter) Error() string   { return e.err.Error() }
func (e *retryAfter) Unwrap() []error { return []error{e.wait, e.err} }

func (q *Queue) sent(n int, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.stats.Writes++
	q.stats.Sent += float64(n)
	if err == nil {
		q.stats.LastSuccess = time.Now()
		return
	}
	q.stats.Failures++
	q.stats.LastError = err.Error()
}

// refused counts a sample that the destination will never take, and tells the first of a flush.
func (q *Queue) refused(s metric.Sample, err error) {
	q.drop(dropRefused, 1)
	q.tellRefusal("err", err, "metric", s.Desc.Name, "labels", s.Labels.String())
}

func (q *Queue) tellRefusal(args ...any) {
	if !q.refusing {
		q.refusing = true
		q.log.Warn("sink refused samples", append([]any{"sink", q.name}, args...)...)
	}
}

// down notes a flush that failed, and tells the first. A shutdown is no failure.
func (q *Queue) down(err error) {
	if errors.Is(err, context.Canceled) {
		return
	}
	q.mu.Lock()
	first := q.stats.DownSince.IsZero()
	if first {
		q.stats.DownSince = time.Now()
	}
	if q.stats.LastError == "" {
		q.stats.LastError = err.Error()
	}
	last := q.stats.LastError
	q.mu.Unlock()
	if first {
		q.log.Warn("sink unreachable", "sink", q.name, "err", last)
	}
}

// recovered notes a batch that went through after all.
func (q *Queue) recovered() {
	q.pauses.end()
	q.mu.Lock()
	since := q.stats.DownSince
	q.stats.DownSince = time.Time{}
	dropped := 0.0
	for _, n := range q.stats.Dropped {
		dropped += n
	}
	q.mu.Unlock()
	if !since.IsZero() {
		q.log.Info("sink recovered", "sink", q.name, "down", time.Since(since), "dropped", dropped)
	}
}
