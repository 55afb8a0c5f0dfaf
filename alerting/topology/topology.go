// Package topology is the dependency graph of the entities that alarms sit on: who can explain whom.
//
// It holds the graph and answers questions about it; it knows no alarms and no rules, and it reads
// no entity's kind out of its name. A Graph is immutable and may be used by many goroutines.
package topology

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
)

// The kinds of entities that questions are asked about. Others are allowed and mean nothing special.
const (
	KindAZ      = "az"
	KindLink    = "link"
	KindHost    = "host"
	KindNode    = "node"
	KindCluster = "cluster"
	KindELB     = "elb"
	KindService = "service"
)

// Entity is one vertex. Parents are what it needs in order to work, so that an alarm on a parent
// explains alarms on its children.
type Entity struct {
	ID      string   `json:"id"`
	Kind    string   `json:"kind"` // az, link, host, node, cluster, elb, service
	Service string   `json:"service,omitempty"`
	Cluster string   `json:"cluster,omitempty"`
	AZ      string   `json:"az,omitempty"`
	Host    string   `json:"host,omitempty"`
	Group   string   `json:"group,omitempty"` // what replaces it when it is gone; empty where nothing does
	Parents []string `json:"parents,omitempty"`
	// Spare says how many of the parents of one kind may be lost before this entity is hurt.
	Spare int `json:"spare,omitempty"`
}

// Graph is a set of entities and what each needs.
type Graph struct {
	entities map[string]Entity
	children map[string][]string // sorted

	mu        sync.Mutex
	ancestors map[string]map[string]int
}

// New makes a graph. Its error names every entity that is there twice, every parent that is not there,
// and one circle.
func New(entities []Entity) (*Graph, error) {
	g := &Graph{entities: make(map[string]Entity, len(entities)), children: map[string][]string{}, ancestors: map[string]map[string]int{}}
	var errs []error
	for _, e := range entities {
		if e.ID == "" {
			errs = append(errs, errors.New("topology: an entity without an id"))
			continue
		}
		if _, ok := g.entities[e.ID]; ok {
			errs = append(errs, fmt.Errorf("topology: entity %q is there twice", e.ID))
		}
		g.entities[e.ID] = e
	}
	for _, e := range entities {
		for _, p := range e.Parents {
			if _, ok := g.entities[p]; !ok {
				errs = append(errs, fmt.Errorf("topology: %q needs %q, which is not there", e.ID, p))
			}
			g.children[p] = append(g.children[p], e.ID)
		}
	}
	for _, c := range g.children {
		slices.Sort(c)
	}
	if circle := g.circle(); circle != nil {
		errs = append(errs, fmt.Errorf("topology: a circle: %s", strings.Join(circle, " needs ")))
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return g, nil
}

// circle returns one cycle, first entity repeated at its end, or nil.
func (g *Graph) circle() []string {
	const onPath, done = 1, 2
	state := make(map[string]int, len(g.entities))
	var path []string
	var visit func(id string) []string
	visit = func(id string) []string {
		switch state[id] {
		case done:
			return nil
		case onPath:
			return append(path[slices.Index(path, id):len(path):len(path)], id)
		}
		state[id] = onPath
		path = append(path, id)
		for _, p := range g.entities[id].Parents {
			if c := visit(p); c != nil {
				return c
			}
		}
		path = path[:len(path)-1]
		state[id] = done
		return nil
	}
	for _, id := range g.IDs() {
		if c := visit(id); c != nil {
			return c
		}
	}
	return nil
}

// maxFile bounds a topology file, in bytes: 10,000 entities take about 3 MB.
const maxFile = 64 << 20

// Load reads a JSON file: {"entities": {"node:a": {"id": "node:a", "kind": "node", "parents": [...]}}}.
func Load(path string) (*Graph, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("topology: %w", err)
	}
	defer f.Close()
	var file struct {
		Entities map[string]Entity `json:"entities"`
	}
	if err := json.NewDecoder(io.LimitReader(f, maxFile)).Decode(&file); err != nil {
		return nil, fmt.Errorf("topology: %s: %w", path, err)
	}
	list := make([]Entity, 0, len(file.Entities))
	for id, e := range file.Entities {
		if e.ID == "" {
			e.ID = id
		}
		if e.ID != id {
			return nil, fmt.Errorf("topology: %s: entity %q stands under the name %q", path, e.ID, id)
		}
		list = append(list, e)
	}
	slices.SortFunc(list, func(a, b Entity) int { return strings.Compare(a.ID, b.ID) })
	return New(list)
}

