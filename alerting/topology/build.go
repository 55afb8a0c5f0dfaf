package topology

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
)

// MaxEntities bounds a graph.
const MaxEntities = 100_000

// New builds a graph. It always returns one that can be used: what is wrong (a parent that is not there, a
// circle, an ID twice) is left out of it and told in the error, one line each.
func New(entities []Entity) (*Graph, error) {
	g := &Graph{
		entities: map[string]Entity{}, children: map[string][]string{}, zones: map[string][]string{},
		fleets: map[string][]string{}, hosts: map[string][]string{}, domains: map[string]string{},
		wholes: map[string][]string{}, bears: map[string][]string{}, called: map[[2]string]string{}, parents: map[[2]string]int{}, classes: map[string]*Class{},
		machines: map[string]string{}, within: map[string]within{}, behind: map[string]int{},
	}
	var errs []error
	for i, e := range entities {
		if i == MaxEntities {
			errs = append(errs, fmt.Errorf("%d entities, want at most %d: the rest is left out", len(entities), MaxEntities))
			break
		}
		switch _, twice := g.entities[e.ID]; {
		case e.ID == "":
			errs = append(errs, fmt.Errorf("entity %d has no id", i))
		case twice:
			errs = append(errs, fmt.Errorf("%s is there twice", e.ID))
		default:
			e.Spare = max(0, e.Spare)
			g.entities[e.ID] = e
		}
	}
	g.ids = slices.Sorted(maps.Keys(g.entities))
	errs = append(errs, g.dangling()...)
	errs = append(errs, g.circles()...)
	g.index()
	g.stack()
	return g, errors.Join(errs...)
}

func (g *Graph) dangling() []error {
	var errs []error
	for _, id := range g.ids {
		e := g.entities[id]
		var kept []string
		for _, p := range e.Parents {
			if _, ok := g.entities[p]; !ok {
				errs = append(errs, fmt.Errorf("%s needs %s, which is not there", id, p))
			} else if !slices.Contains(kept, p) {
				kept = append(kept, p)
			}
		}
		slices.Sort(kept)
		e.Parents = kept
		g.entities[id] = e
	}
	return errs
}

// circles cuts each circle at the edge that closes it, found by a walk in order of ID.
func (g *Graph) circles() []error {
	const (
		open = iota + 1
		done
	)
	var errs []error
	state := map[string]int{}
	var walk func(id string)
	walk = func(id string) {
		state[id] = open
		e := g.entities[id]
		var kept []string
		for _, p := range e.Parents {
			if state[p] == open {
				errs = append(errs, fmt.Errorf("%s needs %s, which needs it in turn", id, p))
				continue
			}
			if state[p] == 0 {
				walk(p)
			}
			kept = append(kept, p)
		}
		e.Parents = kept
		g.entities[id] = e
		state[id] = done
	}
	for _, id := range g.ids {
		if state[id] == 0 {
			walk(id)
		}
	}
	return errs
}

func (g *Graph) index() {
	for _, id := range g.ids {
		if m, ok := g.host(g.entities[id]); ok {
			g.machines[id] = m
		}
	}
	for _, id := range g.ids {
		e := g.entities[id]
		if key := [2]string{e.Kind, e.name()}; g.called[key] == "" {
			g.called[key] = id
		}
		for _, p := range e.Parents {
			g.children[p] = append(g.children[p], id)
			g.parents[[2]string{id, g.entities[p].Kind}]++
			if e.whole() {
				g.partOf(p, id)
			}
		}
		if e.Host != "" {
			g.hosts[e.Host] = append(g.hosts[e.Host], id)
			g.domain(e.Host)
			for _, a := range e.Aliases {
				if a != e.Host {
					g.hosts[a] = append(g.hosts[a], id)
				}
			}
		}
		if e.Kind != KindHost && e.Kind != KindNode {
			continue
		}
		if e.AZ != "" && g.Machine(id) == id {
			g.zones[e.AZ] = append(g.zones[e.AZ], id)
		}
		if e.Service != "" {
			k := e.Kind + "\x00" + e.Service
			g.fleets[k] = append(g.fleets[k], id)
		}
	}
	for _, id := range g.ids {
		if k := g.entities[id].Kind; k == KindHost || k == KindNode {
			parts := g.parts(id)
			g.within[id] = within{parts, g.smallest(parts)}
		}
	}
}

// stack counts what machines stand behind. There are no circles any more.
func (g *Graph) stack() {
	var walk func(id string) int
	walk = func(id string) int {
		if n, ok := g.behind[id]; ok {
			return n
		}
		n := 0
		for _, p := range g.entities[id].Parents {
			if k := g.entities[p].Kind; k == g.entities[id].Kind && (k == KindHost || k == KindNode) {
				n = max(n, walk(p)+1)
			}
		}
		if n > 0 {
			g.behind[id] = n
		}
		return n
	}
	for _, id := range g.ids {
		walk(id)
	}
}

// domain notes a host's full name. Of two that begin alike neither goes by its first label.
func (g *Graph) domain(host string) {
	short, _, full := strings.Cut(host, ".")
	if !full || net.ParseIP(host) != nil {
		return
	}
	if was, ok := g.domains[short]; ok && was != host {
		host = ""
	}
	g.domains[short] = host
}

// partOf notes that an entity is a part of a whole, and that its machine bears it.
func (g *Graph) partOf(part, whole string) {
	g.wholes[part] = append(g.wholes[part], whole)
	m := g.Machine(part)
	if n := len(g.bears[m]); m != part && (n == 0 || g.bears[m][n-1] != whole) {
		g.bears[m] = append(g.bears[m], whole)
	}
}
