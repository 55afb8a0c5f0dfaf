package dashboards_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/navcloud/binnacle/agent/health/healthtest"
	"github.com/navcloud/binnacle/agent/query"
	"github.com/navcloud/binnacle/dashboards/views"
)

// clusterAnswers are those of three agents, each beside a broker and a member of Riak's ring. n3 is cut off: it sees
// nobody and is seen by nobody.
func clusterAnswers(q string, now time.Time) (out []query.Series, ok bool) {
	add := func(v float64, labels ...string) {
		l := map[string]string{}
		for i := 0; i < len(labels); i += 2 {
			l[labels[i]] = labels[i+1]
		}
		out = append(out, query.Series{Labels: l, Points: at(now, v)})
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
	for name, promql := range views.SystemQueries {
		if q != promql {
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
	return healthtest.Answer(q, now)
}

func TestSystems(t *testing.T) {
	all, err := views.SystemsAt(t.Context(), fleet{nodes: 3}.promql, noon)
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
	if riak.Bad || riak.Verdict != "All 3 see each other." || !riak.Shares || riak.Members[1].Share != "95.5" {
		t.Errorf("Riak: %q, %+v; want all well, and shares of the member that owns most", riak.Verdict, riak.Members)
	}
	none, err := views.SystemsAt(t.Context(), func(context.Context, string, time.Time) ([]query.Series, error) { return nil, nil }, noon)
	if err != nil || len(none) != 0 {
		t.Errorf("without clusters: %v, %v", none, err)
	}
}
