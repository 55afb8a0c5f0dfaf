package router

import (
	"cmp"
	"slices"
	"time"

	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/topology"
)

// rank orders alarms by how good a cause they make, the best first. An alarm is explained only by one that
// comes before it, so that explanations never run in a circle.
type rank int

const (
	rankZone      rank = iota // told of a zone or a link
	rankMostZone              // rolled up over a zone
	rankChange                // a deploy
	rankConfig                //
	rankSplit                 // told of a whole: a partition, lost quorum
	rankLimit                 // told of a whole or an edge: at its limit, down, cut off
	rankMostParts             // rolled up over a whole from causes
	rankPart                  // a node that would page by itself
	rankSlow                  // told of a whole: slow, errors
	rankMost                  // rolled up over a whole
	rankFelt                  // what users feel
	rankFeltEdge              // what the edge shows of it
	rankFeltSoft              // what users begin to feel
	rankWide                  // a roll-up that wakes nobody
	rankEdge                  // an edge or a whole, waking nobody
	rankMachine               // one machine: down
	rankNode                  // one node: down or at a limit
	rankEffect                // all else
)

func (a *alarm) rankOf() rank {
	part := a.entity.Kind == topology.KindHost || a.entity.Kind == topology.KindNode
	switch {
	case a.felt() && a.alone <= alerting.P2 && a.layer == "edge":
		return rankFeltEdge
	case a.felt() && a.alone <= alerting.P2:
		return rankFelt
	case a.felt():
		return rankFeltSoft
	case a.cause() && a.derived():
		return a.rankRolled()
	case a.cause() && (a.entity.Kind == topology.KindAZ || a.entity.Kind == topology.KindLink):
		return rankZone
	case a.cause() && part:
		return rankPart
	case a.cause():
		switch {
		case a.kind == "change":
			return rankChange
		case a.kind == "config":
			return rankConfig
		case a.kind == "partition" || a.kind == "quorum":
			return rankSplit
		case a.effect():
			return rankSlow
		}
		return rankLimit
	case a.derived():
		return rankWide
	case !part:
		return rankEdge
	case a.kind == "down" && a.entity.Kind == topology.KindHost:
		return rankMachine
	case a.kind == "down" || a.kind == "saturation":
		return rankNode
	}
	return rankEffect
}

func (a *alarm) rankRolled() rank {
	switch {
	case a.layer == "az":
		return rankMostZone
	case slices.ContainsFunc(a.members, (*alarm).cause):
		return rankMostParts
	}
	return rankMost
}

// before is the total order of explaining. Of equals the worse goes first, so that a certainty takes over from the
// suspicion that came before it, and its title with it.
func before(a, b *alarm) int {
	return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(a.alone, b.alone), a.began().Compare(b.began()), cmp.Compare(a.fp, b.fp))
}

// grace is how long after the end of a cause effects may still begin: alarms tell late.
const grace = 90 * time.Second

// explain finds for each alarm the one that explains it best. It wants a declared edge: the entity needs the
// other's, is a part of it or beside it, or the rule blames the other's service.
func (r *Router) explain() {
	live := r.ranked
	local, near := map[string][]*alarm{}, map[string][]*alarm{}
	last, _ := slices.BinarySearchFunc(live, rankEdge, func(a *alarm, k rank) int { return cmp.Compare(a.rank, k) })
	for _, a := range live {
		a.by, a.why = nil, ""
		if a.rank >= rankMachine {
			m := r.graph.Machine(a.entity.ID)
			local[m] = append(local[m], a)
		}
	}
	for _, a := range live {
		if a.always() {
			continue
		}
		if a.foreign() && !a.known { // hidden by nothing but what tells of it
			if a.in != nil {
				a.by, a.why = a.in, "one of many alike"
			}
			continue
		}
		r.explainOne(a, r.bearing(a, live[:last], near), local)
	}
	for _, a := range live {
		switch {
		case a.by == nil || !a.holds():
			a.hidden, a.noted = time.Time{}, false
		case a.hidden.IsZero():
			a.hidden = r.now
		}
	}
}

