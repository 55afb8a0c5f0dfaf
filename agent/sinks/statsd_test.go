package sinks_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/agent/sinks"
	"github.com/navcloud/binnacle/agent/sinks/sinkstest"
	"github.com/navcloud/binnacle/collectors/statsd"
)

func TestStatsDKeepsTheContract(t *testing.T) {
	sinkstest.Run(t, func(t *testing.T) sinkstest.Target {
		fake := sinkstest.NewStatsD(true)
		var failing atomic.Int32
		s := must(sinks.NewStatsD(sinks.DefaultStatsD(), sinks.Env{
			Log: slog.New(slog.DiscardHandler),
			Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
				if failing.Add(-1) >= 0 {
					return nil, errors.New("no route to host")
				}
				return fake.Dial(ctx, network, addr)
			},
		}))
		t.Cleanup(func() { _ = s.(interface{ Close() error }).Close() })
		return sinkstest.Target{
			Sink: s, Repeats: true,
			Names: func() (out []string) {
				for _, l := range fake.Lines() {
					name, _, _ := strings.Cut(l.Name, ".") // the label follows
					out = append(out, name)
				}
				return out
			},
			Fail: func(n int) { failing.Store(int32(n)) },
		}
	})
}

func statsdLines(t *testing.T, o sinks.StatsD, in []metric.Sample) []string {
	t.Helper()
	fake := sinkstest.NewStatsD(o.Flavor == "plain")
	synctest.Test(t, func(t *testing.T) {
		spec, _ := sinks.Lookup("statsd")
		q := must(spec.Open(o, spec.Common, sinks.Env{Dial: fake.Dial, Log: slog.New(slog.DiscardHandler)}))
		stop := run(t, q)
		feed(q, in)
		time.Sleep(15 * time.Second)
		stop()
		synctest.Wait()
	})
	if f := fake.Faults(); len(f) > 0 {
		t.Errorf("lines that a server can't read: %v", f)
	}
	var out []string
	for _, l := range fake.Lines() {
		out = append(out, fmt.Sprintf("%s:%.4g|%s %v", l.Name, l.Value, l.Type, l.Tags))
	}
	return out
}

func TestStatsDPlain(t *testing.T) {
	t.Setenv("DD_ENV", "prod") // the client would add a tag, which no plain server reads
	h := &metric.Histogram{}
	for range 10 {
		h.Observe(0.25, 1)
	}
	c := &metric.Desc{Name: "served", Kind: metric.Counter}
	got := statsdLines(t, sinks.StatsD{Address: "x:1", Flavor: "plain", Prefix: "nav."}, []metric.Sample{
		{Desc: &metric.Desc{Name: "open"}, Labels: metric.L("az", "eu-west-1a", "node", "a.b"), Time: now(), Value: 12.5},
		{Desc: &metric.Desc{Name: "drift"}, Time: now(), Value: -2},
		{Desc: c, Time: now().Add(-time.Second), Value: 100},
		{Desc: c, Time: now(), Value: 107},
		{Desc: &metric.Desc{Name: "api.took", Kind: metric.Distribution, Unit: metric.Seconds}, Time: now(), Hist: h},
	})
	want := []string{
		"nav.open.eu-west-1a.a_b:12.5|g []", "nav.drift:0|g []", "nav.drift:-2|g []", "nav.served:7|c []",
		"nav.api.took.count:10|c []", "nav.api.took.sum:2500|g []", "nav.api.took.mean:250|g []", "nav.api.took.lower:250|g []",
		"nav.api.took.upper:250|g []", "nav.api.took.p50:250|g []", "nav.api.took.p95:250|g []", "nav.api.took.p99:250|g []",
	}
	if !slices.Equal(got, want) {
		t.Errorf("lines\n%q\nwant\n%q", got, want)
	}
}

// now is the time with which a synctest bubble begins.
func now() time.Time { return time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) }

