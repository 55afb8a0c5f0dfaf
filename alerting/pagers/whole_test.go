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
	"os"
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
	case "429 in":
		resp, err := answer(http.StatusTooManyRequests, "application/json", `{"message":"slow down"}`)
		resp.Header.Set("Retry-After", "7")
		return resp, err
	case "cut":
		return answer(http.StatusAccepted, "application/json", `{"result":"Request will be pro`)
	case "elsewhere":
		resp, err := answer(http.StatusFound, "text/html", "")
		resp.Header.Set("Location", "http://login.example/")
		return resp, err
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
// random for ten minutes, while the agent is killed at random. Each incident is opened once and closed once, also at the pager that
// is sent copies.
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
	if err := yaml.Unmarshal([]byte("pagers: {ops: {opsgenie: {api_key: k}}, copy: {opsgenie: {api_key: k, api_url: http://copy}}}\nroutes: [{to: [ops, copy]}]\ndefault: ops\n"), &cfg); err != nil {
		t.Fatal(err)
	}
	both := services{newOpsgenie(), newOpsgenie()}
	folder := t.TempDir()
	var end func()
	var d *dispatch.Dispatcher
	start := func() {
		out, err := pagers.New(cfg, pagers.Options{BoardURL: "http://board", Transport: both, Folder: folder})
		if err != nil {
			t.Fatal(err)
		}
		set := alerting.DefaultSettings()
		if set.RouteTo, err = cfg.RouteOf(); err != nil {
			t.Fatal(err)
		}
		d, err = dispatch.New(dispatch.DefaultConfig(), dispatch.Options{
			Router: router.New(set), Pager: out, Node: "n1", Runbooks: "http://board/runbooks/", Log: slog.New(slog.DiscardHandler),
			Ledger: func() (ledger.Ledger, error) { return ledger.Open(path, ledger.Options{}) },
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		run := d
		go func() { done <- run.Run(ctx) }()
		end = func() { // as if it were killed: what is on the disk now is what the next one finds
			left := readAll(t, folder)
			defer func() { writeAll(t, folder, left) }()
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
	modes := []string{"", "", "429", "429 in", "500", "stall", "stall after", "lost", "page", "cut", "elsewhere"}
	for from := time.Now(); time.Since(from) < 10*time.Minute; {
		both.behave(func() string { return modes[dice.IntN(len(modes))] })
		repeat(d)
		time.Sleep(time.Duration(5+dice.IntN(40)) * time.Second)
		if dice.IntN(3) == 0 {
			end()
			start()
		}
	}
	both.behave(func() string { return "" })
	for range 5 {
		repeat(d)
		time.Sleep(time.Minute)
	}
	before := both.check(t, true)
	both.behave(func() string { return modes[2+dice.IntN(len(modes)-2)] }) // the ends meet trouble too
	over := func() {
		for _, a := range alarms {
			if err := d.Put(t.Context(), alerting.Ended{Fingerprint: a.Fingerprint()}); err != nil {
				t.Fatal(err)
			}
		}
	}
	over()
	time.Sleep(3 * time.Minute)
	end()
	start()
	over() // senders repeat it
	time.Sleep(time.Minute)
	both.behave(func() string { return "" })
	time.Sleep(15 * time.Minute)
	synctest.Wait()
	end()
	if after := both.check(t, false); after != before {
		t.Errorf("%d incidents after the ends, %d before", after, before)
	}
}

func newOpsgenie() *opsgenie {
	return &opsgenie{open: map[string]bool{}, opened: map[string]int{}, closed: map[string]int{}}
}

// services are the first of a route, and the one that is sent copies.
type services [2]*opsgenie

// RoundTrip implements http.RoundTripper.
func (s services) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Host == "copy" {
		return s[1].RoundTrip(r)
	}
	return s[0].RoundTrip(r)
}

func (s services) behave(mode func() string) {
	for _, o := range s {
		o.mu.Lock()
		o.mode = mode()
		o.mu.Unlock()
	}
}

// check holds each incident to have been opened once, and to be open or closed once; it returns how many there were.
func (s services) check(t *testing.T, open bool) (n int) {
	for i, o := range s {
		o.mu.Lock()
		defer o.mu.Unlock()
		if len(o.opened) == 0 {
			t.Errorf("service %d: no incident was opened", i)
		}
		n += len(o.opened)
		for alias, times := range o.opened {
			closed := 1
			if open {
				closed = 0
			}
			if times != 1 || o.closed[alias] != closed || o.open[alias] != open {
				t.Errorf("service %d: %s was opened %d times, closed %d times, is open: %v; want once, %d, %v", i, alias, times, o.closed[alias], o.open[alias], closed, open)
			}
		}
	}
	return n
}

func readAll(t *testing.T, folder string) map[string][]byte {
	out := map[string][]byte{}
	list, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range list {
		if out[f.Name()], err = os.ReadFile(filepath.Join(folder, f.Name())); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func writeAll(t *testing.T, folder string, files map[string][]byte) {
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(folder, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
