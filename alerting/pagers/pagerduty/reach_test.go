package pagerduty

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/navcloud/binnacle/agent/secret"
	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/alertingtest"
)

// A name server that is gone does not keep a page from its pager, nor does one that hangs.
func TestTheLastAddressIsKept(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	r := newReach(3 * time.Second)
	r.wait = 10 * time.Millisecond
	answer := func(context.Context, string) ([]netip.Addr, error) {
		return []netip.Addr{netip.MustParseAddr("::ffff:127.0.0.1")}, nil
	}
	gone := func(context.Context, string) ([]netip.Addr, error) { return nil, errors.New("no such host") }
	hangs := func(ctx context.Context, _ string) ([]netip.Addr, error) { <-ctx.Done(); return nil, ctx.Err() }
	for _, tc := range []struct {
		name    string
		resolve func(context.Context, string) ([]netip.Addr, error)
		ok      bool
	}{
		{"before it was ever resolved", gone, false},
		{"resolved", answer, true},
		{"the name server is gone", gone, true},
		{"the name server hangs", hangs, true},
	} {
		r.resolve = tc.resolve
		c, err := r.dial(t.Context(), "tcp", net.JoinHostPort("events.example", port))
		if (err == nil) != tc.ok {
			t.Errorf("%s: %v; want ok %v", tc.name, err, tc.ok)
		}
		if err == nil {
			if len(r.open) != 1 {
				t.Errorf("%s: open %v; want one", tc.name, r.open)
			}
			_ = c.Close()
			_ = c.Close()
		}
	}
	if len(r.open) != 0 {
		t.Errorf("open at the end: %v; want none", r.open)
	}
}

func TestADescriptorIsKept(t *testing.T) {
	r := newReach(time.Second)
	if !r.give() || r.give() {
		t.Error("want one descriptor, once")
	}
	r.keep()
	if !r.give() {
		t.Error("want it again after a connection closed")
	}
}

// The connection is opened before it is needed, and not more often than it closes.
func TestTheConnectionIsKeptWarm(t *testing.T) {
	var asked []string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Method+" "+r.URL.Path)
		if r.Method == http.MethodPost {
			w.WriteHeader(http.StatusAccepted)
			_, _ = w.Write([]byte(`{"status":"success"}`))
		}
	}))
	defer srv.Close()
	cfg := DefaultConfig()
	cfg.RoutingKey, cfg.EventsURL = secret.New(alertingtest.RoutingKey), srv.URL
	c, err := New(cfg, Options{})
	if err != nil {
		t.Fatal(err)
	}
	c.Warm(t.Context())
	c.Warm(t.Context())
	if r := c.Send(t.Context(), action(alerting.Trigger, "k", alerting.P1)); r.Outcome != alerting.Accepted {
		t.Errorf("Send = %+v", r)
	}
	if got := strings.Join(asked, ", "); got != "HEAD /, POST /v2/enqueue" {
		t.Errorf("asked %q; want one HEAD, and the event on its connection", got)
	}
	if !c.reach.opened(strings.TrimPrefix(srv.URL, "http://")) {
		t.Errorf("connections %v; want one", c.reach.open)
	}
}
