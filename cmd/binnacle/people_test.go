package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/navcloud/binnacle/agent/secret"
	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/alertingtest"
	"github.com/navcloud/binnacle/alerting/dispatch"
	"github.com/navcloud/binnacle/alerting/intake"
	"github.com/navcloud/binnacle/alerting/ledger"
	"github.com/navcloud/binnacle/alerting/pagers/pagerduty"
	"github.com/navcloud/binnacle/alerting/people"
	"github.com/navcloud/binnacle/alerting/router"
)

// Before anything runs: the same hours are shown everywhere.
func init() { time.Local = time.UTC }

// desk is a router with its intake, its ledger and a pager, and a terminal before it. Time is faked: it begins
// on 1 January 2000, and all commands speak to the one router there is.
type desk struct {
	t  *testing.T
	d  *dispatch.Dispatcher
	pd *alertingtest.PagerDuty
}

func atDesk(t *testing.T, mode dispatch.Mode, test func(t *testing.T, k *desk)) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	network := http.DefaultTransport
	defer func() { http.DefaultTransport = network }()
	t.Setenv("USER", "ann")
	t.Setenv("SUDO_USER", "")
	synctest.Test(t, func(t *testing.T) {
		pd := alertingtest.NewPagerDuty()
		defer pd.Close()
		cfg := pagerduty.DefaultConfig()
		cfg.RoutingKey, cfg.EventsURL = secret.New(alertingtest.RoutingKey), "http://pd"
		pager, err := pagerduty.New(cfg, pagerduty.Options{Transport: pd.Transport()})
		if err != nil {
			t.Fatal(err)
		}
		delivery := dispatch.DefaultConfig()
		delivery.Mode = mode
		d, err := dispatch.New(delivery, dispatch.Options{
			Router: router.New(alerting.DefaultSettings()), Pager: pager, Node: "n1",
			Ledger: func() (ledger.Ledger, error) { return ledger.Open(path, ledger.Options{}) },
		})
		if err != nil {
			t.Fatal(err)
		}
		mux := http.NewServeMux()
		d.Register(mux)
		intake.New(intake.Options{Put: d.Put, Config: intake.Config{Heartbeats: map[string]intake.HeartbeatConfig{"backup": {Every: 24 * time.Hour, ID: "6ba7b810-9dad-11d1-80b4-00c04fd430c8"}}}, Desk: &people.Desk{Router: d}, View: d.View}).Register(mux)
		way, stop := alertingtest.Pipe(mux)
		defer stop()
		http.DefaultTransport = way
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- d.Run(ctx) }()
		synctest.Wait() // until the ledger is open
		defer func() {
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}()
		test(t, &desk{t, d, pd})
	})
}

// tell fires alarms, and lets time pass.
func (k *desk) tell(after time.Duration, alarms ...alerting.Alarm) {
	k.t.Helper()
	for _, a := range alarms {
		if err := k.d.Put(k.t.Context(), alerting.Firing{Alarm: a}); err != nil {
			k.t.Fatal(err)
		}
	}
	time.Sleep(after)
	synctest.Wait()
}

// run is a command with its output and exit code.
func run(ctx context.Context, args ...string) (out string, code int) {
	var b bytes.Buffer
	root := newRoot()
	root.SetOut(&b)
	root.SetErr(&b)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if exit, ok := errors.AsType[exitError](err); ok {
		code = int(exit)
	} else if err != nil {
		return b.String() + err.Error(), 3
	}
	return b.String(), code
}

// want runs a command and looks for words in what it says.
func (k *desk) want(code int, command string, saying ...string) string {
	k.t.Helper()
	return wants(k.t, code, strings.Fields(command), saying...)
}

func wants(t *testing.T, code int, args []string, saying ...string) string {
	t.Helper()
	out, got := run(t.Context(), args...)
	if got != code {
		t.Errorf("%q exits %d, want %d:\n%s", args, got, code, out)
	}
	for _, w := range saying {
		if !strings.Contains(out, w) {
			t.Errorf("%q lacks %q:\n%s", args, w, out)
		}
	}
	return out
}

func failing() alerting.Alarm {
	return alerting.Alarm{
		Labels: map[string]string{
			"alertname": "StreamsFailing", "severity": "critical", "kind": "symptom", "layer": "symptom", "impact": "users",
			"service": "api", "entity": "service:api",
		},
		Annotations: map[string]string{"summary": "12 % of streams fail", "guidance": "look at the broker"},
		StartsAt:    time.Now(),
	}
}

func full() alerting.Alarm {
	return alerting.Alarm{
		Labels: map[string]string{
			"alertname": "DiskFull", "severity": "critical", "kind": "saturation", "layer": "node", "entity": "node:riak-3", "service": "riak",
		},
		Annotations: map[string]string{"summary": "the disk of riak-3 is full", "guidance": "free space"},
		StartsAt:    time.Now(),
	}
}

// teller keeps what was posted to it.
type teller struct {
	url    string
	bodies chan string
}

func newTeller(t *testing.T) teller {
	k := teller{bodies: make(chan string, 1)}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		k.bodies <- string(body)
		w.WriteHeader(http.StatusAccepted)
	}))
	t.Cleanup(s.Close)
	k.url = s.URL
	return k
}
