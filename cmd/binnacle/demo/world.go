package demo

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/navcloud/binnacle/agent"
	"github.com/navcloud/binnacle/alerting/alertingtest"
	"github.com/navcloud/binnacle/alerting/topology"
	"github.com/navcloud/binnacle/collectors/catalogue"
	"github.com/navcloud/binnacle/collectors/collectorstest"
)

// Names of what the demo consists of.
const (
	events  = "events" // the RabbitMQ cluster
	trips   = "trips"  // the Riak cluster
	bastion = "bastion"
	station = "station" // the agent with all roles
	stack   = "navcloud-demo"

	serviceID = "service:navcloud"
	webhook   = "the demo's own webhook secret"
)

var (
	zones = []string{"eu-west-1a", "eu-west-1b", "eu-west-1c"}
	apis  = []string{"api-a", "api-b", "api-c"}
)

// entities are the graph of the demo: three zones, and in each a node of RabbitMQ, of Riak and of NavCloud. The
// nodes of NavCloud belong to a group that replaces them; one of them may be lost, and so may one of each
// cluster. A cluster may not.
func entities() map[string]topology.Entity {
	es := map[string]topology.Entity{}
	for _, z := range zones {
		es["az:"+z] = topology.Entity{Kind: topology.KindAZ, AZ: z}
	}
	node := func(name, service, cluster, group string, i int) {
		host := "host:" + name
		es[host] = topology.Entity{Kind: topology.KindHost, AZ: zones[i], Host: name, Group: group, Parents: []string{"az:" + zones[i]}}
		es["node:"+name] = topology.Entity{
			Kind: topology.KindNode, Service: service, Cluster: cluster, AZ: zones[i], Host: name, Group: group, Parents: []string{host},
		}
	}
	whole := func(id, kind, service, cluster string, members []string) {
		e := topology.Entity{Kind: kind, Service: service, Cluster: cluster, Spare: 1}
		for _, m := range members {
			e.Parents = append(e.Parents, "node:"+m)
		}
		es[id] = e
	}
	for i := range zones {
		node(collectorstest.Nodes[i], "rabbitmq", events, "", i)
		node(collectorstest.RiakNodes[i], "riak", trips, "", i)
		node(apis[i], "navcloud", "", "navcloud-api", i)
	}
	node(bastion, "", "", "", 0)
	whole("cluster:"+events, topology.KindCluster, "rabbitmq", events, collectorstest.Nodes)
	whole("cluster:"+trips, topology.KindCluster, "riak", trips, collectorstest.RiakNodes)
	whole("service:navcloud-api", topology.KindService, "navcloud", "", apis)
	es["elb:navcloud"] = topology.Entity{Kind: topology.KindELB, Service: "navcloud"}
	es[serviceID] = topology.Entity{
		Kind: topology.KindService, Service: "navcloud",
		Parents: []string{"cluster:" + events, "cluster:" + trips, "elb:navcloud", "service:navcloud-api"},
	}
	return es
}

func writeTopology(path string) error {
	b, err := json.MarshalIndent(map[string]any{"entities": entities()}, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, b, 0o600)
}

// mainConfig is the agent with all roles: shipped rules and waits, collection and evaluation every second or two. The
// pack host is left out: it would judge the machine that the demo happens to run on.
func mainConfig(w *world) (agent.Config, error) {
	return parse("demo.yaml", fmt.Sprintf(`
data: %q
listen: %q
interval: 2s
deadline: 1s
drain: 3s
node: {name: %s, tags: {stack: navcloud-demo, group: %s, az: %s}}
collect:
  statsd: {interval: 1s, deadline: 900ms, listen: ["udp://%s?other_nodes=true"]}
  riak: off
  rabbitmq: off
ship:
  cloudwatch:
    namespace: NavCloud
    region: eu-west-1
    endpoint: %q
    access_key_id: demo
    secret_access_key: demo
    queue: {every: 10s, deadline: 9s}
store: {rollups: {note: %q}}
capacity:
  note: %q
  limits: {streams_per_node: 400, riak_operations: 100, riak_processes: 262144}
rules:
  interval: 1s
  packs: [navcloud, riak, rabbitmq, self]
route:
  topology: %q
  pagerduty:
    routing_key: %s
    events_url: %q
    api_url: %q
    token: demo
    from: demo@example.org
    ack_poll: 5s
    webhook_secrets: [%q]
`, filepath.Join(w.dir, station), w.listen, station, station, zones[0], w.statsd, w.cloudwatch.URL(), pastNote, pastNote, filepath.Join(w.dir, "topology.json"),
		alertingtest.RoutingKey, w.pagerduty.URL(), w.pagerduty.URL(), webhook))
}

// lightConfig is an agent that stands beside one node of Riak or RabbitMQ: it collects and ships, and the main one
// judges.
func lightConfig(w *world, name, az, collector, section string) (agent.Config, error) {
	var collect strings.Builder
	for _, s := range catalogue.All() {
		switch s.Name {
		case collector:
			section = "interval: 1s\ndeadline: 900ms\n" + section
			fmt.Fprintf(&collect, "  %s:\n    %s\n", s.Name, strings.ReplaceAll(strings.TrimSpace(section), "\n", "\n    "))
		case "self":
			fmt.Fprintf(&collect, "  self: {interval: 10s}\n")
		default:
			fmt.Fprintf(&collect, "  %s: off\n", s.Name)
		}
	}
	return parse(name+".yaml", fmt.Sprintf(`
data: %q
listen: 127.0.0.1:0
interval: 2s
deadline: 1s
drain: 1s
node: {name: %s, tags: {stack: navcloud-demo, az: %s, service: %s}}
collect:
%s
ship: {remote_write: {url: "http://%s/api/v1/write", queue: {every: 1s, deadline: 1s}}}
store: off
rules: off
route: off
web: off
`, filepath.Join(w.dir, name), name, az, collector, collect.String(), w.listen))
}

func parse(name, text string) (agent.Config, error) {
	cfg, err := agent.ParseConfig(name, []byte(text))
	if err != nil {
		return cfg, err
	}
	return cfg, cfg.Validate()
}

// freeTCP returns a loopback address that nobody listens on now.
func freeTCP() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// freeUDP is freeTCP for datagrams.
func freeUDP() (string, error) {
	l, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.LocalAddr().String(), l.Close()
}
