package agent

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/prometheus/prometheus/promql"

	"github.com/navcloud/binnacle/agent/testport"
)

// ask evaluates an instant query over the agent's store: how many series, and the value of the first.
func ask(t *testing.T, a *Agent, query string) (n int, v float64) {
	t.Helper()
	st := a.store.get().main
	if st == nil {
		return 0, 0
	}
	q, err := st.Engine().NewInstantQuery(context.Background(), st.Queryable(), nil, query, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	vec, _ := q.Exec(context.Background()).Value.(promql.Vector)
	if len(vec) == 0 {
		return 0, 0
	}
	return len(vec), vec[0].F
}

func awaitQuery(t *testing.T, a *Agent, query string, want int) {
	t.Helper()
	for end := time.Now().Add(3 * time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if n, _ := ask(t, a, query); n == want {
			return
		}
	}
	n, _ := ask(t, a, query)
	t.Fatalf("%s has %d series after three minutes, want %d", query, n, want)
}

func TestScrapedSeriesAreInTheStoreAndSurviveAReload(t *testing.T) {
	exporter := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		fmt.Fprint(w, "# TYPE host_load1 gauge\nhost_load1 99\n# TYPE app_requests counter\napp_requests 7\n")
	}))
	defer exporter.Close()
	data, web, target := t.TempDir(), testport.Free(t), exporter.Listener.Addr().String()
	const text = "data: %s\nlisten: %s\nroute: {mode: shadow}\ncollect:\n  statsd: off\n  scrape:\n    jobs:\n    - {job_name: app, scrape_interval: %s, scrape_timeout: 900ms, static_configs: [{targets: ['%s']}]}\n"
	a, end := run(t, parsed(t, text, data, web, "1s", target))
	defer end()
	awaitQuery(t, a, `up{job="app"} == 1`, 1)
	awaitQuery(t, a, `app_requests{job="app",instance="`+target+`"} == 7`, 1)
	awaitQuery(t, a, `host_load1{job="app"} == 99`, 1)
	if n, _ := ask(t, a, `count_over_time(up{job="app",node=""}[1h])`); n != 0 {
		t.Error("a target on this node has no label node")
	}
	if err := a.Reload(t.Context(), parsed(t, text, data, web, "2s", target), nil); err != nil {
		t.Fatal(err)
	}
	if n, _ := ask(t, a, `up{job="app"}`); n != 1 {
		t.Errorf("right after a reload of its job %d series of up stand, want 1", n)
	}
	exporter.Close()
	awaitQuery(t, a, `up{job="app"} == 0`, 1)
	awaitQuery(t, a, `app_requests{job="app"}`, 0)
}
