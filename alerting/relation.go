package alerting

import "github.com/navcloud/binnacle/alerting/topology"

// relation says how the entity of an alarm stands to the entity of a possible cause. Only declared
// edges count; that two things happened at the same time never does.
type relation struct {
	same    bool   // the same entity
	machine bool   // on the same host
	depends int    // steps over which it needs the cause's; 0: it does not
	member  bool   // it is one of those that the cause's cluster or service is made of
	peer    string // the cluster that both belong to, or whose part the cause's carries
	behind  string // the service behind an edge, which needs the cause's
}

func (r relation) none() bool { return r == relation{} }

// relate finds the relation of entity to cause; the answer is remembered until the graph changes.
func (r *Router) relate(entity, cause string) relation {
	key := [2]string{entity, cause}
	if rel, ok := r.relations[key]; ok {
		return rel
	}
	if len(r.relations) > maxRelations {
		clear(r.relations)
	}
	rel := relate(r.graph, entity, cause)
	r.relations[key] = rel
	return rel
}

// maxRelations bounds what is remembered, about 100 bytes each.
const maxRelations = 500_000

func relate(g *topology.Graph, entity, cause string) (rel relation) {
	if entity == "" || cause == "" {
		return rel // what has no place explains nothing and is hidden by nothing
	}
	rel.same = entity == cause
	if g == nil {
		return rel
	}
	e, ok := g.Get(entity)
	c, ok2 := g.Get(cause)
	if !ok || !ok2 {
		return rel
	}
	rel.machine = e.Host != "" && e.Host == c.Host
	rel.depends, _ = g.DependsOn(entity, cause)
	rel.member = isMember(g, cause, e, entity)
	if e.Kind == topology.KindCluster || e.Kind == topology.KindService {
		return rel
	}
	for _, k := range clustersOf(g, e) {
		if k == cause {
			continue
		}
		if _, ok := g.DependsOn(k, cause); ok {
			rel.peer = k
			break
		}
	}
	if e.Kind == topology.KindELB {
		for _, s := range g.Children(entity) {
			if _, ok := g.DependsOn(s, cause); ok || s == cause {
				rel.behind = s
				break
			}
		}
	}
	return rel
}

// isMember says whether entity, or the node on the same host, is part of the cluster or service.
func isMember(g *topology.Graph, whole string, e topology.Entity, entity string) bool {
	for _, m := range g.Members(whole) {
		if m == entity {
			return true
		}
		if e.Kind == topology.KindHost && e.Host != "" {
			if me, _ := g.Get(m); me.Host == e.Host {
				return true
			}
		}
	}
	return false
}

// clustersOf returns the clusters that a node is a member of: those of its own service that need it.
func clustersOf(g *topology.Graph, e topology.Entity) (out []string) {
	if e.Kind != topology.KindNode {
		return nil
	}
	for _, k := range g.Children(e.ID) {
		ke, _ := g.Get(k)
		if ke.Kind == topology.KindCluster && (ke.Service == "" || ke.Service == e.Service) {
			out = append(out, k)
		}
	}
	return out
}
