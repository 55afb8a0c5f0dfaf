package diagnosis

import (
	"cmp"
	"slices"
	"time"

	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/topology"
)

// Input is all that diagnosis knows. It changes nothing in it but the cache of Walks.
type Input struct {
	Now      time.Time
	Facts    []*alerting.Fact     // by ID: alarms that fire, and those that ended so lately that they may still explain
	Groups   []*alerting.Fact     // by ID: group alarms of the step before, those that ended lately among them
	Walks    *Walks               // the graph
	Born     map[string]time.Time // when a subject came into the graph, of those that came later
	Settings alerting.Settings
	Serial   uint64            // of the last problem that was named
	Passed   []alerting.Passed // alarms of others that came and went lately
}

// Result is what it makes of them.
type Result struct {
	Alarms   []*alerting.Verdict // the best cause first
	Groups   []*alerting.Fact    // by ID; to be given to the next step
	Problems []*alerting.Problem // the worst first
	Next     time.Time           // when time alone changes something; zero: never
	Serial   uint64
	Anew     map[*alerting.Verdict]bool // whose Fact is another than in Input: it is folded with others now

	explain *explainer
}

// Diagnose takes facts and graph and returns problems.
func Diagnose(in Input) Result {
	s := stand(in.Facts, in.Walks.Graph)
	p := &in.Walks.past
	wake := alerting.Wake{Now: in.Now}
	wake.Add(p.judgeAll(in, s))
	anew, next := p.fold(in)
	wake.Add(next)
	groups := p.groupAlarms(in, s)
	wake.Add(p.judgeGroups(in, s, groups))
	verdicts := p.arrange()
	e := newExplainer(in, s, verdicts)
	wake.Add(e.explain())
	ps, serial := problems(in, verdicts)
	out := Result{Alarms: verdicts, Problems: ps, Next: wake.At, Serial: serial, Anew: anew, explain: e}
	for _, g := range groups {
		out.Groups = append(out.Groups, g.Fact)
	}
	return out
}

// Walks keeps what walks over one graph found, since the same questions are asked at each step. A new graph wants new
// Walks. They are used by one goroutine at a time.
type Walks struct {
	Graph *topology.Graph
	spots map[string]*spot           // those asked about
	named map[*topology.Class]*shelf // classes of causes
	used  []*shelf                   // in this step
	asked int                        // see Asked
	past  past                       // what the step before judged
}

// NewWalks makes the Walks of a graph; nil is a graph without entities.
func NewWalks(g *topology.Graph) *Walks {
	return &Walks{Graph: g, spots: map[string]*spot{}, named: map[*topology.Class]*shelf{}}
}

// Asked is how many pairs of alarms, or of an alarm and a group, were compared since the Walks were made: what grows first where
// something grows too fast.
func (w *Walks) Asked() int { return w.asked }

// stands says that an entity needs another one, directly or not, or is it.
func (w *Walks) stands(id, on string) bool {
	if id == on {
		return id != "" // two without a subject have nothing in common
	}
	return w.reached(on).Needed(id)
}

// edge is the edge from an entity to the subject of a fact; of a subject that the graph does not know, to what it stands on.
func (w *Walks) edge(id string, f *alerting.Fact) topology.Edge {
	w.asked++
	if id == "" {
		return topology.None // what has no subject reaches nothing, not even its like
	}
	reach := w.reached(id)
	e := reach.Edge(f.Entity.ID)
	if !f.Known {
		for _, p := range f.Entity.Parents {
			e = max(e, reach.Edge(p))
		}
	}
	return e
}

// Find is the verdict on the alarm or group alarm with this ID; nil: there is none.
func (r *Result) Find(id string) *alerting.Verdict {
	p := &r.explain.in.Walks.past
	for _, list := range [][]*judged{p.list, p.groups} {
		if n, ok := slices.BinarySearchFunc(list, id, func(j *judged, id string) int { return cmp.Compare(j.fact.ID, id) }); ok {
			return list[n].verdict
		}
	}
	return nil
}

// Connected says whether one problem's root can bear on the other's, or both are about the same service.
func (r *Result) Connected(a, b *alerting.Problem) bool {
	if s := a.Root.Service(); s != "" && s == b.Root.Service() {
		return true
	}
	w := r.explain.in.Walks
	return w.edge(a.Root.Entity.ID, b.Root.Fact) > topology.None || w.edge(b.Root.Entity.ID, a.Root.Fact) > topology.None
}
