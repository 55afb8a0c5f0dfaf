package topology

import "slices"

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

func (e Edge) String() string {
	return [...]string{"none", "side by side", "in front of it", "part of it", "needs it", "cannot do without it"}[e]
}

// Reach returns what the failure of the entity with this ID can explain, the entity itself among it. It
// costs a walk over all that needs it; callers keep the answer.
func (g *Graph) Reach(id string) map[string]Edge {
	reach := map[string]Edge{}
	if _, ok := g.Get(id); !ok {
		return reach
	}
	raise := func(id string, e Edge) bool {
		if reach[id] >= e {
			return false
		}
		reach[id] = e
		return true
	}
	for _, h := range g.hurt(id) {
		raise(h, Hurt)
	}
	g.needing(id, raise)
	start := g.entities[id]
	touched := make([]string, 0, len(reach))
	for _, x := range g.ids {
		if reach[x] > None {
			touched = append(touched, x)
		}
	}
	for _, x := range touched {
		e := g.entities[x]
		if !e.whole() {
			continue
		}
		g.parted(e, reach[x], x == id && start.whole(), raise)
	}
	return reach
}

// parted raises the parts of a whole. What they stand on bears their load, but does not break with it.
func (g *Graph) parted(e Entity, how Edge, itself bool, raise func(string, Edge) bool) {
	for _, p := range e.Parents {
		part := g.entities[p]
		edge := Side
		switch {
		case how == Hurt && part.Kind == KindNode && (itself || part.Service == e.Service):
			edge = Member
		case how == Hurt && part.Kind == KindELB:
			edge = Front
		}
		raise(p, edge)
		if part.Kind == KindNode {
			if m := g.Machine(p); m != p {
				raise(m, min(edge, Side))
			}
		}
	}
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
	total := 0
	for _, p := range e.Parents {
		if g.entities[p].Kind == kind {
			total++
		}
	}
	return n >= total
}

func (g *Graph) needing(id string, raise func(string, Edge) bool) {
	queue := []string{id}
	seen := map[string]bool{id: true}
	for i := 0; i < len(queue); i++ {
		for _, c := range g.children[queue[i]] {
			if !seen[c] {
				seen[c] = true
				raise(c, Needs)
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
