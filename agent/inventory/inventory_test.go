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
	})
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
	g, err := Graph(rows)
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