// bearing are the causes that have any edge to where a sits, in their order. Alarms come many to an entity, so that
// the answer is kept in near for the step.
func (r *Router) bearing(a *alarm, causes []*alarm, near map[string][]*alarm) []*alarm {
	if !a.known {
		return causes
	}
	key := a.entity.ID + "\x00" + a.Labels[alerting.LabelDep]
	out, ok := near[key]
	if !ok {
		for _, c := range causes {
			if c.derived() || r.edge(c, a) > topology.None {
				out = append(out, c)
			}
		}
		near[key] = out
	}
	return out
}

func (r *Router) explainOne(a *alarm, causes []*alarm, local map[string][]*alarm) {
	var soft *alarm
	var edge topology.Edge
	for _, c := range causes {
		if c.order >= a.order {
			break
		}
		if !r.mayExplain(c, a) {
			continue
		}
		e := r.edge(c, a)
		if e < least(c, a) {
			continue
		}
		if e >= topology.Member {
			a.by, a.why = c, e.String()+": "+c.entity.ID
			return
		}
		if soft == nil || e > edge {
			soft, edge = c, e
		}
	}
	if soft != nil {
		a.by, a.why = soft, edge.String()+": "+soft.entity.ID
		return
	}
	if a.rank < rankMachine || a.alone < alerting.P3 || !a.effect() && a.kind != "down" {
		return
	}
	for _, c := range local[r.graph.Machine(a.entity.ID)] {
		if c.order >= a.order || c.rank >= rankEffect {
			return
		}
		if r.mayExplain(c, a) {
			a.by, a.why = c, "on the same machine"
			return
		}
	}
}

// mayExplain is about time and silence: a cause may show late, and explains for a while after its end what
// had begun by then. What a person silenced explains nothing that users feel.
func (r *Router) mayExplain(c, a *alarm) bool {
	if c.began().After(a.began().Add(r.set.CauseDelay)) || c.silenced != "" && a.silenced == "" && a.felt() {
		return false
	}
	if c.holds() {
		return true
	}
	linger := r.set.Resolve.AfterCause
	if i := r.incidentOf(c); i != nil && i.rec.AckedBy != "" {
		linger = r.set.Resolve.AfterAcked
	}
	return !a.first.After(c.ended.Add(grace)) && !r.passed(c.ended.Add(linger))
}

// edge is how a is bound to c.
func (r *Router) edge(c, a *alarm) topology.Edge {
	if c.felt() {
		if r.under(c.entity.ID)[a.entity.ID] {
			return topology.Side
		}
		return topology.None
	}
	for _, m := range c.members {
		if m == a {
			return topology.Hurt
		}
	}
	e := r.reached(c.entity.ID, a)
	if dep := a.Labels[alerting.LabelDep]; dep != "" && (dep == c.service() || dep == c.entity.Service) {
		e = max(e, topology.Needs)
	}
	return e
}

// least is the edge that it takes. Redundancy that is left keeps a cause from explaining why users are hurt; parts of
// one whole slow each other down but do not break each other.
func least(c, a *alarm) topology.Edge {
	switch {
	case c.felt() && (a.effect() || a.felt()):
		return topology.Side
	case c.felt():
		return topology.Hurt
	case a.rank == rankFeltEdge:
		return topology.Front
	case a.rank == rankFelt:
		return topology.Hurt
	case a.felt():
		return topology.Side
	case a.cause() && !a.derived() || a.derived() && !a.soft():
		return topology.Member
	case a.soft():
		return topology.Side
	}
	return topology.Member
}

// soft alarms can be caused by what only stands beside them.
func (a *alarm) soft() bool {
	return a.effect() || a.severity != "critical" && (a.kind == "saturation" || a.kind == "network")
}

// reached is the edge from an entity to where a sits; of a place that the graph does not know, to what it
// stands on.
func (r *Router) reached(id string, a *alarm) topology.Edge {
	reach := r.reach[id]
	if reach == nil {
		reach = r.graph.Reach(id)
		r.reach[id] = reach
	}
	e := reach[a.entity.ID]
	if !a.known {
		for _, p := range a.entity.Parents {
			e = max(e, reach[p])
		}
	}
	return e
}

func (r *Router) under(id string) map[string]bool {
	if r.needs[id] == nil {
		r.needs[id] = r.graph.Under(id)
	}
	return r.needs[id]
}
