package incidents

import (
	"time"

	"github.com/navcloud/binnacle/alerting"
)

// schedule finds for each problem where it stands and until when.
func (d *Desk) schedule() {
	for _, x := range d.items {
		x.ready, x.way, x.board = d.ready(x), d.route(x), d.boardOnly(x)
		if !x.Awake || x.board {
			continue
		}
		if q := d.queues[x.way]; !x.covered && len(q) <= maxBehind {
			d.queues[x.way] = append(q, x)
		}
		if h := d.holders[x.way]; x.Priority <= alerting.P2 && len(h) < maxHolders && (!x.covered || x.incident.rec.AckedBy == "") {
			d.holders[x.way] = append(h, x)
		}
	}
	for _, x := range d.items {
		x.state, x.until, x.behind = d.stand(x)
		d.wake.Add(x.until)
	}
}

// stand is the state of a problem, until when, and behind which other problem.
func (d *Desk) stand(x *item) (alerting.State, time.Time, *item) {
	switch {
	case x.covered:
		return x.incident.state, d.ends(x.incident), nil
	case !x.Awake && x.Root.Silenced:
		return alerting.SilencedState, d.in.Silences[x.Root.Silence].EndsAt, nil
	case !x.Awake:
		return alerting.Recovering, x.Root.Ended.Add(d.set.Resolve.AfterCause), nil
	case x.board:
		return alerting.Board, time.Time{}, nil
	case x.ready.After(d.now):
		return alerting.Waiting, x.ready, nil
	}
	if until, behind := d.heldUntil(x); until.After(d.now) {
		return alerting.Held, until, behind
	}
	if x.incident != nil && x.incident.state == alerting.Sending {
		return alerting.Sending, time.Time{}, nil
	}
	return alerting.Waiting, time.Time{}, nil // for its turn at the pager
}

// ends is the deadline of the state that an incident is in; zero: there is none.
func (d *Desk) ends(i *incident) time.Time {
	switch i.state {
	case alerting.Recovering:
		return d.until(i)
	case alerting.SilencedState:
		return i.rec.SilencedUntil
	}
	return time.Time{}
}

// boardOnly says that it is shown on the board and notified to nobody.
func (d *Desk) boardOnly(x *item) bool {
	if x.Always {
		return false
	}
	least := alerting.P3
	if d.set.NotifyP4 {
		least = alerting.P4
	}
	if x.Priority > least {
		return true
	}
	for _, v := range x.Members {
		if v.Serious && !v.Never() && v.Alone <= least {
			return false
		}
	}
	return true
}

// ready says when a problem has waited long enough for its cause or its effects to show.
func (d *Desk) ready(x *item) time.Time {
	if !x.Awake {
		return time.Time{}
	}
	first, symptom := firsts(x)
	ready := d.shown(x, symptom)
	if most := first.Add(d.set.Wait.Most); !first.IsZero() && most.Before(ready) {
		ready = most
	}
	if symptom.IsZero() {
		ready = later(ready, d.foreign(x))
	}
	if blips(x) {
		ready = later(ready, x.Head.Stays)
	}
	if symptom.IsZero() && x.Root.Ephemeral {
		ready = later(ready, x.Root.First.Add(d.set.Wait.Ephemeral))
	}
	return d.listening(x, ready)
}

// foreign is when a P2 of others has waited long enough: their rules are evaluated each half or whole minute, and the cause
// may come last. One of several that come and go one after the other is waited for a little longer than those took. What its
// sender held for as long before it said so is not waited for: all that are quicker have spoken, and a cause of the same sender
// comes whole periods later, if at all.
func (d *Desk) foreign(x *item) time.Time {
	root := x.Root
	if !root.Known {
		root = root.Spokesman()
	}
	if root.Reading == nil || !root.Foreign() || x.Priority != alerting.P2 {
		return time.Time{}
	}
	wait := d.set.Wait.Foreign
	switch {
	case root.Reading.Held >= wait:
		wait = 0
	case root.Reading.Effect():
		wait *= 2
	}
	return later(root.First.Add(wait), root.Joined.Rolled)
}

