package inventory

import (
	"slices"
	"testing"

	"github.com/navcloud/binnacle/alerting/topology"
)

func TestGraphOfWhatAgentsTell(t *testing.T) {
	g, err := Graph([]Row{
		{Node: "a", AZ: "1"},
		{Node: "a", AZ: "1", Service: "rabbitmq", Cluster: "rabbit"},
		{Node: "b", AZ: "2", Service: "rabbitmq", Cluster: "rabbit"},
		{Node: "c", AZ: "2", Service: "rabbitmq", Cluster: "rabbit"},
		{Node: "c", AZ: "2", Service: "rabbitmq", Cluster: "rabbit"},
		{Node: "d", Group: "asg", Service: "navcloud"},
		{Node: "e", Service: "pair"},
		{Node: "f", Service: "pair"},
		{},
	}, Services{})
	if err != nil {
		t.Fatal(err)
	}
	c, ok := g.Get("cluster:rabbit")
	if !ok || !slices.Equal(c.Parents, []string{"node:a", "node:b", "node:c"}) || c.Spare != 1 {
		t.Errorf("cluster = %+v, %v", c, ok)
	}
	if n, _ := g.Get("node:d"); n.Group != "asg" || n.Service != "navcloud" {
		t.Errorf("node d = %+v", n)
	}
	if _, ok := g.DependsOn("cluster:rabbit", "az:2"); !ok {
		t.Error("the cluster does not need its zone")
	}
	if s, ok := g.Get("service:navcloud"); !ok || s.Spare != 0 {
		t.Errorf("service of one = %+v, %v", s, ok)
	}
	if s, ok := g.Get("service:pair"); !ok || s.Spare != 1 {
		t.Errorf("service of two = %+v, %v; want one to spare", s, ok)
	}
}

func TestAServiceNeedsTheClustersThatItsNodesUse(t *testing.T) {
	rows := []Row{
		{Node: "r", Service: "rabbitmq", Cluster: "rabbit"},
		{Node: "k", Service: "riak", Cluster: "east"},
		{Node: "l", Service: "riak", Cluster: "west"},
	}
	for _, n := range []string{"a", "b", "r"} { // r is a broker, too
		rows = append(rows, Row{Node: n, Service: "navcloud"},
			Row{Node: n, Service: "navcloud", Dep: "rabbitmq"}, Row{Node: n, Service: "navcloud", Dep: "riak"}, Row{Node: n, Service: "navcloud", Dep: "none"})
	}
	rows = append(rows, Row{Node: "a", Service: "unknown", Dep: "rabbitmq"})
	g, err := Graph(rows, Services{})
	if err != nil {
		t.Fatal(err)
	}
	s, _ := g.Get("service:navcloud")
	if want := []string{"cluster:rabbit", "fleet:navcloud"}; !slices.Equal(s.Parents, want) || s.Spare != 0 {
		t.Errorf("the service needs %v and spares %d; want %v and none: which Riak it uses nobody says", s.Parents, s.Spare, want)
	}
	if f, _ := g.Get("fleet:navcloud"); !slices.Equal(f.Parents, []string{"node:a", "node:b", "node:r"}) || f.Spare != 1 {
		t.Errorf("its nodes are %v, of which %d are spare; want three and one", f.Parents, f.Spare)
	}
	if e := g.Reach("cluster:rabbit").Edge("service:navcloud"); e != topology.Hurt {
		t.Errorf("without the broker the service is hurt as by %q; want %q", e, topology.Hurt)
	}
	if e := g.Reach("node:a").Edge("service:navcloud"); e != topology.Needs {
		t.Errorf("without one of its nodes it is hurt as by %q; want %q", e, topology.Needs)
	}
}

// Instance, node and address are one machine, and Auto Scaling's word is laid over it.
func TestInstancesAreTheMachinesOfNodes(t *testing.T) {
	g, err := Graph([]Row{
		{Node: "ip-10-0-7-10", AZ: "1b", Group: "api", Instance: "i-0ab"},
		{Node: "ip-10-0-7-10", AZ: "1b", Group: "api", Service: "navcloud"},
		{Node: "ip-10-0-7-11", AZ: "1b", Group: "api", Instance: "i-0cd"},
	}, Services{}, Member{Instance: "i-0ab", Group: "api", Excused: "its group api ended it", Size: "wants 3, has 2"}, Member{Instance: "i-0ef", Group: "api"})
	if err != nil {
		t.Fatal(err)
	}
	for _, labels := range []map[string]string{
		{"instance": "i-0ab"}, {"instance": "10.0.7.10:9100"}, {"instance": "ip-10-0-7-10"}, {"host": "ip-10-0-7-10.eu-west-1.compute.internal"},
	} {
		if e, ok := g.Place(labels); !ok || e.ID != "host:ip-10-0-7-10" || e.Excused == "" {
			t.Errorf("%v is on %+v, %v; want the host of the node, excused", labels, e, ok)
		}
	}
	if e, _ := g.Get("node:ip-10-0-7-10"); e.Excused == "" || e.Size != "wants 3, has 2" {
		t.Errorf("node %+v; want it excused with its machine", e)
	}
	if e, _ := g.Get("host:ip-10-0-7-11"); e.Excused != "" {
		t.Errorf("host %+v; want nothing to excuse it", e)
	}
	if e, ok := g.Place(map[string]string{"instance": "i-0ef"}); !ok || e.Group != "api" || len(g.Zone("1b")) != 2 {
		t.Errorf("an instance without an agent is %+v, %v, and the zone has %v; want its group, and two machines", e, ok, g.Zone("1b"))
	}
}
