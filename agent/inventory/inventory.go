// Package inventory knows who stands where: it makes the dependency graph of what agents tell about
// themselves.
//
// Graph asks nobody: the series binnacle_node_info and the membership that collectors report come to it as
// plain rows. Ask asks an EC2 instance who it is. It judges nothing.
package inventory

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/navcloud/binnacle/alerting/topology"
)

// Row is one thing that an agent says runs on its node: its own host (Service empty) or a service. Where Dep is set
// it says that this service needs another one.
type Row struct{ Node, AZ, Group, Service, Cluster, Dep, Instance string }

// Member is an instance of a group, as Auto Scaling says.
type Member struct {
	Instance, Group string
	Excused, Size   string // see topology.Entity
}

// Graph makes the graph of rows: zones carry hosts, hosts carry nodes, nodes make clusters and services.
// A cluster or a service spares a third of its nodes; one at least, of three for a replicated store, of two for a
// balanced service. A topology file says it otherwise.
func Graph(rows []Row, services Services, members ...Member) (*topology.Graph, error) {
	b := builder{es: map[string]topology.Entity{}, members: map[string][]string{}, clusters: map[string][]string{}, deps: map[string][]string{}}
	for _, r := range rows {
		if r.Node != "" {
			b.add(r)
		}
	}
	b.join(members)
	for id, m := range b.members {
		slices.Sort(m)
		e := b.es[id]
		e.Parents = slices.Compact(m)
		if n := len(e.Parents); n >= 3 || n == 2 && e.Kind == topology.KindService {
			e.Spare = max(1, (n-1)/3)
		}
		b.es[id] = e
	}
	for service, deps := range b.deps {
		b.depend(service, deps)
	}
	b.services(services)
	list := slices.SortedFunc(maps.Values(b.es), func(a, b topology.Entity) int { return cmp.Compare(a.ID, b.ID) })
	return topology.New(list)
}

type builder struct {
	es       map[string]topology.Entity
	members  map[string][]string // nodes of a cluster or service, by its ID
	clusters map[string][]string // IDs by service
	deps     map[string][]string // services by service
}

func (b builder) add(r Row) {
	if r.Dep != "" {
		b.deps[r.Service] = append(b.deps[r.Service], r.Dep)
		return
	}
	host := topology.Entity{ID: "host:" + r.Node, Kind: topology.KindHost, AZ: r.AZ, Host: r.Node, Group: r.Group}
	if r.AZ != "" {
		b.es["az:"+r.AZ] = topology.Entity{ID: "az:" + r.AZ, Kind: topology.KindAZ, AZ: r.AZ}
		host.Parents = []string{"az:" + r.AZ}
	}
	if old, ok := b.es[host.ID]; !ok || len(old.Parents) == 0 {
		host.Aliases = old.Aliases
		b.es[host.ID] = host
	}
	if names := aliases(r); len(names) > len(b.es[host.ID].Aliases) {
		old := b.es[host.ID]
		old.Aliases = names
		b.es[host.ID] = old
	}
	node := topology.Entity{
		ID: "node:" + r.Node, Kind: topology.KindNode, Service: r.Service, Cluster: r.Cluster, AZ: r.AZ,
		Host: r.Node, Group: r.Group, Parents: []string{host.ID},
	}
	if old, ok := b.es[node.ID]; !ok || old.Service == "" {
		b.es[node.ID] = node
	}
	whole := topology.Entity{ID: "cluster:" + r.Cluster, Kind: topology.KindCluster, Service: r.Service, Cluster: r.Cluster}
	switch {
	case r.Cluster != "":
		b.clusters[r.Service] = append(b.clusters[r.Service], whole.ID)
	case r.Service != "":
		whole = topology.Entity{ID: "service:" + r.Service, Kind: topology.KindService, Service: r.Service}
	default:
		return
	}
	b.es[whole.ID] = whole
	b.members[whole.ID] = append(b.members[whole.ID], node.ID)
}

// depend lets a service need the clusters that it uses, none of which may be lost, and its nodes, some of which
// may: the nodes become a whole of their own. Of two clusters of one service nobody said which it is: neither
// explains.
func (b builder) depend(service string, deps []string) {
	e, ok := b.es["service:"+service]
	if !ok {
		return
	}
	var needs []string
	for _, dep := range deps {
		of := b.clusters[dep]
		slices.Sort(of)
		if of = slices.Compact(of); len(of) == 1 {
			needs = append(needs, of[0])
		}
	}
	if len(needs) == 0 {
		return
	}
	nodes := e
	nodes.ID = "fleet:" + service
	e.Parents, e.Spare = append(needs, nodes.ID), 0
	b.es[e.ID], b.es[nodes.ID] = e, nodes
}

// onEC2 is a host's name as EC2 gives it by default: it says its address.
// Source: EC2 user guide, "EC2 instance hostnames and domains", read November 2026.
var onEC2 = regexp.MustCompile(`^ip-(\d{1,3})-(\d{1,3})-(\d{1,3})-(\d{1,3})(?:\.|$)`)

// aliases are the other names of a row's machine.
func aliases(r Row) (names []string) {
	if m := onEC2.FindStringSubmatch(r.Node); m != nil {
		names = append(names, strings.Join(m[1:], "."))
	}
	if r.Instance != "" {
		names = append(names, r.Instance)
	}
	return names
}

// join lays over the machines what Auto Scaling says of them. An instance without an agent is a machine by its ID, in no zone: it
// does not count where agents say how much of a zone is well.
func (b builder) join(members []Member) {
	hosts := map[string]string{} // IDs by instance
	for id, e := range b.es {
		if e.Kind == topology.KindHost {
			for _, a := range e.Aliases {
				hosts[a] = id
			}
		}
	}
	for _, m := range members {
		id, ok := hosts[m.Instance]
		if !ok {
			id = "host:" + m.Instance
			b.es[id] = topology.Entity{ID: id, Kind: topology.KindHost, Host: m.Instance}
		}
		host := b.es[id].Host
		for _, id := range []string{id, "node:" + host} {
			if e, ok := b.es[id]; ok {
				e.Excused, e.Size, e.Group = m.Excused, m.Size, cmp.Or(m.Group, e.Group)
				b.es[id] = e
			}
		}
	}
}
