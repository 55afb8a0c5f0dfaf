package inventory

import (
	"testing"

	"github.com/navcloud/binnacle/alerting/topology"
)

// stack is a balancer with two applications that use a database with a replica, asked by a probe.
func stack(t *testing.T) *topology.Graph {
	t.Helper()
	g, err := Graph([]Row{{Node: "lb"}, {Node: "app-1"}, {Node: "app-2"}, {Node: "db-1"}, {Node: "db-2"}}, Services{
		Addresses: []Edge{
			{Node: "lb", Address: "10.0.0.1"},
			{Node: "app-1", Address: "10.0.0.2"},
			{Node: "app-2", Address: "10.0.0.3"},
			{Node: "db-1", Address: "10.0.0.4"},
			{Node: "db-1", Address: "172.17.0.1"},
			{Node: "db-2", Address: "172.17.0.1"}, // a bridge that every machine has
		},
		Listens: []Edge{
			{Node: "lb", System: "haproxy", Server: "h", Part: "frontend:www", Address: ":80"},
			{Node: "db-1", System: "mysql", Server: "a", Group: "g", Address: ":3306"},
			{Node: "db-2", System: "mysql", Server: "b", Group: "g", Address: ":3306"},
			{Node: "app-1", System: "redis", Server: "cache", Address: ":6379"},
		},
		Needs: []Edge{
			{Node: "lb", System: "haproxy", Server: "h", Part: "frontend:www", On: "backend:app"},
			{Node: "lb", System: "haproxy", Server: "h", Part: "backend:app", On: "backend:app/s1"},
			{Node: "lb", System: "haproxy", Server: "h", Part: "backend:app", On: "backend:app/s2"},
			{Node: "lb", System: "haproxy", Server: "h", Part: "backend:app/s1", Address: "10.0.0.2:8080"},
			{Node: "lb", System: "haproxy", Server: "h", Part: "backend:app/s2", Address: "app-2.example.org:8080"},
			{Node: "db-2", System: "mysql", Server: "b", Group: "g", Part: "replication", Address: "db-1:3306"},
		},
		Uses: []Edge{
			{Node: "app-1", Port: "8080", Address: "10.0.0.4:3306"},
			{Node: "app-1", Port: "8080", Address: ":6379"},
			{Node: "app-2", Port: "8080", Address: "10.0.0.4:3306"},
			{Node: "db-1", Port: "3306", Address: "10.0.0.9:1"},
		},
		Probes: []Probe{{"lb", "front", "http://127.0.0.1/health"}, {"app-1", "cache", "127.0.0.1:6379"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestWhatNeedsWhichServer(t *testing.T) {
	g := stack(t)
	for _, tc := range []struct {
		fails, subject string
		want           topology.Edge
	}{
		{"mysql:db-1/a", "backend:app/s1", topology.Hurt},
		{"mysql:db-1/a", "backend:app", topology.Hurt}, // both of its servers need it
		{"mysql:db-1/a", "frontend:www", topology.Hurt},
		{"mysql:db-1/a", "probe:front", topology.Hurt},
		{"mysql:db-1/a", "probe:front/lb", topology.Hurt},
		{"mysql:db-1/a", "mysql:db-2/b/replication", topology.Hurt},
		{"mysql:db-1/a", "mysql:db-2/b", topology.None}, // a replica that is dead itself is an outage of its own
		{"mysql:db-1/a", "haproxy:lb/h", topology.None},
		{"redis:app-1/cache", "backend:app/s1", topology.Hurt},
		{"redis:app-1/cache", "backend:app", topology.Needs}, // the other server does not use it
		{"redis:app-1/cache", "probe:cache", topology.Hurt},
		{"redis:app-1/cache", "probe:front", topology.Needs},
		{"haproxy:lb/h", "probe:front", topology.Hurt},
		{"haproxy:lb/h", "backend:app", topology.None},
		{"backend:app", "probe:front", topology.Hurt},
		{"host:db-1", "probe:front", topology.Hurt},
		{"host:app-2", "probe:front", topology.Needs},
		{"host:app-2", "mysql:db-1/a", topology.None},
	} {
		if got := g.Reach(tc.fails).Edge(tc.subject); got != tc.want {
			t.Errorf("without %s, %s is hurt as by %d; want %d", tc.fails, tc.subject, got, tc.want)
		}
	}
}

// TestPeersNeedNeither: processes that are connected to each other, and circles of them, cost no graph.
func TestPeersNeedNeither(t *testing.T) {
	g, err := Graph([]Row{{Node: "a"}}, Services{
		Uses: []Edge{
			{Node: "a", Port: "1", Address: ":2"},
			{Node: "a", Port: "2", Address: ":1"},
			{Node: "a", Port: "2", Address: ":3"},
			{Node: "a", Port: "5", Address: ":6"},
			{Node: "a", Port: "6", Address: ":7"},
			{Node: "a", Port: "7", Address: ":5"},
			{Node: "a", Port: "8", Address: ":8"},
		},
		Needs: []Edge{
			{Node: "a", System: "mysql", Server: "x", Part: "replication", Address: "a:9"}, {Node: "a", System: "mysql", Server: "y", Part: "replication", Address: "a:10"},
		},
		Listens: []Edge{{Node: "a", System: "mysql", Server: "x", Address: ":10"}, {Node: "a", System: "mysql", Server: "y", Address: ":9"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		fails, subject string
		want           topology.Edge
	}{
		{"port:a:2", "port:a:1", topology.None},
		{"port:a:1", "port:a:2", topology.None},
		{"port:a:3", "port:a:2", topology.Hurt},
		{"port:a:7", "port:a:6", topology.Hurt},
		{"port:a:6", "port:a:5", topology.Hurt},
		{"port:a:5", "port:a:7", topology.None},
		{"mysql:a/x", "mysql:a/y/replication", topology.Hurt},
		{"mysql:a/y", "mysql:a/x/replication", topology.Hurt}, // two primaries of each other
	} {
		if got := g.Reach(tc.fails).Edge(tc.subject); got != tc.want {
			t.Errorf("without %s, %s is hurt as by %d; want %d", tc.fails, tc.subject, got, tc.want)
		}
	}
}
