// Package inventory knows who stands where: it makes the dependency graph of what agents tell about
// themselves.
//
// It asks nobody: the series binnacle_node_info and the membership that collectors report come to it as
// plain rows. It judges nothing.
package inventory

import (
	"cmp"
	"slices"

	"github.com/navcloud/binnacle/alerting/topology"
)

// Row is one thing that an agent says runs on its node: its own host (Service empty) or a service.
type Row struct{ Node, AZ, Group, Service, Cluster string }

// Graph makes the graph of rows: zones carry hosts, hosts carry nodes, nodes make clusters and services.
// A cluster or a service spares a third of its nodes, one at least where it has three or more: what a
// replicated store or a balanced service is built for. A topology file says it otherwise.
func Graph(rows []Row) (*topology.Graph, error) {
	es := map[string]topology.Entity{}
	members := map[string][]string{}
	for _, r := range rows {
		if r.Node == "" {
			continue
		}
		host := topology.Entity{ID: "host:" + r.Node, Kind: topology.KindHost, AZ: r.AZ, Host: r.Node, Group: r.Group}
		if r.AZ != "" {
			es["az:"+r.AZ] = topology.Entity{ID: "az:" + r.AZ, Kind: topology.KindAZ, AZ: r.AZ}
			host.Parents = []string{"az:" + r.AZ}
		}
		if old, ok := es[host.ID]; !ok || len(old.Parents) == 0 {
			es[host.ID] = host
		}
		node := topology.Entity{
			ID: "node:" + r.Node, Kind: topology.KindNode, Service: r.Service, Cluster: r.Cluster, AZ: r.AZ,
			Host: r.Node, Group: r.Group, Parents: []string{host.ID},
		}
		if old, ok := es[node.ID]; !ok || old.Service == "" {
			es[node.ID] = node
		}
		switch {
		case r.Cluster != "":
			members["cluster:"+r.Cluster] = append(members["cluster:"+r.Cluster], node.ID)
			es["cluster:"+r.Cluster] = topology.Entity{ID: "cluster:" + r.Cluster, Kind: topology.KindCluster, Cluster: r.Cluster}
		case r.Service != "":
			members["service:"+r.Service] = append(members["service:"+r.Service], node.ID)
			es["service:"+r.Service] = topology.Entity{ID: "service:" + r.Service, Kind: topology.KindService, Service: r.Service}
		}
	}
	list := make([]topology.Entity, 0, len(es))
	for id, e := range es {
		if m := members[id]; m != nil {
			slices.Sort(m)
			e.Parents = slices.Compact(m)
			if n := len(e.Parents); n >= 3 {
				e.Spare = max(1, (n-1)/3)
			}
		}
		list = append(list, e)
	}
	slices.SortFunc(list, func(a, b topology.Entity) int { return cmp.Compare(a.ID, b.ID) })
	return topology.New(list)
}
