package diagnosis

import (
	"testing"
	"time"

	"github.com/navcloud/binnacle/alerting"
)

// An alarm that was a ticket by itself, and follows others now, says nothing of their page: a P2 may join them still.
func TestAGroupIsNotifiedAsItsLeadersAre(t *testing.T) {
	at := time.Date(2026, 11, 30, 3, 0, 0, 0, time.UTC)
	alone := func(notified alerting.Priority, j alerting.Joined) *candidate {
		return &candidate{Fact: &alerting.Fact{First: at}, Reading: &alerting.Reading{}, Priority: alerting.P2, Notified: notified, Joined: j}
	}
	g := &group{}
	g.add(alone(0, alerting.Joined{Leads: true, First: at}))
	g.add(alone(alerting.P3, alerting.Joined{First: at}))
	if g.notified != 0 || graver(alone(0, alerting.Joined{}), g) {
		t.Errorf("notified at %v, want nothing: who leads was not", g.notified)
	}
	g.add(alone(alerting.P2, alerting.Joined{Leads: true, First: at}))
	g.add(alone(0, alerting.Joined{First: at, Notified: alerting.P1}))
	if g.notified != alerting.P1 {
		t.Errorf("notified at %v, want P1: what a member was notified with counts when its leader is gone", g.notified)
	}
}
