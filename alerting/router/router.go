// Package router remembers between steps and keeps the order of the stages: inputs become memory, memory becomes facts,
// facts become problems, and problems become actions. The essay in package alerting describes them.
//
// It is pure: Step reads no clock, does no I/O and starts no goroutine, so that every behaviour is a table test or a
// timeline. It delivers nothing: package dispatch carries its Actions out.
package router

import (
	"time"

	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/topology"
)

// Router is the pure core. It is used by one goroutine at a time.
type Router struct {
	set   alerting.Settings
	graph *topology.Graph
	reach map[string]map[string]topology.Edge // of the causes asked about, until the graph changes
	needs map[string]map[string]bool
	born  map[string]time.Time // when an entity came into the graph, of those that came later

	alarms   map[string]*alarm // as told, by fingerprint
	bytes    int               // of them, about
	rolled   map[string]*alarm // roll-ups, by fingerprint
	silences map[string]*alerting.Silence
	senders  map[string]time.Time // last word of each sender
	rules    map[string]time.Time // last start of each rule, for novelty

	ranked    []*alarm   // of this step, the best cause first
	problems  []*problem // of this step, the worst first
	byAlarm   map[string]*problem
	lost      map[string]bool                // entities that are gone, of this step
	standing  map[string]topology.Redundancy // of the wholes asked about, of this step
	incidents []*incident
	past      map[string]past
	routes    map[string]*route
	claims    map[string]claim // by the fingerprint of a root

	raw     []time.Time // starts within the storm's window
	storm   bool
	highs   []time.Time // pages at high urgency since the storm began
	noted   time.Time   // last summary of the storm
	refused int         // alarms that found no room
	unknown int         // alarms of an earlier life that nobody has told of yet: any word of a sender may end them

	now      time.Time
	listen   time.Time // when an earlier life was learnt of; zero: there was none
	restored bool
	standby  bool // another router of the fleet sends
	serial   uint64
	wake     time.Time
}

// New makes a router. The settings must be valid.
func New(s alerting.Settings) *Router {
	return &Router{
		set: s, reach: map[string]map[string]topology.Edge{}, needs: map[string]map[string]bool{}, born: map[string]time.Time{},
		alarms: map[string]*alarm{}, rolled: map[string]*alarm{}, silences: map[string]*alerting.Silence{},
		claims: map[string]claim{}, senders: map[string]time.Time{}, rules: map[string]time.Time{}, past: map[string]past{}, routes: map[string]*route{},
	}
}

// idle is how long the router is content not to be asked while something is under way.
const idle = 30 * time.Second

// Step takes what happened and decides what to do now. next is when it wants to be asked again at the
// latest; zero: when there is something to tell. Inputs may be told twice. Time must not run backwards.
func (r *Router) Step(now time.Time, in []alerting.Input) (out []alerting.Action, next time.Time) {
	asked := r.wake
	r.now, r.wake = now, time.Time{}
	news := r.restored || asked.IsZero() || !now.Before(asked)
	if r.restored {
		r.restored, r.listen = false, now
		r.unheard(now)
	}
	for _, i := range in {
		news = r.take(i) || news
	}
	if !news { // and what time alone does was not to come before asked
		r.wake = asked
		return nil, asked
	}
	r.age()
	r.judge()
	r.explain()
	r.group()
	r.match()
	r.forgetClaims()
	r.schedule()
	r.remark()
	if !r.standby {
		out = r.send()
	}
	if len(r.alarms)+len(r.incidents) > 0 {
		r.at(now.Add(idle))
	}
	return out, r.wake
}

// take takes one input, and says whether it can change anything: most are alarms that are told again.
func (r *Router) take(i alerting.Input) (news bool) {
	switch i := i.(type) {
	case alerting.Firing:
		return r.fire(i.Alarm)
	case alerting.Ended:
		r.end(i.Fingerprint)
	case alerting.Acked:
		r.acked(i)
	case alerting.Closed:
		r.closed(i)
	case alerting.Silenced:
		r.silence(i.Silence)
	case alerting.Topology:
		r.place(i.Graph)
	case alerting.Result:
		r.result(i)
	case alerting.Leads:
		r.leads(i.On)
	case alerting.Recorded:
		r.recorded(i.Record)
	}
	return true
}

// at asks to be woken at t.
func (r *Router) at(t time.Time) {
	if t.After(r.now) && (r.wake.IsZero() || t.Before(r.wake)) {
		r.wake = t
	}
}

// passed says whether t has come, and asks to be woken when not.
func (r *Router) passed(t time.Time) bool {
	r.at(t)
	return !t.After(r.now)
}
