package health_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/navcloud/binnacle/agent/health"
	"github.com/navcloud/binnacle/agent/health/healthtest"
	"github.com/navcloud/binnacle/agent/query"
)

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// asking is a store that fails questions with this text in them; none where it is empty.
func asking(fail string) query.Func {
	return func(_ context.Context, promql string, at time.Time) ([]query.Series, error) {
		if fail != "" && strings.Contains(promql, fail) {
			return nil, errors.New("query timed out in expression evaluation")
		}
		out, _ := healthtest.Answer(promql, at)
		return out, nil
	}
}

func TestFleet(t *testing.T) {
	nodes, err := health.Fleet(t.Context(), asking(""), noon)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, n := range nodes {
		got = append(got, n.Node+" "+n.Word()+": "+n.Health()+" Ships "+n.Ships()+".")
	}
	want := []string{
		"c-gone silent: No word for 2 min. Ships nothing.",
		"b-ill ill: Cannot see riak (timeout); cannot reach cloudwatch for 1 h; lost 7 samples towards cloudwatch in an hour. Ships cloudwatch: 40\u202f000 waiting, 3.0 MiB on disk, the oldest 59 min old.",
		"a-well well: Looks by 1 collector, ships to 1 destination. Ships cloudwatch: 12 waiting.",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("the fleet is\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	nodes, err = health.Fleet(t.Context(), asking("binnacle_collector_up"), noon)
	if err == nil || len(nodes) != 3 || nodes[0].Node != "c-gone" {
		t.Errorf("with a query that fails: %d nodes, %v; want 3 and the error", len(nodes), err)
	}
	nodes, err = health.Fleet(t.Context(), asking("time()"), noon)
	if err == nil || health.Words(nodes) != "1 ill, 2 well" {
		t.Errorf("where no age is known: %s, %v; want nobody called silent", health.Words(nodes), err)
	}
}
