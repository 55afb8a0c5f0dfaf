package incidents

import (
	"time"

	"github.com/navcloud/binnacle/alerting"
)

// Desk keeps the incidents. It is used by one goroutine at a time.
type Desk struct {
	set       alerting.Settings
	incidents []*incident
	claims    map[string]claim   // by the ID of a root
	hiding    map[string]*hiding // alarms that others explain, by ID
	storm     storm

	routes  map[string]*route
	serial  uint64    // of actions
	standby bool      // another router of the fleet sends
	listen  time.Time // when an earlier life was learnt of; zero: there was none

	past   map[string]past      // by the key without its generation
	called map[string]time.Time // when an alarm last led to a page, by ID
	calls  map[called]*calls    // what became of pages

	asked int // see Asked
	step
}

// step is what the desk knows of one step. Advance begins it; what a person or the pager says after it is held against it.
type step struct {
	moment
	now      time.Time
	in       Input
	items    []*item                // the worst first
	holders  map[string][]*item     // by route: the worst that others may wait behind
	followed map[string][]*incident // those that an incident goes on with, by its key
	wake     alerting.Wake
}

// Input is what diagnosis found, and what the router remembers that matters here.
type Input struct {
	Now       time.Time
	Alarms    []*alerting.Verdict // the best cause first
	Problems  []*alerting.Problem // the worst first
	Connected func(a, b *alerting.Problem) bool
	Find      func(id string) *alerting.Verdict // among Alarms; nil: it is not there
	Silences  map[string]alerting.Silence       // by ID
	Firing    func(id string) bool              // whether the alarm with this ID fires
}

// item is a problem as the desk sees it: the incident that is open for it, and what it waits for.
type item struct {
	*alerting.Problem
	incident *incident // that is open for it; nil: none is
	covered  bool      // that incident says all that must be said
	state    alerting.State
	until    time.Time
	behind   *item
	ready    time.Time // its waits are over
	way      string    // its route
	board    bool      // it is shown there and notified to nobody
	repeats  answer    // whether a sender still repeats something serious in it
}

// moment is what pages say of the whole, as of one step. It is not changed afterwards.
type moment struct {
	changes []*alerting.Verdict // of the last hour, the first few
	queues  map[string][]*item  // by route: the first few that wait for their turn
}

// answer is one that is kept: costly questions are asked once a step.
type answer uint8

const (
	unasked answer = iota
	yes
	no
)

// New makes a Desk. The settings must be valid.
func New(s alerting.Settings) *Desk {
	return &Desk{set: s, past: map[string]past{}, routes: map[string]*route{}, claims: map[string]claim{}, hiding: map[string]*hiding{}, called: map[string]time.Time{}, calls: map[called]*calls{}}
}

// Advance takes what diagnosis found and decides what to do now. next is when time alone changes something.
func (d *Desk) Advance(in Input) (out []alerting.Action, next time.Time) {
	d.step = step{
		in: in, now: in.Now, wake: alerting.Wake{Now: in.Now}, moment: moment{queues: map[string][]*item{}}, items: make([]*item, 0, len(in.Problems)),
		holders: map[string][]*item{}, followed: map[string][]*incident{},
	}
	slab := make([]item, len(in.Problems))
	for n, p := range in.Problems {
		x := &slab[n]
		x.Problem = p
		d.items = append(d.items, x)
	}
	for _, v := range in.Alarms {
		if v.Kind == "change" && len(d.changes) <= maxChanged && d.now.Sub(v.Began()) <= time.Hour {
			d.changes = append(d.changes, v)
		}
	}
	d.hide()
	d.wake.Add(d.storm.watch(d.now, d.set.Storm))
	d.match()
	d.forgetClaims()
	d.forgetPast()
	d.forgetCalls()
	d.schedule()
	d.remark()
	if !d.standby {
		out = d.send()
	}
	return out, d.wake.At
}

// byAlarm is the problem of the alarm with this ID; also of one that ended, where others go on with it. nil: it has none.
func (d *Desk) byAlarm(id string) *item {
	if d.in.Find == nil {
		return nil // before the first step
	}
	v := d.in.Find(id)
	if v == nil || v.Of == nil || v.Of.Place >= len(d.items) || d.items[v.Of.Place].Problem != v.Of {
		return nil
	}
	return d.items[v.Of.Place]
}

// Asked is how many pairs of problems were compared since the desk was made.
func (d *Desk) Asked() int { return d.asked }

// come says that t is not ahead any more.
func (d *Desk) come(t time.Time) bool { return !t.After(d.now) }

// Busy says that an incident is kept.
func (d *Desk) Busy() bool { return len(d.incidents) > 0 }

// Notified says what people know of the alarms, by the ID of the alarm.
func (d *Desk) Notified(now time.Time) map[string]alerting.Notified {
	out := map[string]alerting.Notified{}
	for id, at := range d.called {
		if now.Sub(at) < calledFor {
			out[id] = alerting.Notified{Called: true}
		}
	}
	for _, i := range d.incidents {
		for _, id := range i.core {
			if t := out[id]; !t.Open {
				out[id] = alerting.Notified{Open: true, Page: i.rec.Page.Priority, Acked: i.rec.AckedBy != "", Called: t.Called}
			}
		}
	}
	return out
}
