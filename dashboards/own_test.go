package dashboards_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/navcloud/binnacle/agent/query"
	"github.com/navcloud/binnacle/alerting"
)

// TestOnesOwnMetricsAreWhatNoCollectorHas: what the agent sees of databases and connections is its own, whatever the name begins with.
func TestOnesOwnMetricsAreWhatNoCollectorHas(t *testing.T) {
	o := options(alerting.View{At: noon}, fleet{}, goodStatus())
	inner := o.Query
	o.Query = func(ctx context.Context, q string, at time.Time) ([]query.Series, error) {
		if !strings.HasPrefix(q, "count by (__name__)") {
			return inner(ctx, q, at)
		}
		var out []query.Series
		for _, name := range []string{"mysql_up", "connections_uses", "service_needs", "haproxy_servers", "upstream_calls_total", "redis_wrapper_calls_total"} {
			out = append(out, query.Series{Labels: map[string]string{"__name__": name}, Points: []query.Point{{T: at, V: 1}}})
		}
		return out, nil
	}
	page := text(t, get(t, newWhole(o), "/").Body)
	for name, want := range map[string]bool{"upstream_calls_total": true, "redis_wrapper_calls_total": true, "mysql_up": false, "connections_uses": false, "service_needs": false} {
		if got := strings.Contains(page, `/browse/`+name); got != want {
			t.Errorf("%s among one's own: %v, want %v", name, got, want)
		}
	}
}

// TestUsersAreAffectedOnlyWhereTheyAre: the sentence of home and board agrees with what the problem says of its impact.
func TestUsersAreAffectedOnlyWhereTheyAre(t *testing.T) {
	v := incident()
	v.Problems = v.Problems[:1]
	v.Problems[0].Priority, v.Problems[0].Page.Priority, v.Problems[0].Page.Impact = alerting.P1, alerting.P1, alerting.NoUserImpact+" seen so far"
	h := newWhole(options(v, fleet{}, goodStatus()))
	for path, want := range map[string]string{"/": "One problem needs a person now", "/board": "1 problem, none affects users"} {
		if page := text(t, get(t, h, path).Body); !strings.Contains(page, want) || strings.Contains(page, "affects users</h1>") && path == "/" {
			t.Errorf("%s does not say %q", path, want)
		}
	}
}
