package pagerduty

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// service is what matters here of a service at PagerDuty.
// Source: PagerDuty REST API reference, "Services", read November 2026. Timeouts are seconds; none is null.
type service struct {
	ID                  string
	Name                string
	Status              string // active, warning, critical, maintenance, disabled
	Integrations        []integration
	EscalationPolicy    struct{ ID, Summary string } `json:"escalation_policy"`
	AutoResolve         *int                         `json:"auto_resolve_timeout"`
	Acknowledgement     *int                         `json:"acknowledgement_timeout"`
	AlertCreation       string                       `json:"alert_creation"`
	AlertGrouping       string                       `json:"alert_grouping"` // the older form
	AlertGroupingParams struct{ Type string }        `json:"alert_grouping_parameters"`
	AutoPause           struct {
		Enabled bool
		Timeout int
	} `json:"auto_pause_notifications_parameters"`
	Urgency struct {
		Type    string                   // constant, use_support_hours
		Urgency string                   // high, low, severity_based
		During  struct{ Urgency string } `json:"during_support_hours"`
		Outside struct{ Urgency string } `json:"outside_support_hours"`
	} `json:"incident_urgency_rule"`
}

type integration struct {
	Key string `json:"integration_key"`
}

func (s service) hasKey(key string) bool {
	return slices.ContainsFunc(s.Integrations, func(i integration) bool { return i.Key == key })
}

// shortAck is an acknowledgement that runs out while the person still works on it.
const shortAck = 10 * time.Minute

// judge says which settings of a service work against pages in order.
func (s service) judge() (out []Finding) {
	add := func(l Level, format string, args ...any) {
		out = append(out, Finding{Level: l, Text: "service " + s.Name + ": " + fmt.Sprintf(format, args...)})
	}
	switch s.Status {
	case "disabled":
		add(Defeats, "it is disabled: no event opens an incident; enable it")
	case "maintenance":
		add(Defeats, "it is in maintenance: nobody is woken until that ends")
	}
	rules := map[string]string{"": s.Urgency.Urgency}
	if s.Urgency.Type == "use_support_hours" {
		rules = map[string]string{" during support hours": s.Urgency.During.Urgency, " outside support hours": s.Urgency.Outside.Urgency}
	}
	for _, when := range []string{"", " during support hours", " outside support hours"} {
		switch rules[when] {
		case "high":
			add(Defeats, "every incident is of high urgency%s: P3 and tests will wake a person; set the urgency to follow the severity of alerts", when)
		case "low":
			add(Defeats, "every incident is of low urgency%s: P1 wakes nobody; set the urgency to follow the severity of alerts", when)
		}
	}
	if grouping := cmp.Or(s.AlertGroupingParams.Type, s.AlertGrouping); grouping != "" {
		add(Defeats, "alert grouping (%s) is on: a second page disappears in the first one's incident and wakes nobody; turn it off, binnacle groups by cause", grouping)
	}
	if s.AutoPause.Enabled {
		add(Defeats, "notifications of transient alerts are paused for %v: pages are late by that; turn it off, binnacle waits by itself", seconds(&s.AutoPause.Timeout))
	}
	if d := seconds(s.AutoResolve); d > 0 {
		add(Advice, "incidents are resolved after %v whether or not they are over: they page again while the alarm fires; turn the timeout off", d)
	}
	switch d := seconds(s.Acknowledgement); {
	case d == 0:
		add(Advice, "acknowledgements do not run out: what a person took and forgot never rings again; 30m is usual")
	case d < shortAck:
		add(Advice, "acknowledgements run out after %v: it rings again while the person works on it; 30m is usual", d)
	}
	if s.AlertCreation == "create_incidents" {
		add(Advice, "it makes incidents without alerts: severities do not reach the urgency; let it create alerts and incidents")
	}
	return out
}

func seconds(n *int) time.Duration {
	if n == nil {
		return 0
	}
	return time.Duration(*n) * time.Second
}
