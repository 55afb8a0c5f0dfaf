package agent

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/navcloud/binnacle/agent/aws/awstest"
	"github.com/navcloud/binnacle/agent/testport"
	"github.com/navcloud/binnacle/alerting/alertingtest"
)

// untilAWS waits for a state.
func untilAWS(t *testing.T, what string, is func() bool, say func() any) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within two minutes: %+v", what, say())
		}
	}
}

// From a message in a queue to the router, over a restart of the agent, and back; without the right to ask how alarms are.
func TestAlarmsOfAQueueReachTheRouter(t *testing.T) {
	fake := asAWS(t)
	fake.Deny("DescribeAlarms", true)
	queue, data := fake.Queue("notices"), t.TempDir()
	start := func() (*Agent, func()) {
		return run(t, parsed(t, "data: %s\nlisten: %s\ncollect: off\nrules: off\nstore: off\nroute: {mode: shadow}\naws: {region: eu-west-1, endpoint: '%s'}\nintake: {aws: {queue: '%s'}}\n",
			data, testport.Free(t), fake.URL, queue))
	}
	firing := func(a *Agent, want int) {
		t.Helper()
		untilAWS(t, fmt.Sprintf("%d alarms fire, and no message is left", want), func() bool {
			return a.route.dispatch.View().Firing == want && fake.Left("notices") == 0
		}, func() any { return a.Status().Route.AWS })
	}
	at := time.Now().Add(-time.Hour)
	a, end := start()
	fake.Send("notices", fake.Set("x", "ALARM", at))
	fake.Send("notices", `{"detail-type":"Something New","detail":{}}`)
	firing(a, 1)
	var text strings.Builder
	a.Status().Write(&text)
	if !strings.Contains(text.String(), "NOT TAKEN (unknown): Something New") {
		t.Errorf("status says nothing of a form that nobody knows:\n%s", &text)
	}
	end()
	a, end = start()
	defer end()
	firing(a, 1) // remembered
	fake.Send("notices", fake.Set("x", "OK", at.Add(time.Minute)))
	firing(a, 0)
	untilAWS(t, "the right that lacks is named", func() bool {
		return strings.Contains(a.Status().Route.AWS.Fault, "lacks the right cloudwatch:DescribeAlarms")
	}, func() any { return a.Status().Route.AWS })
}

// An alarm of CloudWatch pages within seconds; what happens while no router lives pages at the next start, once; what ends meanwhile ends;
// and of two contributors the one that is well again leaves the other firing.
func TestFromAnAlarmAtCloudWatchToAPage(t *testing.T) {
	fake, pd := asAWS(t), alertingtest.NewPagerDuty()
	defer pd.Close()
	queue, data := fake.Queue("notices"), t.TempDir()
	start := func() (*Agent, func()) {
		return run(t, parsed(t, "data: %s\nlisten: %s\ncollect: off\nrules: off\nstore: off\nroute: {pagerduty: {routing_key: 0123456789abcdef0123456789abcdef, events_url: '%s'}, order: {wait: {foreign: 0s, cause_alone: 0s, roll_up: 0s}, start: {listen: 1s, listen_p1: 1s, listen_resolve: 2s}, resolve: {quiet: 1s, after_cause: 1s}}}\naws: {region: eu-west-1, endpoint: '%s'}\nintake: {aws: {queue: '%s'}}\n",
			data, testport.Free(t), pd.URL(), fake.URL, queue))
	}
	open := func() (n int) {
		for _, i := range pd.Incidents() {
			if i.Status != "resolved" {
				n++
			}
		}
		return n
	}
	var a *Agent
	until := func(what string, is func() bool) time.Duration {
		t.Helper()
		begun := time.Now()
		untilAWS(t, what, is, func() any {
			var text strings.Builder
			a.Status().Write(&text)
			return fmt.Sprintf("%+v\n%s", pd.Incidents(), &text)
		})
		return time.Since(begun).Round(time.Millisecond)
	}
	a, end := start()
	fake.Send("notices", fake.Set("balancer", "ALARM", time.Now()))
	t.Logf("from the message in the queue to the router: %v", until("it fires", func() bool { return a.route.dispatch.View().Firing == 1 }))
	t.Logf("and to the page: %v", until("it pages", func() bool { return len(pd.Pages()) == 1 }))
	end()
	// Nobody reads: one alarm is lost on the way (its queue had no room), one waits, and the first ends unheard.
	fake.Set("lost", "ALARM", time.Now())
	fake.Send("notices", fake.Set("waits", "ALARM", time.Now()))
	fake.Send("notices", fake.Set("waits", "ALARM", time.Now())) // twice
	fake.Set("balancer", "OK", time.Now())
	a, end = start()
	defer end()
	t.Logf("after a restart, to the end of what ended unheard and the page of what began: %v", until("what was missed is made good", func() bool {
		in := pd.Incidents()
		return a.route.dispatch.View().Firing == 2 && len(in) > 1 && in[0].Status == "resolved" && open() == len(in)-1
	}))
	part := func(id, state string) string {
		arn := "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:many"
		return fmt.Sprintf(`{"detail-type":"CloudWatch Alarm Contributor State Change","resources":[%q],"detail":{"alarmName":"many","alarmContributor":{"id":%q,"attributes":{"Team":%q}},"state":{"value":%q,"timestamp":%q}}}`,
			arn, id, id, state, time.Now().UTC().Format("2006-01-02T15:04:05.000-0700"))
	}
	now := time.Now()
	fake.Set("many", "ALARM", now, awstest.Contributor{ID: "b", Attributes: map[string]string{"Team": "b"}, At: now})
	fake.Send("notices", part("a", "ALARM"))
	fake.Send("notices", part("b", "ALARM"))
	untilAWS(t, "a and b fire", func() bool { return a.route.dispatch.View().Firing == 4 }, func() any { return a.route.dispatch.View().Firing })
	fake.Send("notices", part("a", "OK"))
	untilAWS(t, "b alone fires", func() bool { return a.route.dispatch.View().Firing == 3 }, func() any { return a.route.dispatch.View().Firing })
}
