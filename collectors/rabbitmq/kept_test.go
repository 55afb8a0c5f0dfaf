package rabbitmq

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/collectors"
	"github.com/navcloud/binnacle/collectors/collectorstest/fixture"
)

// standIn is a broker n1 whose lists a test changes.
type standIn struct {
	t       *testing.T
	state   string
	cluster string
	nodes   []string
	vhosts  []string
	queues  []string // items of the list, as JSON
	uptime  time.Duration
	refuses bool          // whoever logs in
	forget  func()        // of the newest life
	named   func() string // the cluster, by the newest life
}

func (w *standIn) answers() fixture.HTTP {
	nodes := make([]string, 0, len(w.nodes))
	for _, n := range w.nodes {
		links := "" // those of n3 stay in the statistics for a while
		if n == "n1" {
			links = `{"name":"rabbit@n3","peer_addr":"10.0.0.3"}`
		}
		nodes = append(nodes, fmt.Sprintf(`{"name":"rabbit@%s","running":%v,"partitions":[],"cluster_links":[%s]}`, n, n == "n1", links))
	}
	vhosts := make([]string, 0, len(w.vhosts))
	for _, v := range w.vhosts {
		vhosts = append(vhosts, fmt.Sprintf(`{"name":%q}`, v))
	}
	body := func(s string) fixture.Answer { return fixture.Answer{Status: 200, Body: []byte(s)} }
	return fixture.HTTP{
		"metrics": body(fmt.Sprintf("rabbitmq_identity_info{rabbitmq_node=\"rabbit@n1\",rabbitmq_cluster=%q} 1\nrabbitmq_erlang_uptime_seconds %g\n",
			w.cluster, w.uptime.Seconds())),
		"api/health/checks/local-alarms":                          body(`{"status":"ok"}`),
		"api/nodes?columns=name,running,partitions,cluster_links": body("[" + strings.Join(nodes, ",") + "]"),
		"api/vhosts?columns=name":                                 body("[" + strings.Join(vhosts, ",") + "]"),
		"api/overview?columns=node,cluster_name,rabbitmq_version,statistics_db_event_queue,object_totals": body(
			fmt.Sprintf(`{"node":"rabbit@n1","cluster_name":%q,"rabbitmq_version":"3.10.8","object_totals":{"queues":%d}}`, w.cluster, len(w.queues))),
		"api/queues?page=1&page_size=500&columns=name,vhost,type,state,leader,online,members,slave_nodes,synchronised_slave_nodes,durable," +
			"auto_delete,exclusive,arguments,effective_policy_definition,messages,consumers": body(`{"page_count":1,"items":[` + strings.Join(w.queues, ",") + "]}"),
		"metrics/detailed?family=queue_coarse_metrics&family=queue_consumer_count": body(
			"rabbitmq_detailed_queue_messages_ready{vhost=\"shop\",queue=\"orders\"} 7\nrabbitmq_detailed_queue_consumers{vhost=\"shop\",queue=\"orders\"} 1\n"),
	}
}

