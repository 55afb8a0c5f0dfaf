package diagnosis

import (
	"strings"
	"testing"
	"time"

	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/topology"
)

// TestALossWaitsForWhatReplacesIt plays one node of three that has just gone down: what a group starts again is waited for, a
// member of a cluster that nothing starts again is not.
func TestALossWaitsForWhatReplacesIt(t *testing.T) {
	for name, tc := range map[string]struct {
		whole, group string
		ago          time.Duration
		want         alerting.Priority
		reason       string
	}{
		"a member of a cluster":                      {topology.KindCluster, "", time.Second, alerting.P2, "no group starts another"},
		"a member that a group holds":                {topology.KindCluster, "asg-1", time.Second, alerting.P4, "has lost 1"},
		"a member that a group did not start again":  {topology.KindCluster, "asg-1", 4 * time.Minute, alerting.P2, "nothing replaced it for 3m"},
		"a node of a balanced service":               {topology.KindService, "", time.Second, alerting.P4, "has lost 1"},
		"a node of a service that nothing replaced":  {topology.KindService, "", 4 * time.Minute, alerting.P2, "nothing replaced it for 3m"},
		"a node of a service, of a group, yet awake": {topology.KindService, "asg-1", time.Second, alerting.P4, "has lost 1"},
	} {
		t.Run(name, func(t *testing.T) {
			es := []topology.Entity{{ID: "whole", Kind: tc.whole, Service: "store", Parents: []string{"n1", "n2", "n3"}, Spare: 1}}
			for _, id := range es[0].Parents {
				es = append(es, topology.Entity{ID: id, Kind: topology.KindNode, Service: "store", Host: id, Group: tc.group})
			}
			g, err := topology.New(es)
			if err != nil {
				t.Fatal(err)
			}
			r := Diagnose(Input{
				Now: now, Walks: NewWalks(g), Settings: alerting.DefaultSettings(),
				Facts: []*alerting.Fact{fact(g, "Down critical down n2", now.Add(-tc.ago))},
			})
			if v := r.verdict(t, "Down"); v.Alone != tc.want || !strings.Contains(v.Reason, tc.reason) {
				t.Errorf("%v, %q; want %v, %q", v.Alone, v.Reason, tc.want, tc.reason)
			}
		})
	}
}

// TestWhatARuleRulesOutExplainsNothing plays a node that goes down while its cluster is cut: its rule may say that no cut does that.
func TestWhatARuleRulesOutExplainsNothing(t *testing.T) {
	for apart, want := range map[string]string{
		"":                     "",
		"quorum":               "",
		"partition":            "its rule says that no partition of a whole is its cause",
		"saturation,partition": "its rule says that no partition of a whole is its cause",
	} {
		g := zones(t)
		split, down := fact(g, "Split critical partition store", now.Add(-time.Minute)), fact(g, "Down critical down a0", now.Add(-time.Minute))
		down.Labels[alerting.LabelApart] = apart
		r := Diagnose(Input{Now: now, Walks: NewWalks(g), Settings: alerting.DefaultSettings(), Facts: []*alerting.Fact{split, down}})
		v := r.verdict(t, "Down")
		if (v.By == nil) != (want != "") {
			t.Errorf("apart from %q: explained by %v", apart, v.By)
		}
		if no, refused := r.Refused(v, r.verdict(t, "Split")); no.Reason != want || refused != (want != "") {
			t.Errorf("apart from %q: %q, %v; want %q", apart, no.Reason, refused, want)
		}
	}
}

// TestALossAfterTheQuorumIsBackIsTheNext plays nodes that go down while the quorum is lost, and after it came back.
func TestALossAfterTheQuorumIsBackIsTheNext(t *testing.T) {
	for name, tc := range map[string]struct {
		ended, down time.Duration // ago
		root        bool
	}{
		"while it is lost":       {0, 40 * time.Second, false},
		"before it came back":    {10 * time.Second, 40 * time.Second, false},
		"just after it was back": {40 * time.Second, 30 * time.Second, true},
	} {
		t.Run(name, func(t *testing.T) {
			g := zones(t)
			quorum := fact(g, "Quorum critical quorum store", now.Add(-time.Minute))
			if tc.ended > 0 {
				quorum.Ended = now.Add(-tc.ended)
				quorum.Past.Open = true
			}
			down := fact(g, "Down critical down a0", now.Add(-tc.down))
			r := Diagnose(Input{Now: now, Walks: NewWalks(g), Settings: alerting.DefaultSettings(), Facts: []*alerting.Fact{quorum, down}})
			if v := r.verdict(t, "Down"); (v.By == nil) != tc.root {
				t.Errorf("explained by %v; want a root cause: %v", v.By, tc.root)
			}
		})
	}
}

// TestWhatANodeDoesAfterItsLossBelongsToIt plays a node that was down, which was paged, and that comes back in another bad state.
func TestWhatANodeDoesAfterItsLossBelongsToIt(t *testing.T) {
	for told, root := range map[bool]bool{true: false, false: true} {
		g := zones(t)
		down, paused := fact(g, "Down critical down a0", now.Add(-time.Minute)), fact(g, "Paused critical down a0", now.Add(-5*time.Second))
		down.Ended, down.Past.Open = now.Add(-20*time.Second), told
		r := Diagnose(Input{Now: now, Walks: NewWalks(g), Settings: alerting.DefaultSettings(), Facts: []*alerting.Fact{down, paused}})
		if v := r.verdict(t, "Paused"); (v.By == nil) != root {
			t.Errorf("told: %v; explained by %v", told, v.By)
		}
	}
}
