package pagerduty_test

import (
	"fmt"
	"time"

	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/pagers/pagerduty"
)

func ExampleText() {
	fmt.Print(pagerduty.Text(alerting.Page{
		Priority: alerting.P1, Sentence: "Users hurt: RabbitMQ is partitioned between zones", Rule: "RabbitPartition",
		Impact: "12% of streams fail", Broken: "rabbit-01 and rabbit-03 do not see each other",
		Since:    time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC),
		Guidance: "check the link between the zones before any broker is restarted",
		Explained: []alerting.Alarm{
			{Labels: map[string]string{"alertname": "RabbitPartition"}},
			{Labels: map[string]string{"alertname": "FanOutLate"}},
			{Labels: map[string]string{"alertname": "FanOutLate"}},
			{Labels: map[string]string{"alertname": "StreamsFailing"}},
		},
		Behind: []string{"P2 Riak disk 95% full"}, Reason: "users are affected now",
	}))
	// Output:
	// P1 Users hurt: RabbitMQ is partitioned between zones [RabbitPartition]
	//   hurt      12% of streams fail
	//   broken    rabbit-01 and rabbit-03 do not see each other
	//   since     2026-11-24T03:00:00Z
	//   do first  check the link between the zones before any broker is restarted
	//   explains  3 alarms: 2 FanOutLate, 1 StreamsFailing
	//   next      P2 Riak disk 95% full
	//   why       users are affected now
}
