package riak

import (
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/collectors"
	"github.com/navcloud/binnacle/collectors/collectorstest/fixture"
)

// told are the samples that a look tells, without the label cluster.
func told(tell func(output)) map[string]float64 {
	b := &metric.Batch{}
	tell(output{b, "riak"})
	out := map[string]float64{}
	for _, s := range b.Samples {
		out[s.Desc.Name+s.Labels.With("cluster", "").String()] = s.Value
	}
	return out
}

// withOptions makes a collector that looks with the options of change.
func withOptions(t *testing.T, change func(*Options)) *collector {
	t.Helper()
	opt := defaults
	change(&opt)
	c, err := newCollector(collectors.Env{
		Options: opt, Root: collectors.Root(t.TempDir()), HTTP: fixture.HTTP{}, Dial: (&net.Dialer{}).DialContext, Now: time.Now,
		Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	return c.(*collector)
}

// TestRiakAdmin reads what the commands printed in recorded situations (3.2.3, November 2026).
func TestRiakAdmin(t *testing.T) {
	const r1, r2, r3 = `{member="riak1@127.0.0.1"}`, `{member="riak2@127.0.0.1"}`, `{member="riak3@127.0.0.1"}`
	for situation, want := range map[string]map[string]float64{
		"healthy": {"riak_ring_ready{}": 1, "riak_pending_ownership_partitions{}": 0, "riak_unreachable_members{}": 0, "riak_pending_transfers" + r1: 0},
		"joining": {
			"riak_ring_ready{}": 0, "riak_pending_ownership_partitions{}": 10, "riak_member_pending_ratio" + r1: 0.375,
			"riak_pending_transfers" + r1: 0, "riak_pending_transfers" + r2: 12, "riak_pending_transfers" + r3: 11,
			`riak_active_transfers{type="ownership"}`: 1, `riak_active_transfers{type="hinted"}`: 0,
		},
		"killed":    {"riak_ring_ready{}": 1, "riak_unreachable_members{}": 1, "riak_pending_transfers" + r2: 5, "riak_pending_transfers" + r3: 0},
		"returning": {"riak_unreachable_members{}": 0, "riak_pending_transfers" + r3: 11, `riak_active_transfers{type="hinted"}`: 2},
		"leaving": {
			"riak_pending_ownership_partitions{}": 7, `riak_member_status{member="riak3@127.0.0.1",status="leaving"}`: 1,
			"riak_member_pending_ratio" + r3: 0, `riak_active_transfers{type="ownership"}`: 0,
		},
		"stuck": {"riak_pending_ownership_partitions{}": 1, "riak_ring_ready{}": 1, `riak_active_transfers{type="ownership"}`: 0, "riak_pending_transfers" + r2: 0},
	} {
		r := withOptions(t, func(o *Options) {
			o.Admin = []string{"sh", "-c", "cat testdata/riak-admin/" + situation + "/$0.txt"}
		})
		tell, err := r.askAdmin(t.Context())
		if err != nil {
			t.Errorf("%s: %v", situation, err)
			continue
		}
		got := told(tell)
		for series, v := range want {
			if g, ok := got[series]; !ok || g != v {
				t.Errorf("%s: %s = %v (told: %v), want %v", situation, series, g, ok, v)
			}
		}
	}
}

func TestRiakAdminThatCannot(t *testing.T) {
	for script, want := range map[string]string{
		"echo 'Node did not respond to ping!'; exit 1":      "did not respond",
		"echo FALSE; echo error":                            "FALSE",
		"echo hello":                                        "no member",
		"yes | head -c 5000000":                             "more than",
		"cat testdata/riak-admin/healthy/member-status.txt": "no line Ring Ready",
	} {
		r := withOptions(t, func(o *Options) { o.Admin = []string{"sh", "-c", script} })
		if _, err := r.askAdmin(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q in it", script, err, want)
		}
	}
}

func TestRiakTransferProgress(t *testing.T) {
	text := "Active Transfers:\n\ntransfer type: hinted\nobjects transferred: 120\n\ntransfer type: hinted\nobjects transferred: unknown\n"
	members, err := os.ReadFile("testdata/riak-admin/healthy/member-status.txt")
	if err != nil {
		t.Fatal(err)
	}
	c, err := parseAdmin(string(members), "Ring Ready: true\n", text)
	if err != nil || c.active["hinted"] != 2 || c.objects["hinted"] != 120 {
		t.Errorf("have %+v, %v; want two transfers, of which one tells 120 objects", c, err)
	}
}

func TestRiakTLSListeners(t *testing.T) {
	s := httptest.NewTLSServer(nil)
	defer s.Close()
	want := float64(s.Certificate().NotAfter.Unix())
	pb, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer pb.Close()
	go func() {
		for {
			c, err := pb.Accept()
			if err != nil {
				return
			}
			var ask [5]byte
			_, _ = io.ReadFull(c, ask[:])
			_, _ = c.Write(ask[:])
			_ = tls.Server(c, s.TLS).Handshake() // the client judges
			_ = c.Close()
		}
	}()
	https, other, nobody := "https://"+s.Listener.Addr().String(), "pb://"+pb.Addr().String(), "https://127.0.0.1:1"
	r := withOptions(t, func(o *Options) { o.TLS = []string{https, other, nobody} })
	tell, err := r.askTLS(t.Context())
	if err == nil || !strings.Contains(err.Error(), nobody) {
		t.Errorf("error %v, want one of %s", err, nobody)
	}
	name := func(l string) string { return `riak_tls_not_after_timestamp_seconds{listener="` + l + `"}` }
	if got := told(tell); len(got) != 2 || got[name(https)] != want || got[name(other)] != want {
		t.Errorf("have %v, want both to end at %v", got, want)
	}
}

func TestRiakLogIsCountedFromNowOn(t *testing.T) {
	r := withOptions(t, func(o *Options) { o.Logs = []string{"/console.log"} })
	path := r.log.root.Path("console.log")
	write := func(flag int, text string) {
		t.Helper()
		f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|flag, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteString(text); err != nil {
			t.Fatal(err)
		}
		_ = f.Close()
	}
	siblings := func(want float64) {
		t.Helper()
		tell, err := r.log.check(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got := told(tell)[`riak_log_events_total{event="too_many_siblings"}`]; got != want {
			t.Errorf("%v events, want %v", got, want)
		}
	}
	const line = "12:00 [warning] Too many siblings for object\n"
	write(0, line)
	siblings(0) // before our time
	write(os.O_APPEND, line+line[:20])
	siblings(1) // and half a line
	write(os.O_APPEND, line[20:])
	siblings(2)
	write(os.O_TRUNC, line)
	siblings(3) // begun anew
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	siblings(3)
	write(0, line)
	siblings(4)
}

// TestRiakExtrasHangAndHoldUpNothing has an admin command that never ends beside one look at /stats after another.
func TestRiakExtrasHangAndHoldUpNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "riak")
		r := w.c.(*collector)
		looks := 0
		r.setExtras([]*extra{
			newExtra("admin", 2*time.Minute, time.Minute, func(ctx context.Context) (func(output), error) {
				looks++
				<-ctx.Done()
				return nil, ctx.Err()
			}),
			newExtra("log", 15*time.Second, time.Second, func(context.Context) (func(output), error) {
				return func(o output) { o.add(descLogged, 1, "event", "long_gc") }, nil
			}),
		})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			_ = r.Run(ctx)
			close(done)
		}()
		synctest.Wait()
		for range 40 { // 10 min
			begin := time.Now()
			got, err := w.look("riak_")
			if err != nil || got["riak_up{}"] != 1 || time.Since(begin) > time.Second {
				t.Fatalf("after %s: %v, up %v", time.Since(begin), err, got["riak_up{}"])
			}
			time.Sleep(15 * time.Second)
		}
		got, _ := w.look("riak_l")
		if got[`riak_look_success{look="admin"}`] != 0 || got[`riak_look_success{look="log"}`] != 1 || got[`riak_log_events_total{event="long_gc"}`] != 1 {
			t.Errorf("have %v", got)
		}
		if looks < 3 || looks > 4 {
			t.Errorf("%d looks in 10 min, want one each 3 min: 1 min until its deadline and 2 min of rest", looks)
		}
		cancel()
		<-done
	})
}

func TestRiakStoppedInOrder(t *testing.T) {
	for unit, want := range map[string]float64{
		"LoadState=loaded\nActiveState=inactive\nResult=success":    1,
		"LoadState=loaded\nActiveState=failed\nResult=signal":       0,
		"LoadState=not-found\nActiveState=inactive\nResult=success": 0, // Riak runs without the service manager
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, "riak")
			r := w.c.(*collector)
			r.opt.Unit = []string{"printf", unit + "\n"}
			if err := os.MkdirAll(r.env.Root.Path("run/systemd/system"), 0o755); err != nil {
				t.Fatal(err)
			}
			if got, err := w.look("riak_stopped"); err != nil || len(got) != 0 {
				t.Errorf("while it runs: %v, %v", got, err)
			}
			clear(w.http)
			if got, _ := w.look("riak_stopped"); !maps.Equal(got, map[string]float64{"riak_stopped_in_order{}": want}) {
				t.Errorf("%q: %v, want %v", unit, got, want)
			}
		})
	}
}
