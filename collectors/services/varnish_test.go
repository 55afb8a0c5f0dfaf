package services

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/collectors"
	"github.com/navcloud/binnacle/collectors/collectorstest/fixture"
)

// TestVarnishStandsStill plays what no fixture can: shared memory of a frozen child reads on, and does not move.
func TestVarnishStandsStill(t *testing.T) {
	uptime, happy := 5, 255
	c, err := Varnish.New(collectors.Env{
		Options: Servers{{Name: "v", Instance: "/srv/v"}}, Log: slog.New(slog.DiscardHandler),
		Run: func(context.Context, string, ...string) ([]byte, error) {
			return fmt.Appendf(nil, `{"version":1,"counters":{"MGT.uptime":{"value":%d},"MAIN.uptime":{"value":%d},"VBE.boot.a.happy":{"value":%d}}}`, uptime, uptime, happy), nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 30, 3, 0, 0, 0, time.UTC)
	for _, step := range []struct {
		after         time.Duration
		uptime, happy int
		want          string
	}{
		{0, 5, 255, "ok"},
		{15 * time.Second, 20, 240, "ok"},
		{5 * time.Second, 20, 240, "ok"},      // too soon to say
		{10 * time.Second, 20, 240, "frozen"}, // it stood still for 15 s
		{15 * time.Second, 65, 0, "ok"},       // it was freed; a backend that was well once has a probe, and is sick
	} {
		now, uptime, happy = now.Add(step.after), step.uptime, step.happy
		b := &metric.Batch{Time: now}
		if err := c.Collect(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		if got := find(b, "varnish_state"); got != step.want {
			t.Errorf("at %v it is %s, want %s:\n%s", now, got, step.want, fixture.Show(b, nil, ""))
		}
	}
	b := &metric.Batch{Time: now.Add(15 * time.Second)}
	uptime += 15
	if err := c.Collect(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	if n := count(b, "varnish_backend_up"); n != 1 {
		t.Errorf("a backend whose last 64 probes failed has %d figures, want 1", n)
	}
}

func find(b *metric.Batch, name string) string {
	for _, s := range b.Samples {
		if s.Desc.Name == name {
			return s.Labels.Get("state")
		}
	}
	return ""
}

func count(b *metric.Batch, name string) (n int) {
	for _, s := range b.Samples {
		if s.Desc.Name == name {
			n++
		}
	}
	return n
}