// life is an agent's, from its start on.
func (w *standIn) life() func(d time.Duration) map[string]float64 {
	w.t.Helper()
	opt := defaultOptions
	opt.User = "monitor"
	tr := changing{w}
	c, err := newCollector(collectors.Env{
		Options: opt, Root: collectors.Root(w.t.TempDir()), State: w.state, HTTP: tr, Dial: fixture.DialNothing, Now: time.Now, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.forget = c.(*collector).Forget
	w.named = func() string { return c.(*collector).seen.cluster }
	return func(d time.Duration) map[string]float64 {
		w.t.Helper()
		got := map[string]float64{}
		for end := time.Now().Add(d); ; {
			b := &metric.Batch{Time: time.Now()}
			var blind *collectors.BlindError
			if err := c.Collect(w.t.Context(), b); err != nil && !errors.As(err, &blind) {
				w.t.Fatal(err)
			}
			clear(got)
			for _, s := range b.Samples {
				got[s.Desc.Name+s.Labels.With("cluster", "").String()] = s.Value
			}
			if !time.Now().Before(end) {
				return got
			}
			time.Sleep(20 * time.Second)
			w.uptime += 20 * time.Second
		}
	}
}

// changing answers as things stand now.
type changing struct{ w *standIn }

func (c changing) RoundTrip(r *http.Request) (*http.Response, error) {
	if c.w.refuses && strings.HasPrefix(r.URL.Path, "/api/") {
		refusal := fixture.Answer{Status: http.StatusUnauthorized, Body: []byte(`{"error":"not_authorised","reason":"Login failed"}`)}
		return fixture.HTTP{strings.TrimPrefix(r.URL.RequestURI(), "/"): refusal}.RoundTrip(r)
	}
	return c.w.answers().RoundTrip(r)
}

const (
	orders = `{"vhost":"shop","name":"orders","type":"classic","state":"running","durable":true,"auto_delete":false,"exclusive":false,"arguments":{},"messages":7,"consumers":1}`
	reply  = `{"vhost":"shop","name":"reply-1","type":"classic","state":"running","durable":false,"auto_delete":true,"exclusive":true,"arguments":{},"messages":0,"consumers":1}`
	lease  = `{"vhost":"shop","name":"lease","type":"classic","state":"running","durable":true,"auto_delete":false,"exclusive":false,"arguments":{"x-expires":60000},"messages":3,"consumers":1}`
	policy = `{"vhost":"shop","name":"short","type":"classic","state":"running","durable":true,"auto_delete":false,"exclusive":false,"arguments":{},"effective_policy_definition":{"expires":60000},"messages":3,"consumers":1}`
	idle   = `{"vhost":"shop","name":"idle","type":"classic","state":"running","durable":true,"auto_delete":false,"exclusive":false,"arguments":{},"messages":0,"consumers":0}`
)

// TestWhatStoodInTheBrokerIsMissed: after a loss of power broker and agent come back, and what was there is not.
func TestWhatStoodInTheBrokerIsMissed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &standIn{
			t: t, state: filepath.Join(t.TempDir(), "collectors"), cluster: "events", nodes: []string{"n1", "n2", "n3"},
			vhosts: []string{"/", "shop"}, queues: []string{orders, reply, lease, policy, idle}, uptime: time.Hour,
		}
		look := w.life()
		look(50 * time.Minute)
		w.queues = append(w.queues, strings.ReplaceAll(orders, `"orders"`, `"job-17"`))
		look(20 * time.Minute)
		w.queues = w.queues[:5] // the job is done
		got := look(time.Minute)
		if got[`rabbitmq_queues_missing{}`] != 0 || got[`rabbitmq_queues_kept{}`] != 1 || got[`rabbitmq_vhost_present{vhost="shop"}`] != 1 {
			t.Errorf("healthy: %v", got)
		}

		w.queues, w.uptime = []string{idle}, time.Minute
		look = w.life()
		got = look(time.Minute)
		if got[`rabbitmq_queues_missing{}`] != 1 || got[`rabbitmq_queue_missing{queue="orders",vhost="shop"}`] != 1 {
			t.Errorf("orders is gone after a restart of all: %v", got)
		}
		w.vhosts, w.queues = []string{"/"}, nil
		got = look(time.Minute)
		if v, ok := got[`rabbitmq_vhost_present{vhost="shop"}`]; !ok || v != 0 || got[`rabbitmq_queues_missing{}`] != 0 {
			t.Errorf("the vhost is gone, which says all of its queues: %v", got)
		}
		got = look(25 * time.Hour)
		if _, told := got[`rabbitmq_queue_missing{queue="orders",vhost="shop"}`]; told || got[`rabbitmq_queues_kept{}`] != 0 {
			t.Errorf("a day later: %v", got)
		}
	})
}

