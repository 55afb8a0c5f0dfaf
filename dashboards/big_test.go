package dashboards_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/navcloud/binnacle/agent/health"
	"github.com/navcloud/binnacle/agent/query"
)

// big answers what a page asks of many nodes: each twentieth cannot see its Redis, each fiftieth is silent.
func big(nodes int) query.Func {
	return func(ctx context.Context, q string, now time.Time) (out []query.Series, err error) {
		each := func(add func(i int, name string)) ([]query.Series, error) {
			for i := range nodes {
				add(i, fmt.Sprintf("node-%03d", i))
			}
			return out, nil
		}
		put := func(v float64, labels ...string) {
			l := map[string]string{}
			for i := 0; i < len(labels); i += 2 {
				l[labels[i]] = labels[i+1]
			}
			out = append(out, query.Series{Labels: l, Points: at(now, v)})
		}
		switch q {
		case health.Queries["info"]:
			return each(func(i int, n string) { put(1, "node", n, "az", "eu-west-1"+string("abc"[i%3])) })
		case health.Queries["age"]:
			return each(func(i int, n string) {
				if i%50 != 7 {
					put(5, "node", n)
				}
			})
		case health.Queries["up"]:
			return each(func(i int, n string) {
				put(1, "node", n, "collector", "host_load")
				if i%20 == 3 {
					put(0, "node", n, "collector", "redis", "reason", "refused")
				} else {
					put(1, "node", n, "collector", "redis")
				}
			})
		}
		if strings.Contains(q, "by (node)") && strings.Contains(q, "host_") {
			return each(func(i int, n string) { put(float64(i%97)/100, "node", n) })
		}
		return fleet{nodes: 3, age: 7}.promql(ctx, q, now)
	}
}

// bigOptions are a fleet of 500 nodes.
func bigOptions() whole {
	o := options(incident(), fleet{nodes: 3, age: 7}, goodStatus())
	o.Query = big(500)
	return o
}

// Home with 500 nodes names ten, shows all, and stays one page of at most 120 kB; the page of nodes lists a hundred.
func TestHomeOf500Nodes(t *testing.T) {
	home := text(t, get(t, newWhole(bigOptions()), "/").Body)
	if n := strings.Count(home, `aria-label="node-`); n != 500 {
		t.Errorf("%d nodes have a cell, want 500", n)
	}
	if !strings.Contains(home, "500 nodes in 3 zones, 35 not well") || strings.Count(home, `<span class="st need"><a`)+strings.Count(home, `<span class="st lost"><a`) != 10 {
		t.Error("the head does not count them, or not ten are named")
	}
	if len(home) > 120<<10 {
		t.Errorf("home has %d bytes", len(home))
	}
	if services := text(t, get(t, newWhole(bigOptions()), "/services").Body); !strings.Contains(services, ">488 more</a>") || strings.Count(services, `href="/nodes/node-`) != 2*12 { // of Redis and of the machines
		t.Error("the page of services does not name twelve nodes of each and count the others")
	}
	nodes := text(t, get(t, newWhole(bigOptions()), "/nodes").Body)
	if !strings.Contains(nodes, "And 400 nodes more") || strings.Count(nodes, "<tr") > 102 {
		t.Error("the page of nodes does not list a hundred")
	}
}
