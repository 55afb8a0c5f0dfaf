package statsd

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/collectors"
	"github.com/navcloud/binnacle/collectors/sockets"
)

func newTestStatsD(t *testing.T, listen ...string) *collector {
	t.Helper()
	o := Spec.Options.(Config)
	o.Listen = listen
	if err := o.Validate(); err != nil {
		t.Fatal(err)
	}
	c, err := Spec.New(collectors.Env{Options: o, Now: time.Now, Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err != nil {
		t.Fatal(err)
	}
	sc := c.(*collector)
	t.Cleanup(func() { _ = sc.Close() })
	return sc
}

// figures sums the values of each name, with the reason, the listener or the tags as sent.
func figures(b *metric.Batch) map[string]float64 {
	out := map[string]float64{}
	for _, s := range b.Samples {
		v := s.Value
		if s.Hist != nil {
			v = s.Hist.Sum
		}
		out[s.Desc.Name+s.Labels.String()] += v
	}
	return out
}

// stop starts the collector with ctx ended already: it reads what waits in its sockets, no more.
func stop(t *testing.T, c *collector) *metric.Batch {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Run(ctx); err != nil {
		t.Fatalf("Run: %v", err)
	}
	b := &metric.Batch{Time: time.Now()}
	if err := c.Collect(t.Context(), b); err != nil {
		t.Fatalf("Collect: %v", err)
	}
	return b
}

func dial(t *testing.T, network, address string) net.Conn {
	t.Helper()
	c, err := net.Dial(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func send(t *testing.T, c net.Conn, packets ...string) {
	t.Helper()
	for _, p := range packets {
		if _, err := c.Write([]byte(p)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestStatsDOverUDPAndUnixReadsWhatWaitsWhenItStops(t *testing.T) {
	sock := filepath.Join(t.TempDir(), "s.sock")
	c := newTestStatsD(t, "udp://127.0.0.1:0?readers=2", "unixgram://"+sock+"?mode=0622")
	udp := c.slots[0].socket.Addr().String()
	send(t, dial(t, "udp", udp), "a:1|c\na:2|c|@0.5\nnonsense\n", "g:7|g|#k:v", "")
	send(t, dial(t, "unixgram", sock), "a:10|c\nt:250|ms")
	b := stop(t, c)
	got := figures(b)
	for name, want := range map[string]float64{
		`a{}`: 15, `g{k="v"}`: 7, `t{}`: 0.25,
		`binnacle_statsd_lines_total{}`:                                       6,
		`binnacle_statsd_aggregated_total{}`:                                  5,
		`binnacle_statsd_rejected_total{reason="bad_name"}`:                   1,
		`binnacle_statsd_datagrams_total{listener="unixgram://` + sock + `"}`: 1,
		`binnacle_statsd_kernel_drops_total{listener="udp://127.0.0.1:0"}`:    0,
	} {
		if v, ok := got[name]; !ok || v != want {
			t.Errorf("%s is %v (%v), want %v", name, v, ok, want)
		}
	}
}

func TestStatsDCountsEveryDatagramThatTheKernelDropped(t *testing.T) {
	o := Spec.Options.(Config)
	o.Listen, o.Rcvbuf = []string{"udp://127.0.0.1:0"}, 64<<10
	col, err := Spec.New(collectors.Env{Options: o, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	c := col.(*collector)
	conn := dial(t, "udp", c.slots[0].socket.Addr().String())
	const sent = 5000
	for range sent {
		send(t, conn, "n:1|c")
	}
	got := figures(stop(t, c))
	read := got[`binnacle_statsd_datagrams_total{listener="udp://127.0.0.1:0"}`]
	drops := got[`binnacle_statsd_kernel_drops_total{listener="udp://127.0.0.1:0"}`]
	if read+drops != sent || drops == 0 || got["n{}"] != read {
		t.Errorf("sent %d: read %v, dropped %v, counted %v; want some dropped and all accounted for", sent, read, drops, got["n{}"])
	}
}

func TestStatsDReloadLosesNoPacket(t *testing.T) {
	sock := filepath.Join(t.TempDir(), "s.sock")
	before := newTestStatsD(t, "unixgram://"+sock)
	conn := dial(t, "unixgram", sock)
	send(t, conn, "n:1|c", "n:1|c")
	after := newTestStatsD(t, "unixgram://"+sock)
	first := figures(stop(t, before))["n{}"]
	send(t, conn, "n:1|c", "n:1|c", "n:1|c")
	second := figures(stop(t, after))["n{}"]
	if first != 2 || second != 3 {
		t.Errorf("the old one counted %v, the new one %v; want 2 and 3", first, second)
	}
	if _, err := net.Dial("unixgram", sock); err == nil {
		t.Error("the socket file is still there after the last one closed")
	}
}

func TestStatsDOverTCP(t *testing.T) {
	c := newTestStatsD(t, "tcp://127.0.0.1:0?signed_gauges=true")
	conn := dial(t, "tcp", c.slots[0].socket.Addr().String())
	long := strings.Repeat("x", 70_000)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	send(t, conn, "g:5|g\ng:+3|", "g\n"+long, ":1|c\nn:4|c\nlast:1|c")
	_ = conn.(*net.TCPConn).CloseWrite()
	_, _ = conn.Read(make([]byte, 1)) // ends when the collector has read all and closes
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	b := &metric.Batch{Time: time.Now()}
	if err := c.Collect(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	got := figures(b)
	if got["g{}"] != 8 || got["n{}"] != 4 || got["last{}"] != 1 || got[`binnacle_statsd_rejected_total{reason="truncated"}`] != 1 {
		t.Errorf("g %v, n %v, last %v, truncated %v; want 8, 4, 1, 1", got["g{}"], got["n{}"], got["last{}"],
			got[`binnacle_statsd_rejected_total{reason="truncated"}`])
	}
}

func TestStatsDSaysWhichPortIsInUse(t *testing.T) {
	taken, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener := fmt.Sprintf("udp://%s", taken.LocalAddr())
	c := newTestStatsD(t, listener)
	err = c.Collect(t.Context(), &metric.Batch{Time: time.Now()})
	var blind *collectors.BlindError
	if !errors.As(err, &blind) || blind.Reason != "listen" || !strings.Contains(err.Error(), listener) || !strings.Contains(err.Error(), "in use") {
		t.Errorf("Collect: %v, want reason listen, the listener and that it is in use", err)
	}
	_ = taken.Close()
	if err := c.open(); err != nil {
		t.Errorf("open, once the port is free: %v", err)
	}
	if err := c.Collect(t.Context(), &metric.Batch{Time: time.Now()}); err != nil {
		t.Errorf("Collect, once the port is free: %v", err)
	}
}

func TestStatsDRefusesSocketPathsThatAreNotItsOwn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "other.sock")
	other, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram", Name: path})
	if err != nil {
		t.Fatal(err)
	}
	l := sockets.Place{Owner: "statsd", Network: "unixgram", Address: path, Readers: 1}
	if s, err := sockets.Open(l, 0, 1<<16); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("Open on another's socket: %v, %v; want that it is in use", s, err)
	}
	_ = other.Close() // which leaves its file behind
	s, err := sockets.Open(l, 0, 1<<16)
	if err != nil {
		t.Fatalf("Open on a stale file: %v", err)
	}
	_ = s.Close()
}

func TestStatsDOptionsTellEveryFaultAtOnce(t *testing.T) {
	o := Config{
		Listen: []string{"udp://127.0.0.1", "ftp://x", "udp://127.0.0.1:1?readers=99", "unixgram://rel", "tcp://:1?mode=1", "udp://:1", "udp://:1"},
		Rcvbuf: 1, MaxSeries: 0, Keep: time.Hour, Expire: time.Minute,
	}
	err := o.Validate()
	for _, want := range []string{
		`"udp://127.0.0.1": want udp://host:port`, `"ftp://x"`, "readers=99: outside 1 to 64", `"unixgram://rel"`,
		`unknown option "mode" for tcp`, "twice", "rcvbuf: 1", "max_series: 0", "expire: 1m0s",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Validate does not say %q: %v", want, err)
		}
	}
}
