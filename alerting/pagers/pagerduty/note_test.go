package pagerduty

import (
	"context"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/alertingtest"
)

// TestANoteAtPagerDutyIsTold has notes written on both sides: a person's is told once, ours does not come back.
func TestANoteAtPagerDutyIsTold(t *testing.T) {
	for name, tc := range map[string]struct {
		acked bool // the webhook has told of the incident before
		token bool
		want  bool
	}{
		"known by an event before": {true, false, true}, "asked for": {false, true, true}, "known to nobody": {false, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, p *alertingtest.PagerDuty) {
				with := withToken
				if !tc.token {
					with = nil
				}
				c := client(t, p, with)
				var got []alerting.Noted
				h := NewWebhook(secrets("s"), func(_ context.Context, in ...alerting.Input) error {
					for _, i := range in {
						if n, ok := i.(alerting.Noted); ok {
							got = append(got, n)
						}
					}
					return nil
				}, c.KeyOf, slog.New(slog.DiscardHandler))
				c.Send(t.Context(), action(alerting.Trigger, "k", alerting.P1))
				rt, stop := alertingtest.Pipe(h)
				defer stop()
				p.WebhookURL, p.WebhookSecret, p.WebhookTransport, p.DeliverTwice = "http://hook", "s", rt, true
				if tc.acked {
					p.Acknowledge("k", "ann")
					synctest.Wait()
				}
				p.Annotate("k", "bob", "the switch is being replaced")
				synctest.Wait()
				if tc.token {
					if r := c.Send(t.Context(), action(alerting.Note, "k", alerting.P1)); r.Outcome != alerting.Accepted {
						t.Errorf("our own note: %+v", r)
					}
					synctest.Wait()
				}
				var want []alerting.Noted
				if tc.want {
					want = []alerting.Noted{{Key: "k", By: "bob", Text: "the switch is being replaced"}}
				}
				for i := range got {
					if got[i].At.IsZero() {
						t.Error("a note without its time")
					}
					got[i].At = want[0].At
				}
				if !slices.Equal(got, want) {
					t.Errorf("notes %+v; want %+v", got, want)
				}
			})
		})
	}
}
