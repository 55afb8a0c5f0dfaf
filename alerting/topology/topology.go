// Package topology is the dependency graph of the entities that alarms sit on: who can explain whom.
//
// It holds the graph and answers questions about it; it knows no alarms and no rules, and it reads
// no entity's kind out of its name. A Graph is immutable and may be used by many goroutines.
package topology

import (
	"slices"
	"sync"
)

// Entity is one vertex. Parents are what it needs in order to work, so that an alarm on a parent
// explains alarms on its children.
type Entity struct {
	ID      string   `json:"id" yaml:"id"`
	Kind    string   `json:"kind" yaml:"kind"` // az, link, host, node, cluster, elb, service
	Service string   `json:"service,omitempty" yaml:"service"`
	Cluster string   `json:"cluster,omitempty" yaml:"cluster"`
	AZ      string   `json:"az,omitempty" yaml:"az"`
	Host    string   `json:"host,omitempty" yaml:"host"`
	Group   string   `json:"group,omitempty" yaml:"group"` // what replaces it when it is gone; empty where nothing does
	Parents []string `json:"parents,omitempty" yaml:"parents"`
	// Spare says how many of the parents of one kind may be lost before this entity is hurt. The loss of
	// all parents of one kind always hurts.
	Spare int `json:"spare,omitempty" yaml:"spare"`
	// Aliases are other names that labels call a machine by: its instance's ID, its addresses.
	Aliases []string `json:"aliases,omitempty" yaml:"aliases"`
	// Excused says why nothing about a machine wakes anybody: its group ended it, or starts it. Empty: nothing does.
	Excused string `json:"excused,omitempty" yaml:"excused"`
	// Size says how its group stands: "wants 3, has 2, 1 starting". Empty: nobody knows.
	Size string `json:"size,omitempty" yaml:"size"`
}

// The kinds that the graph itself treats in a way of their own. All others are alike.
const (
	KindAZ      = "az"
	KindLink    = "link"
	KindHost    = "host"
	KindNode    = "node"
	KindCluster = "cluster"
	KindELB     = "elb"
	KindService = "service"
	KindBackend = "backend" // what a balancer passes requests to: a server of it, or all of them
	KindServer  = "server"  // a process that answers on a machine, such as a database: what needs it alone breaks with it
)

// whole says that an entity is made of its parents of kind node, so that what is said of it is said of them.
func (e Entity) whole() bool { return e.Kind == KindCluster || e.Kind == KindService }

// name is what labels call a zone or a cluster; all else goes by its service.
func (e Entity) name() string {
	switch e.Kind {
	case KindAZ:
		return e.AZ
	case KindCluster:
		return e.Cluster
	}
	return e.Service
}

// Graph is a set of entities and what each needs.
type Graph struct {
	entities map[string]Entity
	ids      []string             // in order
	children map[string][]string  // in order
	zones    map[string][]string  // hosts by zone; nodes where they stand on no host
	fleets   map[string][]string  // nodes, and hosts, by service
	hosts    map[string][]string  // entities by the name of their host
	domains  map[string]string    // the full name of a host by its first label, where only one begins so
	wholes   map[string][]string  // by part, the clusters and services that it is a part of
	bears    map[string][]string  // by machine, those whose nodes stand on it
	machines map[string]string    // by node, the host that it stands on; those that stand on none are left out
	within   map[string]within    // by machine and node
	behind   map[string]int       // see Behind; those that stand behind none are left out
	called   map[[2]string]string // the first ID by kind and name
	parents  map[[2]string]int    // how many of a kind, by ID and kind

	adds bool // see Adds

	mu      sync.Mutex
	classes map[string]*Class // those asked about
}

// Get returns the entity with this ID.
func (g *Graph) Get(id string) (Entity, bool) {
	if g == nil {
		return Entity{}, false
	}
	e, ok := g.entities[id]
	return e, ok
}

// Len is the number of entities.
func (g *Graph) Len() int {
	if g == nil {
		return 0
	}
	return len(g.ids)
}

