package alerting

import "time"

// Joined is with which others an alarm is folded, of those whose subjects the graph does not know. It is remembered from step to
// step, so that a group keeps its first alarm and what once stood apart stays apart.
type Joined struct {
	With     string    // ID of the group; empty: not looked at yet
	First    time.Time // start of the group's first alarm that would wake; zero while none would
	At       time.Time // when this alarm joined it
	Leads    bool      // the page names it, or others of its rule: it does not hide behind another one
	Trust    Trust     // of the reason
	Why      string    // for people; empty for the first of a group
	Left     string    // group that it was released from
	Notified Priority  // the best priority at which the group was notified; 0: it was not
	Rolled   time.Time // others of its rule came and went by themselves lately: it is waited for until then
}

// Passed is an alarm that fired and ended lately.
type Passed struct {
	ID, Rule, Scope string
	Began, Ended    time.Time
	Paged           bool // somebody was paged for it
}
