package api

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/DataDog/datadog-go/v5/statsd"

	"github.com/navcloud/binnacle/collectors/collectorstest/rabbitmqrig"
)

func bus(t *testing.T) *Bus {
	t.Helper()
	b, err := NewBus("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return b
}

// until asks again and again; it gives up when the test's patience ends.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); !ok(); {
		if time.Now().After(end) {
			t.Fatalf("still not so: %s", what)
		}
	}
}

func connected(t *testing.T, addr string) func() bool {
	return func() bool {
		_, _, text := do(t, "GET", "http://"+addr+"/healthz", "", "")
		return strings.Contains(text, `"fanout":true`)
	}
}

func crosses(t *testing.T, broker string, cut, heal func()) {
	addr := make([]string, 2)
	for i := range addr {
		addr[i], _ = start(t, func(c *Config) {
			c.Node, c.Broker, c.Exchange = fmt.Sprintf("nav-%d", i+1), broker, fmt.Sprintf("navcloud.test.%d", os.Getpid())
		})
		until(t, "the node is connected", connected(t, addr[i]))
	}
	lines, _ := listen(t, addr[1], "ann", "")
	put := func(node int, id string) { do(t, "PUT", "http://"+addr[node]+"/v1/trips/"+id, "ann", `{}`) }
	want := func(id string) {
		t.Helper()
		if l := next(t, lines); !strings.Contains(l, `"id":"`+id+`"`) {
			t.Errorf("have %s, want the event of %s", l, id)
		}
	}
	put(0, "over-there")
	want("over-there")
	put(1, "here")
	want("here")
	until(t, "both have what was written at the other", func() bool {
		there, _, _ := do(t, "GET", "http://"+addr[1]+"/v1/trips/over-there", "ann", "")
		here, _, _ := do(t, "GET", "http://"+addr[0]+"/v1/trips/here", "ann", "")
		return there == 200 && here == 200
	})
	if cut == nil {
		return
	}
	cut()
	put(0, "lost")
	put(1, "kept")
	want("kept")
	heal() // once the cut has taken both
	put(0, "healed")
	want("healed")
}

func TestEventsCrossTheBusAndNotACut(t *testing.T) {
	b := bus(t)
	crosses(t, b.URL(), func() { b.Cut([]string{"nav-1"}, []string{"nav-2"}) }, func() {
		until(t, "the cut took both events", func() bool { return b.Withheld() == 2 })
		b.Cut()
	})
}

// The rig is the one thing of this module that is seen here, and by this test alone.
func TestRealEventsCrossRabbitMQ(t *testing.T) {
	if os.Getenv("BINNACLE_REAL") == "" {
		t.Skip("a real broker is started only where BINNACLE_REAL is set")
	}
	if err := rabbitmqrig.LoneAvailable(); err != nil {
		t.Skip(err)
	}
	l, err := rabbitmqrig.StartLone(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	crosses(t, "amqp://monitor:monitor@"+l.AMQP+"/", nil, nil)
}

func TestOutboxSendsAgainWhatWasNotConfirmed(t *testing.T) {
	o := newOutbox(&telemetry{&statsd.NoOpClient{}})
	for _, l := range []string{"a", "b", "c"} {
		o.put([]byte(l))
	}
	o.take()
	o.take()
	o.confirm(1) // a
	o.again()
	for _, want := range []string{"b", "c", ""} {
		if got := string(o.take()); got != want {
			t.Errorf("take = %q, want %q", got, want)
		}
	}
	o.confirm(2)
	o.drain(0)
}

func TestOutboxIsBoundedAndTheOldestGoes(t *testing.T) {
	addr, wait := counts(t)
	c, err := statsd.New(addr, statsd.WithNamespace("navcloud."), statsd.WithoutTelemetry())
	if err != nil {
		t.Fatal(err)
	}
	tel := &telemetry{c}
	o := newOutbox(tel)
	for i := range maxOutbox + 3 {
		o.put(fmt.Append(nil, i))
	}
	if got := string(o.take()); got != "3" {
		t.Errorf("take = %s, want 3", got)
	}
	o.drain(0)
	tel.close()
	wait("events.dropped broker", 3+maxOutbox)
}

func TestSeenTellsWhatCameTwice(t *testing.T) {
	s := seen{from: map[string]*window{}}
	for i, step := range []struct {
		from string
		seq  uint64
		want bool
	}{
		{"a", 5, true},
		{"a", 5, false},
		{"a", 3, true},
		{"a", 3, false},
		{"b", 5, true},
		{"a", 5 + windowBits, true},
		{"a", 5, false},
		{"a", 6, true},
		{"a", 6, false},
		{"a", 4 * windowBits, true},
		{"a", 4*windowBits - 1, true},
		{"a", 3 * windowBits, false},
		{"a", 5 + windowBits, false},
	} {
		if got := s.first(step.from, step.seq); got != step.want {
			t.Errorf("step %d: first(%s, %d) = %v, want %v", i, step.from, step.seq, got, step.want)
		}
	}
	for i := range 2 * maxPublishers {
		s.first(fmt.Sprint(i), 1)
	}
	if len(s.from) > maxPublishers {
		t.Errorf("%d publishers are remembered, want at most %d", len(s.from), maxPublishers)
	}
}

func TestDecodeEventRefusesRubbish(t *testing.T) {
	for _, line := range []string{"", "{}", `{"from":"a","seq":1}`, "<html>", `{"from":"a","user":"b","seq":-1}`, strings.Repeat(" ", maxEvent) + "{}"} {
		if e, err := decodeEvent([]byte(line)); err == nil {
			t.Errorf("decodeEvent(%.20q) = %v, want an error", line, e)
		}
	}
}
