package topology

import "net"

// Place finds where an alarm with these labels sits. known says that its entity is in the graph; otherwise the
// entity returned is provisional: its parents are what the labels tell of it, and there are none where
// the labels tell nothing that the graph knows. An alarm without any name gets the zero Entity.
func (g *Graph) Place(labels map[string]string) (e Entity, known bool) {
	if e, ok := g.Get(labels["entity"]); ok {
		return e, true
	}
	host := first(labels["host"], labels["node"], bare(labels["instance"]))
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
	} else if z := g.find(KindAZ, func(z Entity) bool { return z.AZ == e.AZ && e.AZ != "" }); z != "" && e.ID != "" {
		e.Parents = []string{z}
	}
	return e, false
}

// named finds the entity of labels that name none: by host, cluster, zone and service, the nearest first.
func (g *Graph) named(labels map[string]string, host string) (Entity, bool) {
	if g == nil {
		return Entity{}, false
	}
	if m := g.machineOf(host); m != "" {
		for _, id := range g.hosts[host] {
			if e := g.entities[id]; e.Kind == KindNode && labels["service"] != "" && e.Service == labels["service"] {
				return e, true
			}
		}
		return g.entities[m], true
	}
	if host != "" {
		return Entity{}, false
	}
	for _, by := range []struct {
		kind, want string
		field      func(Entity) string
	}{
		{KindCluster, labels["cluster"], func(e Entity) string { return e.Cluster }},
		{KindAZ, labels["az"], func(e Entity) string { return e.AZ }},
		{KindService, labels["service"], func(e Entity) string { return e.Service }},
	} {
		if id := g.find(by.kind, func(e Entity) bool { return by.want != "" && by.field(e) == by.want }); id != "" {
			return g.entities[id], true
		}
	}
	return Entity{}, false
}

func (g *Graph) machineOf(host string) string {
	if g == nil || host == "" {
		return ""
	}
	node := ""
	for _, id := range g.hosts[host] {
		switch g.entities[id].Kind {
		case KindHost:
			return id
		case KindNode:
			node = first(node, id)
		}
	}
	return node
}

func (g *Graph) find(kind string, ok func(Entity) bool) string {
	if g == nil {
		return ""
	}
	for _, id := range g.ids {
		if e := g.entities[id]; e.Kind == kind && ok(e) {
			return id
		}
	}
	return ""
}

// bare takes the port off an instance.
func bare(instance string) string {
	if h, _, err := net.SplitHostPort(instance); err == nil {
		return h
	}
	return instance
}

func first(s ...string) string {
	for _, x := range s {
		if x != "" {
			return x
		}
	}
	return ""
}
