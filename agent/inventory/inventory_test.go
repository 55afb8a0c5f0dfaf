package inventory

import (
	"slices"
	"testing"
)

func TestGraphOfWhatAgentsTell(t *testing.T) {
	g, err := Graph([]Row{
		{Node: "a", AZ: "1"},
		{Node: "a", AZ: "1", Service: "rabbitmq", Cluster: "rabbit"},
		{Node: "b", AZ: "2", Service: "rabbitmq", Cluster: "rabbit"},
		{Node: "c", AZ: "2", Service: "rabbitmq", Cluster: "rabbit"},
		{Node: "c", AZ: "2", Service: "rabbitmq", Cluster: "rabbit"},
		{Node: "d", Group: "asg", Service: "navcloud"},
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
}
