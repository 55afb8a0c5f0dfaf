package intake

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/alertingtest"
)

func TestClientKeepsRoutersInformed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBoard()
		down := true
		posts := 0
		rt, stop := alertingtest.Pipe(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			posts++
			if down {
				w.WriteHeader(http.StatusBadGateway)
				return
			}
			serve(b).ServeHTTP(w, r)
		}))
		defer stop()
		c := NewClient(ClientOptions{Routers: []string{"http://router/"}, Transport: rt})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- c.Run(ctx) }()
		a := alerting.Alarm{Labels: map[string]string{"alertname": "A"}, StartsAt: time.Now()}
		put := func(in alerting.Input) {
			if err := c.Put(ctx, in); err != nil {
				t.Error(err)
			}
		}
		put(alerting.Firing{Alarm: a})
		time.Sleep(20 * time.Second)
		if d := c.Unreachable(); posts != 5 || d != 20*time.Second {
			t.Errorf("%d posts in 20 s of outage, unreachable for %v; want 5 (at 0, 1, 3, 7, 15 s) and 20s", posts, d)
		}
		down = false
		time.Sleep(12 * time.Second)
		if len(b.alarms) != 1 || c.Unreachable() != 0 {
			t.Errorf("%d alarms after the outage, unreachable for %v; want 1, 0", len(b.alarms), c.Unreachable())
		}
		for _, got := range b.alarms {
			if left := time.Until(got.EndsAt); left < 3*time.Minute || !got.StartsAt.Equal(a.StartsAt) {
				t.Errorf("the alarm ends in %v, began %v; want some 4 minutes and its own start", left, got.StartsAt)
			}
		}
		clear(b.alarms) // the router lost its memory
		time.Sleep(time.Minute)
		if len(b.alarms) != 1 {
			t.Errorf("%d alarms a minute after the router lost its memory; want 1", len(b.alarms))
		}
		posts = 0
		put(alerting.Firing{Alarm: a}) // again: nothing new
		synctest.Wait()
		if posts != 0 {
			t.Errorf("%d posts for what is known; want 0", posts)
		}
		put(alerting.Ended{Fingerprint: a.Fingerprint()})
		synctest.Wait()
		if posts != 1 || len(b.alarms) != 0 {
			t.Errorf("%d posts and %d alarms at the end; want 1, 0", posts, len(b.alarms))
		}
		time.Sleep(10 * time.Minute)
		if len(c.table) != 0 {
			t.Errorf("%d lines in the table 10 min after the end; want 0", len(c.table))
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
