// Package clock says when the machine's clock is set.
package clock

import "time"

// Shift returns a function that says how far the time of day has moved against the time that passed since Shift was called:
// 0 while nobody sets the clock, less than 0 after it went back.
func Shift() func() time.Duration {
	begin := time.Now()
	return func() time.Duration {
		now := time.Now()
		return now.Round(0).Sub(begin.Round(0)) - now.Sub(begin)
	}
}
