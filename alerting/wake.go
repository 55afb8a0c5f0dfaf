package alerting

import "time"

// Wake gathers the times at which time alone changes something, and keeps the first that is to come. It wants Now.
type Wake struct {
	Now time.Time
	At  time.Time // zero: never
}

// Add adds a time. One that has come, or is zero, changes nothing any more.
func (w *Wake) Add(t time.Time) {
	if t.After(w.Now) && (w.At.IsZero() || t.Before(w.At)) {
		w.At = t
	}
}
