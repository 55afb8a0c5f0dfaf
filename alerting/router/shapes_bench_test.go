package router

import (
	"fmt"
	"testing"
	"time"

	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/topology"
)

// shape is a storm: what begins at once, and what each step after it brings.
type shape struct {
	graph func(testing.TB) *topology.Graph
	begin func() []alerting.Alarm
	next  func(i int) []alerting.Input
}

// shapes are storms of other kinds than those of unlike.
var shapes = map[string]shape{
	"all nodes of three services down": {threeServices, threeDown, func(i int) []alerting.Input {
		return fires(tell(fmt.Sprintf("Late%d warning errors node %s", i, nodeOf(i%3, i%3000))))
	}},
	"5,000 rules": {func(t testing.TB) *topology.Graph { return bigFleet(t, 1000) }, func() (out []alerting.Alarm) {
		for i := range 10_000 {
			a := unlike["of others, each a rule"](0, i%5000)
			a.Labels["instance"], a.Labels["job"] = fmt.Sprintf("n%05d:9100", i%1000), fmt.Sprint("job", i/5000)
			out = append(out, a)
		}
		return out
	}, func(i int) []alerting.Input { return fires(unlike["of others, each a rule"](0, 5000+i)) }},
	"one flapping among 10,000": {func(t testing.TB) *topology.Graph { return bigFleet(t, 10_000) }, func() (out []alerting.Alarm) {
		for i := range 10_000 {
			out = append(out, unlike["causes on nodes"](10_000, i))
		}
		return out
	}, func(i int) []alerting.Input {
		a := unlike["causes on nodes"](10_000, 77)
		if i%2 == 0 {
			return []alerting.Input{alerting.Ended{Fingerprint: a.Fingerprint()}}
		}
		return fires(a)
	}},
}

func fires(a alerting.Alarm) []alerting.Input { return []alerting.Input{alerting.Firing{Alarm: a}} }

func nodeOf(service, i int) string { return fmt.Sprintf("s%d-%05d", service, i) }

// threeServices are three of 3,000 nodes each, the second and third of which need the first.
func threeServices(t testing.TB) *topology.Graph {
	t.Helper()
	var es []topology.Entity
	for s := range 3 {
		name := fmt.Sprint("service-", s)
		var nodes []string
		for i := range 3000 {
			n := nodeOf(s, i)
			es = append(es, topology.Entity{ID: "host:" + n, Kind: topology.KindHost, Host: n}, topology.Entity{ID: n, Kind: topology.KindNode, Service: name, Host: n, Parents: []string{"host:" + n}})
			nodes = append(nodes, n)
		}
		whole := topology.Entity{ID: name, Kind: topology.KindService, Service: name, Parents: nodes, Spare: 300}
		if s > 0 {
			whole.Parents = append(whole.Parents, "service-0")
		}
		es = append(es, whole)
	}
	g, err := topology.New(es)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func threeDown() (out []alerting.Alarm) {
	for s := range 3 {
		for i := range 3000 {
			out = append(out, tell("NodeDown critical down node "+nodeOf(s, i)), tell("HostDown critical down host host:"+nodeOf(s, i)))
		}
		out = append(out, tell(fmt.Sprint("Burn critical symptom service service-", s)))
	}
	return out
}

// BenchmarkShapes is a step in which one alarm changes, the storm being there.
func BenchmarkShapes(b *testing.B) {
	for name, s := range shapes {
		b.Run(name, func(b *testing.B) {
			r := New(alerting.DefaultSettings())
			now := start
			r.Step(now, []alerting.Input{alerting.Topology{Graph: s.graph(b)}})
			var in []alerting.Input
			for _, a := range s.begin() {
				in = append(in, alerting.Firing{Alarm: a})
			}
			before := cpu(b)
			out, _ := r.Step(now, in)
			b.ReportMetric(float64((cpu(b) - before).Milliseconds()), "CPU-ms-first")
			i := 0
			step := func() {
				now = now.Add(5 * time.Second)
				in = in[:0]
				for _, a := range out {
					in = append(in, alerting.Result{ActionID: a.ID, Outcome: alerting.Accepted})
				}
				out, _ = r.Step(now, append(in, s.next(i)...))
				i++
			}
			for range 3 {
				step()
			}
			begun := cpu(b)
			for b.Loop() {
				step()
			}
			b.ReportMetric(float64((cpu(b)-begun).Microseconds())/1000/float64(b.N), "CPU-ms/op")
			r.View()
		})
	}
}
