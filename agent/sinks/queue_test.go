package sinks_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/agent/sinks"
	"github.com/navcloud/binnacle/agent/sinks/sinkstest"
)

// run starts q and returns what stops it and drains it.
func run(t *testing.T, q *sinks.Queue) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- q.Run(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
		if err := q.Drain(t.Context()); err != nil {
			t.Logf("Drain: %v", err)
		}
	}
}

// shelf is a destination in memory: it keeps what it takes and fails as told.
type shelf struct {
	mu    sync.Mutex
	fail  func(samples []metric.Sample) error // nil: never
	got   []string
	calls int
}

func (s *shelf) Write(ctx context.Context, samples []metric.Sample) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	if s.fail != nil {
		if err := s.fail(samples); err != nil {
			return err
		}
	}
	for _, sm := range samples {
		s.got = append(s.got, sm.Desc.Name)
	}
	return ctx.Err()
}

func (s *shelf) set(fail func([]metric.Sample) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = fail
}

func names(n int) (out []string) {
	for i := range n {
		out = append(out, fmt.Sprintf("suite_%d", i))
	}
	return out
}

func down([]metric.Sample) error { return errors.New("connection refused") }

func TestQueueRetriesAndTellsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var logged bytes.Buffer
		dest := &shelf{fail: down}
		q := sinks.NewQueue("x", dest, sinks.DefaultQueue(), 0, nil, slog.New(slog.NewTextHandler(&logged, nil)))
		stop := run(t, q)
		feed(q, sinkstest.Samples(10, time.Now()))
		time.Sleep(5 * time.Minute)
		if st := q.Stats(); st.Depth != 10 || st.DownSince.IsZero() || st.LastError != "connection refused" || st.Sent != 0 {
			t.Errorf("while down: %+v", st)
		}
		dest.set(nil)
		time.Sleep(30 * time.Second) // a pause of 15 s at most, and the next flush
		st := q.Stats()
		if st.Depth != 0 || !st.DownSince.IsZero() || st.Sent != 10 || len(st.Dropped) != 0 {
			t.Errorf("when back: %+v", st)
		}
		stop()
		if !slices.Equal(dest.got, names(10)) {
			t.Errorf("got %v", dest.got)
		}
		if n := strings.Count(logged.String(), "\n"); n != 2 {
			t.Errorf("%d log lines; want one down, one back:\n%s", n, &logged)
		}
	})
}

func TestQueueIsBoundedAndCounts(t *testing.T) {
	o := sinks.DefaultQueue()
	o.Depth, o.Batch = 1000, 100
	q := sinks.NewQueue("x", &shelf{fail: down}, o, 0, nil, slog.New(slog.DiscardHandler))
	feed(q, sinkstest.Samples(1500, time.Now()))
	if st := q.Stats(); st.Depth != 1000 || st.Dropped["queue_full"] != 500 {
		t.Errorf("Depth %d, dropped %v; want 1000 and 500", st.Depth, st.Dropped)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := q.Drain(ctx); err == nil {
		t.Error("Drain of what cannot be delivered says nothing")
	}
	if st := q.Stats(); st.Dropped["shutdown"] != 1000 || st.Depth != 0 {
		t.Errorf("after Drain: %+v; want 1000 lost by shutdown", st)
	}
}

func TestQueueFindsThePoison(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		poison := []string{"suite_17", "suite_300", "suite_301", "suite_999"}
		dest := &shelf{fail: func(in []metric.Sample) error {
			for _, s := range in {
				if slices.Contains(poison, s.Desc.Name) {
					return sinks.Permanent(errors.New("bad " + s.Desc.Name))
				}
			}
			return nil
		}}
		q := sinks.NewQueue("x", dest, sinks.DefaultQueue(), 0, nil, slog.New(slog.DiscardHandler))
		stop := run(t, q)
		feed(q, sinkstest.Samples(1000, time.Now()))
		time.Sleep(20 * time.Second)
		stop()
		want := slices.DeleteFunc(names(1000), func(n string) bool { return slices.Contains(poison, n) })
		if st := q.Stats(); !slices.Equal(dest.got, want) || st.Dropped["refused"] != 4 || st.Sent != 996 {
			t.Errorf("%d arrived, %+v; want all but the four", len(dest.got), st)
		}
		if dest.calls > 60 {
			t.Errorf("%d calls; want a search by halves", dest.calls)
		}
	})
}

func TestQueueEndsTheSearchWhenAllIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dest := &shelf{fail: func([]metric.Sample) error { return sinks.Permanent(errors.New("no such tenant")) }}
		q := sinks.NewQueue("x", dest, sinks.DefaultQueue(), 0, nil, slog.New(slog.DiscardHandler))
		stop := run(t, q)
		feed(q, sinkstest.Samples(2000, time.Now()))
		time.Sleep(20 * time.Second)
		stop()
		if st := q.Stats(); st.Dropped["refused"] != 2000 || dest.calls > 250 {
			t.Errorf("%v dropped in %d calls; want 2000 in 250 at most", st.Dropped, dest.calls)
		}
	})
}

func TestQueueTakesUpAPartialWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dest := &shelf{}
		dest.fail = func(in []metric.Sample) error {
			if len(in) <= 3 {
				return nil
			}
			for _, s := range in[:3] {
				dest.got = append(dest.got, s.Desc.Name)
			}
			return sinks.Partial(3, errors.New("reset"))
		}
		q := sinks.NewQueue("x", dest, sinks.DefaultQueue(), 0, nil, slog.New(slog.DiscardHandler))
		stop := run(t, q)
		feed(q, sinkstest.Samples(10, time.Now()))
		time.Sleep(time.Minute)
		stop()
		if !slices.Equal(dest.got, names(10)) {
			t.Errorf("got %v; want each once, in order", dest.got)
		}
	})
}

func TestQueueWaitsAsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var at []time.Time
		dest := &shelf{fail: func([]metric.Sample) error {
			at = append(at, time.Now())
			if len(at) == 1 {
				return &sinks.RetryAfterError{After: 7 * time.Second, Err: errors.New("429")}
			}
			return nil
		}}
		q := sinks.NewQueue("x", dest, sinks.DefaultQueue(), 0, nil, slog.New(slog.DiscardHandler))
		stop := run(t, q)
		feed(q, sinkstest.Samples(1, time.Now()))
		time.Sleep(30 * time.Second)
		stop()
		if len(at) != 2 || at[1].Sub(at[0]) != 7*time.Second {
			t.Errorf("calls at %v; want two, 7s apart", at)
		}
	})
}

func TestQueueDropsWhatIsLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dest := &shelf{fail: down}
		o := sinks.DefaultQueue()
		o.MaxAge = 15 * time.Second
		q := sinks.NewQueue("x", dest, o, 0, nil, slog.New(slog.DiscardHandler))
		stop := run(t, q)
		feed(q, sinkstest.Samples(5, time.Now()))
		time.Sleep(time.Minute)
		dest.set(nil)
		feed(q, sinkstest.Samples(2, time.Now()))
		time.Sleep(20 * time.Second)
		stop()
		if st := q.Stats(); st.Dropped["late"] != 5 || st.Sent != 2 {
			t.Errorf("%+v; want 5 late and 2 sent", st)
		}
	})
}

func TestStatsAppendTellsEveryFigureThatIsDescribed(t *testing.T) {
	b := metric.Batch{Time: time.Unix(1000, 0)}
	sinks.Stats{
		Name: "x", Spooled: true, LastSuccess: time.Unix(990, 0), DownSince: time.Unix(995, 0),
		Dropped: map[string]float64{"refused": 3}, Spool: sinks.SpoolStats{Oldest: time.Unix(400, 0)},
	}.Append(&b)
	got := map[string]float64{}
	for _, s := range b.Samples {
		got[s.Desc.Name] = s.Value
	}
	for _, d := range sinks.Metrics {
		if _, ok := got[d.Name]; !ok {
			t.Errorf("%s is not appended", d.Name)
		}
	}
	if got["binnacle_sink_spool_age_seconds"] != 600 || got["binnacle_sink_up"] != 0 || got["binnacle_sink_dropped_samples_total"] != 3 {
		t.Errorf("figures %v", got)
	}
}

func TestRefusalsAreNoFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dest := &shelf{fail: func(s []metric.Sample) error { // a third of all is refused, with all that comes along
			for _, x := range s {
				if x.Value > 1 {
					return sinks.Permanent(errors.New("400"))
				}
			}
			return nil
		}}
		q := sinks.NewQueue("x", dest, sinks.DefaultQueue(), 0, nil, slog.New(slog.DiscardHandler))
		stop := run(t, q)
		in := sinkstest.Samples(2000, time.Now())
		for i := range in {
			in[i].Value = float64(1 + i%3/2)
		}
		for range 6 {
			feed(q, in)
			time.Sleep(10 * time.Second)
			for i := range in {
				in[i].Time = time.Now()
			}
		}
		stop()
		if st := q.Stats(); st.Writes > 300 || st.Sent+st.Dropped["refused"] != 12_000 {
			t.Errorf("%v writes, %v sent, %v refused", st.Writes, st.Sent, st.Dropped)
		}
	})
}

func TestWhatIsTooLargeIsSentInParts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := sinkstest.NewOTLP()
		q := sinks.NewQueue("otlp", newOTLP(t, fake), sinks.DefaultQueue(), 0, nil, slog.New(slog.DiscardHandler))
		stop := run(t, q)
		fake.Answer(sinkstest.Answer{Status: 413}, sinkstest.Answer{Status: 413})
		feed(q, sinkstest.Samples(1000, time.Now()))
		time.Sleep(11 * time.Second)
		feed(q, sinkstest.Samples(1000, time.Now()))
		time.Sleep(11 * time.Second)
		stop()
		if st := q.Stats(); st.Sent != 2000 || st.Failures != 2 || st.Writes != 10 || len(st.Dropped) != 0 {
			t.Errorf("%+v; want two refusals, and 250 samples a write from then on", st)
		}
	})
}
