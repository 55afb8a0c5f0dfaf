package agent

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/collectors"
)

type collectFunc func(context.Context, *metric.Batch) error

func (f collectFunc) Collect(ctx context.Context, b *metric.Batch) error { return f(ctx, b) }

var answer = &metric.Desc{Name: "answer"}

func newJob(name string, c collectors.Collector, deliver func(*metric.Batch)) *job {
	return &job{
		plan:      plan{spec: collectors.Spec{Name: name}, interval: 10 * time.Second, deadline: 5 * time.Second},
		collector: c, now: time.Now, log: slog.New(slog.DiscardHandler), deliver: deliver, errs: map[string]float64{}, parts: parts{}, rejects: newRejects(slog.New(slog.DiscardHandler)),
	}
}

// runFor runs jobs for a while of faked time.
func runFor(t *testing.T, d time.Duration, jobs ...*job) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	var wg sync.WaitGroup
	for _, j := range jobs {
		wg.Go(func() { _ = j.run(ctx) })
	}
	wg.Wait()
}

func TestACollectorThatHangsOrPanicsHurtsNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var good int
		release := make(chan struct{})
		jobs := []*job{
			newJob("good", collectFunc(func(_ context.Context, b *metric.Batch) error { b.Add(answer, 42); return nil }), func(*metric.Batch) { good++ }),
			newJob("hangs", collectFunc(func(context.Context, *metric.Batch) error { <-release; return nil }), func(*metric.Batch) {}),
			newJob("panics", collectFunc(func(context.Context, *metric.Batch) error { panic("boo") }), func(*metric.Batch) {}),
			newJob("slow", collectFunc(func(ctx context.Context, _ *metric.Batch) error { <-ctx.Done(); return ctx.Err() }), func(*metric.Batch) {}),
		}
		runFor(t, 2*time.Minute, jobs...)
		close(release)
		if good != 12 {
			t.Errorf("the good collector was collected %d times in 2 min; want 12", good)
		}
		for i, want := range []string{"", "hung", "panic", "timeout"} {
			s := jobs[i].status()
			if s.Up != (want == "") || s.Reason != want {
				t.Errorf("%s: up %v, reason %q; want reason %q", s.Name, s.Up, s.Reason, want)
			}
		}
		if s := jobs[1].status(); s.Overruns < 5 {
			t.Errorf("hangs: %v collections left out; want one a turn", s.Overruns)
		}
		if n := jobs[2].errs["panic"]; n < 3 || n > 5 {
			t.Errorf("panics: %v times in 2 min; want pauses that double from 10 s", n)
		}
	})
}

func TestWhatWasNeverSeenIsAbsentAndWhatWentIsAFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		there, looks := false, 0
		j := newJob("riak", collectFunc(func(_ context.Context, b *metric.Batch) error {
			looks++
			if !there {
				return collectors.Blind("connect", errors.Join(collectors.ErrAbsent, errors.New("refused")))
			}
			b.Add(answer, 1)
			return nil
		}), func(*metric.Batch) {})
		runFor(t, 3*time.Minute, j)
		if s := j.status(); !s.Absent || s.Up || s.Error != "" || looks != 3 {
			t.Errorf("never seen: %+v after %d looks; want absent after 3", s, looks)
		}
		there = true
		runFor(t, time.Minute, j)
		if s := j.status(); !s.Up || s.Absent {
			t.Errorf("seen: %+v; want up", s)
		}
		there = false
		runFor(t, time.Minute, j)
		if s := j.status(); s.Up || s.Absent || s.Reason != "connect" {
			t.Errorf("gone: %+v; want down for connect", s)
		}
	})
}

type window struct {
	mu      sync.Mutex
	pending int
	ran     bool
}

func (w *window) Run(ctx context.Context) error {
	for i := 0; ; i++ {
		select {
		case <-ctx.Done():
			w.mu.Lock()
			w.pending++ // what was still in the socket
			w.ran = true
			w.mu.Unlock()
			return nil
		case <-time.After(time.Second):
			w.mu.Lock()
			w.pending++
			w.mu.Unlock()
		}
	}
}

func (w *window) Collect(_ context.Context, b *metric.Batch) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	b.Add(answer, float64(w.pending))
	w.pending = 0
	return nil
}

func TestTheLastWindowOfARunnerIsCollected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, sum := &window{}, 0.0
		runFor(t, 25*time.Second+time.Millisecond, newJob("statsd", w, func(b *metric.Batch) { sum += b.Samples[0].Value }))
		if sum != 26 || !w.ran {
			t.Errorf("collected %v; want all 25 and the one that came at the stop", sum)
		}
	})
}

// TestHowLongACollectorWasBlindIsNeverMoreThanSinceItsStart plays every order of four outcomes, with what runs beside the
// collections failing before each: what the log says of a recovery lies between nothing and the time that passed.
func TestHowLongACollectorWasBlindIsNeverMoreThanSinceItsStart(t *testing.T) {
	type outcome func() error
	outcomes := []outcome{
		func() error { return nil },
		func() error { return collectors.ErrAbsent },
		func() error { return errors.New("no answer") },
		func() error { panic("boo") },
	}
	const steps = 4
	for order := range 1 << (3 * steps) { // two bits for the outcome, one for the runner
		synctest.Test(t, func(t *testing.T) {
			var lines bytes.Buffer
			n := 0
			j := newJob("one", nil, func(*metric.Batch) {})
			j.log = slog.New(slog.NewTextHandler(&lines, nil))
			j.collector = collectFunc(func(context.Context, *metric.Batch) error {
				step := order >> (3 * n)
				n++
				if step&4 != 0 {
					time.Sleep(time.Second)
					j.note("runner", errors.New("it ended")) // while a collection is under way
				}
				return outcomes[step&3]()
			})
			begin := time.Now()
			for range steps {
				time.Sleep(j.collect(t.Context()))
				for line := range strings.Lines(lines.String()) {
					if _, down, ok := strings.Cut(line, " down="); ok {
						d, err := time.ParseDuration(strings.TrimSpace(down))
						if err != nil || d < 0 || d > time.Since(begin) {
							t.Fatalf("order %o: after %v it says %s", order, time.Since(begin), line)
						}
					}
				}
				lines.Reset()
			}
		})
	}
}
