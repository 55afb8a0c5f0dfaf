package dispatch

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/alertingtest"
	"github.com/navcloud/binnacle/alerting/ledger"
)

func TestEveryWayOfFailingIsTriedAgain(t *testing.T) {
	for name, tc := range map[string]struct {
		set   func(*alertingtest.PagerDuty)
		clear func(*alertingtest.PagerDuty)
		kind  ledger.Kind
	}{
		"429":   {func(p *alertingtest.PagerDuty) { p.SetRate(0) }, func(p *alertingtest.PagerDuty) { p.SetRate(120) }, ledger.Throttled},
		"500":   {func(p *alertingtest.PagerDuty) { p.Set(alertingtest.Fail) }, nil, ledger.Unknown},
		"stall": {func(p *alertingtest.PagerDuty) { p.Set(alertingtest.Stall) }, nil, ledger.Unknown},
		"down":  {func(p *alertingtest.PagerDuty) { p.Set(alertingtest.Down) }, nil, ledger.Unknown},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, r *rig) {
				tc.set(r.pd)
				r.start()
				r.put(alerting.Firing{Alarm: alarm("A")})
				r.pass(30 * time.Second)
				if age := r.d.Status().Undelivered; age < 29*time.Second {
					t.Errorf("undelivered for %v; want 30s", age)
				}
				r.pd.Set(alertingtest.OK)
				if tc.clear != nil {
					tc.clear(r.pd)
				}
				r.pass(10 * time.Second)
				r.pages("A")
				if len(r.history(tc.kind)) < 3 || r.d.Status().Undelivered != 0 {
					t.Errorf("%d events %s, undelivered %v; want several, 0", len(r.history(tc.kind)), tc.kind, r.d.Status().Undelivered)
				}
				r.stop()
			})
		})
	}
}

func TestARefusalGoesOutPlainAndIsAnAlarm(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.pd.Set(alertingtest.Refuse)
		r.start()
		r.put(alerting.Firing{Alarm: alarm("A")})
		r.pass(2 * tick)
		r.pages("A", RuleRefused)
		r.stop()
	})
}

// A route that waits for an answer does not keep another from sending.
func TestRoutesDoNotWaitForEachOther(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		slow := slowPager{Pager: r.opts.Pager}
		r.opts.Pager = slow
		r.start()
		other := alarm("B")
		other.Labels["route"] = "other"
		r.put(alerting.Firing{Alarm: alarm("A")}, alerting.Firing{Alarm: other})
		r.pass(time.Second)
		r.pages("B")
		r.pass(time.Minute)
		r.pages("B", "A")
		r.stop()
	})
}

// slowPager takes a minute for the default route.
type slowPager struct{ Pager }

func (s slowPager) Send(ctx context.Context, a alerting.Action) alerting.Result {
	if a.Route == "" {
		time.Sleep(30 * time.Second)
	}
	return s.Pager.Send(ctx, a)
}

var errFull = errors.New("no space left on device")

// disk is a ledger on a disk that fills up or hangs.
type disk struct {
	ledger.Ledger
	mu   *sync.Mutex
	full *bool
	hang chan struct{}
}

func (d disk) Write(ctx context.Context, l ledger.Lease, b ledger.Batch) ([]uint64, error) {
	d.mu.Lock()
	full := *d.full
	d.mu.Unlock()
	if full {
		return nil, errFull
	}
	if d.hang != nil {
		<-d.hang
	}
	return d.Ledger.Write(ctx, l, b)
}

