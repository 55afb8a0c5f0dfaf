package query

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// A question that uses too much ends with the reason, also below a context of its own; one that only waits does not.
func TestAQuestionEndsByWhatItUses(t *testing.T) {
	for name, tc := range map[string]struct {
		uses time.Duration // of each 20 ms
		want string
	}{
		"all of a processor": {20 * time.Millisecond, "more than 1s of CPU"},
		"nothing":            {0, "deadline"},
	} {
		synctest.Test(t, func(t *testing.T) {
			var used atomic.Int64
			clock := func() time.Duration { return time.Duration(used.Add(int64(tc.uses))) }
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			began := time.Now()
			spend(ctx, time.Second, clock, func(ctx context.Context) {
				below, cancel := context.WithCancel(ctx)
				defer cancel()
				<-below.Done()
				if err := below.Err(); !strings.Contains(err.Error(), tc.want) {
					t.Errorf("%s: %v; want %s", name, err, tc.want)
				}
			})
			if tc.uses > 0 && time.Since(began) > 2*time.Second {
				t.Errorf("%s: ended after %v", name, time.Since(began))
			}
		})
	}
}

func TestSpendEndsItsContext(t *testing.T) {
	var kept context.Context
	Spend(t.Context(), time.Minute, func(ctx context.Context) { kept = ctx })
	if err := kept.Err(); !errors.Is(err, context.Canceled) {
		t.Errorf("after Spend: %v; want that it is canceled", err)
	}
	Spend(t.Context(), 0, func(ctx context.Context) { kept = ctx })
	if kept.Err() != nil {
		t.Error("no bound, and the context ended")
	}
}
