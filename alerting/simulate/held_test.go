package simulate

import (
	"testing"
	"time"

	"github.com/navcloud/binnacle/alerting"
)

// TestWhatItsSenderHeldIsNotWaitedForAgain: an alarm of others waits for a cause that may come later from a quicker rule. CloudWatch
// judges whole minutes and more, so that all that are quicker have spoken when its alarm comes.
func TestWhatItsSenderHeldIsNotWaitedForAgain(t *testing.T) {
	at := time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC)
	for name, tc := range map[string]struct {
		labels map[string]string
		wait   time.Duration
		pages  time.Duration // after it came
	}{
		"a metric of one's own at CloudWatch":        {map[string]string{"alertname": "orders", "source": "cloudwatch"}, 45 * time.Second, 20 * time.Second},
		"what reads as an effect, from CloudWatch":   {map[string]string{"alertname": "orders-failing", "source": "cloudwatch"}, 45 * time.Second, 20 * time.Second},
		"a queue of AWS by another way":              {map[string]string{"alertname": "age", "namespace": "AWS/SQS", "metric": "ApproximateAgeOfOldestMessage", "QueueName": "a"}, 45 * time.Second, 20 * time.Second},
		"of Prometheus":                              {map[string]string{"alertname": "Orders"}, 45 * time.Second, 45 * time.Second},
		"an effect by Prometheus":                    {map[string]string{"alertname": "OrdersFailing"}, 45 * time.Second, 90 * time.Second},
		"who waits longer than a period waits on":    {map[string]string{"alertname": "orders", "source": "cloudwatch"}, 2 * time.Minute, 2 * time.Minute},
		"who waits for nobody waits for its effects": {map[string]string{"alertname": "Orders"}, 0, 20 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			tc.labels["severity"] = "critical"
			set := alerting.DefaultSettings()
			set.Wait.Foreign = tc.wait
			p := New(Options{Settings: set})
			p.Add(Event{At: at, In: alerting.Firing{Alarm: alerting.Alarm{Labels: tc.labels, StartsAt: at}}})
			if err := p.Run(at.Add(10 * time.Minute)); err != nil {
				t.Fatal(err)
			}
			for _, c := range p.Calls() {
				if c.Action.Kind == alerting.Trigger {
					if got := c.At.Sub(at); got.Round(time.Second) != tc.pages {
						t.Errorf("%v pages after %v; want %v", tc.labels, got, tc.pages)
					}
					return
				}
			}
			t.Errorf("%v does not page", tc.labels)
		})
	}
}
