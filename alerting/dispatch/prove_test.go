package dispatch

import (
	"strings"
	"testing"
	"time"

	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/alertingtest"
	"github.com/navcloud/binnacle/alerting/ledger"
)

// Each channel that a day has not used is tried, by what wakes nobody; a restart does not try it again.
func TestChannelsAreProvedEachDay(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		tests := func() (n int) {
			for _, c := range r.pd.Calls() {
				if c.Action == "change" {
					n++
				}
			}
			return n
		}
		r.start()
		r.pass(2 * time.Minute)
		if n := tests(); n != 2 { // of the default route and of the other
			t.Errorf("%d tests after the start; want 2", n)
		}
		r.stop()
		r.start()
		r.pass(2 * time.Hour)
		if n := tests(); n != 2 {
			t.Errorf("%d tests after a restart; want no more than 2", n)
		}
		if e := r.history(ledger.Proved); len(e) != 2 {
			t.Errorf("%d proofs in the ledger; want 2", len(e))
		}
		r.put(alerting.Firing{Alarm: alarm("A")}) // on a route that has no key of its own
		r.pass(23 * time.Hour)
		if n := tests(); n < 3 {
			t.Errorf("%d tests after a day; want a third", n)
		}
		r.pages("A")
		r.stop()
	})
}

func TestAChannelThatDoesNotAcceptSaysSo(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.pd.Set(alertingtest.Fail)
		r.start()
		defer r.stop()
		r.pass(2 * time.Minute)
		for _, c := range r.d.Status().Channels {
			if !strings.Contains(c.Error, "unknown: 5") || !c.Accepted.IsZero() {
				t.Errorf("channel %+v; want why it does not accept", c)
			}
		}
		r.pd.Set(alertingtest.OK)
		r.pass(2 * proveRetry)
		for _, c := range r.d.Status().Channels {
			if c.Error != "" || time.Since(c.Accepted) > 2*proveRetry {
				t.Errorf("channel %+v; want that it accepted", c)
			}
		}
	})
}

func TestRefusedActsAreKeptByLogin(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.start()
		defer r.stop()
		r.pass(time.Second)
		r.d.ActRefused(alerting.Person{Login: "jo", Proof: alerting.ByPassword}, "POST /api/v1/silence", "may read here")
		for range 3 * maxRefusals {
			r.d.ActRefused(alerting.Person{From: "10.0.0.7"}, "POST /", "no login")
		}
		r.pass(time.Second)
		e := r.history(ledger.ActRefused)
		if len(e) != maxRefusals || e[0].By != "jo" || e[1].By != "unknown at 10.0.0.7" {
			t.Errorf("%d refusals, %+v; want %d, the first by jo", len(e), e[:2], maxRefusals)
		}
	})
}
