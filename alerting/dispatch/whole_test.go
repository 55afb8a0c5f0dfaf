package dispatch

import (
	"context"
	"testing"
	"time"

	"github.com/navcloud/binnacle/agent/secret"
	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/alertingtest"
	"github.com/navcloud/binnacle/alerting/ledger"
	"github.com/navcloud/binnacle/alerting/pagers/pagerduty"
	"github.com/navcloud/binnacle/alerting/router"
)

// The tests of this file run the router that decides, not the single one: what must hold of both together.

// restartWhole ends the life that runs, if one does, and begins another.
func (r *rig) restartWhole() {
	r.t.Helper()
	if r.cancel != nil {
		r.stop()
	}
	r.opts.Router = router.New(alerting.DefaultSettings())
	d, err := New(r.cfg, r.opts)
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(r.t.Context())
	r.d, r.cancel, r.done = d, cancel, make(chan error, 1)
	go func() { r.done <- d.Run(ctx) }()
}

func vital(rule string) alerting.Alarm {
	return alerting.Alarm{
		Labels: map[string]string{
			"alertname": rule, "severity": "critical", "kind": "symptom", "layer": "symptom", "service": "api", "entity": "service:api", "impact": "users",
		},
		Annotations: map[string]string{"summary": "streams fail", "guidance": "drain the zone"},
		StartsAt:    time.Now(),
	}
}

func TestWholeAPageAndItsEnd(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.restartWhole()
		a := vital("StreamsFailing")
		r.put(alerting.Firing{Alarm: a})
		r.pass(18 * time.Second)
		r.pages("StreamsFailing")
		r.put(alerting.Ended{Fingerprint: a.Fingerprint()})
		r.pass(150 * time.Second)
		if in := r.pd.Incidents(); len(in) != 1 || in[0].Status != "resolved" {
			t.Errorf("incidents %+v; want one, resolved", in)
		}
		r.stop()
	})
}

// What fails for 40 s, and a restart in the middle of it, lose no page and send none twice.
func TestWholeNothingIsLostOrDoubled(t *testing.T) {
	for name, tc := range map[string]struct {
		set     func(*alertingtest.PagerDuty)
		restart bool
	}{
		"500":                         {func(p *alertingtest.PagerDuty) { p.Set(alertingtest.Fail) }, false},
		"500, restart":                {func(p *alertingtest.PagerDuty) { p.Set(alertingtest.Fail) }, true},
		"stall":                       {func(p *alertingtest.PagerDuty) { p.Set(alertingtest.Stall) }, false},
		"killed between record, call": {func(p *alertingtest.PagerDuty) { p.Set(alertingtest.Down) }, true},
		"429":                         {func(p *alertingtest.PagerDuty) { p.SetRate(0) }, false},
		"429, restart":                {func(p *alertingtest.PagerDuty) { p.SetRate(0) }, true},
		"lost reply":                  {func(p *alertingtest.PagerDuty) { p.Set(alertingtest.LostReply) }, false},
		"lost reply, restart":         {func(p *alertingtest.PagerDuty) { p.Set(alertingtest.LostReply) }, true},
		"all is well, restart":        {func(*alertingtest.PagerDuty) {}, true},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, r *rig) {
				tc.set(r.pd)
				r.restartWhole()
				a := vital("StreamsFailing")
				r.put(alerting.Firing{Alarm: a})
				r.pass(40 * time.Second)
				if tc.restart {
					r.restartWhole()
				}
				r.pd.Set(alertingtest.OK)
				r.pd.SetRate(120)
				r.put(alerting.Firing{Alarm: a})
				r.pass(65 * time.Second)
				r.pages("StreamsFailing")
				r.put(alerting.Ended{Fingerprint: a.Fingerprint()})
				r.pass(5 * time.Minute)
				if in := r.pd.Incidents(); len(in) != 1 || in[0].Status != "resolved" {
					t.Errorf("incidents %+v; want one, resolved", in)
				}
				if r.d.Status().Undelivered != 0 {
					t.Errorf("undelivered for %v; want nothing", r.d.Status().Undelivered)
				}
				r.stop()
			})
		})
	}
}

