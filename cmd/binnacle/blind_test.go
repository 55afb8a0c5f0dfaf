package main

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/promql/parser"
	"go.yaml.in/yaml/v3"

	"github.com/navcloud/binnacle/alerting/rules"
	"github.com/navcloud/binnacle/collectors/catalogue"
)

// feeds names the check that a figure comes from, where its collector has several. A check that is "" is the collector as a
// whole; "state" is what a collector says of itself without any one check.
var feeds = map[string]string{
	"rabbitmq_view": "nodes", "rabbitmq_partitions": "nodes", "rabbitmq_peer_running": "nodes", "rabbitmq_cluster_nodes_running": "nodes",
	"rabbitmq_cluster_nodes_expected": "nodes", "rabbitmq_quorum_queues_without_majority": "queues", "rabbitmq_alarm": "metrics",
	"rabbitmq_connections_state": "connections", "rabbitmq_global_messages_received_total": "metrics",
	"rabbitmq_exchange_bindings": "exchange_x", "rabbitmq_exchange_bindings_expected": "exchange_x",
	"rabbitmq_exchange_published_in_total": "exchange_x", "rabbitmq_exchange_published_out_total": "exchange_x",
	"rabbitmq_up": "state", "rabbitmq_state_age_seconds": "state", "rabbitmq_stopped_in_order": "state",
	"riak_connected_members": "stats", "riak_ring_members": "stats", "riak_listening": "state",
	"riak_state": "state", "riak_stopped_in_order": "state", "riak_ping_up": "state", "rabbitmq_exchange_present": "exchange_x",
	"rabbitmq_vhost_present": "vhost_list", "rabbitmq_peers_unlisted": "nodes", "rabbitmq_node_info": "state",
}

type packRule struct {
	Record, Alert, Expr string
	Labels              map[string]string
}

func packRules(t *testing.T) (all []packRule) {
	t.Helper()
	packs, err := rules.Packs()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range packs {
		var file struct {
			Groups []struct{ Rules []packRule }
		}
		if err := yaml.Unmarshal(p.Text, &file); err != nil {
			t.Fatal(err)
		}
		for _, g := range file.Groups {
			all = append(all, g.Rules...)
		}
	}
	return all
}

// figures are the metrics that an expression reads, those of recording rules resolved.
func figures(t *testing.T, expr string, recorded map[string]string, seen map[string]bool) {
	t.Helper()
	e, err := parser.NewParser(parser.Options{}).ParseExpr(expr)
	if err != nil {
		t.Fatalf("%s: %v", expr, err)
	}
	parser.Inspect(e, func(n parser.Node, _ []parser.Node) error {
		v, ok := n.(*parser.VectorSelector)
		if !ok || seen[v.Name] {
			return nil
		}
		seen[v.Name] = true
		if inner, ok := recorded[v.Name]; ok {
			figures(t, inner, recorded, seen)
		}
		return nil
	})
}

// TestBlindnessOfWhatP1RestsOnIsP2 holds the list of the rule BinnacleVitalCheckBlind against the packs.
func TestBlindnessOfWhatP1RestsOnIsP2(t *testing.T) {
	all := packRules(t)
	recorded, seen := map[string]string{}, map[string]bool{}
	vital := ""
	for _, r := range all {
		if r.Record == "binnacle:vital_blind:seconds" {
			vital = r.Expr
		}
		if r.Record != "" {
			recorded[r.Record] = r.Expr
		}
	}
	for _, r := range all {
		if p := r.Labels["priority"]; p == "P1" || p == "" && slices.Contains([]string{"users", "data", "quorum"}, r.Labels["impact"]) {
			figures(t, r.Expr, recorded, seen)
		}
	}
	if len(seen) < 10 {
		t.Fatalf("rules of P1 read %v, which can't be all", seen)
	}
	owner := map[string]string{}
	for _, s := range catalogue.All() {
		for _, d := range s.Metrics {
			owner[d.Name] = s.Name
		}
	}
	for name := range seen {
		collector, check := owner[name], feeds[name]
		switch {
		case strings.HasPrefix(name, "navcloud_"):
			collector = "statsd"
		case collector == "aws":
			check = "figures"
		case collector == "":
			continue // a recording rule, or ALERTS
		case check == "state":
			continue
		case check == "" && (collector == "rabbitmq" || collector == "riak"):
			t.Errorf("%s feeds a rule of P1: which check is it from? (feeds)", name)
			continue
		}
		if !listsCheck(vital, collector, check) {
			t.Errorf("a rule of P1 rests on %s, of check %q of %s; binnacle:vital_blind:seconds does not list that", name, check, collector)
		}
	}
}

var selector = regexp.MustCompile(`\{collector="(\w+)",check=~?"([^"]*)"\}`)

func listsCheck(expr, collector, check string) bool {
	for _, m := range selector.FindAllStringSubmatch(expr, -1) {
		if m[1] == collector && regexp.MustCompile("^(?:"+m[2]+")$").MatchString(check) {
			return true
		}
	}
	return false
}
