package simulate_test

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/simulate"
)

// Users of five services are affected within a minute, and no graph says that the services have anything in common. Who says so by
// our own labels gets a page each. What only reads so may be one disturbance; what still fires 15 minutes later pages.
func TestSeveralServicesAreNotHiddenBehindOne(t *testing.T) {
	for name, tc := range map[string]struct {
		labels map[string]string
		pages  int
	}{
		"kind: symptom":            {map[string]string{"alertname": "Failing", "severity": "critical", "kind": "symptom"}, 5},
		"priority: P1":             {map[string]string{"alertname": "Failing", "severity": "critical", "priority": "P1"}, 5},
		"a monitor's P1":           {map[string]string{"alertname": "Failing", "priority": "P1"}, 2},
		"impact: users":            {map[string]string{"alertname": "Failing", "severity": "critical", "impact": "users"}, 5},
		"a rule that others wrote": {map[string]string{"alertname": "ErrorBudgetBurn", "severity": "page"}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			begin := time.Date(2026, 11, 30, 3, 0, 0, 0, time.UTC)
			p := simulate.New(simulate.Options{Settings: alerting.DefaultSettings()})
			for n := range 5 {
				labels := maps.Clone(tc.labels)
				labels["service"] = fmt.Sprintf("s%d", n)
				at := begin.Add(time.Duration(n) * 12 * time.Second)
				p.Add(simulate.Event{At: at, In: alerting.Firing{Alarm: alerting.Alarm{Labels: labels, StartsAt: at}}})
			}
			if err := p.Run(begin.Add(time.Hour)); err != nil {
				t.Fatal(err)
			}
			pages := 0
			for _, c := range p.Calls() {
				if c.New && c.Action.Page.Priority <= alerting.P2 {
					pages++
				}
			}
			if pages != tc.pages {
				t.Errorf("%d pages, want %d", pages, tc.pages)
			}
		})
	}
}
