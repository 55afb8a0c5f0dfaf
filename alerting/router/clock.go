package router

import "time"

// steady is the router's time: it never runs backwards. A clock that was set back goes on from where it was, at its own
// speed, so that every wait takes as long as it should and nothing is decided twice. time.Now carries a reading that no setting
// of the clock moves; this is for times that do not, as a replay's.
func (r *Router) steady(now time.Time) time.Time {
	if t := now.Add(r.ahead); t.Before(r.now) {
		r.ahead += r.now.Sub(t)
	}
	return now.Add(r.ahead)
}

// given is a time in the words of who gave the clock; of one that is never, zero stays zero.
func (r *Router) given(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.Add(-r.ahead)
}

// until is when an alarm ends by its sender's clock, in the router's time.
func (r *Router) until(ends time.Time) time.Time {
	if ends.IsZero() {
		return ends
	}
	return ends.Add(r.ahead)
}
