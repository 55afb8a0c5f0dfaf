package pagers_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/dispatch"
	"github.com/navcloud/binnacle/alerting/ledger"
	"github.com/navcloud/binnacle/alerting/pagers"
	"github.com/navcloud/binnacle/alerting/router"
)

// opsgenie stands in for a service that knows alerts by their alias, and misbehaves as told. It is no server, so that time in a
// bubble goes on.
type opsgenie struct {
	mu     sync.Mutex
	mode   string
	open   map[string]bool
	opened map[string]int // how often an alias became an open alert
	closed map[string]int
}

// RoundTrip implements http.RoundTripper.
func (o *opsgenie) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	o.mu.Lock()
	mode := o.mode
	if mode == "" || mode == "lost" || mode == "stall after" {
		o.take(r, body)
	}
	o.mu.Unlock()
	answer := func(status int, kind, text string) (*http.Response, error) {
		return &http.Response{
			StatusCode: status, Status: http.StatusText(status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
			Header: http.Header{"Content-Type": {kind}}, Body: io.NopCloser(bytes.NewReader([]byte(text))), Request: r,
		}, nil
	}
	switch mode {
	case "429":
		return answer(http.StatusTooManyRequests, "application/json", `{"message":"slow down"}`)
	case "500":
		return answer(http.StatusInternalServerError, "text/plain", "broken")
	case "page":
		return answer(http.StatusOK, "text/html", "<html>log in</html>")
	case "lost":
		return nil, errors.New("connection reset by peer")
	case "stall", "stall after":
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	return answer(http.StatusAccepted, "application/json", `{"result":"Request will be processed","requestId":"1"}`)
}

func (o *opsgenie) take(r *http.Request, body []byte) {
	if alias, ok := strings.CutSuffix(strings.TrimPrefix(r.URL.Path, "/v2/alerts/"), "/close"); ok {
		if o.open[alias] {
			o.open[alias] = false
			o.closed[alias]++
		}
		return
	}
	var m struct{ Alias string }
	if r.Method == http.MethodPost && r.URL.Path == "/v2/alerts" && json.Unmarshal(body, &m) == nil && m.Alias != "" && !o.open[m.Alias] {
		o.open[m.Alias] = true
		o.opened[m.Alias]++
	}
}

// TestNothingIsLostOrDoubledThroughAnyPager plays a router, its dispatcher and its ledger against a service that misbehaves at
// random for ten minutes, while the agent restarts at random. Each incident is opened once and closed once.
func TestNothingIsLostOrDoubledThroughAnyPager(t *testing.T) {
	for seed := range uint64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "ledger.db")
			synctest.Test(t, func(t *testing.T) { misbehave(t, path, rand.New(rand.NewPCG(seed, 1))) })
		})
	}
}

func misbehave(t *testing.T, path string, dice *rand.Rand) {
	var cfg pagers.Config
	if err := yaml.Unmarshal([]byte("pagers: {ops: {opsgenie: {api_key: k}}}\ndefault: ops\n"), &cfg); err != nil {
		t.Fatal(err)
	}
	s := &opsgenie{open: map[string]bool{}, opened: map[string]int{}, closed: map[string]int{}}
	var end func()
	var d *dispatch.Dispatcher
	start := func() {
		out, err := pagers.New(cfg, pagers.Options{BoardURL: "http://board", Transport: s})
		if err != nil {
			t.Fatal(err)
		}
		d, err = dispatch.New(dispatch.DefaultConfig(), dispatch.Options{
			Router: router.New(alerting.DefaultSettings()), Pager: out, Node: "n1", Runbooks: "http://board/runbooks/", Log: slog.New(slog.DiscardHandler),
			Ledger: func() (ledger.Ledger, error) { return ledger.Open(path, ledger.Options{}) },
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		run := d
		go func() { done <- run.Run(ctx) }()
		end = func() {
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
			out.Close(nil)
		}
	}
	start()
	var alarms []alerting.Alarm
	for n, of := range []string{"api", "billing", "search"} {
		alarms = append(alarms, alerting.Alarm{StartsAt: time.Now(), Annotations: map[string]string{"summary": of + " fails"}, Labels: map[string]string{
			"alertname": of + "Failing", "severity": "critical", "kind": "symptom", "layer": "symptom", "service": of, "entity": "service:" + of, "impact": "users", "cluster": fmt.Sprint(n),
		}})
	}
	repeat := func(d *dispatch.Dispatcher) {
		for _, a := range alarms {
			if err := d.Put(t.Context(), alerting.Firing{Alarm: a}); err != nil {
				t.Fatal(err)
			}
		}
	}
	modes := []string{"", "", "429", "500", "stall", "stall after", "lost", "page"}
	for from := time.Now(); time.Since(from) < 10*time.Minute; {
		s.mu.Lock()
		s.mode = modes[dice.IntN(len(modes))]
		s.mu.Unlock()
		repeat(d)
		time.Sleep(time.Duration(5+dice.IntN(40)) * time.Second)
		if dice.IntN(3) == 0 {
			end()
			start()
		}
	}
	s.mu.Lock()
	s.mode = ""
	s.mu.Unlock()
	for range 5 {
		repeat(d)
		time.Sleep(time.Minute)
	}
	s.mu.Lock()
	t.Logf("%d incidents", len(s.opened))
	if len(s.opened) == 0 {
		t.Error("no incident was opened")
	}
	for alias, n := range s.opened {
		if n != 1 || !s.open[alias] {
			t.Errorf("%s was opened %d times, is open: %v; want once, and open", alias, n, s.open[alias])
		}
	}
	before := len(s.opened)
	s.mode = modes[2+dice.IntN(len(modes)-2)] // the ends meet trouble too
	s.mu.Unlock()
	for _, a := range alarms {
		if err := d.Put(t.Context(), alerting.Ended{Fingerprint: a.Fingerprint()}); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(3 * time.Minute)
	s.mu.Lock()
	s.mode = ""
	s.mu.Unlock()
	time.Sleep(15 * time.Minute)
	synctest.Wait()
	end()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.opened) != before {
		t.Errorf("%d incidents after the ends, %d before", len(s.opened), before)
	}
	for alias := range s.opened {
		if s.closed[alias] != 1 || s.open[alias] {
			t.Errorf("%s was closed %d times, is open: %v; want once, and closed", alias, s.closed[alias], s.open[alias])
		}
	}
}
