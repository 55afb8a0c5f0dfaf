package intake

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/alertmanager/api/v2/models"

	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/alertingtest"
)

// clusterRouter is a router that may judge clusters.
type clusterRouter struct {
	mu     sync.Mutex
	away   bool
	judges bool
	facts  []FactsPost
	alarms map[string]int // posts of each that fired, by rule
}

func (c *clusterRouter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.away {
		http.Error(w, "away", http.StatusBadGateway)
		return
	}
	w.Header().Set(headerRouter, "v")
	switch r.URL.Path {
	case PathFacts:
		var p FactsPost
		if err := json.NewDecoder(r.Body).Decode(&p); err != nil || !c.judges {
			http.NotFound(w, r)
			return
		}
		c.facts = append(c.facts, p)
		w.WriteHeader(http.StatusNoContent)
	default:
		var batch models.PostableAlerts
		_ = json.NewDecoder(r.Body).Decode(&batch)
		for _, a := range batch {
			if time.Time(a.EndsAt).After(time.Now()) {
				c.alarms[a.Labels["alertname"]]++
			}
		}
	}
}

func (c *clusterRouter) set(f func(*clusterRouter)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f(c)
}

func (c *clusterRouter) posts(rule string) (n int) {
	c.set(func(c *clusterRouter) { n = c.alarms[rule]; clear(c.alarms) })
	return n
}

// TestWhoJudgesACluster: the routers that take facts do; without one, or with routers of before, the node does.
func TestWhoJudgesACluster(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		router := &clusterRouter{judges: true, alarms: map[string]int{}}
		rt, stop := alertingtest.Pipe(router)
		defer stop()
		c := NewClient(ClientOptions{
			Routers: []string{"http://router"}, Beat: 20 * time.Second, Transport: rt, Node: "n1",
			Facts:   func() []Figure { return []Figure{{"riak_listening", map[string]string{"node": "n1"}, 1}} },
			OfFleet: func(a alerting.Alarm) bool { return a.Rule() == "RiakQuorumAtRisk" },
		})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- c.Run(ctx) }()
		synctest.Wait()
		for _, rule := range []string{"RiakQuorumAtRisk", "RiakDiskFull"} {
			if err := c.Put(ctx, alerting.Firing{Alarm: alerting.Alarm{Labels: map[string]string{"alertname": rule}, StartsAt: time.Now()}}); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(2*time.Minute + time.Second)
		synctest.Wait()
		router.set(func(r *clusterRouter) {
			if n := len(r.facts); n < 24 || r.facts[0].Node != "n1" || r.facts[0].Every != factsEvery || len(r.facts[0].Facts) != 1 {
				t.Errorf("%d posts of facts in 2 min, the first %+v", n, r.facts)
			}
			if r.alarms["RiakQuorumAtRisk"] != 0 || r.alarms["RiakDiskFull"] < 2 {
				t.Errorf("the router judges: posts %v; want the alarm of the node's disk alone", r.alarms)
			}
		})
		router.set(func(r *clusterRouter) { r.judges = false })
		time.Sleep(3 * time.Minute)
		synctest.Wait()
		if n := router.posts("RiakQuorumAtRisk"); n == 0 {
			t.Error("the router takes no facts any more, and the node does not judge")
		}
		router.set(func(r *clusterRouter) { r.judges = true })
		time.Sleep(time.Minute)
		router.posts("")
		time.Sleep(3 * time.Minute)
		synctest.Wait()
		if n := router.posts("RiakQuorumAtRisk"); n != 0 {
			t.Errorf("%d posts of the node's judgement while the router takes facts", n)
		}
		router.set(func(r *clusterRouter) { r.away = true })
		time.Sleep(90 * time.Second)
		if a, ok := c.Worst(); !ok || c.Unreachable() < time.Minute || a.Rule() == "" {
			t.Errorf("no router: the worst is %v, %v", a, ok)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestFactsAreChecked(t *testing.T) {
	var got []FactsPost
	full := New(Options{Facts: func(_ context.Context, p FactsPost) error { got = append(got, p); return nil }})
	none := New(Options{})
	taken := New(Options{Facts: func(context.Context, FactsPost) error { return ErrOtherNode }})
	fact := func(node string) string { return fmt.Sprintf(`{"n":"riak_listening","l":{"node":%q},"v":1}`, node) }
	for name, tc := range map[string]struct {
		in   *Intake
		body string
		want int
	}{
		"good":               {full, `{"node":"n1","every":5000000000,"facts":[` + fact("n1") + `]}`, 204},
		"none any more":      {full, `{"node":"n1","every":5000000000,"facts":[]}`, 204},
		"of another node":    {full, `{"node":"n1","every":5000000000,"facts":[` + fact("n2") + `]}`, 400},
		"without a node":     {full, `{"every":5000000000,"facts":[]}`, 400},
		"without a name":     {full, `{"node":"n1","every":5000000000,"facts":[{"l":{"node":"n1"}}]}`, 400},
		"every nanosecond":   {full, `{"node":"n1","every":5,"facts":[]}`, 400},
		"too many":           {full, `{"node":"n1","every":5000000000,"facts":[` + strings.TrimSuffix(strings.Repeat(fact("n1")+",", maxFacts+1), ",") + `]}`, 400},
		"no JSON":            {full, `node`, 400},
		"of two logins":      {taken, `{"node":"n1","every":5000000000,"facts":[` + fact("n1") + `]}`, 409},
		"it judges no fleet": {none, `{"node":"n1","every":5000000000,"facts":[]}`, 404},
	} {
		t.Run(name, func(t *testing.T) {
			mux := http.NewServeMux()
			tc.in.Register(mux)
			w := httptest.NewRecorder()
			mux.ServeHTTP(w, httptest.NewRequest(http.MethodPost, PathFacts, strings.NewReader(tc.body)))
			if w.Code != tc.want || w.Header().Get(headerRouter) == "" {
				t.Errorf("%d %s; want %d from a router", w.Code, w.Body, tc.want)
			}
		})
	}
	if len(got) != 2 {
		t.Errorf("%d posts were taken; want 2", len(got))
	}
}
