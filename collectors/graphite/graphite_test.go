package graphite

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/agent/testport"
	"github.com/navcloud/binnacle/collectors"
	"github.com/navcloud/binnacle/collectors/collectorstest/fixture"
)

var now = time.Unix(1_796_000_000, 0)

func made(t *testing.T, o Config) *collector {
	t.Helper()
	if err := o.Validate(); err != nil {
		t.Fatal(err)
	}
	c, err := Spec.New(collectors.Env{
		Options: o, Now: func() time.Time { return now }, Log: slog.New(slog.DiscardHandler), Reserved: func(n string) bool { return n == "host_load1" },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.(*collector).Close() })
	return c.(*collector)
}

func with(set func(*Config)) Config {
	o := defaults()
	o.Listen = []string{"tcp://:0"}
	set(&o)
	return o
}

func said(t *testing.T, c *collector, at time.Time) string {
	t.Helper()
	b := &metric.Batch{Time: at}
	err := c.Collect(t.Context(), b)
	var lines []string
	for line := range strings.Lines(fixture.Show(b, err, "")) {
		if !strings.HasSuffix(line, " 0\n") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "")
}

// TestLines takes what Carbon 1.1.7 was seen to take, and leaves out what it was seen to refuse or to lose.
func TestLines(t *testing.T) {
	at := fmt.Sprint(now.Unix())
	for name, tc := range map[string]struct{ line, want string }{
		"a path":            {"a.b.c 1.5 " + at, "a.b.c 1.5\n"},
		"now":               {"a.b 2 -1", "a.b 2\n"},
		"a carriage return": {"a.b 2 " + at + "\r\n", "a.b 2\n"},
		"tags":              {"disk.used;host=web1;dc=x 7 " + at, "disk.used{dc=\"x\",host=\"web1\"} 7\n"},
		"a time of floats":  {"a 2 " + at + ".25", "a 2\n"},
		"an old one":        {"a 2 1000", "time"},
		"a time far ahead":  {"a 2 1e300", "time"},
		"no number":         {"a b " + at, "value"},
		"not a number":      {"a nan " + at, "value"},
		"a field more":      {"a 1 " + at + " x", "form"},
		"a field less":      {"a 1", "form"},
		"a long path":       {strings.Repeat("x", 3000) + " 1 " + at, "path"},
		"a broken tag":      {"a;b 1 " + at, "path"},
		"bytes":             {"a\x01b 1 " + at, "path"},
		"the agent's own":   {"host_load1 99 " + at, "reserved"},
	} {
		t.Run(name, func(t *testing.T) {
			c := made(t, with(func(*Config) {}))
			c.take([]byte(tc.line))
			got := said(t, c, now)
			want := tc.want + "graphite_lines_total 1\ngraphite_series 1\n"
			if !strings.Contains(tc.want, "\n") {
				want = fmt.Sprintf("graphite_rejected_total{reason=%q} 1\n", tc.want)
			}
			if got != want {
				t.Errorf("%q gives\n%swant\n%s", tc.line, got, want)
			}
		})
	}
}

func TestTemplatesMakeNamesAndLabels(t *testing.T) {
	c := made(t, with(func(o *Config) {
		o.Templates = []string{"servers.*.cpu .host.measurement.cpu.measurement*", "servers.* .host.measurement* dc=x", "stats.counters.* ..measurement*"}
	}))
	for _, path := range []string{"servers.web1.cpu.0.user", "servers.web1.load.short", "stats.counters.hits.rate", "other.path"} {
		c.take([]byte(path + " 1 -1"))
	}
	want := `cpu.user{cpu="0",host="web1"} 1
graphite_lines_total 4
graphite_series 4
hits.rate 1
load.short{dc="x",host="web1"} 1
other.path 1
`
	if got := said(t, c, now); got != want {
		t.Errorf("it says\n%swant\n%s", got, want)
	}
}

