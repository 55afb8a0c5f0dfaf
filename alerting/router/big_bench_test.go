package router

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/navcloud/binnacle/alerting"
)

// BenchmarkStepOfMany is a step in which 20 of 20,000 alarms are new, over a fleet of 10,000 nodes.
func BenchmarkStepOfMany(b *testing.B) {
	for _, kind := range []string{"warnings of nodes", "causes on nodes", "nodes down", "of others, 50 rules", "of others, each a rule", "unknown subjects"} {
		b.Run(kind, func(b *testing.B) {
			const n, nodes = 20_000, 10_000
			r := New(alerting.DefaultSettings())
			now := start
			r.Step(now, []alerting.Input{alerting.Topology{Graph: bigFleet(b, nodes+200)}})
			var in []alerting.Input
			for i := range n {
				in = append(in, alerting.Firing{Alarm: unlike[kind](nodes, i)})
			}
			out, _ := r.Step(now, in)
			i := 0
			step := func() {
				now = now.Add(5 * time.Second)
				in = in[:0]
				for _, a := range out {
					in = append(in, alerting.Result{ActionID: a.ID, Outcome: alerting.Accepted})
				}
				for range 20 {
					a := unlike[kind](nodes+200, n+i%2000)
					a.Labels["n"] = fmt.Sprint(i)
					in = append(in, alerting.Firing{Alarm: a})
					i++
				}
				out, _ = r.Step(now, in)
			}
			for range 3 {
				step()
			}
			before := cpu(b)
			for b.Loop() {
				step()
			}
			b.ReportMetric(float64((cpu(b)-before).Microseconds())/1000/float64(b.N), "CPU-ms/op")
		})
	}
}

// cpu is what this process used so far, its garbage collection included.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