// Len returns the number of entities. A nil Graph has none.
func (g *Graph) Len() int {
	if g == nil {
		return 0
	}
	return len(g.entities)
}

// IDs returns all entities in order.
func (g *Graph) IDs() []string {
	ids := make([]string, 0, len(g.entities))
	for id := range g.entities {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// Get returns an entity.
func (g *Graph) Get(id string) (Entity, bool) {
	if g == nil {
		return Entity{}, false
	}
	e, ok := g.entities[id]
	return e, ok
}

// Children returns what needs id directly, in order.
func (g *Graph) Children(id string) []string { return g.children[id] }

// Ancestors returns all that id needs, directly or not, with the length of the shortest way. The map
// is shared and must not be changed.
func (g *Graph) Ancestors(id string) map[string]int {
	if g == nil {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if a, ok := g.ancestors[id]; ok {
		return a
	}
	a := map[string]int{}
	for level, next := 1, g.entities[id].Parents; len(next) > 0; level++ {
		var above []string
		for _, p := range next {
			if _, seen := a[p]; seen {
				continue
			}
			a[p] = level
			above = append(above, g.entities[p].Parents...)
		}
		next = above
	}
	g.ancestors[id] = a
	return a
}

// DependsOn says whether child needs parent, directly or not, and over how many steps.
func (g *Graph) DependsOn(child, parent string) (steps int, ok bool) {
	steps, ok = g.Ancestors(child)[parent]
	return steps, ok
}

// Spread returns what cannot work when all of lost are gone, lost included: an entity falls with a
// parent, unless it can spare as many of that kind as fell.
func (g *Graph) Spread(lost map[string]bool) map[string]bool {
	if g == nil {
		return lost
	}
	fallen := make(map[string]bool, len(lost))
	queue := make([]string, 0, len(lost))
	for id := range lost {
		fallen[id] = true
		queue = append(queue, id)
	}
	for len(queue) > 0 {
		id := queue[0]
		queue = queue[1:]
		for _, c := range g.children[id] {
			if fallen[c] {
				continue
			}
			if _, _, hurt := g.Redundancy(c, g.entities[id].Kind, fallen); hurt {
				fallen[c] = true
				queue = append(queue, c)
			}
		}
	}
	return fallen
}

// Redundancy returns how many parents of one kind fell, how many id has, and whether that hurts it: more
// fell than it can spare, or all of them.
func (g *Graph) Redundancy(id, kind string, fallen map[string]bool) (lost, total int, hurt bool) {
	e := g.entities[id]
	for _, p := range e.Parents {
		if g.entities[p].Kind != kind {
			continue
		}
		total++
		if fallen[p] {
			lost++
		}
	}
	return lost, total, lost > 0 && (lost > e.Spare || lost == total)
}

// Members returns the parents of id that are of its own service, or all nodes among them when it has no
// service: what a cluster or a service is made of. In order.
func (g *Graph) Members(id string) []string {
	e, ok := g.Get(id)
	if !ok || e.Kind != KindCluster && e.Kind != KindService {
		return nil
	}
	var out []string
	for _, p := range e.Parents {
		pe := g.entities[p]
		if pe.Kind == KindNode && (e.Service == "" || pe.Service == e.Service) {
			out = append(out, p)
		}
	}
	slices.Sort(out)
	return out
}

// Find returns the entity of a kind with this host, zone, cluster or service: the place of an alarm that
// names no entity. The least ID wins where several fit.
func (g *Graph) Find(kind string, match func(Entity) bool) (string, bool) {
	if g == nil {
		return "", false
	}
	best := ""
	for id, e := range g.entities {
		if e.Kind == kind && match(e) && (best == "" || id < best) {
			best = id
		}
	}
	return best, best != ""
}
