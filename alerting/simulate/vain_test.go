package simulate

import (
	"slices"
	"testing"
	"time"

	"github.com/navcloud/binnacle/alerting"
)

// fires is an alarm of somebody's rule, as other has it, that fires for a while; begins are minutes after the start.
type fires struct {
	text    string
	minutes time.Duration
	begins  []time.Duration
}

// played plays alarms that come and go, and returns when pages that wake came, in minutes after the start.
func played(t *testing.T, ack bool, alarms ...fires) (at []int, tickets int) {
	t.Helper()
	begin := time.Date(2026, 11, 30, 3, 0, 0, 0, time.UTC)
	set := alerting.DefaultSettings()
	o := Options{Settings: set}
	p := New(o)
	for _, f := range alarms {
		for _, b := range f.begins {
			a := other{b * time.Minute, f.text}.alarm(begin)
			for m := b; m < b+f.minutes; m++ {
				p.Add(Event{At: begin.Add(m * time.Minute), In: alerting.Firing{Alarm: a, Sender: "prometheus.example.com"}})
			}
			p.Add(Event{At: begin.Add((b + f.minutes) * time.Minute), In: alerting.Ended{Fingerprint: a.Fingerprint(), Sender: "prometheus.example.com"}})
		}
	}
	p.Watch = Checks(time.Minute)
	for end := begin; end.Before(begin.Add(24 * time.Hour)); end = end.Add(2 * time.Minute) {
		if err := p.Run(end); err != nil {
			t.Fatal(err)
		}
		if ack {
			for _, key := range p.Open() {
				p.Add(Event{At: end, In: alerting.Acked{Key: key, By: "Ann"}})
			}
		}
	}
	for _, c := range p.Calls() {
		switch {
		case c.Action.Kind != alerting.Trigger:
		case c.Action.Page.Priority <= alerting.P2:
			at = append(at, int(c.At.Sub(begin).Minutes()))
		default:
			tickets++
		}
	}
	return at, tickets
}

// TestAFrontThatFailsHalfTheTimeIsNoBlip: a probe that only reads as a P1 and fails for two minutes now and then calls once; one that fails
// for a quarter of the time or more calls again, and its page stays open.
func TestAFrontThatFailsHalfTheTimeIsNoBlip(t *testing.T) {
	var half, seldom []time.Duration
	for m := time.Duration(0); m < 120; m += 5 {
		half = append(half, m)
	}
	for m := time.Duration(0); m < 300; m += 25 {
		seldom = append(seldom, m)
	}
	const probe = "BlackboxProbeFailed critical instance=https://pay.example.net/health job=blackbox"
	for name, tc := range map[string]struct {
		begins []time.Duration
		want   []int
	}{
		"two minutes in five":        {half, []int{0, 10}},
		"two minutes in twenty-five": {seldom, []int{0}},
	} {
		if got, tickets := played(t, false, fires{probe, 2, tc.begins}); !slices.Equal(got, tc.want) {
			t.Errorf("%s: pages that wake in the minutes %v, and %d tickets; want %v", name, got, tickets, tc.want)
		}
	}
}

// TestCallsInVainBecomeTickets: what nobody called urgent, or called so twice for nothing, calls no more while it comes and goes. It calls
// when it stays, when a person acted on it, and when something else begins.
func TestCallsInVainBecomeTickets(t *testing.T) {
	hourly := []time.Duration{0, 75, 150, 225, 300}
	for name, tc := range map[string]struct {
		ack    bool
		alarms []fires
		want   []int
	}{
		"a word that nobody knows calls once":       {false, []fires{{"Throttled orange pod=a namespace=n", 20, hourly}}, []int{0}},
		"bare digits call once":                     {false, []fires{{"Throttled 3 pod=a namespace=n", 20, hourly}}, []int{0}},
		"what its author calls urgent calls twice":  {false, []fires{{"Throttled critical pod=a namespace=n", 20, hourly}}, []int{0, 75}},
		"what is urgent and takes long calls":       {false, []fires{{"Throttled critical pod=a namespace=n", 40, hourly}}, []int{0, 75, 150, 225, 300}},
		"what people acted on calls each time":      {true, []fires{{"Throttled orange pod=a namespace=n", 20, hourly}}, []int{0, 75, 150, 225, 300}},
		"what stays calls":                          {false, []fires{{"Throttled orange pod=a namespace=n", 20, hourly}, {"Throttled orange pod=a namespace=n", 120, []time.Duration{375}}}, []int{0, 406}},
		"hours later it is news":                    {false, []fires{{"Throttled orange pod=a namespace=n", 20, []time.Duration{0, 600}}}, []int{0, 600}},
		"what fires for long did not end by itself": {false, []fires{{"Throttled orange pod=a namespace=n", 70, []time.Duration{0, 150, 300}}}, []int{0, 150, 300}},
		"three subjects of a rule, the fourth is mild": {false, []fires{
			{"Throttled orange pod=a namespace=n", 20, []time.Duration{0}},
			{"Throttled orange pod=b namespace=n", 20, []time.Duration{90}},
			{"Throttled orange pod=c namespace=n", 20, []time.Duration{180}},
			{"Throttled orange pod=d namespace=n", 20, []time.Duration{270}},
		}, []int{0, 90, 180}},
		"another rule calls": {false, []fires{{"Throttled orange pod=a namespace=n", 20, hourly}, {"OutOfMemory orange pod=b namespace=m", 20, []time.Duration{400}}}, []int{0, 400}},
		"what is down calls for each": {false, []fires{
			{"HostDown orange instance=a:9100 job=node", 20, []time.Duration{0}},
			{"HostDown orange instance=b:9100 job=node", 20, []time.Duration{90}},
			{"HostDown orange instance=c:9100 job=node", 20, []time.Duration{180}},
			{"HostDown orange instance=d:9100 job=node", 20, []time.Duration{270}},
		}, []int{0, 90, 180, 270}},
		"users are never judged by it": {false, []fires{{"ErrorBudgetBurn orange sloth_service=shop sloth_slo=requests", 20, hourly}}, []int{0, 75, 150, 225, 300}},
	} {
		got, tickets := played(t, tc.ack, tc.alarms...)
		for n := range got {
			got[n] -= got[n] % 5 // they wait a minute or two
		}
		want := slices.Clone(tc.want)
		for n := range want {
			want[n] -= want[n] % 5
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: pages that wake in the minutes %v, and %d tickets; want %v", name, got, tickets, want)
		}
	}
}
