// Package router remembers between steps and keeps the order of the stages: inputs become memory, memory becomes facts,
// facts become problems, and problems become actions. The essay in package alerting describes them.
//
// It is pure: Step reads no clock, does no I/O and starts no goroutine, so that every behaviour is a table test or a
// timeline. It delivers nothing: package dispatch carries its Actions out.
package router

import (
	"time"

	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/diagnosis"
	"github.com/navcloud/binnacle/alerting/incidents"
	"github.com/navcloud/binnacle/alerting/reading"
	"github.com/navcloud/binnacle/alerting/topology"
)

// Router is the pure core. It is used by one goroutine at a time.
type Router struct {
	set    alerting.Settings
	memory *memory
	desk   *incidents.Desk
	found  diagnosis.Result // in the last step

	now      time.Time
	ahead    time.Duration // of the clock, which was set back so far
	wake     time.Time     // when it wants to be asked, as the last step said
	restored bool          // something of an earlier life was learnt since the last step
	listens  bool          // there was an earlier life
	serial   uint64        // of problems
}

// New makes a router. The settings must be valid.
func New(s alerting.Settings) *Router {
	if s.Read == nil {
		s.Read = reading.New(reading.DefaultSettings()).Read
	}
	r := &Router{set: s, memory: newMemory(s), desk: incidents.New(s)}
	r.memory.vain = r.desk.Vain
	return r
}

// idle is how long the router is content not to be asked while something is under way.
const idle = 30 * time.Second

// Step takes what happened and decides what to do now. next is when it wants to be asked again at the
// latest; zero: when there is an input. Inputs may be repeated. Time may run backwards; waits go on by what passes.
func (r *Router) Step(now time.Time, in []alerting.Input) (out []alerting.Action, next time.Time) {
	asked := r.wake
	now = r.steady(now)
	r.now = now
	news := r.restored || asked.IsZero() || !now.Before(asked)
	if r.restored {
		r.restored, r.listens = false, true
		r.desk.Listen(now)
		r.memory.unheard(now)
	}
	r.memory.endings(in)
	for _, i := range in {
		news = r.take(i) || news
	}
	if !news { // and what time alone does was not to come before asked
		return nil, r.given(asked)
	}
	notified := r.desk.Notified(now)
	aged := r.memory.elapse(now, notified)
	r.found = diagnosis.Diagnose(diagnosis.Input{
		Now: now, Facts: r.memory.facts(now, notified), Groups: r.memory.groups, Walks: r.memory.walks, Born: r.memory.born, Settings: r.set, Serial: r.serial, Passed: r.memory.passed,
	})
	r.serial = r.found.Serial
	r.memory.remember(r.found)
	out, acted := r.desk.Advance(incidents.Input{
		Now: now, Alarms: r.found.Alarms, Problems: r.found.Problems, Connected: r.found.Connected,
		Silences: r.memory.silences, Firing: r.memory.firing, Find: r.found.Find,
	})
	wake := alerting.Wake{Now: now}
	for _, t := range []time.Time{aged, r.found.Next, acted} {
		wake.Add(t)
	}
	if len(r.memory.alarms) > 0 || r.desk.Busy() {
		wake.Add(now.Add(idle))
	}
	r.wake = wake.At
	return out, r.given(r.wake)
}

// take takes one input, and says whether it can change anything: most are alarms that are repeated.
func (r *Router) take(i alerting.Input) (news bool) {
	switch i := i.(type) {
	case alerting.Firing:
		i.Alarm.EndsAt = r.until(i.Alarm.EndsAt)
		news, began := r.memory.fire(r.now, i.Alarm, i.Sender)
		if began {
			r.desk.Began(r.now)
		}
		return news
	case alerting.Ended:
		return r.memory.end(r.now, i.Fingerprint, i.Sender)
	case alerting.Heard:
		r.memory.sending.heard(r.now, i.Sender)
		return r.memory.lost > 0
	case alerting.Acked:
		r.desk.Acked(r.now, i)
	case alerting.Closed:
		r.desk.Closed(r.now, i)
	case alerting.Silenced:
		r.memory.silence(r.now, i.Silence)
	case alerting.Topology:
		r.place(i.Graph)
	case alerting.Result:
		r.desk.Result(r.now, i)
	case alerting.Leads:
		r.desk.Leads(i.On)
	case alerting.Recorded:
		r.memory.restore(r.desk.Recorded(r.now, i.Record))
		r.memory.unheard(r.now)
	}
	return true
}

// place takes a new graph.
func (r *Router) place(g *topology.Graph) { r.memory.place(r.now, g, r.found.Alarms) }

// Restore tells of an earlier life, before the first Step or, when the ledger was late, after it. Keys that
// are known already are left alone. The alarms behind open incidents fire until somebody says otherwise: not
// heard is not ended.
func (r *Router) Restore(recs []alerting.Record) {
	learnt, behind := r.desk.Restore(recs)
	r.restored = r.restored || learnt
	r.memory.restore(behind)
}
