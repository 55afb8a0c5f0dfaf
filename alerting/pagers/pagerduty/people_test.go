package pagerduty

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/navcloud/binnacle/agent/secret"
	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/alertingtest"
)

func TestRetitleByREST(t *testing.T) {
	bubble(t, func(t *testing.T, p *alertingtest.PagerDuty) {
		c := client(t, p, withToken)
		if got := c.Send(t.Context(), action(alerting.Retitle, "k", alerting.P1)); got.Outcome != alerting.Unknown || got.After == 0 {
			t.Fatalf("retitle without an incident = %+v; want unknown, and when to come back", got)
		}
		c.Send(t.Context(), action(alerting.Trigger, "k", alerting.P2))
		better := action(alerting.Retitle, "k", alerting.P1)
		better.Page.Sentence = "the zone is cut off"
		better.Page.Explained = append([]alerting.Alarm{alarm(77)}, better.Page.Explained...)
		for _, a := range []alerting.Action{better, action(alerting.Note, "k", alerting.P1)} {
			if got := c.Send(t.Context(), a); got.Outcome != alerting.Accepted {
				t.Fatalf("%v = %+v; want accepted", a.Kind, got)
			}
		}
		in := p.Incidents()
		if len(in) != 1 || in[0].Title != "P1 the zone is cut off [AZUnreachable]" || in[0].Priority != "PR1" || len(in[0].Notes) != 1 {
			t.Errorf("incidents %+v; want one with the new title, P1 and a note", in)
		}
		if calls := p.Calls(); len(p.Pages()) != 1 || !slices.ContainsFunc(calls, func(c alertingtest.Call) bool {
			return c.Action == "trigger" && !c.Opened && strings.Contains(c.Details, "A0077")
		}) {
			t.Errorf("calls %+v; want one page, and the alarm that came later in its log", calls)
		}
		c.Send(t.Context(), action(alerting.Resolve, "k", alerting.P1))
		if got := c.Send(t.Context(), better); got.Outcome != alerting.Refused {
			t.Errorf("retitle of what is resolved = %+v; want refused", got)
		}
	})
}

func TestEscalateByREST(t *testing.T) {
	bubble(t, func(t *testing.T, p *alertingtest.PagerDuty) {
		c := client(t, p, withToken)
		c.Send(t.Context(), action(alerting.Trigger, "k", alerting.P1))
		p.Acknowledge("k", "ann")
		if got := c.Escalate(t.Context(), "k", 2); got.Outcome != alerting.Accepted {
			t.Fatalf("Escalate = %+v; want accepted", got)
		}
		if in := p.Incidents()[0]; in.Level != 2 || in.Status != "triggered" {
			t.Errorf("incident %+v; want it at level 2 and taken by nobody", in)
		}
		if got := client(t, p, nil).Escalate(t.Context(), "k", 2); got.Outcome != alerting.Refused || !strings.Contains(got.Detail, "token") {
			t.Errorf("without a token: %+v; want refused, and why", got)
		}
	})
}

func TestATitleDoesNotWaitForTheEventsLimit(t *testing.T) {
	bubble(t, func(t *testing.T, p *alertingtest.PagerDuty) {
		c := client(t, p, withToken)
		p.SetRate(1)
		c.Send(t.Context(), action(alerting.Trigger, "k", alerting.P2))
		better := action(alerting.Retitle, "k", alerting.P1)
		better.Page.Sentence = "the zone is cut off"
		if got := c.Send(t.Context(), better); got.Outcome != alerting.Throttled {
			t.Errorf("retitle = %+v; want throttled, since the alarms are not told yet", got)
		}
		if in := p.Incidents(); in[0].Title != "P1 the zone is cut off [AZUnreachable]" {
			t.Errorf("title %q; want the new one", in[0].Title)
		}
	})
}

func TestWithoutTokenATitleIsALogEntryAndANoteIsRefused(t *testing.T) {
	bubble(t, func(t *testing.T, p *alertingtest.PagerDuty) {
		c := client(t, p, nil)
		c.Send(t.Context(), action(alerting.Trigger, "k", alerting.P2))
		if got := c.Send(t.Context(), action(alerting.Retitle, "k", alerting.P1)); got.Outcome != alerting.Accepted {
			t.Errorf("retitle = %+v; want accepted", got)
		}
		if got := c.Send(t.Context(), action(alerting.Note, "k", alerting.P1)); got.Outcome != alerting.Refused {
			t.Errorf("note = %+v; want refused", got)
		}
		if n := len(p.Pages()); n != 1 {
			t.Errorf("%d pages; want 1", n)
		}
	})
}

