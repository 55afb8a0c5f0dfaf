package pagerduty

import (
	"strings"
	"testing"
	"time"

	"github.com/navcloud/binnacle/agent/secret"
	"github.com/navcloud/binnacle/alerting/alertingtest"
)

// account is one in which nothing stands in our way: the service is on the second page of the list.
func account() *alertingtest.Account {
	return &alertingtest.Account{
		Token: "token", Users: []string{"binnacle@example.com"}, OnCall: []string{"PE1"},
		Services: []alertingtest.Service{
			{ID: "PS1", Name: "other", RoutingKey: strings.Repeat("a", 32)},
			{ID: "PS2", Name: "another", RoutingKey: strings.Repeat("b", 32)},
			{ID: "PS3", Name: "navcloud", RoutingKey: alertingtest.RoutingKey, Policy: "PE1"},
		},
	}
}

func TestLiveSaysWhatWouldDefeatUs(t *testing.T) {
	set := func(key string, value any) func(*alertingtest.PagerDuty, *Config) {
		return func(p *alertingtest.PagerDuty, _ *Config) {
			p.Account.Services[2].Settings = map[string]any{key: value}
		}
	}
	rule := func(typ, urgency, during, outside string) map[string]any {
		return map[string]any{
			"type": typ, "urgency": urgency,
			"during_support_hours": map[string]any{"urgency": during}, "outside_support_hours": map[string]any{"urgency": outside},
		}
	}
	for name, tc := range map[string]struct {
		change func(*alertingtest.PagerDuty, *Config)
		level  Level
		want   string
	}{
		"nothing does":                  {nil, Fine, "navcloud stands in our way nowhere"},
		"low priorities wake":           {set("incident_urgency_rule", rule("constant", "high", "", "")), Defeats, "P3 and tests will wake"},
		"P1 wakes nobody":               {set("incident_urgency_rule", rule("constant", "low", "", "")), Defeats, "P1 wakes nobody"},
		"P1 wakes nobody at night":      {set("incident_urgency_rule", rule("use_support_hours", "", "severity_based", "low")), Defeats, "low urgency outside support hours"},
		"grouping":                      {set("alert_grouping_parameters", map[string]any{"type": "intelligent"}), Defeats, "alert grouping (intelligent) is on"},
		"grouping, the older form":      {set("alert_grouping", "time"), Defeats, "alert grouping (time) is on"},
		"pauses":                        {set("auto_pause_notifications_parameters", map[string]any{"enabled": true, "timeout": 300}), Defeats, "late by that"},
		"disabled":                      {set("status", "disabled"), Defeats, "it is disabled"},
		"maintenance":                   {set("status", "maintenance"), Defeats, "in maintenance"},
		"resolves by itself":            {set("auto_resolve_timeout", 14400), Advice, "resolved after 4h0m0s"},
		"acknowledged for ever":         {set("acknowledgement_timeout", nil), Advice, "do not run out"},
		"acknowledged for a short time": {set("acknowledgement_timeout", 300), Advice, "run out after 5m0s"},
		"no alerts":                     {set("alert_creation", "create_incidents"), Advice, "without alerts"},
		"nobody on call":                {func(p *alertingtest.PagerDuty, _ *Config) { p.Account.OnCall = nil }, Defeats, "nobody is on call for escalation policy PE1"},
		"a wrong key":                   {func(_ *alertingtest.PagerDuty, c *Config) { c.RoutingKey = secret.New(strings.Repeat("c", 32)) }, Defeats, "none of the 3 services"},
		"a wrong token":                 {func(_ *alertingtest.PagerDuty, c *Config) { c.Token = secret.New("old") }, Defeats, "does not open the REST API: 401"},
		"no token":                      {func(_ *alertingtest.PagerDuty, c *Config) { c.Token = secret.Secret{} }, Advice, "no token is set"},
		"a user that is none":           {func(_ *alertingtest.PagerDuty, c *Config) { c.From = "gone@example.com" }, Defeats, "gone@example.com is no user"},
		"no priorities":                 {func(p *alertingtest.PagerDuty, _ *Config) { p.NoPriorities = true }, Advice, "no priority named P1"},
		"the second channel's key":      {func(_ *alertingtest.PagerDuty, c *Config) { c.Second.RoutingKey = secret.New(strings.Repeat("d", 32)) }, Defeats, "none of the 3 services"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, p *alertingtest.PagerDuty) {
				p.Account = account()
				c := client(t, p, func(c *Config) {
					withToken(c)
					if tc.change != nil {
						tc.change(p, c)
					}
				})
				for _, f := range c.Live(t.Context()) {
					if f.Level == tc.level && strings.Contains(f.Text, tc.want) {
						return
					}
				}
				t.Errorf("Live = %+v; want %d with %q", c.Live(t.Context()), tc.level, tc.want)
			})
		})
	}
}

func TestSendTestLeavesNothingOpenAndWakesNobody(t *testing.T) {
	bubble(t, func(t *testing.T, p *alertingtest.PagerDuty) {
		p.Account = account()
		got := client(t, p, withToken).SendTest(t.Context(), time.Now())
		if len(got) != 1 || got[0].Level != Fine || got[0].Route != DefaultRoute {
			t.Errorf("SendTest = %+v; want the default route to be fine", got)
		}
		in := p.Incidents()
		if len(in) != 1 || in[0].Status != "resolved" || in[0].Urgency != "low" || len(in[0].Notes) != 1 {
			t.Errorf("incidents %+v; want one at low urgency with a note, resolved", in)
		}
	})
}

func TestSendTestTellsAWrongKey(t *testing.T) {
	bubble(t, func(t *testing.T, p *alertingtest.PagerDuty) {
		p.Account = account()
		got := client(t, p, func(c *Config) { c.RoutingKey = secret.New(strings.Repeat("c", 32)) }).SendTest(t.Context(), time.Now())
		if len(got) != 1 || got[0].Level != Defeats || !strings.Contains(got[0].Text, "Invalid routing key") {
			t.Errorf("SendTest = %+v; want the refusal in words", got)
		}
	})
}
