package incidents

import (
	"slices"

	"github.com/navcloud/binnacle/alerting"
)

// The life of an incident. A problem that was never notified is waiting, held, on the board only, or silenced (waiting.go).
//
//	          decided                 accepted                    acknowledged
//	problem ───────────> sending ───────────────> open <──────────────────────────> acknowledged
//	                        │                       │            undone                   │
//	                        │                       ├──── nothing repeats it ────> lost contact
//	                        │                       ├──── all of it silenced ────> silenced ── fires when that ends ──> a new one
//	                        │                       └──── nothing of it fires ───> recovering ── fires again ──> as before
//	                        │                                                          │
//	                        └──────────── nothing of it fires for long ────────────────┴──> gone (resolved at the pager)
//
//	any of them ── a person closes it at the pager ──> resolved ── something new fires, or a P1 for resolve.reopen ──> a new one
//
// That what fires is not resolved at the pager has two exceptions: a person closed it, and an incident whose silence ended is
// followed by a new one.

// event is what happens to an incident.
type event uint8

const (
	accepted event = iota // the pager has it
	acknowledged
	undone    // the acknowledgement
	fires     // something of it fires, unsilenced and repeated by its sender
	unsent    // what fires of it is not repeated
	silenced  // what fires of it is silenced
	calmed    // nothing of it fires
	dismissed // a person closed it at the pager
)

// back stands for open, or acknowledged where a person has it.
const back alerting.State = "back"

// atPager are the states in which the pager has an incident open.
var atPager = []alerting.State{alerting.Paged, alerting.AckedState, alerting.LostState, alerting.SilencedState, alerting.Recovering}

// transitions are all that there are. An event that a state has no row for changes nothing.
var transitions = []struct {
	from []alerting.State
	on   event
	to   alerting.State
}{
	{[]alerting.State{alerting.Sending}, accepted, back},
	{[]alerting.State{alerting.Paged}, acknowledged, alerting.AckedState},
	{[]alerting.State{alerting.AckedState}, undone, alerting.Paged},
	{[]alerting.State{alerting.LostState, alerting.Recovering}, fires, back},
	{[]alerting.State{alerting.Paged, alerting.AckedState, alerting.Recovering}, unsent, alerting.LostState},
	{[]alerting.State{alerting.Paged, alerting.AckedState, alerting.LostState, alerting.Recovering}, silenced, alerting.SilencedState},
	{[]alerting.State{alerting.Paged, alerting.AckedState, alerting.LostState, alerting.SilencedState}, calmed, alerting.Recovering},
	{append([]alerting.State{alerting.Sending}, atPager...), dismissed, alerting.ClosedState},
}

// on moves an incident, and says whether that changed its state.
func (i *incident) on(e event) bool {
	for _, t := range transitions {
		if t.on != e || !slices.Contains(t.from, i.state) {
			continue
		}
		if i.state = t.to; t.to == back {
			i.state = alerting.Paged
			if i.rec.AckedBy != "" {
				i.state = alerting.AckedState
			}
		}
		return true
	}
	return false
}

// open says that it is, or may be, open at the pager.
func (i *incident) open() bool { return i.state == alerting.Sending || i.shown() }

// shown says that the pager has it open.
func (i *incident) shown() bool { return slices.Contains(atPager, i.state) }
