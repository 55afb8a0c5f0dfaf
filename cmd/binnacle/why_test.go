package main

import (
	"strings"
	"testing"
	"time"

	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/dispatch"
	"github.com/navcloud/binnacle/alerting/ledger"
)

func TestWhy(t *testing.T) {
	atDesk(t, dispatch.On, func(t *testing.T, k *desk) {
		a := failing()
		k.tell(30*time.Second, a, full())
		k.want(0, "ack StreamsFailing")
		k.tell(time.Second)
		id := a.Fingerprint()
		for _, name := range []string{"StreamsFailing", "service:api", id, "binnacle:StreamsFailing:service:api:1"} {
			out := wants(t, 0, []string{"why", name},
				"is P1 and was paged as binnacle:StreamsFailing:service:api:1 and acknowledged by ann: users are affected now",
				"00:00:15 trigger decided: P1 12 % of streams fail [StreamsFailing] (users are affected now",
				"00:00:15 trigger accepted by the pager", "00:00:30 acknowledged by ann")
			if strings.Contains(out, "DiskFull") || strings.Count(out, "is P1") != 1 {
				t.Errorf("why %s tells of another, or twice:\n%s", name, out)
			}
		}
		k.want(0, "why node:riak-3", "DiskFull on node:riak-3 is P2 and ")

		k.want(0, "silence add alertname=DiskFull --for 1h")
		k.tell(time.Second)
		k.want(0, "why DiskFull", `Silence `, `by ann, until 01:00:31 (59 min): alertname="DiskFull"`, "00:00:31 silenced by ann")

		if err := k.d.Put(t.Context(), alerting.Ended{Fingerprint: id}); err != nil {
			t.Fatal(err)
		}
		k.tell(20 * time.Minute)
		for _, name := range []string{"StreamsFailing", "service:api", id} {
			wants(t, 0, []string{"why", name}, "on the board no more", "resolve accepted by the pager")
		}
		k.want(1, "why StreamsFailing --since 1m", "Nothing is known of StreamsFailing, neither now nor in the last 1 min")
		k.want(1, "why Nonsense", "Nothing is known of Nonsense")
		k.want(3, "why DiskFull --since yesterday", "--since: want a duration such as 90m, 2h30m or 3d")
	})
}

// Without a ledger the board's part of the answer is there all the same.
func TestWhyWithoutHistory(t *testing.T) {
	atDesk(t, dispatch.Off, func(t *testing.T, k *desk) {
		k.tell(30*time.Second, failing())
		k.want(0, "why StreamsFailing", "StreamsFailing on service:api is P1 and ", "What was done before is not known: dispatch: there is no ledger")
	})
}

func TestHappened(t *testing.T) {
	at := time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		event ledger.Event
		want  string
	}{
		{
			ledger.Event{Kind: ledger.Shadowed, Action: "trigger", Title: "x [R]", Priority: alerting.P2, Reason: "why", Alarms: []string{"a", "b"}},
			"trigger decided and, in shadow mode, not sent: P2 x [R], for 2 alarms (why)",
		},
		{ledger.Event{Kind: ledger.Throttled, Action: "trigger", Title: "x", Detail: "429"}, "trigger throttled by the pager: x (429)"},
		{ledger.Event{Kind: ledger.Unknown, Action: "resolve"}, "resolve without an answer"},
		{ledger.Event{Kind: ledger.Second, Action: "trigger"}, "trigger through the second channel"},
		{ledger.Event{Kind: ledger.Unacked, By: "bo"}, "acknowledgement taken back by bo"},
		{ledger.Event{Kind: ledger.Closed, By: "bo\x1b[1m"}, "closed at the pager by bo [1m"},
		{ledger.Event{Kind: ledger.Unsilence}, "silence ended"},
		{ledger.Event{Kind: ledger.Deployed, Title: "deploy api 2"}, "deployed: deploy api 2"},
	} {
		c.event.At = at
		if got := happened(c.event, at.Add(26*time.Hour)); got != "24 Nov 03:00:00 "+c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}
