package rabbitmq

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/collectors"
	"github.com/navcloud/binnacle/collectors/collectorstest"
	"github.com/navcloud/binnacle/collectors/collectorstest/fixture"
)

// lines repeats a line, a long name put in, up to 20 MB.
func lines(format string) []byte {
	var b bytes.Buffer
	long := strings.Repeat("x", 1000)
	for i := 0; b.Len() < 20<<20; i++ {
		fmt.Fprintf(&b, format, fmt.Sprint(i, long))
	}
	return b.Bytes()
}

// TestRabbitmqEndpointsThatLie has one endpoint after the other hang, halve its answer, answer with something else
// or with 20 MB: the others are told as ever, and what the liar says is bounded.
func TestRabbitmqEndpointsThatLie(t *testing.T) {
	synctest.Test(t, endpointsThatLie) // so that what hangs, and 20 MB, take no time
}

func endpointsThatLie(t *testing.T) {
	const (
		nodes       = "api/nodes?columns=name,running,partitions,cluster_links"
		overview    = "api/overview?columns=node,cluster_name,rabbitmq_version,statistics_db_event_queue,object_totals"
		connections = "api/connections?page=1&page_size=500&columns=node,state,peer_host,user"
		queues      = "metrics/detailed?family=queue_coarse_metrics&family=queue_consumer_count"
		local       = "api/health/checks/local-alarms"
		vhosts      = "api/health/checks/virtual-hosts"
	)
	honest := map[string]string{
		"metrics": "rabbitmq_connections 2\nerlang_vm_dist_node_state{peer=\"rabbit@b\"} 3\n",
		nodes:     `[{"name":"rabbit@a","running":true},{"name":"rabbit@b","running":true}]`,
		overview:  `{"node":"rabbit@a","cluster_name":"c","statistics_db_event_queue":1}`, local: `{"status":"ok"}`,
		connections: `{"items":[{"node":"rabbit@a","state":"flow"}]}`,
		queues:      "rabbitmq_detailed_queue_messages_ready{vhost=\"/\",queue=\"q\"} 3\n",
		vhosts:      `{"status":"ok"}`,
	}
	tells := map[string]string{ // what each endpoint alone tells
		"metrics": "rabbitmq_connections{}", nodes: "rabbitmq_cluster_nodes_running{}", overview: "rabbitmq_statistics_lag{}",
		connections: `rabbitmq_connections_state{state="flow"}`, queues: "rabbitmq_queues_without_consumers{}",
		vhosts: "rabbitmq_vhosts_down{}",
	}
	big := map[string][]byte{
		"metrics": lines("erlang_vm_dist_node_state{peer=\"rabbit@%s\"} 3\n"),
		queues:    lines("rabbitmq_detailed_queue_messages_ready{vhost=\"/\",queue=\"q%s\"} 3\n"),
		nodes:     append(append([]byte("["), bytes.TrimSuffix(lines(`{"name":"rabbit@%s","running":true},`), []byte(","))...), ']'),
	}
	for liar := range tells {
		for _, lie := range []string{"hang", "half", "html", "20 MB"} {
			h := fixture.HTTP{}
			for url, body := range honest {
				h[url] = fixture.Answer{Status: http.StatusOK, Body: []byte(body)}
			}
			switch lie {
			case "hang":
				h[liar] = fixture.Answer{}
			case "half":
				h[liar] = fixture.Answer{Status: http.StatusOK, Body: []byte(honest[liar][:len(honest[liar])-4])}
			case "html":
				h[liar] = fixture.Answer{Status: http.StatusOK, Body: []byte("<html><body>It works!</body></html>")}
			case "20 MB":
				body, ok := big[liar]
				if !ok {
					body = lines("x%s")
				}
				h[liar] = fixture.Answer{Status: http.StatusOK, Body: body}
			}
			got := lookAtLiar(t, h)
			for url, series := range tells {
				_, ok := got[series]
				if url == liar && lie != "20 MB" && ok {
					t.Errorf("%s: %s: %s is told all the same", liar, lie, series)
				}
				if url != liar && !ok {
					t.Errorf("%s: %s: no %s from another endpoint", liar, lie, series)
				}
			}
			if len(got) > 2000 {
				t.Errorf("%s: %s: %d series", liar, lie, len(got))
			}
		}
	}
}

// lookAtLiar looks once at all, and wants that to end within the deadlines.
func lookAtLiar(t *testing.T, h fixture.HTTP) map[string]float64 {
	t.Helper()
	opt := defaultOptions
	opt.User, opt.Name, opt.Cluster = "monitor", "rabbit@a", "c"
	c, err := newCollector(collectors.Env{Options: opt, Root: collectors.Root(t.TempDir()), HTTP: h, Dial: fixture.DialNothing, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	b := &metric.Batch{Time: begin}
	_ = c.Collect(t.Context(), b) // it may say that it is blind
	if took := time.Since(begin); took > listDeadline+clusterDeadline {
		t.Errorf("a look took %s", took)
	}
	got := map[string]float64{}
	for _, s := range b.Samples {
		got[s.Desc.Name+s.Labels.With("cluster", "").String()] = s.Value
	}
	return got
}

// countingHTTP counts requests with credentials by path.
type countingHTTP struct {
	http.RoundTripper
	mu sync.Mutex
	n  map[string]int
}

func (c *countingHTTP) RoundTrip(r *http.Request) (*http.Response, error) {
	if _, _, ok := r.BasicAuth(); ok {
		c.mu.Lock()
		c.n[r.URL.Path]++
		c.mu.Unlock()
	}
	return c.RoundTripper.RoundTrip(r)
}

func TestRabbitmqWrongPasswordIsNoStorm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := collectorstest.NewRabbitMQInProcess()
		opt := defaultOptions
		config := strings.Replace(s.Config("n1"), "password: "+collectorstest.Password, "password: wrong", 1)
		if err := yaml.Unmarshal([]byte(config), &opt); err != nil {
			t.Fatal(err)
		}
		count := &countingHTTP{RoundTripper: s.Transport(), n: map[string]int{}}
		c, err := newCollector(collectors.Env{Options: opt, Root: collectors.Root(t.TempDir()), HTTP: count, Dial: s.Dial, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()
		_ = c.(collectors.Runner).Run(ctx)
		for path, n := range count.n {
			if n > 6 {
				t.Errorf("%s: asked %d times in 5 min, want once a minute", path, n)
			}
		}
		if len(count.n) < 5 {
			t.Errorf("asked for %v only", count.n)
		}
	})
}
