package rules

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/alerting"
)

// riaks is how the members of a cluster are for a while.
type riaks map[string]riakNode

// TestRiakInOtherOrders plays what happens to a Riak cluster one after the other, as a router hears it; a second thing begins before
// the first is over.
func TestRiakInOtherOrders(t *testing.T) {
	sees := func(all string, not ...string) map[string]bool {
		out := map[string]bool{}
		for _, n := range strings.Fields(all) {
			out["riak-"+n] = !slices.Contains(not, n)
		}
		return out
	}
	const three = "1 2 3"
	well := riaks{"riak-1": {sees: sees(three)}, "riak-2": {sees: sees(three)}, "riak-3": {sees: sees(three)}}
	isolated := riaks{"riak-1": {sees: sees(three, "3")}, "riak-2": {sees: sees(three, "3")}, "riak-3": {sees: sees(three, "1", "2")}}
	for name, tc := range map[string]struct {
		phases []riaks  // three minutes each, after well
		want   []string // what is critical by the end of the last, or was
		still  []string // of it what fires then
	}{
		"isolated, then another one killed": {
			[]riaks{isolated, {"riak-1": {sees: sees(three, "2", "3")}, "riak-2": {away: true}, "riak-3": {sees: sees(three, "1", "2")}}},
			[]string{"RiakNodeDown node:riak-2", "RiakNodeIsolated node:riak-3", "RiakQuorumAtRisk cluster:c"},
			[]string{"RiakNodeDown node:riak-2", "RiakQuorumAtRisk cluster:c"},
		},
		"isolated, then killed itself": {
			[]riaks{isolated, {"riak-1": {sees: sees(three, "3")}, "riak-2": {sees: sees(three, "3")}, "riak-3": {away: true}}},
			[]string{"RiakNodeDown node:riak-3", "RiakNodeIsolated node:riak-3"},
			[]string{"RiakNodeDown node:riak-3"},
		},
		"one leaves in order, then another one is killed": {
			[]riaks{
				{"riak-1": {sees: sees("1 2")}, "riak-2": {sees: sees("1 2")}, "riak-3": {away: true}},
				{"riak-1": {sees: sees("1 2", "2")}, "riak-2": {away: true}, "riak-3": {away: true}},
			},
			[]string{"RiakNodeDown node:riak-2"},
			[]string{"RiakNodeDown node:riak-2"},
		},
		"all killed with their agents, two come back": {
			[]riaks{
				{"riak-1": {silent: true}, "riak-2": {silent: true}, "riak-3": {silent: true}},
				{"riak-1": {away: true}, "riak-2": {away: true}, "riak-3": {silent: true}},
				{"riak-1": {sees: sees(three, "3")}, "riak-2": {sees: sees(three, "3")}, "riak-3": {silent: true}},
			},
			[]string{"RiakClusterDown cluster:c", "RiakNodeDown node:riak-1", "RiakNodeDown node:riak-2", "RiakNodeDown node:riak-3"},
			[]string{"RiakNodeDown node:riak-3"},
		},
		"a blank one joins while another is away": {
			[]riaks{
				{"riak-1": {sees: sees(three, "3")}, "riak-2": {sees: sees(three, "3")}, "riak-3": {away: true}},
				{"riak-1": {sees: sees("1 2 3 4", "3")}, "riak-2": {sees: sees("1 2 3 4", "3")}, "riak-3": {away: true}, "riak-4": {sees: sees("1 2 3 4", "3")}},
			},
			[]string{"RiakNodeDown node:riak-3"},
			[]string{"RiakNodeDown node:riak-3"},
		},
		"one is away, and the agents of the others restart": {
			[]riaks{
				{"riak-1": {silent: true}, "riak-2": {sees: sees(three, "3")}, "riak-3": {away: true}},
				{"riak-1": {sees: sees(three, "3")}, "riak-2": {silent: true}, "riak-3": {away: true}},
			},
			[]string{"RiakNodeDown node:riak-3"},
			[]string{"RiakNodeDown node:riak-3"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWatch(t, time.Now().Add(-time.Hour).Truncate(time.Minute), "riak")
			for _, phase := range append([]riaks{well}, tc.phases...) {
				w.play(3*time.Minute, func(b *metric.Batch) {
					for node, n := range phase {
						n.tell(b, node)
					}
				})
			}
			ever, still := map[string]bool{}, map[string]bool{}
			of := map[string]string{}
			for _, i := range w.got {
				switch i := i.(type) {
				case alerting.Firing:
					if l := i.Alarm.Labels; l[alerting.LabelSeverity] == "critical" && i.Alarm.Rule() != "" {
						what := i.Alarm.Rule() + " " + l[alerting.LabelEntity]
						of[i.Alarm.Fingerprint()], ever[what], still[what] = what, true, true
					}
				case alerting.Ended:
					delete(still, of[i.Fingerprint])
				}
			}
			if got := slices.Sorted(maps.Keys(ever)); !slices.Equal(got, tc.want) {
				t.Errorf("told: %q; want %q", got, tc.want)
			}
			if got := slices.Sorted(maps.Keys(still)); !slices.Equal(got, tc.still) {
				t.Errorf("at the end: %q; want %q", got, tc.still)
			}
		})
	}
}
