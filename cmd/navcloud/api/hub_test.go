package api

import (
	"context"
	"maps"
	"net"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// counts is a StatsD server that adds up what it is sent.
func counts(t *testing.T) (addr string, wait func(metric string, want int)) {
	t.Helper()
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pc.Close() })
	sums := map[string]int{}
	line := regexp.MustCompile(`(?m)^navcloud\.([a-z._]+):(\d+)\|c\|#(.*)$`)
	buf := make([]byte, 64<<10)
	return pc.LocalAddr().String(), func(metric string, want int) {
		t.Helper()
		_ = pc.SetReadDeadline(time.Now().Add(2 * time.Minute))
		for sums[metric] < want {
			n, _, err := pc.ReadFrom(buf)
			if err != nil {
				t.Fatalf("%s is %d, want %d; have %v", metric, sums[metric], want, slices.Sorted(maps.Keys(sums)))
			}
			for _, m := range line.FindAllStringSubmatch(string(buf[:n]), -1) {
				var v int
				for _, d := range m[2] {
					v = 10*v + int(d-'0')
				}
				name := m[1]
				if _, reason, ok := strings.Cut(m[3], "reason:"); ok {
					name += " " + reason
				}
				sums[name] += v
			}
		}
		if sums[metric] != want {
			t.Errorf("%s is %d, want %d", metric, sums[metric], want)
		}
	}
}

func TestEveryStreamIsCountedOpenedAndClosedByReason(t *testing.T) {
	statsd, wait := counts(t)
	addr, stop := start(t, func(c *Config) { c.StatsD = statsd; c.Heartbeat = 10 * time.Second })
	_, ann := listen(t, addr, "ann", "")
	_, bob := listen(t, addr, "bob", "")
	slow, _ := listen(t, addr, "eve", "")
	listen(t, addr, "ida", "")

	_ = ann.Close()
	_ = bob.(*net.TCPConn).SetLinger(0)
	_ = bob.Close() // a reset
	until(t, "two of four streams are left", func() bool {
		_, _, text := do(t, "GET", "http://"+addr+"/healthz", "", "")
		return strings.Contains(text, `"streams":2`)
	})
	body := `"` + strings.Repeat("x", maxBody-2) + `"`
	wrote := 0
	for ; wrote < 20; wrote++ { // eve reads nothing; her sockets hold below 1 MB
		do(t, "PUT", "http://"+addr+"/v1/trips/big", "eve", body)
	}
	stop()
	_ = slow
	wait("streams.opened", 4)
	wait("streams.closed client", 1)
	wait("streams.closed error", 1)
	wait("streams.closed slow", 1)
	wait("streams.closed shutdown", 1)
	wait("events.published", wrote)
	wait("events.dropped slow", 1)
}

func TestHeartbeatsAreLateAfterHalfTheIdleTime(t *testing.T) {
	h := newHub(Config{Heartbeat: 30 * time.Second, IdleTimeout: time.Minute}, nil)
	s := &stream{hub: h, user: "ann"}
	h.users["ann"] = map[*stream]struct{}{s: {}}
	s.place = h.order.PushBack(s)
	now := time.Now()
	s.due = now.Add(time.Second)
	if got, wait := h.next(now); got != nil || wait != time.Second {
		t.Errorf("next = %v, %v; want to wait a second", got, wait)
	}
	if got, _ := h.next(now.Add(time.Second)); got != s {
		t.Error("next did not return the stream that is due")
	}
	if got, wait := h.next(now.Add(2 * time.Second)); got != nil || wait != 29*time.Second {
		t.Errorf("next = %v, %v; want the next heartbeat 30 s after the last", got, wait)
	}
}

func TestNothingIsTakenInAfterTheEnd(t *testing.T) {
	h := newHub(DefaultConfig(), nil)
	h.closeAll()
	if h.add(&stream{hub: h, user: "ann"}) {
		t.Error("add took a stream in after closeAll")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	h.beat(ctx) // ends
}