// TestWhoIsNotListedHasLeftOrIsMissed: members that the cluster lists no more have left it; whom a node does not know any more
// that came back as a cluster of its own is missed.
func TestWhoIsNotListedHasLeftOrIsMissed(t *testing.T) {
	const expected, unlisted = `rabbitmq_cluster_nodes_expected{}`, `rabbitmq_peers_unlisted{}`
	for name, tc := range map[string]struct {
		change             func(w *standIn)
		restart            bool
		expected, unlisted float64
	}{
		"forget_cluster_node n3":                       {func(w *standIn) { w.nodes = []string{"n1", "n2"} }, false, 2, 0},
		"n2 and n3 forgotten":                          {func(w *standIn) { w.nodes = []string{"n1"} }, false, 1, 0},
		"n3 was replaced while n1 was away":            {func(w *standIn) { w.nodes = []string{"n1", "n2", "n4"} }, true, 3, 0},
		"back with an empty disk":                      {func(w *standIn) { w.nodes = []string{"n1"} }, true, 3, 2},
		"back with an empty disk and another's name":   {func(w *standIn) { w.nodes, w.cluster = []string{"n1"}, "rabbit@n1" }, true, 3, 2},
		"forgotten while the agent was away":           {func(w *standIn) { w.nodes, w.uptime = []string{"n1"}, 10*time.Hour }, true, 1, 0},
		"n2 and n3 are down":                           {func(*standIn) {}, true, 3, 0},
		"renamed while the agent was away, n3 is gone": {func(w *standIn) { w.nodes, w.cluster = []string{"n1", "n2"}, "other" }, true, 2, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &standIn{t: t, state: filepath.Join(t.TempDir(), "collectors"), cluster: "events", nodes: []string{"n1", "n2", "n3"}, uptime: time.Hour}
				look := w.life()
				if got := look(2 * time.Minute); got[expected] != 3 || got[unlisted] != 0 {
					t.Fatalf("healthy: %v", got)
				}
				tc.change(w)
				if tc.restart {
					time.Sleep(2 * time.Minute) // no power
					if w.uptime < 10*time.Hour {
						w.uptime = 10 * time.Second
					}
					look = w.life()
				}
				if got := look(2 * time.Hour); got[expected] != tc.expected || got[unlisted] != tc.unlisted {
					t.Errorf("expected %v, unlisted %v; want %v and %v", got[expected], got[unlisted], tc.expected, tc.unlisted)
				}
			})
		})
	}
}

// TestABlankBrokerKeepsTheNameOfItsCluster: without its disk it knows no user, lists nothing, and calls itself a cluster of its own.
func TestABlankBrokerKeepsTheNameOfItsCluster(t *testing.T) {
	for name, tc := range map[string]struct {
		blank bool
		want  string
	}{
		"back with an empty disk":               {true, "events"},
		"renamed, and the password was changed": {false, "other"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &standIn{t: t, state: filepath.Join(t.TempDir(), "collectors"), cluster: "events", nodes: []string{"n1", "n2", "n3"}, uptime: time.Hour}
				look := w.life()
				look(2 * time.Minute)
				w.refuses, w.cluster = true, "other"
				if tc.blank {
					time.Sleep(2 * time.Minute)
					w.uptime = 10 * time.Second
				}
				got := look(2 * time.Minute)
				if w.named() != tc.want || got[`rabbitmq_cluster_nodes_expected{}`] != 3 {
					t.Errorf("the cluster is %q of %v; want %q of 3", w.named(), got[`rabbitmq_cluster_nodes_expected{}`], tc.want)
				}
			})
		})
	}
}

// TestForgetEndsThatSomethingIsMissed: what stands is watched on.
func TestForgetEndsThatSomethingIsMissed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &standIn{
			t: t, state: filepath.Join(t.TempDir(), "collectors"), cluster: "events", nodes: []string{"n1", "n2"},
			vhosts: []string{"/", "shop"}, queues: []string{orders}, uptime: time.Hour,
		}
		look := w.life()
		look(61 * time.Minute)
		time.Sleep(2 * time.Minute) // no power
		w.nodes, w.vhosts, w.queues, w.uptime = []string{"n1"}, []string{"/"}, nil, time.Minute
		look = w.life()
		if got := look(time.Minute); got[`rabbitmq_peers_unlisted{}`] != 1 || got[`rabbitmq_cluster_nodes_expected{}`] != 2 {
			t.Fatalf("before: %v", got)
		}
		w.forget()
		got := look(time.Minute)
		if v, told := got[`rabbitmq_vhost_present{vhost="shop"}`]; told || got[`rabbitmq_peers_unlisted{}`] != 0 || got[`rabbitmq_cluster_nodes_expected{}`] != 1 {
			t.Errorf("after: vhost %v, %v", v, got)
		}
	})
}