// IDs returns all IDs in order. The caller must not change it.
func (g *Graph) IDs() []string {
	if g == nil {
		return nil
	}
	return g.ids
}

// Children returns the entities that need id, in order. The caller must not change it.
func (g *Graph) Children(id string) []string {
	if g == nil {
		return nil
	}
	return g.children[id]
}

// Zone returns the machines of a zone, in order: its hosts, and nodes that stand on no host.
func (g *Graph) Zone(az string) []string {
	if g == nil {
		return nil
	}
	return g.zones[az]
}

// Fleet returns the entities of one kind that do one service's work, in order.
func (g *Graph) Fleet(kind, service string) []string {
	if g == nil {
		return nil
	}
	return g.fleets[kind+"\x00"+service]
}

// Machine returns what an entity stands on: itself where it is a host or on none.
func (g *Graph) Machine(id string) string {
	if g != nil {
		if m, ok := g.machines[id]; ok {
			return m
		}
	}
	return id
}

// Behind is how many machines an entity's machine stands behind, one behind the other: a host behind a hypervisor behind a switch has two.
// Those are parents of its own kind. Most machines stand behind none.
func (g *Graph) Behind(id string) int {
	if g == nil || len(g.behind) == 0 {
		return 0
	}
	return g.behind[g.Machine(id)]
}

func (g *Graph) host(e Entity) (id string, ok bool) {
	if e.Kind != KindNode {
		return "", false
	}
	n := slices.IndexFunc(e.Parents, func(p string) bool { return g.entities[p].Kind == KindHost })
	if n < 0 {
		return "", false
	}
	return e.Parents[n], true
}

// within is what a machine or node belongs to.
type within struct {
	parts []string // see parts
	whole string   // see Whole
}

// Whole returns the smallest cluster or service of which id, or a node on it, is a part: the one with the
// fewest parents. Empty where there is none.
func (g *Graph) Whole(id string) string {
	if g == nil {
		return ""
	}
	if in, ok := g.within[id]; ok {
		return in.whole
	}
	return g.smallest(g.parts(id))
}

func (g *Graph) smallest(of []string) string {
	best := ""
	for _, c := range of {
		if best == "" || len(g.entities[c].Parents) < len(g.entities[best].Parents) {
			best = c
		}
	}
	return best
}

// parts are all clusters and services of which id, or a node on it, is a part.
func (g *Graph) parts(id string) []string {
	if g == nil {
		return nil
	}
	if in, ok := g.within[id]; ok {
		return in.parts
	}
	var out []string
	for _, c := range g.Children(id) {
		e := g.entities[c]
		switch {
		case e.whole() && g.entities[id].Kind == KindNode:
			out = append(out, c)
		case e.Kind == KindNode:
			out = append(out, g.parts(c)...)
		}
	}
	return out
}

// AZ returns the entity of a zone, the zero Entity where there is none.
func (g *Graph) AZ(az string) Entity {
	e, _ := g.Called(KindAZ, az)
	return e
}

// Under returns all that id needs, directly or not, itself among it.
func (g *Graph) Under(id string) map[string]bool {
	under := map[string]bool{id: true}
	queue := []string{id}
	for len(queue) > 0 {
		e, _ := g.Get(queue[0])
		queue = queue[1:]
		for _, p := range e.Parents {
			if !under[p] {
				under[p] = true
				queue = append(queue, p)
			}
		}
	}
	return under
}

// DependsOn says whether child needs parent, directly or not, and over how many steps.
func (g *Graph) DependsOn(child, parent string) (steps int, ok bool) {
	if child == parent {
		return 0, false
	}
	level, seen := []string{child}, map[string]bool{child: true}
	for steps = 1; len(level) > 0; steps++ {
		var above []string
		for _, id := range level {
			e, _ := g.Get(id)
			for _, p := range e.Parents {
				if p == parent {
					return steps, true
				}
				if !seen[p] {
					seen[p] = true
					above = append(above, p)
				}
			}
		}
		level = above
	}
	return 0, false
}
