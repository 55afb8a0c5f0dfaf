package router

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/topology"
)

// bigFleet is a front of so many nodes, each on a host of its own, in three zones; a third of them can be spared.
func bigFleet(t testing.TB, nodes int) *topology.Graph {
	t.Helper()
	var es []topology.Entity
	var front []string
	for z := range 3 {
		es = append(es, topology.Entity{ID: fmt.Sprint("zone-", z), Kind: topology.KindAZ, AZ: fmt.Sprint("zone-", z)})
	}
	for i := range nodes {
		z, h := fmt.Sprint("zone-", i%3), fmt.Sprintf("n%05d", i)
		es = append(es, topology.Entity{ID: "host:" + h, Kind: topology.KindHost, Service: "front", AZ: z, Host: h, Parents: []string{z}},
			topology.Entity{ID: h, Kind: topology.KindNode, Service: "front", AZ: z, Host: h, Parents: []string{"host:" + h}})
		front = append(front, h)
	}
	g, err := topology.New(append(es, topology.Entity{ID: "users", Kind: topology.KindService, Service: "front", Parents: front, Spare: nodes / 3}))
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// unlike makes the alarms of a storm, each from its number.
var unlike = map[string]func(nodes, i int) alerting.Alarm{
	"warnings of nodes": func(nodes, i int) alerting.Alarm {
		return tell(fmt.Sprintf("Rule%d warning saturation node n%05d", i/nodes, i%nodes))
	},
	"causes on nodes": func(nodes, i int) alerting.Alarm {
		return tell(fmt.Sprintf("Full%d critical saturation node n%05d", i/nodes, i%nodes))
	},
	"nodes down": func(nodes, i int) alerting.Alarm {
		return tell(fmt.Sprintf("Down%d critical down host host:n%05d", i/nodes, i%nodes))
	},
	"of others, 50 rules": func(_, i int) alerting.Alarm {
		return alerting.Alarm{
			Labels:      map[string]string{alerting.LabelRule: fmt.Sprintf("Foreign%d", i%50), "severity": "critical", "job": fmt.Sprintf("job%d", i%20), "instance": fmt.Sprintf("x%d:9100", i)},
			Annotations: map[string]string{alerting.AnnotationSummary: "x"},
		}
	},
	"of others, each a rule": func(_, i int) alerting.Alarm {
		return alerting.Alarm{
			Labels:      map[string]string{alerting.LabelRule: fmt.Sprintf("Foreign%d", i), "severity": "critical", "instance": fmt.Sprintf("x%d:9100", i)},
			Annotations: map[string]string{alerting.AnnotationSummary: fmt.Sprint("foreign ", i)},
		}
	},
	"unknown subjects": func(_, i int) alerting.Alarm {
		return tell(fmt.Sprintf("Odd%d critical saturation thing thing-%d", i%97, i))
	},
}

// BenchmarkScale is a step over n alarms, one of them new, five seconds after the last one, and a view of what it found.
func BenchmarkScale(b *testing.B) {
	for _, kind := range []string{"warnings of nodes", "causes on nodes", "nodes down", "of others, 50 rules", "of others, each a rule", "unknown subjects"} {
		for _, n := range []int{1000, 2500, 10_000} {
			for _, view := range []bool{false, true} {
				b.Run(fmt.Sprintf("%s/n=%d/view=%v", kind, n, view), func(b *testing.B) {
					nodes := n
					r := New(alerting.DefaultSettings())
					now := start
					r.Step(now, []alerting.Input{alerting.Topology{Graph: bigFleet(b, nodes+100)}})
					var in []alerting.Input
					for i := range n {
						in = append(in, alerting.Firing{Alarm: unlike[kind](nodes, i)})
					}
					out, _ := r.Step(now, in)
					step := func(i int) {
						now = now.Add(5 * time.Second)
						in = in[:0]
						for _, a := range out {
							in = append(in, alerting.Result{ActionID: a.ID, Outcome: alerting.Accepted})
						}
						out, _ = r.Step(now, append(in, alerting.Firing{Alarm: unlike[kind](nodes+100, n+i%100)}))
					}
					i := 0
					for ; i < 3; i++ {
						step(i)
					}
					for ; b.Loop(); i++ {
						if view {
							r.View()
						} else {
							step(i)
						}
					}
				})
			}
		}
	}
}

// cost is what a storm of n alarms costs, counted: the pairs that are compared, and the bytes that are taken from the heap.
type cost struct{ pairs, bytes int }

func costOf(t *testing.T, n int, kind func(nodes, i int) alerting.Alarm) (intake, step, view cost) {
	t.Helper()
	r := New(alerting.DefaultSettings())
	now := start
	r.Step(now, []alerting.Input{alerting.Topology{Graph: bigFleet(t, n)}})
	var before, after runtime.MemStats
	count := func(do func()) cost {
		asked := r.memory.walks.Asked() + r.desk.Asked()
		runtime.ReadMemStats(&before)
		do()
		runtime.ReadMemStats(&after)
		return cost{r.memory.walks.Asked() + r.desk.Asked() - asked, int(after.TotalAlloc - before.TotalAlloc)}
	}
	var in []alerting.Input
	for i := range n {
		in = append(in, alerting.Firing{Alarm: kind(n, i)})
	}
	var out []alerting.Action
	intake = count(func() { out, _ = r.Step(now, in) })
	for i := range 20 { // until its waits are over, and something was sent
		now, in = now.Add(5*time.Second), in[:0]
		for _, a := range out {
			in = append(in, alerting.Result{ActionID: a.ID, Outcome: alerting.Accepted})
		}
		in = append(in, alerting.Firing{Alarm: kind(n, n+i)})
		step = count(func() { out, _ = r.Step(now, in) })
	}
	view = count(func() { r.View() })
	return intake, step, view
}

// TestNothingGrowsFasterThanTheStorm compares what n and 4 n alarms cost. It counts and measures no time.
func TestNothingGrowsFasterThanTheStorm(t *testing.T) {
	const n, most = 400, 5.5 // 4 log(4n) / log n is 4.9
	for name, kind := range unlike {
		t.Run(name, func(t *testing.T) {
			one, oneStep, oneView := costOf(t, n, kind)
			four, fourStep, fourView := costOf(t, 4*n, kind)
			for what, c := range map[string][2]cost{"taking them in": {one, four}, "a step": {oneStep, fourStep}, "a view": {oneView, fourView}} {
				if a, b := c[0].pairs+n, c[1].pairs+4*n; float64(b) > most*float64(a) {
					t.Errorf("%s compares %d pairs of %d alarms and %d of %d; want at most %v times as many", what, c[0].pairs, n, c[1].pairs, 4*n, most)
				}
				if a, b := c[0].bytes+1<<16, c[1].bytes; float64(b) > most*float64(a) {
					t.Errorf("%s takes %d bytes for %d alarms and %d for %d; want at most %v times as many", what, c[0].bytes, n, c[1].bytes, 4*n, most)
				}
			}
		})
	}
}
