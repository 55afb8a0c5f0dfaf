package agent

import (
	"context"
	"os"
	"time"

	"github.com/navcloud/binnacle/agent/inventory"
	"github.com/navcloud/binnacle/agent/store"
	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/topology"
)

// topologyEvery is how often the graph is made anew.
const topologyEvery = 30 * time.Second

// What the graph is made of: what agents say of themselves within the last ten minutes, so that a node that just died
// keeps its place; the clusters that collectors found; and the services that NavCloud's nodes say they use.
var inventoryQueries = []string{
	`max by (node, az, group, service, cluster, instance_id) (max_over_time(binnacle_node_info[10m]))`,
	`max by (node, az, group, service, cluster) (label_replace(max_over_time(rabbitmq_cluster_nodes_expected[10m]), "service", "rabbitmq", "", "")
		or label_replace(max_over_time(riak_up{cluster!=""}[10m]), "service", "riak", "", "")
		or label_replace(max_over_time(navcloud_streams_open[10m]), "service", "navcloud", "", ""))`,
	`max by (node, service, dep) (label_replace(max_over_time(navcloud_depends[10m]), "service", "navcloud", "", ""))`,
}

// feedTopology keeps the router's graph true: from the file, again when that changes, or from the store.
func (a *Agent) feedTopology(ctx context.Context) error {
	var of fileGraph
	for first := true; ; first = false {
		g, changed, err := a.graph(ctx, &of)
		if err != nil {
			a.roster.down("topology", err)
		} else {
			a.roster.up("topology")
		}
		if changed {
			if err := a.route.dispatch.Put(ctx, alerting.Topology{Graph: g}); err != nil {
				return err
			}
		}
		wait := topologyEvery
		if first && a.config().Route.Topology == "" {
			wait = 5 * time.Second // the first look comes before anything was collected
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
	}
}

// fileGraph is the topology file as it was read last.
type fileGraph struct {
	at    time.Time // of its last change
	graph *topology.Graph
}

// read reads the file where it changed.
func (f *fileGraph) read(path string) (changed bool, err error) {
	info, err := os.Stat(path)
	if err != nil || info.ModTime().Equal(f.at) {
		return false, err
	}
	g, err := topology.Load(path)
	if err == nil {
		f.at, f.graph = info.ModTime(), g
	}
	return err == nil, err
}

func (a *Agent) graph(ctx context.Context, of *fileGraph) (*topology.Graph, bool, error) {
	path := a.config().Route.Topology
	if path == "" {
		return a.inventoryGraph(ctx)
	}
	changed, err := of.read(path)
	if err != nil || !of.graph.Adds() {
		return of.graph, changed, err
	}
	g, ok, err := a.inventoryGraph(ctx)
	if err != nil || !ok {
		return of.graph, changed, err
	}
	g, err = of.graph.Over(g)
	return g, err == nil, err
}

// inventoryGraph is the graph of what agents tell.
func (a *Agent) inventoryGraph(ctx context.Context) (*topology.Graph, bool, error) {
	var rows []inventory.Row
	main := a.store.get().main
	for _, q := range inventoryQueries {
		if main == nil {
			break
		}
		series, err := main.Instant(ctx, q, time.Now())
		if err != nil {
			return nil, false, err
		}
		rows = append(rows, rowsOf(series)...)
	}
	rows = append(rows, a.route.leaving()...)
	services, err := servicesOf(ctx, main, time.Now())
	if err != nil {
		return nil, false, err
	}
	g, err := inventory.Graph(rows, services, a.route.cloud.members(rows, time.Now())...)
	return g, err == nil && g.Len() > 0, err
}

func rowsOf(series []store.Series) (rows []inventory.Row) {
	for _, s := range series {
		rows = append(rows, inventory.Row{
			Node: s.Labels.Get("node"), AZ: s.Labels.Get("az"), Group: s.Labels.Get("group"),
			Service: s.Labels.Get("service"), Cluster: s.Labels.Get("cluster"), Dep: s.Labels.Get("dep"), Instance: s.Labels.Get("instance_id"),
		})
	}
	return rows
}
