package sinks

import (
	"context"
	"errors"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/navcloud/binnacle/agent/metric"
)

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
	first := 500 * time.Millisecond
	if q.isDown() {
		first = 5 * time.Second // a destination that is down is asked now and then, not with every flush anew
	}
	b := &backoff.ExponentialBackOff{
		InitialInterval: first, Multiplier: 2, MaxInterval: 15 * time.Second,
		RandomizationFactor: 1, // full jitter: between 0 and twice the interval
	}
	refusals := 0
	bad := 0 // where known, batch[done:bad] holds a sample that is refused
	_, err = backoff.Retry(ctx, func() (struct{}, error) {
		for done < len(batch) {
			end := len(batch)
			if bad > done {
				end = done + max((bad-done)/2, 1)
			}
			n, err := q.write(ctx, batch[done:end])
			done += n
			if n > 0 {
				refusals = 0
				b.Reset()
			}
			switch {
			case done == end:
			case IsPermanent(err) && end-done > 1:
				bad = end
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
	}, backoff.WithBackOff(b), backoff.WithMaxElapsedTime(q.opts.Deadline))
	if err == nil {
		q.recovered()
		return done, nil
	}
	q.down(err)
	return done, err
}

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

func (q *Queue) isDown() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return !q.stats.DownSince.IsZero()
}

// recovered notes a batch that went through after all.
func (q *Queue) recovered() {
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
