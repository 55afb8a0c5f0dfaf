package alerting

import (
	"cmp"
	"slices"
	"time"

	"github.com/navcloud/binnacle/alerting/topology"
)

// Router turns alarms into ordered pages. It is not safe for concurrent use; package dispatch owns it.
type Router struct {
	set   Settings
	graph *topology.Graph

	alarms    map[string]*alarm // by fingerprint
	silences  map[string]Silence
	incidents map[string]*incident // by dedup key
	routes    map[string]*route
	rolls     map[rollKey]*alarm
	lastSeen  map[string]time.Time // when a rule last ended, for novelty
	past      map[string]Record    // closed, by base, for generation and returns

	raw     []time.Time // starts within the storm window
	storm   bool
	refused int // alarms beyond MaxAlarms
	now     time.Time
	begun   time.Time // first Step
	earlier bool      // the ledger shows an earlier life
	seq     uint64    // of actions

	problems []*problem // of the last Step, in order
	next     time.Time

	// Of one build, or until the graph changes.
	relations     map[[2]string]relation
	zones         map[[2]string][]string
	spreads       map[string]map[string]bool
	fallen        map[string]bool
	causeEntities map[string]bool
	hurtTogether  []string // clusters and services that fell without a cause of their own
}

// New makes a Router. The settings are valid: the caller has checked them.
func New(s Settings) *Router {
	if s.RouteBy == nil {
		s.RouteBy = func(map[string]string) string { return "default" }
	}
	r := &Router{
		set: s, alarms: map[string]*alarm{}, silences: map[string]Silence{}, incidents: map[string]*incident{},
		routes: map[string]*route{}, rolls: map[rollKey]*alarm{}, lastSeen: map[string]time.Time{}, past: map[string]Record{},
	}
	r.setGraph(nil)
	return r
}

func (r *Router) setGraph(g *topology.Graph) {
	if g == nil {
		g, _ = topology.New(nil) // an empty graph has no faults
	}
	r.graph = g
	r.relations, r.zones = map[[2]string]relation{}, map[[2]string][]string{}
	for _, a := range r.alarms {
		a.entity = place(g, a.Alarm)
	}
}

// Restore puts back what the ledger holds, before the first Step.
func (r *Router) Restore(records []Record) {
	for _, rec := range records {
		r.earlier = true
		if old, ok := r.past[rec.Base]; !ok || rec.Generation > old.Generation {
			r.past[rec.Base] = rec
		}
		if !rec.Open && rec.Pending == "" {
			continue
		}
		inc := &incident{rec: rec, fps: map[string]bool{}, sent: rec.Open, maybe: rec.Pending != ""}
		inc.rec.Pending = ""
		for i, a := range rec.Page.Explained {
			fp := a.Fingerprint()
			inc.fps[fp] = true
			if i == 0 {
				inc.headFP, inc.rootFP = fp, fp
			}
		}
		r.incidents[rec.Key] = inc
	}
}

// Step takes in what happened until now and returns what is to be done at the pager, and when to call
// again at the latest. It never returns an action for a route that has one unanswered.
func (r *Router) Step(now time.Time, in []Input) (out []Action, next time.Time) {
	if r.begun.IsZero() {
		r.begun = now
	}
	r.now, r.next = now, now.Add(maxPause)
	for _, i := range in {
		r.take(now, i)
	}
	r.age(now)
	r.problems = r.build(now)
	r.attach(now)
	out = r.decide(now)
	return out, r.next
}

// maxPause is the longest time between two steps.
const maxPause = 15 * time.Second

// due asks for a step at t.
func (r *Router) due(t time.Time) {
	if t.After(r.now) && t.Before(r.next) {
		r.next = t
	}
}

func (r *Router) take(now time.Time, in Input) {
	switch i := in.(type) {
	case Firing:
		r.fire(now, i.Alarm)
	case Ended:
		if a := r.alarms[i.Fingerprint]; a != nil && a.holds() {
			r.lastSeen[a.Rule()] = now
			r.forgetRules(now)
		}
		r.end(now, i.Fingerprint)
	case Acked:
		r.ack(now, i)
	case Closed:
		if inc := r.incidents[i.Key]; inc != nil {
			r.closed(now, inc)
		}
	case Silenced:
		r.silences[i.Silence.ID] = i.Silence
	case Topology:
		r.setGraph(i.Graph)
	case Result:
		r.result(now, i)
	}
}

// forgetRules bounds what is remembered of rules.
func (r *Router) forgetRules(now time.Time) {
	if len(r.lastSeen) <= 10_000 {
		return
	}
	for rule, t := range r.lastSeen {
		if now.Sub(t) > 7*24*time.Hour {
			delete(r.lastSeen, rule)
		}
	}
}

// ack takes an acknowledgement by dedup key, or by the ID of a problem.
func (r *Router) ack(now time.Time, a Acked) {
	for _, inc := range r.sortedIncidents() {
		if inc.rec.Key != a.Key && inc.rootFP != a.Key && inc.headFP != a.Key {
			continue
		}
		inc.rec.AckedBy, inc.rec.AckedAt = a.By, now
		if a.By == "" {
			inc.rec.AckedBy = "somebody"
		}
		if a.Undo {
			inc.rec.AckedBy, inc.rec.AckedAt = "", time.Time{}
		}
		inc.rec.UpdatedAt = now
	}
}

func (r *Router) sortedIncidents() []*incident {
	out := make([]*incident, 0, len(r.incidents))
	for _, i := range r.incidents {
		out = append(out, i)
	}
	slices.SortFunc(out, func(a, b *incident) int {
		return cmp.Or(cmp.Compare(a.rec.Page.Priority, b.rec.Page.Priority), a.rec.OpenedAt.Compare(b.rec.OpenedAt), cmp.Compare(a.rec.Key, b.rec.Key))
	})
	return out
}
