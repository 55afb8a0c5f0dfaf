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
