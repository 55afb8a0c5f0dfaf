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
