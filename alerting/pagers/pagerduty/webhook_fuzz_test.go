package pagerduty

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/navcloud/binnacle/alerting"
)

// FuzzWebhook posts any body, rightly signed: it is taken, at most as one input that names an incident, or refused with a
// reason; once with a wrong signature, when it is always refused.
func FuzzWebhook(f *testing.F) {
	f.Add(`{"event":{"id":"1","event_type":"incident.acknowledged","agent":{"type":"user_reference","summary":"Ann"},"data":{"incident_key":"k"}}}`)
	f.Add(`{"event":{"event_type":"incident.resolved","occurred_at":"2026-11-24T03:00:00Z","data":{"incident":{"incident_key":"k"}}}}`)
	f.Add(`{"event":{"id":"2","event_type":"incident.annotated","agent":null,"data":{"content":"n","incident":{"id":"P1","incident_key":"k"}}}}`)
	f.Add(`{"event":{"event_type":"pagey.ping","data":null}}`)
	f.Add(`[]`)
	f.Add("{\"event\":\x00")
	f.Fuzz(func(t *testing.T, body string) {
		var got []alerting.Input
		h := NewWebhook(secrets("s"), func(_ context.Context, in ...alerting.Input) error {
			got = append(got, in...)
			return nil
		}, nil, slog.New(slog.DiscardHandler))
		post := func(key string) int {
			mac := hmac.New(sha256.New, []byte(key))
			_, _ = mac.Write([]byte(body)) // it never errs
			w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
			r.Header.Set("X-PagerDuty-Signature", "v1="+hex.EncodeToString(mac.Sum(nil)))
			h.ServeHTTP(w, r)
			return w.Code
		}
		if code := post("other"); code < 400 || len(got) > 0 {
			t.Fatalf("wrongly signed: %d, inputs %v", code, got)
		}
		code := post("s")
		if code >= 500 || len(got) > 1 || code >= 400 && len(got) > 0 {
			t.Errorf("%d, inputs %v", code, got)
		}
		for _, in := range got {
			switch in := in.(type) {
			case alerting.Acked:
				if in.Key == "" {
					t.Errorf("%+v names no incident", in)
				}
			case alerting.Noted:
				if in.Key == "" || in.Text == "" {
					t.Errorf("%+v names no incident, or says nothing", in)
				}
			case alerting.Closed:
				if in.Key == "" {
					t.Errorf("%+v names no incident", in)
				}
			}
		}
	})
}
