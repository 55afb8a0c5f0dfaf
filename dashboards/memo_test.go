package dashboards

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

func TestMemo(t *testing.T) {
	var m Memo
	worked := 0
	get := func(key string, at time.Duration, ttl time.Duration) int {
		return m.Get(t.Context(), key, noon.Add(at), ttl, time.Minute, func(context.Context) any { worked++; return worked }).(int)
	}
	for _, tc := range []struct {
		key     string
		at, ttl time.Duration
		want    int
		why     string
	}{
		{"a", 0, time.Minute, 1, "the first time"},
		{"a", 59 * time.Second, time.Minute, 1, "it is remembered"},
		{"b", 59 * time.Second, time.Minute, 2, "another key"},
		{"a", time.Minute, time.Minute, 3, "it is too old"},
		{"a", 0, time.Minute, 4, "the clock was set back"},
	} {
		if got := get(tc.key, tc.at, tc.ttl); got != tc.want {
			t.Errorf("%s: answer %d, want %d", tc.why, got, tc.want)
		}
	}
	get("long", 0, time.Hour)
	for i := range 10 * maxKept {
		get(fmt.Sprint("short", i), time.Duration(i)*time.Second, time.Second)
	}
	if len(m.kept) > maxKept {
		t.Errorf("%d answers are kept, want at most %d", len(m.kept), maxKept)
	}
	before := worked
	if get("long", 30*time.Minute, time.Hour); worked != before {
		t.Error("what still holds gave way to what was over")
	}
}

// noon is when everything in these tests happens.
var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// TestACostlyAnswerIsRememberedForLonger holds that the work for one key takes at most a twentieth of the time.
func TestACostlyAnswerIsRememberedForLonger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m Memo
		worked := 0
		get := func(takes time.Duration) int {
			return m.Get(t.Context(), "a", time.Now(), time.Second, time.Minute, func(context.Context) any {
				worked++
				time.Sleep(takes)
				return worked
			}).(int)
		}
		get(2 * time.Second) // remembered for 40 s from when it was asked for
		time.Sleep(37 * time.Second)
		if got := get(time.Minute); got != 1 {
			t.Errorf("answer %d after 39 s, want the first", got)
		}
		time.Sleep(2 * time.Second)
		if got := get(50 * time.Second); got != 2 {
			t.Errorf("answer %d after 41 s, want the second", got)
		}
		time.Sleep(longest - 50*time.Second)
		if got := get(0); got != 3 {
			t.Errorf("answer %d after %v, want the third: that is the longest", got, longest)
		}
	})
}

// TestTheLastDearAnswerIsGivenWhileTheNextIsWorkedOut holds that nobody waits for what takes long, while somebody works behind.
func TestTheLastDearAnswerIsGivenWhileTheNextIsWorkedOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m Memo
		worked, takes := 0, 2*time.Second // remembered for 40 s
		get := func() (int, time.Duration) {
			begun := time.Now()
			v := m.Last(t.Context(), "a", begun, time.Second, time.Minute, func(context.Context) any {
				worked++
				time.Sleep(takes)
				return worked
			}).(int)
			return v, time.Since(begun)
		}
		look := func(why string, want int, waits time.Duration) {
			t.Helper()
			if v, took := get(); v != want || took != waits {
				t.Errorf("%s: answer %d after %v, want %d after %v", why, v, took, want, waits)
			}
		}
		look("the first", 1, takes)
		time.Sleep(time.Minute)
		look("nobody works behind", 2, takes)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); m.Work(ctx) }()
		synctest.Wait()
		time.Sleep(time.Minute)
		look("it is over, and the next is worked out", 2, 0)
		look("it is being worked out", 2, 0)
		time.Sleep(takes)
		synctest.Wait()
		look("it was worked out", 3, 0)
		if worked != 3 {
			t.Errorf("worked %d times, want 3: who looks twice asks once", worked)
		}
		time.Sleep(stale)
		look("it is too old", 4, takes)
		takes = 10 * time.Millisecond
		time.Sleep(time.Minute)
		look("over", 4, 0)
		synctest.Wait()
		time.Sleep(time.Minute)
		look("it is not dear any more", 6, takes)
		stop()
		<-done
		time.Sleep(time.Minute)
		look("nobody works behind any more", 7, takes)
	})
}