func TestAFullDiskDelaysNoPage(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		var mu sync.Mutex
		full := false
		open := r.opts.Ledger
		r.opts.Ledger = func() (ledger.Ledger, error) {
			l, err := open()
			return disk{Ledger: l, mu: &mu, full: &full}, err
		}
		r.start()
		r.pass(time.Second)
		mu.Lock()
		full = true
		mu.Unlock()
		r.put(alerting.Firing{Alarm: alarm("A")})
		synctest.Wait()
		r.pages("A") // no time has passed
		if r.d.Status().Durable {
			t.Error("durable while the disk is full")
		}
		r.pass(ledgerGrace + 2*tick)
		r.pages("A", RuleLedger)
		for _, a := range r.router.alarms {
			if a.Rule() == RuleLedger && a.Annotations[alerting.AnnotationRunbook] != "http://board/runbooks/"+RuleLedger {
				t.Errorf("the alarm about ourselves has the runbook %q", a.Annotations[alerting.AnnotationRunbook])
			}
		}
		mu.Lock()
		full = false
		mu.Unlock()
		r.pass(2 * tick)
		if !r.d.Status().Durable || len(r.history(ledger.Accepted)) < 2 {
			t.Errorf("status %+v, %d accepted in the history; want durable, with what happened meanwhile", r.d.Status(), len(r.history(ledger.Accepted)))
		}
		r.stop()
		r.start(alerting.Firing{Alarm: alarm("A")})
		r.pass(time.Minute)
		r.pages("A", RuleLedger)
		r.stop()
	})
}

func TestAHangingDiskDelaysOnePageAlone(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		var mu sync.Mutex
		full, hang := false, make(chan struct{})
		open := r.opts.Ledger
		r.opts.Ledger = func() (ledger.Ledger, error) {
			l, err := open()
			return disk{Ledger: l, mu: &mu, full: &full, hang: hang}, err
		}
		r.start()
		r.put(alerting.Firing{Alarm: alarm("A")}, alerting.Firing{Alarm: alarm("B")}, alerting.Firing{Alarm: alarm("C")})
		r.pass(r.cfg.LedgerWait)
		r.pages("A", "B", "C")
		close(hang)
		r.pass(2 * tick)
		if !r.d.Status().Durable {
			t.Error("not durable after the disk came back")
		}
		r.stop()
	})
}

func TestALedgerThatCannotBeOpenedIsOpenedLater(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		open := r.opts.Ledger
		r.start() // an earlier life
		r.put(alerting.Firing{Alarm: alarm("Old")})
		r.pass(time.Second)
		r.stop()

		var mu sync.Mutex
		broken := true
		r.opts.Ledger = func() (ledger.Ledger, error) {
			mu.Lock()
			defer mu.Unlock()
			if broken {
				return nil, errFull
			}
			return open()
		}
		r.start()
		r.put(alerting.Firing{Alarm: alarm("A")})
		synctest.Wait()
		r.pages("Old", "A")
		if _, err := r.d.History(t.Context(), ledger.Query{}); err == nil {
			t.Error("history without a ledger gave no error")
		}
		mu.Lock()
		broken = false
		mu.Unlock()
		r.pass(2 * retryLedger)
		if !r.d.Status().Durable || len(r.history(ledger.Accepted)) < 2 {
			t.Errorf("status %+v, history %+v; want durable, with both lives", r.d.Status(), r.history())
		}
		// What only the ledger knew is resolved now that it is known.
		r.pass(10 * time.Second)
		if in := r.pd.Incidents(); in[0].Status != "resolved" || in[1].Status != "triggered" {
			t.Errorf("incidents %+v; want the old one resolved, the other open", in)
		}
		r.stop()
	})
}

// inMemory is a ledger whose first file hangs: another one, in memory, is written meanwhile.
type inMemory struct {
	ledger.Ledger
	hangs *atomic.Bool
}

func (m inMemory) StandsIn() (string, error) {
	if m.hangs.Load() {
		return "/dev/shm/ledger.db", errors.New("a write hangs")
	}
	return "", nil
}

// Only a reboot loses a ledger in memory, so a disk that is slow for a minute calls nobody.
func TestALedgerInMemoryIsTold(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		hangs := &atomic.Bool{}
		open := r.opts.Ledger
		r.opts.Ledger = func() (ledger.Ledger, error) {
			l, err := open()
			return inMemory{l, hangs}, err
		}
		r.start()
		hangs.Store(true)
		r.pass(time.Minute)
		hangs.Store(false)
		r.pass(2 * tick)
		r.pages()
		hangs.Store(true)
		r.pass(standInGrace + 3*tick)
		r.pages(RuleLedger)
		for _, a := range r.router.alarms {
			if want := "(a write hangs)"; !strings.Contains(a.Annotations[alerting.AnnotationSummary], want) {
				t.Errorf("the alarm says %q, not why: %q", a.Annotations[alerting.AnnotationSummary], want)
			}
		}
		r.stop()
	})
}
