package query

import (
	"testing"
	"time"
)

func TestABiggerStoreMaySpendMore(t *testing.T) {
	for series, want := range map[uint64]time.Duration{0: 800 * time.Millisecond, 2000: 800 * time.Millisecond, 4400: 1760 * time.Millisecond, 12_500: 5 * time.Second, 1 << 60: 5 * time.Second} {
		if got := Default().Spends(series); got != want {
			t.Errorf("%d series: %v; want %v", series, got, want)
		}
	}
	if got := (Config{CPU: time.Minute}).Spends(1); got != time.Minute {
		t.Errorf("%v; want what is configured", got)
	}
}
