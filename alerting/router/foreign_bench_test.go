package router

import (
	"fmt"
	"testing"
	"time"

	"github.com/navcloud/binnacle/alerting"
)

// BenchmarkForeign is a step over 10,000 alarms of others on 1,000 hosts, of which one is new.
func BenchmarkForeign(b *testing.B) {
	r := New(alerting.DefaultSettings())
	var in []alerting.Input
	for n := range 10_000 {
		in = append(in, alerting.Firing{Alarm: alerting.Alarm{Labels: map[string]string{
			"alertname": fmt.Sprintf("Rule%d", n%10), "severity": []string{"critical", "warning"}[n%2], "job": "node", "instance": fmt.Sprintf("host-%d:9100", n/10), "cluster": "c",
		}, Annotations: map[string]string{"summary": "something is wrong"}}})
	}
	now := time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC)
	answer := func(out []alerting.Action) (in []alerting.Input) {
		for _, a := range out {
			in = append(in, alerting.Result{ActionID: a.ID, Outcome: alerting.Accepted})
		}
		return in
	}
	out, _ := r.Step(now, in)
	for range 20 {
		now = now.Add(10 * time.Second)
		out, _ = r.Step(now, answer(out))
	}
	b.ResetTimer()
	for n := range b.N {
		now = now.Add(time.Second)
		out, _ = r.Step(now, append(answer(out), alerting.Firing{Alarm: alerting.Alarm{Labels: map[string]string{
			"alertname": "New", "severity": "warning", "job": "node", "instance": fmt.Sprintf("host-%d:9100", n%1000), "n": fmt.Sprint(n % 100),
		}}}))
	}
}
