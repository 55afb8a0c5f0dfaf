package rabbitmq

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/agent/secret"
)

// fakeFanout is an exchange between links: what one publishes comes to all, after a while.
type fakeFanout struct {
	mu    sync.Mutex
	links map[*fakeTrip]bool
	cut   bool // nothing is confirmed or delivered
	down  bool // nobody can connect
}

type fakeTrip struct {
	f    *fakeFanout
	in   chan []byte
	once sync.Once
}

func (f *fakeFanout) connect(context.Context) (tripLink, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.down {
		return nil, errors.New("connection refused")
	}
	l := &fakeTrip{f: f, in: make(chan []byte, 100)}
	f.links[l] = true
	return l, nil
}

func (f *fakeFanout) set(change func(*fakeFanout)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(f)
}

func (l *fakeTrip) publish(ctx context.Context, body []byte) (string, error) {
	time.Sleep(20 * time.Millisecond)
	l.f.mu.Lock()
	cut := l.f.cut
	for other := range l.f.links {
		if !cut {
			other.in <- body
		}
	}
	l.f.mu.Unlock()
	if cut {
		<-ctx.Done()
		return "", ctx.Err()
	}
	return tripConfirmed, nil
}

func (l *fakeTrip) received() <-chan []byte { return l.in }

func (l *fakeTrip) close() {
	l.once.Do(func() {
		l.f.mu.Lock()
		defer l.f.mu.Unlock()
		delete(l.f.links, l)
		close(l.in)
	})
}

func TestRoundtripThroughACutAndARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeFanout{links: map[*fakeTrip]bool{}}
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		trips := map[string]*roundtrip{}
		for _, n := range []string{"rabbit@a", "rabbit@b"} {
			r := newRoundtrip(10*time.Second, f.connect, func() string { return n }, time.Now, slog.New(slog.DiscardHandler))
			trips[n] = r
			wg.Go(func() { r.run(ctx) })
		}
		has := func(want map[string]float64) {
			t.Helper()
			b := &metric.Batch{}
			trips["rabbit@a"].report(output{b, "c"})
			got := map[string]float64{}
			for _, s := range b.Samples {
				got[s.Desc.Name+s.Labels.With("cluster", "").String()] = s.Value
			}
			for series, v := range want {
				if got[series] != v {
					t.Errorf("%s = %v, want %v", series, got[series], v)
				}
			}
		}
		const published, received = "rabbitmq_roundtrip_published_total", "rabbitmq_roundtrip_received_total"
		time.Sleep(55 * time.Second)
		has(map[string]float64{
			published + `{result="confirmed"}`: 6, published + `{result="timeout"}`: 0, received + `{from="rabbit@b"}`: 6,
			"rabbitmq_roundtrip_confirm_seconds{}": 0.02, `rabbitmq_roundtrip_delivery_seconds{from="rabbit@b"}`: 0.02,
		})
		f.set(func(f *fakeFanout) { f.cut = true })
		time.Sleep(40 * time.Second)
		has(map[string]float64{published + `{result="confirmed"}`: 6, published + `{result="timeout"}`: 3, received + `{from="rabbit@b"}`: 6})
		f.set(func(f *fakeFanout) {
			f.cut, f.down = false, true
			for l := range f.links {
				close(l.in) // the broker ends
				l.once.Do(func() {})
				delete(f.links, l)
			}
		})
		time.Sleep(30 * time.Second)
		has(map[string]float64{published + `{result="unconnected"}`: 3, published + `{result="confirmed"}`: 6})
		f.set(func(f *fakeFanout) { f.down = false })
		time.Sleep(20 * time.Second)
		b := &metric.Batch{}
		trips["rabbit@a"].report(output{b, "c"})
		if v := b.Samples[0]; v.Value <= 6 || v.Labels.Get("result") != tripConfirmed {
			t.Errorf("back again, and %v", v)
		}
		cancel()
		wg.Wait()
	})
}

func TestRoundtripTakesOnlyItsOwn(t *testing.T) {
	r := newRoundtrip(time.Second, nil, nil, time.Now, nil)
	for _, body := range []string{"", "{}", "null", `{"from":"x"}`, `{"from":"","sent":"2026-11-01T00:00:00Z"}`, `{"from":"` + strings.Repeat("x", 300) + `","sent":"2026-11-01T00:00:00Z"}`} {
		r.take([]byte(body))
	}
	if len(r.in) != 0 {
		t.Errorf("took %v", r.in)
	}
	r.take([]byte(`{"from":"rabbit@a","sent":"2126-11-01T00:00:00Z"}`))
	if in := r.in["rabbit@a"]; in == nil || in.took != 0 {
		t.Errorf("a clock ahead of ours makes %+v, want no time at all", in)
	}
}

func TestProbeOptionsTellAllFaults(t *testing.T) {
	err := probeOptions{Password: secret.New("x")}.validate()
	for _, want := range []string{"probe.user:", "probe.every:"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("nothing of %s in %v", want, err)
		}
	}
	if err := (probeOptions{User: "u", VHost: "/", Every: time.Second}).validate(); err == nil || !strings.Contains(err.Error(), "probe.vhost:") || !strings.Contains(err.Error(), "probe.exchange:") {
		t.Errorf("have %v, want vhost and exchange", err)
	}
}
