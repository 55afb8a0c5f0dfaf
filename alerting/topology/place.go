package topology

import (
	"cmp"
	"net"
	"strings"
)

// Place finds where an alarm with these labels sits. known says that its entity is in the graph; otherwise the
// entity returned is provisional: its parents are what the labels tell of it, and there are none where
// the labels tell nothing that the graph knows. An alarm without any name gets the zero Entity.
func (g *Graph) Place(labels map[string]string) (e Entity, known bool) {
	if e, ok := g.Get(labels["entity"]); ok {
		return e, true
	}
	host := cmp.Or(labels["host"], labels["node"], bare(labels["instance"]))
	if labels["entity"] == "" {
		if e, ok := g.named(labels, host); ok {
			return e, true
		}
	}
	e = Entity{
		ID: labels["entity"], Kind: labels["layer"], Service: labels["service"], Cluster: labels["cluster"],
		AZ: labels["az"], Host: host,
	}
	if e.ID == "" && host != "" {
		e.ID, e.Kind = "host:"+host, KindHost
	}
	if m := g.machineOf(host); m != "" {
		e.Parents = []string{m}
	} else if z, ok := g.Called(KindAZ, e.AZ); ok && e.ID != "" {
		e.Parents = []string{z.ID}
	}
	return e, false
}

// named finds the entity of labels that name none: by host, cluster, zone and service, the nearest first.
func (g *Graph) named(labels map[string]string, host string) (Entity, bool) {
	if g == nil {
		return Entity{}, false
	}
	if e, ok := g.On(host, labels["service"]); ok || host != "" {
		return e, ok
	}
	for _, by := range [][2]string{{KindCluster, labels["cluster"]}, {KindAZ, labels["az"]}, {KindService, labels["service"]}} {
		if e, ok := g.Called(by[0], by[1]); ok {
			return e, true
		}
	}
	return Entity{}, false
}

// On finds the node of a service on a machine, by the name of that, else the machine.
func (g *Graph) On(host, service string) (Entity, bool) {
	m := g.machineOf(host)
	if m == "" {
		return Entity{}, false
	}
	for _, id := range g.hosts[g.entities[m].Host] {
		if e := g.entities[id]; e.Kind == KindNode && service != "" && e.Service == service {
			return e, true
		}
	}
	return g.entities[m], true
}

// Called finds a zone, a cluster or a service by its name.
func (g *Graph) Called(kind, name string) (Entity, bool) {
	if g == nil || name == "" {
		return Entity{}, false
	}
	return g.Get(g.called[[2]string{kind, name}])
}

// machineOf finds a machine by its name: as it is, else where one of the two names has a domain and the other none.
func (g *Graph) machineOf(host string) string {
	if g == nil || host == "" {
		return ""
	}
	if len(g.hosts[host]) == 0 {
		short, _, full := strings.Cut(host, ".")
		if full && len(g.hosts[short]) > 0 && net.ParseIP(host) == nil {
			host = short
		} else if !full {
			host = g.domains[host]
		}
	}
	node := ""
	for _, id := range g.hosts[host] {
		switch g.entities[id].Kind {
		case KindHost:
			return id
		case KindNode, KindLink: // a switch is a link
			node = cmp.Or(node, id)
		}
	}
	return node
}

// bare takes the port off an instance.
func bare(instance string) string {
	if h, _, err := net.SplitHostPort(instance); err == nil {
		return h
	}
	return instance
}