// blips says that a P1 comes and goes by itself that only a reading of somebody else's rule calls a P1: it called once, and is
// waited for until it stays. Its priority is not lowered; one that its own labels call so is never waited for.
func blips(x *item) bool {
	h := x.Head
	guessed := h.Reading != nil && h.Impact() == "" && h.Kind != "symptom"
	return guessed && x.Priority == alerting.P1 && h.Flapping && !h.Steady && !h.Often() && h.Past.Called && x.incident == nil
}

// firsts are when the first alarm in a problem that would wake a person was heard of, and the first that users notice.
func firsts(x *item) (first, symptom time.Time) {
	for _, v := range x.Members {
		if !v.Serious || v.Alone > alerting.P2 {
			continue
		}
		first = earlier(first, v.First)
		if v.Symptom {
			symptom = earlier(symptom, v.First)
		}
	}
	return first, symptom
}

// shown is when causes and effects must have shown. symptom is when users were first seen to notice, if they are.
func (d *Desk) shown(x *item, symptom time.Time) time.Time {
	w, cause := d.set.Wait, x.Head == x.Root && x.Root.Cause
	switch {
	case x.Flapping && x.Head.Steadfast && x.Priority == alerting.P1:
		return d.now
	case x.Flapping && x.Priority == alerting.P2 && x.incident == nil:
		return x.Head.First.Add(flapOpens)
	case !symptom.IsZero():
		at := symptom.Add(w.SymptomAlone)
		if cause {
			at = earlier(at, later(symptom, x.Root.First).Add(w.SymptomWithCause))
		}
		return at
	case x.Priority >= alerting.P3:
		return x.Head.First.Add(w.Low)
	}
	return d.caused(x, cause)
}

// caused is when what follows from the root of a problem that wakes a person must have shown, users apart.
func (d *Desk) caused(x *item, cause bool) time.Time {
	w := d.set.Wait
	switch {
	case cause && x.Priority == alerting.P1 && x.Root.Harmed: // the cause and what it does, in one alarm
		return x.Root.First.Add(w.SymptomWithCause)
	case x.Root.ForWhole:
		return x.Root.First.Add(w.RollUp)
	}
	return x.Head.First.Add(w.CauseAlone)
}

// listening holds everything back for a while after a restart, until senders have repeated what still fires.
func (d *Desk) listening(x *item, ready time.Time) time.Time {
	if d.listen.IsZero() {
		return ready
	}
	wait := d.set.Start.Listen
	if x.Priority == alerting.P1 {
		wait = d.set.Start.ListenP1
	}
	return later(ready, d.listen.Add(wait))
}

// maxHolders bounds those of one route that another one may wait behind: the worst.
const maxHolders = 64

// heldUntil says how long a problem that is ready stays behind another one.
func (d *Desk) heldUntil(x *item) (until time.Time, behind *item) {
	if x.Priority == alerting.P1 || x.Always || x.Harm > 0 && x.Harm < d.set.Hold.HarmIn {
		return time.Time{}, nil
	}
	for _, o := range d.holders[x.way] {
		d.asked++
		if o.Priority >= x.Priority { // and so are all after it
			break
		}
		if t := x.ready.Add(d.holdFor(o, x)); t.After(until) {
			until, behind = t, o
		}
		if x.Priority >= alerting.P3 { // it waits as long behind each
			break
		}
	}
	if !x.Root.Firing() && x.incident == nil { // as a rule, what follows from a cause that is over ends soon after it
		until = later(until, x.Root.Ended.Add(d.set.Resolve.AfterCause))
	}
	return later(until, d.storm.holds(x, d.set)), behind
}

// holdFor is how long x waits behind o at most.
func (d *Desk) holdFor(o, x *item) time.Duration {
	switch {
	case x.Priority >= alerting.P3:
		return d.set.Hold.P3
	case d.in.Connected(o.Problem, x.Problem):
		return d.set.Hold.Connected
	}
	return d.set.Hold.Unrelated
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
