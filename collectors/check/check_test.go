package check

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

var errNo = errors.New("no")

func reason(error) string { return "no" }

func TestACheckSaysSinceWhenItShouldAnswerAndDoesNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var err error
		idle := false
		c := &Check{
			Name: "queues", Every: 10 * time.Second, Deadline: time.Second,
			Do:   func(context.Context) (func(), error) { return nil, err },
			Skip: func() bool { return idle },
		}
		set := NewSet(&mu, time.Now, slog.New(slog.DiscardHandler), c, nil)
		if got := set.States(reason); len(got) != 0 {
			t.Errorf("before the first run: %v, want nothing", got)
		}
		ctx := t.Context()
		set.Once(ctx)
		if got := set.States(reason); len(got) != 1 || !got[0].Since.IsZero() {
			t.Errorf("it answers: %v", got)
		}
		begin := time.Now()
		err = errNo
		for range 4 {
			set.Once(ctx)
			time.Sleep(10 * time.Second)
		}
		got := set.States(reason)[0]
		if got.Since != begin || got.Reason != "no" || !got.Blind(time.Now()) || got.Blind(begin.Add(29*time.Second)) {
			t.Errorf("it fails: %+v, want it since %v and blind from 30 s on", got, begin)
		}
		idle = true
		set.Once(ctx)
		if got := set.States(reason); len(got) != 0 || c.Done() {
			t.Errorf("it has nothing to ask: %v, want nothing", got)
		}
		idle, err = false, nil
		set.Once(ctx)
		if got := set.States(reason); len(got) != 1 || !got[0].Since.IsZero() {
			t.Errorf("it answers again: %v", got)
		}
	})
}

func TestACheckThatHangsHoldsUpNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		runs := 0
		hangs := &Check{Name: "hangs", Every: time.Second, Deadline: time.Minute, Do: func(ctx context.Context) (func(), error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}}
		quick := &Check{Name: "quick", Every: time.Second, Deadline: time.Second, Prompt: true, Do: func(context.Context) (func(), error) {
			return func() { runs++ }, nil
		}}
		set := NewSet(&mu, time.Now, slog.New(slog.DiscardHandler), hangs, quick)
		ctx, cancel := context.WithTimeout(t.Context(), 10500*time.Millisecond)
		defer cancel()
		begin := time.Now()
		go set.Run(ctx)
		<-set.First()
		if time.Since(begin) > 0 {
			t.Error("the first answers wait for one that hangs")
		}
		<-ctx.Done()
		synctest.Wait()
		if runs != 11 || !quick.Current(time.Now()) || hangs.Fresh(time.Now()) {
			t.Errorf("%d runs, quick %v, hangs %v", runs, quick.Current(time.Now()), hangs.Fresh(time.Now()))
		}
	})
}

// TestOneRunAtATime holds that Once beside Run asks after it: the older of two answers must not come last.
func TestOneRunAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked, kept, under := 0, 0, 0
		c := &Check{Name: "slow", Every: time.Hour, Deadline: time.Minute, Do: func(context.Context) (func(), error) {
			if under++; under > 1 {
				t.Error("two runs of one check at once")
			}
			asked++
			mine := asked
			time.Sleep(time.Duration(3-mine) * time.Second) // the first answer comes late
			under--
			return func() { kept = mine }, nil
		}}
		s := NewSet(&sync.Mutex{}, time.Now, slog.New(slog.DiscardHandler), c)
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { s.Run(ctx) })
		synctest.Wait()
		s.Once(ctx)
		cancel()
		wg.Wait()
		if asked != 2 || kept != 2 {
			t.Errorf("asked %d times, kept answer %d; want 2 and 2", asked, kept)
		}
	})
}
