package rules

import (
	"strings"
	"testing"
	"time"

	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/router"
)

// TestAShippedRuleAloneShowsThePriorityOfItsSeverity holds what the packs promise: P1 and P2 are
// severity critical, P3 is warning, P4 and P5 are info.
func TestAShippedRuleAloneShowsThePriorityOfItsSeverity(t *testing.T) {
	packs, err := Packs()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range packs {
		groups, err := parse(p.Name, p.Text)
		if err != nil {
			t.Fatal(err)
		}
		for _, g := range groups.Groups {
			for _, r := range g.Rules {
				if r.Alert == "" {
					continue
				}
				labels := map[string]string{alerting.LabelRule: r.Alert}
				for k, v := range r.Labels {
					if strings.Contains(v, "{{") {
						v = "x"
					}
					labels[k] = v
				}
				got := alone(labels, r.Annotations)
				ok := map[string]bool{
					"critical": got == alerting.P1 || got == alerting.P2,
					"warning":  got == alerting.P3,
					"info":     got == alerting.P4 || got == alerting.P5,
				}[labels[alerting.LabelSeverity]]
				if !ok {
					t.Errorf("%s: %s (%s) alone is %v", p.Name, r.Alert, labels[alerting.LabelSeverity], got)
				}
			}
		}
	}
}

// alone is the priority of an alarm of which nothing else is known.
func alone(labels, annotations map[string]string) alerting.Priority {
	now := time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC)
	r := router.New(alerting.DefaultSettings())
	r.Step(now, []alerting.Input{alerting.Firing{Alarm: alerting.Alarm{Labels: labels, Annotations: annotations, StartsAt: now}}})
	return r.View().Problems[0].Priority
}
