package rabbitmq

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/collectors"
	"github.com/navcloud/binnacle/collectors/collectorstest/fixture"
)

// TestABrokerThatIsDownAtTheStartIsKnownFromBefore: kill -9 of the agent in an outage must not make it another broker's.
func TestABrokerThatIsDownAtTheStartIsKnownFromBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		state := filepath.Join(t.TempDir(), "collectors")
		life := func(url string, h fixture.HTTP) map[string]float64 {
			opt := defaultOptions
			opt.URL, opt.User = url, "monitor"
			c, err := newCollector(collectors.Env{Options: opt, Root: collectors.Root(t.TempDir()), State: state, HTTP: h, Dial: fixture.DialNothing, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Fatal(err)
			}
			b := &metric.Batch{Time: time.Now()}
			for range 2 {
				b = &metric.Batch{Time: time.Now()}
				if err := c.Collect(t.Context(), b); err != nil {
					t.Fatal(err)
				}
			}
			got := map[string]float64{}
			for _, s := range b.Samples {
				got[s.Desc.Name+s.Labels.String()] = s.Value
			}
			return got
		}
		up := fixture.HTTP{
			"metrics":                        {Status: 200, Body: []byte("rabbitmq_identity_info{rabbitmq_node=\"rabbit@n1\",rabbitmq_cluster=\"events\"} 1\n")},
			"api/health/checks/local-alarms": {Status: 200, Body: []byte(`{"status":"ok"}`)},
			"api/nodes?columns=name,running,partitions,cluster_links": {Status: 200, Body: []byte(`[{"name":"rabbit@n1","running":true,"partitions":[]},{"name":"rabbit@n2","running":true,"partitions":[]}]`)},
		}
		const expected = `rabbitmq_cluster_nodes_expected{cluster="events"}`
		if got := life("http://127.0.0.1:15672", up); got[expected] != 2 {
			t.Fatalf("while it is up: %s is %v; want 2, in %v", expected, got[expected], got)
		}
		down := life("http://127.0.0.1:15672", nil)
		if v, ok := down[`rabbitmq_up{cluster="events"}`]; !ok || v != 0 || down[expected] != 2 {
			t.Errorf("in the next life: up %v (told: %v), expected %v; want 0 and 2 under the name from before", v, ok, down[expected])
		}
		if other := life("http://127.0.0.1:25672", nil); other[expected] != 0 {
			t.Errorf("another broker has the memory of the first: %v", other)
		}
		if err := os.WriteFile(filepath.Join(state, "rabbitmq.json"), []byte(`{"cluster`), 0o600); err != nil {
			t.Fatal(err)
		}
		if broken := life("http://127.0.0.1:15672", nil); broken[expected] != 0 {
			t.Errorf("half a file is taken for memory: %v", broken)
		}
	})
}