func TestBounds(t *testing.T) {
	c := made(t, with(func(o *Config) { o.MaxSeries = 2 }))
	for _, n := range []string{"a", "b", "c", "a"} {
		c.take([]byte(n + " 1 -1"))
	}
	if got, want := said(t, c, now), "a 1\nb 1\ngraphite_lines_total 3\ngraphite_rejected_total{reason=\"series\"} 1\ngraphite_series 2\n"; got != want {
		t.Errorf("it says\n%swant\n%s", got, want)
	}
	if got := said(t, c, now.Add(2*time.Minute)); got != "" {
		t.Errorf("what was not sent for longer than keep is still told:\n%s", got)
	}
	c.take([]byte("c 1 -1")) // there is room again
	if got := said(t, c, now); !strings.Contains(got, "c 1\n") {
		t.Errorf("it says\n%s", got)
	}
}

func TestSendersOverTCPAndUDP(t *testing.T) {
	tcp, udp := testport.Free(t), testport.Free(t)
	c := made(t, with(func(o *Config) { o.Listen = []string{"tcp://" + tcp, "udp://" + udp} }))
	c.env.Now = time.Now
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	send := func(network, address, text string) {
		t.Helper()
		var conn net.Conn
		var err error
		for range 12_000 {
			if conn, err = net.Dial(network, address); err == nil {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		_ = conn.Close()
	}
	send("tcp", tcp, "a 1 -1\n"+strings.Repeat("y", 3*maxLine)+" 1 -1\nb 2 -1\nno newline") // the last line has no end
	total := map[string]float64{}
	for range 12_000 {
		send("udp", udp, "c 4 -1\nd 5 -1\n") // one that comes before the listener is lost
		b := &metric.Batch{Time: time.Now()}
		if err := c.Collect(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		for _, s := range b.Samples {
			if s.Desc.Kind == metric.Delta {
				total[s.Desc.Name+s.Labels.Get("reason")] += s.Value
			} else {
				total[s.Desc.Name] = s.Value
			}
		}
		if total["b"] == 2 && total["d"] == 5 && total["graphite_rejected_totalform"] == 1 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if total["a"] != 1 || total["b"] != 2 || total["c"] != 4 || total["graphite_rejected_totallong"] != 1 || total["graphite_rejected_totalform"] != 1 {
		t.Errorf("it has %v", total)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestAListenerThatCannotIsSaidAndTriedAgain(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := made(t, with(func(o *Config) { o.Listen = []string{"tcp://" + l.Addr().String()} }))
	if err := c.Opened(); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("it listens where another does: %v", err)
	}
	if got := said(t, c, now); !strings.Contains(got, "error listen: ") {
		t.Errorf("it says\n%s", got)
	}
	_ = l.Close()
	if err := c.open(c.slots[0]); err != nil || c.Opened() != nil {
		t.Errorf("once the port is free: %v", err)
	}
	next := made(t, c.Config) // as a reload makes it, before the one in force ends
	if err := errors.Join(next.Opened(), c.Close(), next.Close()); err != nil {
		t.Errorf("the next on the same port: %v", err)
	}
}

func TestValidateNamesEachFault(t *testing.T) {
	o := Config{Listen: []string{"unix:///x", "tcp://h"}, Templates: []string{"a b c d", "host", "measurement*.x", "9x.measurement", "measurement a=", "measurement =b"}}
	err := o.Validate()
	for _, want := range []string{`have "unix:///x"`, `have "tcp://h"`, `"a b c d": want`, `"host": no part`, "takes all that follows", `"9x" is no label`, `have "=b"`, "max_series: 0", "keep: 0s", "skew: 0s"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not among the faults: %v", want, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("a.b;c=d 1 2\n"))
	f.Fuzz(func(t *testing.T, line []byte) {
		p, reason := parse(line)
		if reason == "" && (p.path == "" || len(p.path) > maxPath || p.value != p.value) {
			t.Fatalf("%q is %+v", line, p)
		}
	})
}
