// Package simulate lets a router live through a list of events against a pager, in simulated time. It is the only
// simulator: replay, the unit tests of rules, and our own tests use it, so that what they show is what production decides.
//
// It reads no clock, no network and no disk. A Player is used by one goroutine at a time.
package simulate

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/router"
	"github.com/navcloud/binnacle/alerting/topology"
)

// Options are what a Player works with.
type Options struct {
	Settings alerting.Settings // valid, routes included
	Graph    *topology.Graph   // nil: no graph
	AckAfter time.Duration     // a person acknowledges each page so long after it came; 0: nobody does
	By       string            // who acknowledges; empty: "replay"
	// Answer replaces the pager's answer where it is not Accepted; 0: the process dies before it. nil: the pager's own.
	Answer func(at time.Time, a alerting.Action) alerting.Outcome
	Beats  Listener // who must be heard; nil: nobody
}

// Listener raises alarms about those that it does not hear any more.
type Listener interface {
	// Saw notes an input.
	Saw(now time.Time, in alerting.Input)
	// Due returns what begins, still fires or ends now, and when to ask again; zero: after the next input.
	Due(now time.Time) (in []alerting.Input, next time.Time)
}

// Event is one thing that happens: an input of the router, or a change of the pager.
type Event struct {
	At    time.Time
	In    alerting.Input
	Pager *Pager
}

// Call is one call to the pager.
type Call struct {
	At      time.Time
	Action  alerting.Action
	Outcome alerting.Outcome
	New     bool // it opened an incident at the pager: this one notifies
}

// How the world around a router behaves.
const (
	answerAfter = 100 * time.Millisecond // a pager takes so long to answer
	giveUp      = 10 * time.Second       // a call without an answer ends after
	// gather is how long alarms wait for each other before a router that is busy: a storm costs few steps.
	gather = 200 * time.Millisecond
)

// Player is a router, a pager and the time that passes for them.
type Player struct {
	// Watch is called after each step; it may be nil. What it returns ends the play.
	Watch func(now time.Time, v func() alerting.View) error

	o      Options
	router *router.Router
	events []Event // to come, in order
	in     []alerting.Input
	next   time.Time // when the router wants to be asked; zero: it waits for an event
	beat   time.Time // when Beats wants to be asked; zero: it does not
	now    time.Time
	ran    bool

	pager  Pager
	open   map[string]bool // at the pager, by dedup key
	calls  []Call
	firing map[string]bool // fingerprints that fired

	ledger   map[string]alerting.Record // by dedup key
	silences map[string]alerting.Silence
}

// Checks is a Watch that looks for what must never be, once in so much time: views are costly in a storm.
func Checks(every time.Duration) func(now time.Time, view func() alerting.View) error {
	var last time.Time
	return func(now time.Time, view func() alerting.View) error {
		if now.Sub(last) < every {
			return nil
		}
		last = now
		return view().Check()
	}
}

// New makes a Player.
func New(o Options) *Player {
	p := &Player{o: o, router: router.New(o.Settings), open: map[string]bool{}, firing: map[string]bool{}, ledger: map[string]alerting.Record{}, silences: map[string]alerting.Silence{}}
	if o.Graph != nil {
		p.in = append(p.in, alerting.Topology{Graph: o.Graph})
	}
	return p
}

// Restart is kill -9 and a start on the same ledger: what was not answered is lost, what was recorded is known.
func (p *Player) Restart() { p.Restore(p.Records(), slices.Collect(maps.Values(p.silences))) }

// Restore is a start on a ledger with these records and silences.
func (p *Player) Restore(recs []alerting.Record, silences []alerting.Silence) {
	p.router = router.New(p.o.Settings)
	p.router.Restore(recs)
	for _, rec := range recs {
		p.ledger[rec.Key] = rec
		if rec.Open {
			p.open[rec.Key] = true
		}
	}
	for _, s := range silences {
		p.silences[s.ID] = s
	}
	p.in, p.next, p.ran = nil, time.Time{}, false
	p.events = slices.DeleteFunc(p.events, func(e Event) bool { _, result := e.In.(alerting.Result); return result })
	for _, id := range slices.Sorted(maps.Keys(p.silences)) {
		p.in = append(p.in, alerting.Silenced{Silence: p.silences[id]})
	}
	if p.o.Graph != nil {
		p.in = append(p.in, alerting.Topology{Graph: p.o.Graph})
	}
	p.next = p.now
}

// Records are what the ledger holds: of each key the last one, pending where its call has no answer yet.
func (p *Player) Records() []alerting.Record {
	out := make([]alerting.Record, 0, len(p.ledger))
	for _, key := range slices.Sorted(maps.Keys(p.ledger)) {
		out = append(out, p.ledger[key])
	}
	return out
}

