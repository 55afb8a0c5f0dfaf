package rabbitmq

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/tools/txtar"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/agent/secret"
	"github.com/navcloud/binnacle/collectors"
	"github.com/navcloud/binnacle/collectors/collectorstest/fixture"
)

// guarded is a prometheus plugin that wants a login (prometheus.authentication.enabled), beside an API that does so too.
type guarded struct {
	user, password string

	mu   sync.Mutex
	seen map[string][]bool // whether requests of a path carried a login
}

func (g *guarded) RoundTrip(r *http.Request) (*http.Response, error) {
	user, password, ok := r.BasicAuth()
	g.mu.Lock()
	g.seen[r.URL.Path] = append(g.seen[r.URL.Path], ok)
	g.mu.Unlock()
	status, body := http.StatusUnauthorized, `{"error":"not_authorized","reason":"Login failed"}`
	if user == g.user && password == g.password {
		status, body = http.StatusOK, `{"status":"ok"}`
		if r.URL.Path == "/metrics" {
			body = "rabbitmq_connections 2\n"
		}
	}
	return &http.Response{StatusCode: status, Request: r, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader([]byte(body)))}, nil
}

func TestMetricsThatWantALogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for password, want := range map[string]float64{"right": 2, "wrong": 0} {
			g := &guarded{user: "monitor", password: "right", seen: map[string][]bool{}}
			opt := defaultOptions
			opt.User, opt.Password = "monitor", secret.New(password)
			c, err := newCollector(collectors.Env{Options: opt, Root: collectors.Root(t.TempDir()), HTTP: g, Dial: fixture.DialNothing, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Fatal(err)
			}
			told, states := map[string]float64{}, map[string]string{}
			for range 4 {
				b := &metric.Batch{Time: time.Now()}
				_ = c.Collect(t.Context(), b)
				for _, s := range b.Samples {
					told[s.Desc.Name] = s.Value
				}
				time.Sleep(time.Minute)
			}
			for _, s := range c.(*collector).Checks() {
				if s.Blind(time.Now()) {
					states[s.Name] = s.Reason
				}
			}
			if told["rabbitmq_connections"] != want || (states["metrics"] == "auth") != (password == "wrong") {
				t.Errorf("password %s: %v connections, blind to %v", password, told["rabbitmq_connections"], states)
			}
			if logins := g.seen["/metrics"]; logins[0] || !logins[1] {
				t.Errorf("password %s: logins to /metrics %v, want one only after it was asked for", password, logins)
			}
		}
	})
}

func TestAnotherHostsAnswersAreNoHealth(t *testing.T) {
	for _, body := range []string{"<html>busy</html>", `{"status":"ok"}`, `{}`, `[]`, `{"error":"x"}`} {
		h := fixture.HTTP{"api/health/checks/node-is-quorum-critical": {Status: 503, Body: []byte(body)}}
		opt := defaultOptions
		opt.User = "monitor"
		c, err := newCollector(collectors.Env{Options: opt, Root: collectors.Root(t.TempDir()), HTTP: h, Dial: fixture.DialNothing, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		critical := false
		if keep, err := c.(*collector).askCheck("node-is-quorum-critical", &critical)(t.Context()); err == nil || keep != nil {
			t.Errorf("a 503 with %s is taken for the broker's word", body)
		}
	}
}

func TestAnswersOfAnotherKindAreErrorsAndOddFieldsAreAbsent(t *testing.T) {
	r := &collector{}
	var nodes []nodeInfo
	for _, bad := range []string{`{"error":"x"}`, `"x"`, `null`, `3`, `{}`} {
		if err := r.decode(strings.NewReader(bad), &nodes); err == nil {
			t.Errorf("%s is taken for a list", bad)
		}
	}
	if err := r.decode(strings.NewReader(`[[],{"name":"rabbit@a","running":"undefined","partitions":{}},{"name":"rabbit@b","running":true}]`), &nodes); err != nil {
		t.Fatal(err)
	}
	if len(nodes) != 3 || nodes[1].Name != "rabbit@a" || nodes[1].Running.at != nil || !nodes[2].runs() {
		t.Errorf("%+v", nodes)
	}
	var o overviewInfo
	if err := r.decode(strings.NewReader(`{"node":"rabbit@a","object_totals":[],"statistics_db_event_queue":"undefined"}`), &o); err != nil || o.Node != "rabbit@a" || o.Lag.at != nil {
		t.Errorf("%+v, %v", o, err)
	}
	if err := r.decode(strings.NewReader(`[{"node":"x"}]`), &o); err == nil {
		t.Error("a list is taken for an object")
	}
}

func TestWhatAVersionDoesNotTellIsSaid(t *testing.T) {
	text, err := os.ReadFile("testdata/rabbitmq-four.txtar")
	if err != nil {
		t.Fatal(err)
	}
	c, env := fixture.New(t, Spec, t.TempDir(), txtar.Parse(text))
	if _, err := fixture.CollectOnce(Spec, c, env); err != nil {
		t.Fatal(err)
	}
	hidden := strings.Join(c.(collectors.Hider).Hidden(), "\n")
	if !strings.Contains(hidden, "version 4.0.2") || !strings.Contains(hidden, "rabbitmq_raft_term_total") || strings.Contains(hidden, "rabbitmq_connections,") {
		t.Errorf("hidden: %s", hidden)
	}
}