// What only the ledger knows is unknown after a restart, and not resolved, until its sender is heard
// without it.
func TestWholeAnIncidentOfAnEarlierLifeEnds(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.restartWhole()
		a := vital("StreamsFailing")
		a.Labels["source"], a.Labels["host"] = "agent", "web-1"
		r.put(alerting.Firing{Alarm: a})
		r.pass(time.Minute)
		r.restartWhole()
		r.pass(10 * time.Minute)
		if in := r.pd.Incidents(); len(in) != 1 || in[0].Status == "resolved" {
			t.Errorf("incidents %+v while nobody was heard; want one, open", in)
		}
		other := alerting.Alarm{Labels: map[string]string{
			"alertname": "Reboot", "severity": "info", "kind": "change", "layer": "host", "source": "agent", "host": "web-1", "entity": "host:web-1",
		}}
		r.put(alerting.Firing{Alarm: other})
		r.pass(10 * time.Minute)
		if in := r.pd.Incidents(); len(in) != 1 || in[0].Status != "resolved" {
			t.Errorf("incidents %+v; want one, resolved", in)
		}
		r.stop()
	})
}

// TestWholeAProblemIsTakenBeforeItsPage: whoever took it is not asked again, nor is who comes next.
func TestWholeAProblemIsTakenBeforeItsPage(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.restartWhole()
		r.put(alerting.Firing{Alarm: vital("StreamsFailing")})
		r.pass(2 * time.Second)
		p := r.d.View().Problems[0]
		if err := r.d.Acknowledge(t.Context(), alerting.Acked{Key: p.ID, By: "ann"}); err != nil || len(r.pd.Incidents()) > 0 {
			t.Fatal(err, r.pd.Incidents())
		}
		r.pass(time.Minute)
		if in := r.pd.Incidents(); len(in) != 1 || in[0].Status != "acknowledged" {
			t.Errorf("incidents %+v; want one, acknowledged", in)
		}
		if p := r.d.View().Problems[0]; p.State != alerting.AckedState || p.AckedBy != "ann" {
			t.Errorf("problem %s, taken by %q; want it taken by ann", p.State, p.AckedBy)
		}
		if e := r.history(ledger.Acked); len(e) != 1 || e[0].By != "ann" || e[0].Title == "" {
			t.Errorf("history %+v; want the acknowledgement of ann, and of what", e)
		}
		r.restartWhole() // and it is known in the next life
		r.put(alerting.Firing{Alarm: vital("StreamsFailing")})
		r.pass(time.Minute)
		if p := r.d.View().Problems[0]; p.State != alerting.AckedState || p.AckedBy != "ann" {
			t.Errorf("problem %s, taken by %q after a restart", p.State, p.AckedBy)
		}
		r.stop()
	})
}

func TestWholeAnAcknowledgementIsTold(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		hook := pagerduty.NewWebhook(func() []secret.Secret { return nil }, nil, nil, r.opts.Log) // refuses all: the board's word is what counts here
		rt, stop := alertingtest.Pipe(hook)
		defer stop()
		r.pd.WebhookURL, r.pd.WebhookTransport = "http://hook", rt
		r.restartWhole()
		r.put(alerting.Firing{Alarm: vital("StreamsFailing")})
		r.pass(time.Minute)
		p := r.d.View().Problems[0]
		if err := r.d.Acknowledge(t.Context(), alerting.Acked{Key: p.Key, By: "ann"}); err != nil {
			t.Fatal(err)
		}
		r.pass(time.Second)
		if p := r.d.View().Problems[0]; p.State != alerting.AckedState || p.AckedBy != "ann" || r.pd.Incidents()[0].Status != "acknowledged" {
			t.Errorf("problem %+v, incident %+v; want it acknowledged by ann", p.State, r.pd.Incidents()[0])
		}
		if e := r.history(ledger.Acked); len(e) != 1 || e[0].By != "ann" || e[0].Key != p.Key {
			t.Errorf("history %+v; want the acknowledgement of ann", e)
		}
		r.stop()
	})
}
