package agent

import (
	"context"
	"testing"
	"time"

	"github.com/navcloud/binnacle/agent/aws"
	"github.com/navcloud/binnacle/agent/inventory"
	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/intake"
	"github.com/navcloud/binnacle/alerting/router"
)

// triggers are the pages that alarms about one machine of a group make within half an hour.
func triggers(t *testing.T, m inventory.Member, alarms ...alerting.Alarm) (n int, v alerting.View) {
	t.Helper()
	g, err := inventory.Graph([]inventory.Row{{Node: "ip-10-0-7-10", AZ: "b", Group: "api", Instance: "i-0ab"}, {Node: "ip-10-0-7-11", AZ: "b", Group: "api", Instance: "i-0cd"}}, inventory.Services{}, m)
	if err != nil {
		t.Fatal(err)
	}
	r := router.New(Default().RouterSettings())
	at := time.Date(2026, 11, 30, 3, 0, 0, 0, time.UTC)
	in := []alerting.Input{alerting.Topology{Graph: g}}
	for _, a := range alarms {
		a.StartsAt = at
		in = append(in, alerting.Firing{Alarm: a, Sender: "s"})
	}
	for range 180 {
		out, _ := r.Step(at, in)
		in = nil
		for _, a := range out {
			if a.Kind == alerting.Trigger && a.Page.Priority <= alerting.P3 {
				n++
			}
			in = append(in, alerting.Result{ActionID: a.ID, Outcome: alerting.Accepted})
		}
		at = at.Add(10 * time.Second)
	}
	return n, r.View()
}

// Auto Scaling ends an instance at 3 am, as it should: whatever is said of it by any of its names, nobody is paged.
func TestNobodyIsPagedForWhatAutoScalingEnds(t *testing.T) {
	alarms := []alerting.Alarm{
		{Labels: map[string]string{"alertname": "StatusCheckFailed", "source": "cloudwatch", "severity": "critical", "namespace": "AWS/EC2", "metric": "StatusCheckFailed", "InstanceId": "i-0ab", "instance": "i-0ab"}},
		{Labels: map[string]string{"alertname": "HostDown", "severity": "critical", "kind": "down", "layer": "host", "entity": "host:ip-10-0-7-10", "priority": "P1"}},
		{Labels: map[string]string{"alertname": "InstanceDown", "severity": "page", "job": "node", "instance": "10.0.7.10:9100"}},
	}
	well := inventory.Member{Instance: "i-0ab", Group: "api", Size: "wants 3, has 3"}
	if n, _ := triggers(t, well, alarms...); n == 0 {
		t.Error("an instance in service is dead, and nobody is paged")
	}
	gone := inventory.Member{Instance: "i-0ab", Group: "api", Excused: "its group api ended it at 02:59 UTC", Size: "wants 3, has 2, 1 starting"}
	n, v := triggers(t, gone, alarms...)
	if n != 0 {
		t.Errorf("%d pages; want none", n)
	}
	for _, p := range v.Problems {
		if p.Priority != alerting.P5 {
			t.Errorf("problem %+v; want it for the record", p)
		}
	}
	if len(v.Problems) == 0 {
		t.Error("nothing is shown; want it on the board")
	}
}

// A group that cannot launch is paged, by what it has for too long, and that ends by itself.
func TestAGroupThatStaysShortIsAnAlarm(t *testing.T) {
	at := time.Date(2026, 11, 30, 3, 0, 0, 0, time.UTC)
	group := []aws.Group{{Name: "api", Desired: 2, Members: []aws.Member{{ID: "i-1", Lifecycle: "InService", Healthy: true}}}}
	var got []alerting.Input
	r := &routeRole{intake: intake.New(intake.Options{Put: func(context.Context, ...alerting.Input) error { return nil }})}
	put := func(_ context.Context, in ...alerting.Input) error { got = append(got, in...); return nil }
	short := map[string]bool{}
	for m := range 15 {
		r.cloud.fleet.Observe(group, at.Add(time.Duration(m)*time.Minute))
		if err := r.judgeGroups(t.Context(), put, short, at.Add(time.Duration(m)*time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	f, ok := got[len(got)-1].(alerting.Firing)
	if !ok || f.Alarm.Rule() != ruleGroupShort || !f.Alarm.StartsAt.Equal(at) || f.Alarm.Annotations["summary"] != "Auto Scaling group api is short: wants 2, has 1, for 14m" {
		t.Fatalf("after 14 minutes %+v; want the alarm, since the begin", got[len(got)-1])
	}
	group[0].Desired = 1
	r.cloud.fleet.Observe(group, at.Add(20*time.Minute))
	if err := r.judgeGroups(t.Context(), put, short, at.Add(20*time.Minute)); err != nil {
		t.Fatal(err)
	}
	if e, ok := got[len(got)-1].(alerting.Ended); !ok || e.Fingerprint != f.Alarm.Fingerprint() {
		t.Errorf("whole again: %+v; want its end", got[len(got)-1])
	}
}