func TestStatsDDatadog(t *testing.T) {
	fake := sinkstest.NewStatsD(false)
	synctest.Test(t, func(t *testing.T) {
		spec, _ := sinks.Lookup("statsd")
		q := must(spec.Open(sinks.StatsD{Address: "x:1", Flavor: "datadog"}, spec.Common, sinks.Env{Dial: fake.Dial, Log: slog.New(slog.DiscardHandler)}))
		stop := run(t, q)
		trips := &metric.Desc{Name: "trips", Kind: metric.Delta}
		took := &metric.Desc{Name: "took_seconds", Kind: metric.Distribution, Unit: metric.Seconds}
		for range 30 {
			h := &metric.Histogram{}
			h.Observe(0.5, 4)
			h.Observe(2, 1)
			feed(q, []metric.Sample{
				{Desc: trips, Labels: metric.L("op", "put"), Time: time.Now(), Value: 10.0 / 3}, // a rate of 0.3
				{Desc: took, Labels: metric.L("op", "put"), Time: time.Now(), Hist: h},
			})
			time.Sleep(10 * time.Second)
		}
		stop()
		synctest.Wait()
	})
	trips, weight := 0.0, map[string]float64{}
	for _, l := range fake.Lines() {
		if !slices.Equal(l.Tags, []string{"op:put"}) {
			t.Errorf("%+v; want the tag op:put", l)
		}
		if l.Name == "trips" {
			trips += l.Value
		} else {
			weight[fmt.Sprintf("%s|%s:%.1f", l.Name, l.Type, l.Value)] += 1 / l.Rate
		}
	}
	if f := fake.Faults(); trips != 100 || len(f) > 0 {
		t.Errorf("trips %v, faults %v; want 100 and none", trips, f)
	}
	if want := map[string]float64{"took_seconds|d:0.5": 120, "took_seconds|d:2.0": 30}; fmt.Sprint(weight) != fmt.Sprint(want) {
		t.Errorf("weights %v; want %v", weight, want)
	}
}

func TestStatsDOverASocket(t *testing.T) {
	fake := sinkstest.NewStatsD(true)
	addr := must(fake.Listen())
	o := sinks.DefaultStatsD()
	o.Address = "udp://" + addr
	s := must(sinks.NewStatsD(o, sinks.Env{Log: slog.New(slog.DiscardHandler)}))
	if err := s.Write(t.Context(), sinkstest.Samples(40, time.Now())); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if got := len(fake.Wait(ctx, 40)); got != 40 {
		t.Errorf("%d lines arrived; want 40", got)
	}
	if err := errors.Join(s.(interface{ Close() error }).Close(), fake.Close()); err != nil {
		t.Error(err)
	}
}

func TestEventsAndChecksPassThrough(t *testing.T) {
	conn := must(net.ListenPacket("udp", "127.0.0.1:0"))
	defer conn.Close()
	sink := must(sinks.NewStatsD(sinks.StatsD{Address: conn.LocalAddr().String(), Flavor: "datadog"}, sinks.Env{Node: "n1", Log: slog.New(slog.DiscardHandler)}))
	at := time.Unix(1_700_000_000, 0)
	in := []metric.Event{
		{Time: at, Title: "déploy", Text: "v1|2\nready 🚀", Level: metric.Warning, Key: "k", Labels: metric.L("service", "api")},
		{Time: at, Title: "redis.up", Text: "timed out", Level: metric.Critical, Check: true, Labels: metric.L("host", "n2", "a", "b")},
	}
	if err := sink.(sinks.Eventer).WriteEvents(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 65536)
	_ = conn.SetReadDeadline(time.Now().Add(2 * time.Minute))
	n, _, err := conn.ReadFrom(buf)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.SplitSeq(strings.TrimSpace(string(buf[:n])), "\n") {
		e, r := statsd.ParseEvent([]byte(line))
		if r != statsd.Accepted || !e.Time.Equal(at) {
			t.Errorf("%q: %v, %v", line, r, e.Time)
		}
		got = append(got, fmt.Sprint(e.Title, " ", e.Text, " ", e.Level, " ", e.Check, " ", e.Key, " ", e.Labels))
	}
	want := []string{"déploy v1|2\nready 🚀 1 false k {host=\"n1\",service=\"api\"}", "redis.up timed out 2 true  {a=\"b\",host=\"n2\"}"}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}
