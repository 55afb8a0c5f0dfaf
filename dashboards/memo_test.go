package dashboards

import (
	"context"
	"fmt"
	"testing"
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
