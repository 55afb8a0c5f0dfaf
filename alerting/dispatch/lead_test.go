package dispatch

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/navcloud/binnacle/agent/secret"
	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/alertingtest"
	"github.com/navcloud/binnacle/alerting/ledger"
	"github.com/navcloud/binnacle/alerting/pagers/pagerduty"
	"github.com/navcloud/binnacle/alerting/router"
)

// mate is one router of a fleet.
type mate struct {
	*Dispatcher
	dead atomic.Bool // its calls reach nobody any more
	cut  bool        // from the ledger; guarded by the pool
	stop func()
}

type fleet struct {
	t    *testing.T
	pd   *alertingtest.PagerDuty
	pool *pool
}

func inFleet(t *testing.T, test func(f *fleet)) {
	synctest.Test(t, func(t *testing.T) {
		f := &fleet{t: t, pd: alertingtest.NewPagerDuty(), pool: newPool()}
		defer f.pd.Close()
		test(f)
	})
}

type deadly struct {
	m  *mate
	rt http.RoundTripper
}

func (d deadly) RoundTrip(r *http.Request) (*http.Response, error) {
	if d.m.dead.Load() {
		return nil, errors.New("killed")
	}
	return d.rt.RoundTrip(r)
}

func (f *fleet) boot(name string) *mate {
	f.t.Helper()
	m := &mate{}
	cfg := pagerduty.DefaultConfig()
	cfg.RoutingKey, cfg.EventsURL = secret.New(alertingtest.RoutingKey), "http://pd"
	pager, err := pagerduty.New(cfg, pagerduty.Options{Transport: deadly{m, f.pd.Transport()}})
	if err != nil {
		f.t.Fatal(err)
	}
	m.Dispatcher, err = New(DefaultConfig(), Options{
		Router: router.New(alerting.DefaultSettings()), Pager: pager, Node: name, Shared: true,
		Ledger: func() (ledger.Ledger, error) { return member{f.pool, &m.cut}, nil },
	})
	if err != nil {
		f.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(f.t.Context())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	m.stop = func() { cancel(); <-done }
	return m
}

// kill is kill -9: nothing of it reaches pager or ledger any more.
func (f *fleet) kill(m *mate) {
	m.dead.Store(true)
	f.cutOff(m, true)
	m.stop()
}

func (f *fleet) cutOff(m *mate, cut bool) {
	f.pool.mu.Lock()
	defer f.pool.mu.Unlock()
	m.cut = cut
}

func (f *fleet) tell(mates []*mate, in ...alerting.Input) {
	f.t.Helper()
	for _, m := range mates {
		if err := m.Put(f.t.Context(), in...); err != nil {
			f.t.Fatal(err)
		}
	}
}

func (f *fleet) triggers(want int) {
	f.t.Helper()
	n := 0
	for _, c := range f.pd.Calls() {
		if c.Action == "trigger" {
			n++
		}
	}
	if n != want || len(f.pd.Pages()) > want {
		f.t.Errorf("%d triggers, %d pages; want %d\n%+v", n, len(f.pd.Pages()), want, f.pd.Calls())
	}
}

func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func TestOfTwoRoutersOneSends(t *testing.T) {
	inFleet(t, func(f *fleet) {
		a := f.boot("a")
		pass(time.Second)
		b := f.boot("b")
		pass(time.Second)
		both := []*mate{a, b}
		if a.Status().Standby || !b.Status().Standby {
			t.Fatalf("standby %v, %v; want b alone", a.Status().Standby, b.Status().Standby)
		}
		bad := vital("StreamsFailing")
		f.tell(both, alerting.Firing{Alarm: bad})
		pass(30 * time.Second)
		f.triggers(1)
		if n := b.Status().Open; n != 1 {
			t.Errorf("the other router knows %d incidents; want 1", n)
		}
		// An acknowledgement that only the other one hears of reaches both.
		f.tell([]*mate{b}, alerting.Acked{Key: f.pd.Pages()[0].Key, By: "ann"})
		pass(5 * time.Second)
		if p := a.View().Problems; len(p) != 1 || p[0].AckedBy != "ann" {
			t.Errorf("problems %+v; want one that ann took", p)
		}
		f.tell(both, alerting.Ended{Fingerprint: bad.Fingerprint()})
		pass(3 * time.Minute)
		if in := f.pd.Incidents(); len(in) != 1 || in[0].Status != "resolved" {
			t.Errorf("incidents %+v; want one, resolved", in)
		}
		f.triggers(1)
		a.stop()
		b.stop()
	})
}

func TestTheOtherRouterTakesOverWithinTenSeconds(t *testing.T) {
	inFleet(t, func(f *fleet) {
		a := f.boot("a")
		pass(time.Second)
		b := f.boot("b")
		both := []*mate{a, b}
		first, second := vital("StreamsFailing"), vital("LoginFailing")
		second.Labels["service"], second.Labels["entity"] = "login", "service:login"
		f.tell(both, alerting.Firing{Alarm: first})
		pass(30 * time.Second)
		f.tell(both, alerting.Firing{Alarm: second})
		pass(5 * time.Second)
		f.kill(a)
		pass(10*time.Second + time.Second/2) // its wait of 15 s was over before
		f.triggers(2)
		if in := f.pd.Incidents(); len(in) != 2 {
			t.Fatalf("incidents %+v; want both", in)
		}
		// It comes back and stands by.
		a = f.boot("a")
		f.tell([]*mate{a}, alerting.Firing{Alarm: first}, alerting.Firing{Alarm: second})
		pass(time.Minute)
		f.triggers(2)
		if !a.Status().Standby || b.Status().Standby {
			t.Error("want b to send and a to stand by")
		}
		f.tell([]*mate{a, b}, alerting.Ended{Fingerprint: first.Fingerprint()}, alerting.Ended{Fingerprint: second.Fingerprint()})
		pass(5 * time.Minute)
		for _, in := range f.pd.Incidents() {
			if in.Status != "resolved" {
				t.Errorf("%s is %s; want it resolved", in.Title, in.Status)
			}
		}
		a.stop()
		b.stop()
	})
}

func TestWithoutTheLedgerEveryRouterSends(t *testing.T) {
	inFleet(t, func(f *fleet) {
		a := f.boot("a")
		pass(time.Second)
		b := f.boot("b")
		both := []*mate{a, b}
		pass(time.Second)
		f.cutOff(a, true)
		f.cutOff(b, true)
		f.tell(both, alerting.Firing{Alarm: vital("StreamsFailing")})
		pass(40 * time.Second)
		if a.Status().Standby || b.Status().Standby {
			t.Error("a router waits for a ledger that nobody reaches")
		}
		if n := len(f.pd.Pages()); n != 1 {
			t.Errorf("%d pages; want 1, whoever sent it", n)
		}
		f.cutOff(a, false)
		f.cutOff(b, false)
		pass(time.Minute)
		if a.Status().Standby == b.Status().Standby {
			t.Error("want one of the two to send once the ledger is back")
		}
		if n := len(f.pd.Pages()); n != 1 {
			t.Errorf("%d pages; want 1", n)
		}
		a.stop()
		b.stop()
	})
}
