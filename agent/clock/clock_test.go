package clock

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestShiftOfAClockThatNobodySets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shift := Shift()
		time.Sleep(time.Hour)
		if by := shift(); by != 0 {
			t.Errorf("after an hour the clock moved by %v against the time that passed; want 0", by)
		}
	})
}