func TestPollTellsWhatPeopleDid(t *testing.T) {
	bubble(t, func(t *testing.T, p *alertingtest.PagerDuty) {
		c := client(t, p, withToken)
		c.Send(t.Context(), action(alerting.Trigger, "k", alerting.P1))
		var acked atomic.Bool
		open := func() []alerting.Record {
			rec := alerting.Record{Key: "k", Open: true}
			if acked.Load() {
				rec.AckedBy = "ann"
			}
			return []alerting.Record{rec}
		}
		ctx, cancel := context.WithCancel(t.Context())
		got := make(chan alerting.Input, 10)
		done := make(chan error)
		go func() {
			done <- c.Poll(ctx, open, func(_ context.Context, in ...alerting.Input) error {
				for _, i := range in {
					got <- i
				}
				return nil
			})
		}()
		expect := func(want ...alerting.Input) {
			t.Helper()
			time.Sleep(25 * time.Second)
			synctest.Wait()
			if len(got) != len(want) {
				t.Fatalf("%d inputs; want %v", len(got), want)
			}
			for _, w := range want {
				if g := <-got; g != w {
					t.Errorf("input %+v; want %+v", g, w)
				}
			}
		}
		expect()
		p.Acknowledge("k", "ann")
		expect(alerting.Acked{Key: "k", By: "ann", Pager: true})
		acked.Store(true)
		expect()
		p.Unacknowledge("k", "ann")
		expect(alerting.Acked{Key: "k", By: "ann", Undo: true, Pager: true})
		acked.Store(false)
		until := time.Now().Add(4 * time.Hour).UTC().Truncate(time.Second)
		p.Snooze("k", "cy", until)
		snoozed := alerting.Noted{Key: "k", By: "cy", Text: "acknowledged until " + until.Format("2006-01-02 15:04 UTC") + ": PagerDuty rings again then"}
		expect(alerting.Acked{Key: "k", By: "cy", Pager: true}, snoozed)
		acked.Store(true)
		expect()
		p.Snooze("k", "cy", until.Add(time.Hour)) // snoozed again
		snoozed.Text = "acknowledged until " + until.Add(time.Hour).Format("2006-01-02 15:04 UTC") + ": PagerDuty rings again then"
		expect(snoozed)
		p.Resolve("k", "bob")
		expect(alerting.Closed{Key: "k", By: "bob"})
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func secrets(texts ...string) func() []secret.Secret {
	var out []secret.Secret
	for _, s := range texts {
		out = append(out, secret.New(s))
	}
	return func() []secret.Secret { return out }
}

// PagerDuty repeats a delivery that failed for two days: what it says was so before what came meanwhile.
func TestTheLaterWebhookCountsAndNotTheLaterArrival(t *testing.T) {
	var got []alerting.Input
	h := NewWebhook(secrets("s"), func(_ context.Context, in ...alerting.Input) error { got = append(got, in...); return nil }, nil, slog.New(slog.DiscardHandler))
	say := func(id, kind, key, at string) {
		t.Helper()
		body := fmt.Sprintf(`{"event":{"id":%q,"event_type":"incident.%s","occurred_at":%q,"agent":{"summary":"ann"},"data":{"incident_key":%q}}}`, id, kind, at, key)
		mac := hmac.New(sha256.New, []byte("s"))
		_, _ = mac.Write([]byte(body))
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
		r.Header.Set("X-PagerDuty-Signature", "v1="+hex.EncodeToString(mac.Sum(nil)))
		r.Header.Set("X-Webhook-Id", id+at) // which anybody may write
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != http.StatusAccepted {
			t.Errorf("%s: %d; want 202", id, w.Code)
		}
	}
	say("1", "unacknowledged", "k", "2026-11-30T03:30:00Z")
	say("2", "acknowledged", "k", "2026-11-30T03:00:00Z") // the retry of an older one
	say("3", "acknowledged", "other", "2026-11-30T03:00:00Z")
	say("1", "unacknowledged", "k", "2026-11-30T03:30:00.000Z") // replayed
	say("4", "resolved", "k", "2026-11-30T03:40:00Z")
	want := []alerting.Input{alerting.Acked{Key: "k", By: "ann", Undo: true, Pager: true}, alerting.Acked{Key: "other", By: "ann", Pager: true}, alerting.Closed{Key: "k", By: "ann"}}
	if !slices.Equal(got, want) {
		t.Errorf("inputs %+v; want %+v", got, want)
	}
}

func TestWebhookTellsEachThingOnce(t *testing.T) {
	bubble(t, func(t *testing.T, p *alertingtest.PagerDuty) {
		got := make(chan alerting.Input, 10)
		busy := true
		h := NewWebhook(secrets("old", "new"), func(_ context.Context, in ...alerting.Input) error {
			if busy {
				busy = false
				return context.DeadlineExceeded // it must be told again, by the second delivery
			}
			got <- in[0]
			return nil
		}, nil, slog.New(slog.DiscardHandler))
		rt, stop := alertingtest.Pipe(h)
		defer stop()
		p.WebhookURL, p.WebhookSecret, p.WebhookTransport, p.DeliverTwice = "http://hook", "new", rt, true
		c := client(t, p, nil)
		c.Send(t.Context(), action(alerting.Trigger, "k", alerting.P1))
		p.Acknowledge("k", "ann")
		synctest.Wait()
		p.Resolve("k", "bob")
		synctest.Wait()
		want := []alerting.Input{alerting.Acked{Key: "k", By: "ann", Pager: true}, alerting.Closed{Key: "k", By: "bob"}}
		for _, w := range want {
			if len(got) == 0 {
				t.Fatalf("nothing came; want %+v", w)
			}
			if g := <-got; g != w {
				t.Errorf("input %+v; want %+v", g, w)
			}
		}
		if len(got) != 0 {
			t.Errorf("%+v came too", <-got)
		}
	})
}

func TestWebhookRefusesWhatIsNotSigned(t *testing.T) {
	body := `{"event":{"event_type":"incident.acknowledged","data":{"incident_key":"k"}}}`
	for name, list := range map[string][]secret.Secret{"a wrong secret": {secret.New("s")}, "no secret": nil, "an empty secret": {{}}} {
		h := NewWebhook(func() []secret.Secret { return list }, func(context.Context, ...alerting.Input) error { t.Error("an input came through"); return nil }, nil, slog.New(slog.DiscardHandler))
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
		r.Header.Set("X-PagerDuty-Signature", "v1=b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad")
		h.ServeHTTP(w, r)
		if w.Code != http.StatusForbidden {
			t.Errorf("%s: %d; want 403", name, w.Code)
		}
	}
}
