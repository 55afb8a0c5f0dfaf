package dashboards

import (
	"context"
	"strings"
	"testing"
	"time"
)

// clusterAnswers are those of three agents, each beside a broker and a member of Riak's ring. n3 is cut off: it sees
// nobody and is seen by nobody.
func clusterAnswers(q string, now time.Time) (out []Series, ok bool) {
	add := func(v float64, labels ...string) {
		l := map[string]string{}
		for i := 0; i < len(labels); i += 2 {
			l[labels[i]] = labels[i+1]
		}
		out = append(out, Series{l, at(now, v)})
	}
	nodes := []string{"n1", "n2", "n3"}
	pairs := func(name string, v func(a, b string) float64, self bool) {
		for _, a := range nodes {
			for _, b := range nodes {
				switch {
				case a == b && !self:
				case name == "rabbit":
					add(v(a, b), "cluster", "nav", "node", a, "broker", "rabbit@"+a, "peer", "rabbit@"+b)
				default:
					add(v(a, b), "cluster", "kv", "node", a, "member", "riak@"+b)
				}
			}
		}
	}
	cut := func(a, b string) float64 {
		if a == b || a != "n3" && b != "n3" {
			return 1
		}
		return 0
	}
	for name, query := range systemQueries {
		if q != query {
			continue
		}
		switch name {
		case "rabbit runs":
			pairs("rabbit", cut, false)
		case "rabbit link":
			pairs("rabbit", cut, false)
		case "riak sees":
			pairs("riak", func(a, b string) float64 { return 1 }, true)
		}
		for _, n := range nodes {
			switch name {
			case "rabbit self":
				add(1, "cluster", "nav", "node", n, "broker", "rabbit@"+n, "version", "3.10.8")
			case "rabbit state":
				add(1, "cluster", "nav", "node", n, "state", map[string]string{"n3": "partition_suspected"}[n]+map[string]string{"n1": "running", "n2": "running"}[n])
			case "rabbit side":
				add(1, "cluster", "nav", "node", n, "broker", "rabbit@"+n, "side", map[bool]string{true: "rabbit@n3", false: "rabbit@n1+rabbit@n2"}[n == "n3"])
			case "riak self":
				add(1, "cluster", "kv", "node", n, "member", "riak@"+n)
			case "riak up":
				add(1, "cluster", "kv", "node", n)
			case "riak owned":
				add(map[string]float64{"n1": 22, "n2": 21, "n3": 21}[n], "cluster", "kv", "owner", "riak@"+n)
			case "riak view":
				add(77, "cluster", "kv", "node", n)
			}
		}
		if name == "riak ring" {
			add(64, "cluster", "kv")
		}
		return out, true
	}
	for name, query := range fleetQueries {
		if q == query {
			return fleetAnswers(name, now), true
		}
	}
	return nil, false
}

// fleetAnswers are of a node that is well, one that lost its way to CloudWatch, and one that fell silent.
func fleetAnswers(name string, now time.Time) (out []Series) {
	add := func(v float64, node, k, l string) {
		labels := map[string]string{"node": node}
		if k != "" {
			labels[k] = l
		}
		out = append(out, Series{labels, at(now, v)})
	}
	switch name {
	case "info":
		for _, n := range []string{"a-well", "b-ill", "c-gone"} {
			add(1, n, "az", "eu-west-1a")
		}
	case "age":
		add(4, "a-well", "", "")
		add(9, "b-ill", "", "")
	case "version":
		add(1, "a-well", "version", "1.0.0")
		add(1, "b-ill", "version", "0.9.0")
	case "rabbitmq":
		add(1, "b-ill", "version", "3.10.8")
	case "up":
		add(1, "a-well", "collector", "host_load")
		add(1, "b-ill", "collector", "host_load")
		out = append(out, Series{map[string]string{"node": "b-ill", "collector": "riak", "reason": "timeout"}, at(now, 0)})
	case "streams":
		add(1234, "a-well", "", "")
	case "sink up":
		add(1, "a-well", "sink", "cloudwatch")
		add(0, "b-ill", "sink", "cloudwatch")
	case "success":
		add(3600, "b-ill", "sink", "cloudwatch")
	case "waiting":
		add(12, "a-well", "sink", "cloudwatch")
		add(40000, "b-ill", "sink", "cloudwatch")
	case "bytes":
		add(3<<20, "b-ill", "sink", "cloudwatch")
	case "spooled":
		add(3590, "b-ill", "sink", "cloudwatch")
	case "lost":
		add(7, "b-ill", "sink", "cloudwatch")
	}
	return out
}

func TestFleet(t *testing.T) {
	nodes, err := Fleet(t.Context(), fleet{nodes: 3}.query, noon)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, n := range nodes {
		got = append(got, n.Node+" "+n.Word()+": "+n.Health()+" Ships "+n.Ships()+".")
	}
	want := []string{
		"c-gone silent: No word for 5 min and more. Ships nothing.",
		"b-ill ill: Cannot see riak (timeout); cannot reach cloudwatch for 1 h; lost 7 samples towards cloudwatch in an hour. Ships cloudwatch: 40\u202f000 waiting, 3.0 MiB on disk, the oldest 59 min old.",
		"a-well well: Looks by 1 collector, ships to 1 destination. Ships cloudwatch: 12 waiting.",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("the fleet is\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	nodes, err = Fleet(t.Context(), fleet{nodes: 3, fail: "binnacle_collector_up"}.query, noon)
	if err == nil || len(nodes) != 3 || nodes[0].Node != "c-gone" {
		t.Errorf("with a query that fails: %d nodes, %v; want 3 and the error", len(nodes), err)
	}
	nodes, err = Fleet(t.Context(), fleet{nodes: 3, fail: "time()"}.query, noon)
	if err == nil || FleetWords(nodes) != "1 ill, 2 well" {
		t.Errorf("where no age is known: %s, %v; want nobody called silent", FleetWords(nodes), err)
	}
}

func TestSystems(t *testing.T) {
	all, err := systemsAt(t.Context(), fleet{nodes: 3}.query, noon)
	if err != nil || len(all) != 2 {
		t.Fatalf("%d systems, %v; want RabbitMQ and Riak", len(all), err)
	}
	rabbit, riak := all[0], all[1]
	if want := "They do not agree: there are 2 views of who belongs together. 4 of the views between them are missing. rabbit@n3 is partition suspected."; rabbit.Verdict != want || !rabbit.Bad {
		t.Errorf("RabbitMQ: %q, want %q", rabbit.Verdict, want)
	}
	var rows []string
	for _, m := range rabbit.Members {
		row := m.Name
		for _, s := range m.Sees {
			row += " " + s.Class
		}
		rows = append(rows, row)
	}
	if got := strings.Join(rows, ", "); got != "rabbit@n1 self yes no, rabbit@n2 yes self no, rabbit@n3 no no self" {
		t.Errorf("the matrix is %s", got)
	}
	if riak.Bad || riak.Verdict != "All 3 see each other." || len(riak.Arcs) != 3 || riak.Arcs[1].Offset != "-34.4" {
		t.Errorf("Riak: %q, arcs %+v; want all well and a ring of three", riak.Verdict, riak.Arcs)
	}
	none, err := systemsAt(t.Context(), func(context.Context, string, time.Time) ([]Series, error) { return nil, nil }, noon)
	if err != nil || len(none) != 0 {
		t.Errorf("without clusters: %v, %v", none, err)
	}
}