// record does to the ledger what the loop around a router does, before and after a call.
func (p *Player) record(c Call) {
	rec := c.Action.Record
	if c.Outcome != alerting.Accepted {
		rec.Pending = c.Action.ID
	}
	p.ledger[rec.Key] = rec
}

// person does to the ledger what the loop does when a person acts.
func (p *Player) person(at time.Time, in alerting.Input) {
	switch in := in.(type) {
	case alerting.Acked:
		if rec, ok := p.ledger[in.Key]; ok {
			p.ledger[in.Key] = rec.Acknowledge(in, at)
		}
	case alerting.Closed:
		if rec, ok := p.ledger[in.Key]; ok && rec.Open {
			p.ledger[in.Key] = rec.Close(in, at)
			delete(p.open, in.Key)
		}
	case alerting.Silenced:
		p.silences[in.Silence.ID] = in.Silence
	}
}

// Add puts events in. Those of one time keep their order.
func (p *Player) Add(events ...Event) {
	for _, e := range events {
		after, _ := slices.BinarySearchFunc(p.events, e.At, func(o Event, at time.Time) int {
			if o.At.After(at) {
				return 1
			}
			return -1
		})
		p.events = slices.Insert(p.events, after, e)
	}
}

// Run lets time pass until end. It errs where Watch does.
func (p *Player) Run(end time.Time) error {
	for {
		at, ok := p.due()
		if !ok || at.After(end) {
			return nil
		}
		p.now, p.ran = at, true
		for len(p.events) > 0 && !p.events[0].At.After(at) {
			p.take(p.events[0])
			p.events = p.events[1:]
		}
		p.listen()
		p.step()
		if p.Watch != nil {
			if err := p.Watch(p.now, p.router.View); err != nil {
				return err
			}
		}
	}
}

// listen asks who was not heard.
func (p *Player) listen() {
	if p.o.Beats == nil {
		return
	}
	in, next := p.o.Beats.Due(p.now)
	for _, i := range in {
		if f, ok := i.(alerting.Firing); ok {
			p.firing[f.Alarm.Fingerprint()] = true
		}
	}
	p.in, p.beat = append(p.in, in...), next
}

// due is when something happens next.
func (p *Player) due() (at time.Time, ok bool) {
	at = p.next
	if !p.beat.IsZero() && (at.IsZero() || p.beat.Before(at)) {
		at = p.beat
	}
	soonest := p.now.Add(gather)
	for _, e := range p.events {
		t := e.At
		if p.ran && e.alarm() && t.Before(soonest) {
			t = soonest
		}
		if at.IsZero() || t.Before(at) {
			at = t
		}
		if !p.ran || !e.alarm() || !e.At.Before(soonest) {
			break // what follows is no earlier
		}
	}
	if p.ran && at.Before(p.now) {
		at = p.now
	}
	return at, len(p.events) > 0 || !p.next.IsZero() || !p.beat.IsZero()
}

// alarm says that the event is one of many that a sender tells at once.
func (e Event) alarm() bool {
	switch e.In.(type) {
	case alerting.Firing, alerting.Ended:
		return true
	}
	return false
}

func (p *Player) take(e Event) {
	if e.Pager != nil {
		p.set(*e.Pager)
	}
	if f, ok := e.In.(alerting.Firing); ok {
		p.firing[f.Alarm.Fingerprint()] = true
	}
	if e.In != nil {
		p.person(e.At, e.In)
		if p.o.Beats != nil {
			p.o.Beats.Saw(p.now, e.In)
		}
		p.in = append(p.in, e.In)
	}
}

// step steps the router once and lets the pager answer its calls.
func (p *Player) step() {
	var actions []alerting.Action
	actions, p.next = p.router.Step(p.now, p.in)
	p.in = nil
	for _, a := range actions {
		c, at := p.call(a)
		p.calls = append(p.calls, c)
		p.record(c)
		if c.Outcome == 0 {
			continue // the process dies with the call under way
		}
		p.Add(Event{At: at, In: alerting.Result{ActionID: a.ID, Outcome: c.Outcome}})
		if c.New && p.o.AckAfter > 0 {
			p.Add(Event{At: p.now.Add(p.o.AckAfter), In: alerting.Acked{Key: a.Key, By: cmp.Or(p.o.By, "replay")}})
		}
	}
}

// Calls are the calls to the pager so far.
func (p *Player) Calls() []Call { return p.calls }

// Open says whether an incident is open at the pager.
func (p *Player) Open() []string {
	var out []string
	for k := range p.open {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// Alarms is how many alarms fired, each counted once.
func (p *Player) Alarms() int { return len(p.firing) }

// View is what the router thinks.
func (p *Player) View() alerting.View { return p.router.View() }

// Now is the time of the last step.
func (p *Player) Now() time.Time { return p.now }
