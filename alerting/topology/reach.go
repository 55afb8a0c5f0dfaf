package topology

import (
	"slices"
	"strings"
)

// Edge says how an entity is bound to another one that fails, the firmest last.
type Edge uint8

// The edges.
const (
	None   Edge = iota
	Side        // part of the same whole, or a machine under it: may be slowed by the failure, is not broken by it
	Front       // the edge before a service that is hurt: shows its errors as its own
	Member      // part of a whole that is hurt, or that fails itself
	Needs       // needs it, but redundancy between them is not used up
	Hurt        // needs it, and no redundancy is left between them
)

// Reach is what the failure of one entity can explain, the entity itself among it. Equal parts of one whole break and burden
// the same, so that they share all but themselves: what a fleet costs grows with its size, and not with its square.
type Reach struct {
	graph *Graph
	Chain []string // the entity, and what breaks with it because that alone stands on it
	Class *Class
}

// Class is what all entities of one kind reach that the same others need.
type Class struct {
	Edges map[string]Edge // Hurt or Needs; parts of wholes are not named, see Reach.Edge
}

// Reach returns what the failure of the entity with this ID can explain.
func (g *Graph) Reach(id string) Reach {
	r := Reach{graph: g}
	e, ok := g.Get(id)
	if !ok {
		return r
	}
	r.Chain = []string{id}
	for {
		below := g.children[id]
		if len(below) != 1 || !g.exhausted(below[0], e.Kind, 1) {
			break
		}
		id = below[0]
		e = g.entities[id]
		r.Chain = append(r.Chain, id)
	}
	r.Class = g.class(e)
	return r
}

// class is that of the equals of e. It costs a walk over all that needs them, once.
func (g *Graph) class(e Entity) *Class {
	key := e.Kind + "\x00" + strings.Join(g.children[e.ID], "\x00")
	g.mu.Lock()
	defer g.mu.Unlock()
	c := g.classes[key]
	if c == nil {
		c = &Class{Edges: map[string]Edge{}}
		g.needing(e.ID, c.Edges)
		for _, h := range g.hurt(e.ID)[1:] {
			c.Edges[h] = Hurt
		}
		g.classes[key] = c
	}
	return c
}

// Edge is how the entity with this ID is bound to the one that fails.
func (r Reach) Edge(id string) Edge {
	if r.Class == nil {
		return None
	}
	if slices.Contains(r.Chain, id) {
		return Hurt
	}
	e := r.Class.Edges[id]
	part := r.graph.entities[id]
	for _, w := range r.graph.wholes[id] {
		if how := r.direct(w); how > None {
			e = max(e, r.graph.Parted(w, part, how, w == r.Chain[0]))
		}
	}
	for _, w := range r.graph.bears[id] {
		if r.direct(w) > None {
			e = max(e, Side)
		}
	}
	return e
}

// Needed says that another entity needs the one that fails, directly or not.
func (r Reach) Needed(by string) bool { return r.Class != nil && r.direct(by) > None }

// direct is Edge without what being a part of a whole adds.
func (r Reach) direct(id string) Edge {
	if slices.Contains(r.Chain, id) {
		return Hurt
	}
	return r.Class.Edges[id]
}

// Parted is the edge to a part of a whole that is reached. What the parts stand on bears their load, but does not break with it.
// itself says that the whole is what fails.
func (g *Graph) Parted(whole string, part Entity, how Edge, itself bool) Edge {
	switch {
	case how == Hurt && part.Kind == KindNode && (itself || part.Service == g.entities[whole].Service):
		return Member
	case how == Hurt && part.Kind == KindELB:
		return Front
	}
	return Side
}

// Wholes are the clusters and services that an entity is a part of. The caller must not change them.
func (g *Graph) Wholes(id string) []string {
	if g == nil {
		return nil
	}
	return g.wholes[id]
}

// Bears are the clusters and services whose nodes stand on this machine. The caller must not change them.
func (g *Graph) Bears(id string) []string {
	if g == nil {
		return nil
	}
	return g.bears[id]
}

// hurt walks from a failure to all that it breaks, counting losses against what is spare.
func (g *Graph) hurt(id string) []string {
	out := []string{id}
	seen := map[string]bool{id: true}
	lost := map[string]map[string]int{}
	for i := 0; i < len(out); i++ {
		kind := g.entities[out[i]].Kind
		for _, c := range g.children[out[i]] {
			if lost[c] == nil {
				lost[c] = map[string]int{}
			}
			lost[c][kind]++
			if !seen[c] && g.exhausted(c, kind, lost[c][kind]) {
				seen[c] = true
				out = append(out, c)
			}
		}
	}
	return out
}

// exhausted says whether n lost parents of one kind hurt the entity.
func (g *Graph) exhausted(id, kind string, n int) bool {
	e := g.entities[id]
	if n > e.Spare {
		return true
	}
	return n >= g.parents[[2]string{id, kind}]
}

// needing adds all that needs the entity, directly or not.
func (g *Graph) needing(id string, edges map[string]Edge) {
	queue := []string{id}
	for i := 0; i < len(queue); i++ {
		for _, c := range g.children[queue[i]] {
			if edges[c] == None {
				edges[c] = Needs
				queue = append(queue, c)
			}
		}
	}
}

// Redundancy is how a whole stands.
type Redundancy struct {
	Whole string // the cluster or service
	Of    int    // its parts of the kind that is lost
	Lost  int
	Spare int
}

// Left says whether the next loss is still no harm done.
func (r Redundancy) Left() bool { return r.Lost <= r.Spare && r.Lost < r.Of }

// Redundancy returns how the wholes stand that id, a machine or a node, is a part of, when all in lost (by ID)
// are lost and id with them. The one that is worst off is returned; ok is false where it is part of none. known keeps
// what Standing says of each whole, for further questions about the same lost; nil: nothing is kept.
func (g *Graph) Redundancy(id string, lost map[string]bool, known map[string]Redundancy) (worst Redundancy, ok bool) {
	for _, w := range g.parts(id) {
		r, kept := known[w]
		if !kept {
			r = g.Standing(w, lost)
			if known != nil {
				known[w] = r
			}
		}
		if !g.standsIn(w, id, lost) {
			r.Lost++
		}
		if !ok || r.Spare-r.Lost < worst.Spare-worst.Lost {
			worst, ok = r, true
		}
	}
	return worst, ok && worst.Of > 1
}

// standsIn says whether id is among what is counted lost of w already.
func (g *Graph) standsIn(w, id string, lost map[string]bool) bool {
	if lost[id] || lost[g.Machine(id)] {
		return true
	}
	for _, c := range g.children[id] { // a node on it
		if lost[c] && slices.Contains(g.children[c], w) {
			return true
		}
	}
	return false
}

// Standing counts the lost nodes of a cluster or service; a node is lost with its machine.
func (g *Graph) Standing(whole string, lost map[string]bool) Redundancy {
	e := g.entities[whole]
	r := Redundancy{Whole: whole, Spare: e.Spare}
	for _, p := range e.Parents {
		if g.entities[p].Kind != KindNode {
			continue
		}
		r.Of++
		if lost[p] || lost[g.Machine(p)] {
			r.Lost++
		}
	}
	return r
}
