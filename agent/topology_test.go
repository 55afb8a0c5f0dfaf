package agent

import (
	"fmt"
	"testing"
	"time"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/agent/testport"
	"github.com/navcloud/binnacle/alerting/topology"
)

func TestTheGraphKnowsWhatNavCloudUses(t *testing.T) {
	cfg, err := ParseConfig("t.yaml", []byte(fmt.Sprintf("data: %s\nlisten: %s\ncollect: off\n", t.TempDir(), testport.Free(t))))
	if err != nil {
		t.Fatal(err)
	}
	a, end := run(t, cfg)
	defer end()
	b := metric.Batch{Time: time.Now()}
	gauge := func(name string, labels ...string) { b.Add(&metric.Desc{Name: name}, 1, labels...) }
	gauge("binnacle_node_info", "node", "m", "az", "z")
	gauge("rabbitmq_cluster_nodes_expected", "node", "m", "az", "z", "cluster", "events")
	gauge("rabbitmq_up", "node", "m", "az", "z", "cluster", "rabbitmq") // before it was learnt
	for _, n := range []string{"a", "b", "c"} {
		gauge("navcloud_streams_open", "node", n)
		gauge("navcloud_depends", "node", n, "dep", "rabbitmq")
	}
	if err := a.store.get().main.Append(t.Context(), "test", b.Time, b.Samples); err != nil {
		t.Fatal(err)
	}
	g, changed, err := a.graph(t.Context(), new(fileGraph))
	if err != nil || !changed {
		t.Fatalf("graph: changed %v, %v", changed, err)
	}
	reach := g.Reach("cluster:events")
	if reach.Edge("service:navcloud") != topology.Hurt || reach.Edge("host:m") != topology.Side {
		t.Errorf("without its broker the service is %q, and the broker's machine %q; want it hurt, and the machine beside it", reach.Edge("service:navcloud"), reach.Edge("host:m"))
	}
	if steps, ok := g.DependsOn("cluster:events", "az:z"); !ok {
		t.Errorf("the broker does not stand in its zone (%d steps)", steps)
	}
}
