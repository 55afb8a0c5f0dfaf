package simulate

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/navcloud/binnacle/alerting"
)

// Hosts that Nagios tells of have nothing in common but the check: the title says so and names the first, and not the check as a place.
func TestATitleOfManyWithoutAPlace(t *testing.T) {
	begin := time.Date(2026, 11, 30, 3, 0, 0, 0, time.UTC)
	p := New(Options{Settings: alerting.DefaultSettings()})
	for n := range 5 {
		at := begin.Add(time.Duration(n) * 5 * time.Second)
		p.Add(Event{At: at, In: alerting.Firing{Alarm: alerting.Alarm{
			Labels:      map[string]string{"alertname": "HostDown", "host": fmt.Sprintf("srv-%d", n), "state": "DOWN"},
			Annotations: map[string]string{"summary": fmt.Sprintf("PING CRITICAL (10.9.1.%d)", n)}, StartsAt: at,
		}, Sender: "nagios.example.com"}})
	}
	if err := p.Run(begin.Add(5 * time.Minute)); err != nil {
		t.Fatal(err)
	}
	pages := p.Calls()
	if len(pages) == 0 || !strings.HasPrefix(pages[0].Action.Page.Sentence, "5 alike: PING CRITICAL (10.9.1.0)") {
		t.Errorf("pages %+v", pages)
	}
}
