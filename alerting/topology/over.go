package topology

import (
	"cmp"
	"slices"
)

// Over returns the graph with what other has besides it. An entity of both is as g says it, and needs what both say. The error is
// that of New.
func (g *Graph) Over(other *Graph) (*Graph, error) {
	var all []Entity
	for _, id := range g.IDs() {
		e := g.entities[id]
		if o, ok := other.Get(id); ok {
			e.Parents = append(slices.Clone(e.Parents), o.Parents...)
			e.Service, e.Cluster, e.AZ = cmp.Or(e.Service, o.Service), cmp.Or(e.Cluster, o.Cluster), cmp.Or(e.AZ, o.AZ)
			e.Host, e.Group, e.Excused, e.Size = cmp.Or(e.Host, o.Host), cmp.Or(e.Group, o.Group), o.Excused, o.Size
			e.Aliases = append(slices.Clone(e.Aliases), o.Aliases...)
		}
		all = append(all, e)
	}
	for _, id := range other.IDs() {
		if _, ok := g.Get(id); !ok {
			all = append(all, other.entities[id])
		}
	}
	return New(all)
}

// Adds says that the graph, which is of a file, is to be laid over what agents tell, and does not replace it.
func (g *Graph) Adds() bool { return g != nil && g.adds }
