package intake

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/alertingtest"
)

func TestClientKeepsRoutersInformed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBoard()
		var down atomic.Bool
		var posts atomic.Int64
		down.Store(true)
		rt, stop := alertingtest.Pipe(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			posts.Add(1)
			if down.Load() {
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
		synctest.Wait()
		if d := c.Unreachable(); posts.Load() != 6 || d != 20*time.Second {
			t.Errorf("%d posts in 20 s of outage, unreachable for %v; want 6 (a beat, and at 0, 1, 3, 7, 15 s) and 20s", posts.Load(), d)
		}
		down.Store(false)
		time.Sleep(12 * time.Second)
		synctest.Wait()
		if b.count() != 1 || c.Unreachable() != 0 {
			t.Errorf("%d alarms after the outage, unreachable for %v; want 1, 0", b.count(), c.Unreachable())
		}
		for _, p := range b.view().Problems {
			got := p.Root
			if left := time.Until(got.EndsAt); left < 3*time.Minute || !got.StartsAt.Equal(a.StartsAt) {
				t.Errorf("the alarm ends in %v, began %v; want some 4 minutes and its own start", left, got.StartsAt)
			}
		}
		b.mu.Lock()
		clear(b.alarms) // the router lost its memory
		b.mu.Unlock()
		time.Sleep(time.Minute + 5*time.Second)
		synctest.Wait()
		if b.count() != 1 {
			t.Errorf("%d alarms a minute after the router lost its memory; want 1", b.count())
		}
		posts.Store(0)
		put(alerting.Firing{Alarm: a}) // again: nothing new
		synctest.Wait()
		if posts.Load() != 0 {
			t.Errorf("%d posts for what is known; want 0", posts.Load())
		}
		put(alerting.Ended{Fingerprint: a.Fingerprint()})
		synctest.Wait()
		if posts.Load() != 1 || b.count() != 0 {
			t.Errorf("%d posts and %d alarms at the end; want 1, 0", posts.Load(), b.count())
		}
		time.Sleep(17 * time.Minute)
		synctest.Wait()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if len(c.table) != 0 {
			t.Errorf("%d lines in the table 17 min after the end; want 0", len(c.table))
		}
	})
}

func TestTheBeatFindsARouterGoneBeforeThereIsAnAlarm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var gone atomic.Bool
		rt, stop := alertingtest.Pipe(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set(headerRouter, "v")
			if gone.Load() {
				w.WriteHeader(http.StatusBadGateway)
			}
		}))
		defer stop()
		c := NewClient(ClientOptions{Routers: []string{"http://router"}, Beat: 20 * time.Second, Transport: rt})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- c.Run(ctx) }()
		time.Sleep(5 * time.Minute)
		if d := c.Unreachable(); d != 0 {
			t.Errorf("unreachable for %v while the router answers", d)
		}
		if s := c.Routers()[0]; s.URL != "http://router" || s.Error != "" || time.Since(s.Reached) > 20*time.Second {
			t.Errorf("state of the router %+v; want reached within 20 s", s)
		}
		gone.Store(true)
		time.Sleep(time.Minute + time.Second)
		if s := c.Routers()[0]; s.Error != "http://router: 502 Bad Gateway: " || time.Since(s.Reached) < time.Minute {
			t.Errorf("state of the router that is gone %+v; want the answer, and a minute", s)
		}
		if d := c.Unreachable(); d < time.Minute {
			t.Errorf("unreachable for %v; want a minute or more", d)
		}
		if _, ok := c.Worst(); ok {
			t.Error("an alarm where there is none")
		}
		for _, a := range []alerting.Alarm{
			{Labels: map[string]string{"alertname": "Old", "severity": "warning"}, StartsAt: time.Now().Add(-time.Hour)},
			{Labels: map[string]string{"alertname": "Bad", "severity": "critical"}, StartsAt: time.Now()},
		} {
			if err := c.Put(ctx, alerting.Firing{Alarm: a}); err != nil {
				t.Fatal(err)
			}
		}
		if a, ok := c.Worst(); !ok || a.Rule() != "Bad" {
			t.Errorf("Worst = %v; want the critical one", a)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// TestEachAlarmIsPostedAgainAfterItsOwnPost is what takers of alarms expect: not before a minute after the last post of an
// alarm, and soon after it; what ended for a quarter of an hour.
// Source: github.com/prometheus/compliance alert_generator, read 30 November 2026.
func TestEachAlarmIsPostedAgainAfterItsOwnPost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		firing, ended := map[string][]time.Time{}, map[string][]time.Time{}
		rt, stop := alertingtest.Pipe(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set(headerRouter, "v")
			var list []struct {
				Labels map[string]string
				EndsAt time.Time
			}
			if r.Method == http.MethodPost && json.NewDecoder(r.Body).Decode(&list) == nil {
				mu.Lock()
				defer mu.Unlock()
				for _, a := range list {
					if a.EndsAt.After(time.Now()) {
						firing[a.Labels["alertname"]] = append(firing[a.Labels["alertname"]], time.Now())
					} else {
						ended[a.Labels["alertname"]] = append(ended[a.Labels["alertname"]], time.Now())
					}
				}
			}
		}))
		defer stop()
		c := NewClient(ClientOptions{Routers: []string{"http://router"}, Transport: rt})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- c.Run(ctx) }()
		for _, name := range []string{"A", "B"} {
			time.Sleep(17 * time.Second)
			if err := c.Put(ctx, alerting.Firing{Alarm: alerting.Alarm{Labels: map[string]string{"alertname": name}}}); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(10 * time.Minute)
		if err := c.Put(ctx, alerting.Ended{Fingerprint: alerting.Alarm{Labels: map[string]string{"alertname": "A"}}.Fingerprint()}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Minute)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		for what, times := range map[string][]time.Time{"A": firing["A"], "B": firing["B"], "the end of A": ended["A"]} {
			if len(times) < 9 {
				t.Errorf("%s was posted %d times", what, len(times))
			}
			for n := 1; n < len(times); n++ {
				if d := times[n].Sub(times[n-1]); d < time.Minute || d > time.Minute+5*time.Second {
					t.Errorf("%s was posted again after %v; want 1m to 1m5s", what, d)
				}
			}
		}
		if n := len(ended["A"]); n > 0 && ended["A"][n-1].Sub(ended["A"][0]) < 13*time.Minute {
			t.Errorf("the end of A was told for %v; want about 15m", ended["A"][n-1].Sub(ended["A"][0]))
		}
	})
}
