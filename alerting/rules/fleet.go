package rules

import (
	"regexp"
	"sync"

	"github.com/prometheus/prometheus/model/rulefmt"

	"github.com/navcloud/binnacle/alerting"
)

// What concerns a cluster is judged where the views of all its members are: at the routers. Nodes send them the series that
// these rules read, and judge by themselves only while no router answers.

// fleetPacks are the packs whose clusters span nodes.
var fleetPacks = []string{"riak", "rabbitmq", "mysql", "redis", "zookeeper"}

// byPeers are the rules about one node that its peers have a say in. All rules of a cluster are judged at the routers.
var byPeers = map[string]bool{
	"RiakNodeDown": true, "RiakNodeIsolated": true, "RabbitMQNodeGone": true, "RabbitMQNodeDisowned": true,
	// Whether another of the group took over is seen where all of it is.
	"MySQLPrimaryDown": true, "MySQLServerDown": true, "RedisNoPrimary": true, "RedisServerDown": true,
}

// ofGraph are the series that a router's graph is made of: of clusters and their members, and of who needs which server.
var ofGraph = []string{
	"riak_up", "rabbitmq_cluster_nodes_expected", "binnacle_node_info",
	"service_listens", "service_needs", "connections_uses", "connections_address", "probe_up",
}

// fleet is what the shipped packs say of it.
type fleet struct {
	rules map[string]bool // names of rules that routers judge
	names map[string]bool // of the series that they read
}

// seriesNames are in expressions and in the queries of texts.
var seriesNames = regexp.MustCompile(`\b(?:riak|rabbitmq|mysql|redis|zookeeper)(?:_[a-z0-9_]+|:[a-z0-9_:]+)`)

var theFleet = sync.OnceValue(func() fleet {
	f := fleet{rules: map[string]bool{}, names: map[string]bool{blindSeries: true}}
	for _, name := range ofGraph {
		f.names[name] = true
	}
	packs, err := selectPacks(fleetPacks)
	if err != nil {
		return f // a test holds that they can be read
	}
	for _, p := range packs {
		groups, err := parse(p.Name, p.Text)
		if err != nil {
			continue
		}
		f.read(groups)
	}
	return f
})

func (f *fleet) read(groups *rulefmt.RuleGroups) {
	records := map[string][]string{}
	for _, g := range groups.Groups {
		for _, r := range g.Rules {
			if r.Record != "" {
				records[r.Record] = append(records[r.Record], r.Expr)
			}
		}
	}
	var add func(text string, depth int)
	add = func(text string, depth int) {
		for _, name := range seriesNames.FindAllString(text, -1) {
			made, recorded := records[name]
			if !recorded {
				f.names[name] = true
			}
			for _, expr := range made {
				if depth < recordDepth {
					add(expr, depth+1)
				}
			}
		}
	}
	for _, g := range groups.Groups {
		for _, r := range g.Rules {
			if r.Alert == "" || r.Labels[alerting.LabelLayer] != "cluster" && !byPeers[r.Alert] {
				continue
			}
			f.rules[r.Alert] = true
			add(r.Expr, 0)
			for _, text := range r.Annotations {
				add(text, 0)
			}
		}
	}
}

// OfFleet says whether routers judge an alarm, from the facts of all nodes.
func OfFleet(a alerting.Alarm) bool { return theFleet().rules[a.Rule()] }

// IsFact says whether a series is one that routers judge from: its name, and the collector that it is about, where it is about
// one.
func IsFact(name, collector string) bool {
	if name == blindSeries && collector != "riak" && collector != "rabbitmq" {
		return false
	}
	return theFleet().names[name]
}
