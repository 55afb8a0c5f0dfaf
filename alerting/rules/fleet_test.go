package rules

import (
	"strings"
	"testing"
	"time"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/alerting"
)

func TestWhatRoutersJudge(t *testing.T) {
	for rule, want := range map[string]bool{
		"RiakQuorumAtRisk": true, "RiakNodeDown": true, "RiakNodeIsolated": true, "RiakClusterDown": true, "RabbitMQSplitBrain": true,
		"RabbitMQNoMajority": true, "RabbitMQNodeGone": true, "RabbitMQNodeDisowned": true, "RiakDiskFull": false, "RabbitMQNodeDown": false, "HostDown": false, "": false,
		"MySQLPrimaryDown": true, "MySQLTwoWritable": true, "MySQLServerDown": true, "MySQLFull": false, "RedisNoPrimary": true, "RedisFull": false,
		"ZooKeeperNoQuorum": true, "ZooKeeperSlow": false,
	} {
		if got := OfFleet(alerting.Alarm{Labels: map[string]string{alerting.LabelRule: rule}}); got != want {
			t.Errorf("OfFleet(%s) = %v", rule, got)
		}
	}
	for name, want := range map[string]bool{
		"riak_listening": true, "riak_member_connected": true, "riak_member_self": true, "riak_stopped_in_order": true, "rabbitmq_view": true,
		"rabbitmq_peer_running": true, "rabbitmq_state": true, "rabbitmq_queue_messages_ready": true, "rabbitmq_queue_messages_unacked": false, "riak_fsm_time_seconds": false, "host_load1": false,
		"mysql_state": true, "mysql_read_only": true, "mysql_replica_lag_seconds": true, "mysql_queries_total": false, "redis_role": true, "redis_memory_bytes": false,
		"zookeeper_mode": true, "service_listens": true, "service_needs": true, "connections_uses": true,
	} {
		if got := IsFact(name, ""); got != want {
			t.Errorf("IsFact(%s) = %v", name, got)
		}
	}
	if !IsFact(blindSeries, "riak") || IsFact(blindSeries, "statsd") {
		t.Error("of blindness that of clusters' collectors alone is a fact")
	}
}

// riakNode is one member of a cluster of three, as its agent sees it.
type riakNode struct {
	away   bool            // it ended, and its agent says so
	silent bool            // its agent says nothing
	sees   map[string]bool // of its ring, itself among it
}

func riakName(node string) string { return strings.Replace(node, "riak-", "riak", 1) + "@127.0.0.1" }

func (n riakNode) tell(b *metric.Batch, node string) {
	if n.silent {
		return
	}
	add := func(name string, v float64, kv ...string) {
		b.Add(&metric.Desc{Name: name}, v, append([]string{"cluster", "c", "node", node}, kv...)...)
	}
	up := 1.0
	if n.away {
		up = 0
	}
	add("riak_listening", up)
	add("riak_ping_up", up)
	add("riak_stopped_in_order", 0)
	if n.away {
		return
	}
	connected := 0.0
	for peer, sees := range n.sees {
		if sees {
			connected++
		}
		if peer == node {
			add("riak_member_self", 1, "member", riakName(node))
			continue
		}
		v := 0.0
		if sees {
			v = 1
		}
		add("riak_member_connected", v, "member", riakName(peer))
	}
	add("riak_ring_members", float64(len(n.sees)))
	add("riak_connected_members", connected)
}

// TestRiaksMajorityCounts: a router has the views of all three members.
func TestRiaksMajorityCounts(t *testing.T) {
	all := func(not ...string) map[string]bool {
		out := map[string]bool{"riak-1": true, "riak-2": true, "riak-3": true}
		for _, n := range not {
			out[n] = false
		}
		return out
	}
	two := map[string]bool{"riak-1": true, "riak-2": true}
	gone := map[string]bool{}
	for name, tc := range map[string]struct {
		nodes map[string]riakNode
		want  map[string]string // entity by rule
	}{
		"all is well": {map[string]riakNode{"riak-1": {sees: all()}, "riak-2": {sees: all()}, "riak-3": {sees: all()}}, nil},
		"one is cut off and serves on": {
			map[string]riakNode{"riak-1": {sees: all("riak-3")}, "riak-2": {sees: all("riak-3")}, "riak-3": {sees: all("riak-1", "riak-2")}},
			map[string]string{"RiakNodeIsolated": "node:riak-3"},
		},
		"one ended": {
			map[string]riakNode{"riak-1": {sees: all("riak-3")}, "riak-2": {sees: all("riak-3")}, "riak-3": {away: true, sees: gone}},
			map[string]string{"RiakNodeDown": "node:riak-3"},
		},
		"one ended with its machine": {
			map[string]riakNode{"riak-1": {sees: all("riak-3")}, "riak-2": {sees: all("riak-3")}, "riak-3": {silent: true}},
			map[string]string{"RiakNodeDown": "node:riak-3"},
		},
		"one left in order": {
			map[string]riakNode{"riak-1": {sees: two}, "riak-2": {sees: two}, "riak-3": {away: true, sees: gone}}, nil,
		},
		"two ended": {
			map[string]riakNode{"riak-1": {sees: all("riak-2", "riak-3")}, "riak-2": {away: true}, "riak-3": {away: true}},
			map[string]string{"RiakQuorumAtRisk": "cluster:c", "RiakNodeDown": "node:riak-2 node:riak-3"},
		},
		"all ended": {
			map[string]riakNode{"riak-1": {away: true}, "riak-2": {away: true}, "riak-3": {away: true}},
			map[string]string{"RiakClusterDown": "cluster:c", "RiakNodeDown": "node:riak-1 node:riak-2 node:riak-3"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWatch(t, time.Now().Add(-time.Hour).Truncate(time.Minute), "riak")
			tell := func(nodes map[string]riakNode) func(*metric.Batch) {
				return func(b *metric.Batch) {
					for node, n := range nodes {
						n.tell(b, node)
					}
				}
			}
			w.play(3*time.Minute, tell(map[string]riakNode{"riak-1": {sees: all()}, "riak-2": {sees: all()}, "riak-3": {sees: all()}}))
			w.play(6*time.Minute, tell(tc.nodes))
			got := map[string][]string{}
			for _, i := range w.got {
				f, ok := i.(alerting.Firing)
				rule, entity := "", ""
				if ok {
					rule, entity = f.Alarm.Rule(), f.Alarm.Labels[alerting.LabelEntity]
				}
				if rule != "" && f.Alarm.Labels[alerting.LabelSeverity] == "critical" && !strings.Contains(strings.Join(got[rule], " "), entity) {
					got[rule] = append(got[rule], entity)
				}
			}
			for rule, entities := range got {
				for _, e := range entities {
					if !strings.Contains(tc.want[rule], e) {
						t.Errorf("%s fires on %s; want %q", rule, e, tc.want[rule])
					}
				}
			}
			for rule, want := range tc.want {
				if len(got[rule]) != len(strings.Fields(want)) {
					t.Errorf("%s fires on %v; want %s", rule, got[rule], want)
				}
			}
		})
	}
}
