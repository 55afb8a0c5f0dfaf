package services

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/collectors"
)

// TestOneDoorIsKnockedAtOnceInFiveMinutes: Apache and Nginx would both ask port 80 of a machine that has neither.
func TestOneDoorIsKnockedAtOnceInFiveMinutes(t *testing.T) {
	now := time.Date(2026, 11, 30, 3, 0, 0, 0, time.UTC)
	var asked []string
	state := t.TempDir()
	start := func(s collectors.Spec, undiscovered bool) collectors.Collector {
		refuse := func(context.Context, string, string) (net.Conn, error) {
			asked = append(asked, s.Name)
			return nil, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
		}
		c, err := s.New(collectors.Env{
			Options: Servers(nil), Root: collectors.Root(t.TempDir()), State: state, Node: "n", Now: func() time.Time { return now }, HTTP: &http.Transport{DialContext: refuse},
			Log: slog.New(slog.DiscardHandler), Undiscovered: undiscovered,
		})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	both := []collectors.Collector{start(Apache, false), start(Nginx, false), start(Nginx, true)}
	for end := now.Add(22 * time.Minute); now.Before(end); now = now.Add(15 * time.Second) {
		for _, c := range both {
			if err := c.Collect(t.Context(), &metric.Batch{Time: now}); !errors.Is(err, collectors.ErrAbsent) {
				t.Fatal(err)
			}
		}
	}
	want := []string{"apache", "nginx", "apache", "nginx", "apache"}
	if !slices.Equal(asked, want) {
		t.Errorf("asked %v; want %v", asked, want)
	}
}
