package rules

import (
	"context"
	"maps"
	"net/url"
	"sync"

	promrules "github.com/prometheus/prometheus/rules"

	"github.com/navcloud/binnacle/alerting"
)

// teller makes inputs of alerts: Firing while they hold, each minute again; Ended once.
type teller struct {
	tell func([]alerting.Input)

	mu       sync.Mutex
	external *url.URL
	known    map[string]bool // fingerprints that were told as firing
}

func newTeller(external *url.URL, tell func([]alerting.Input)) *teller {
	return &teller{external: external, tell: tell, known: map[string]bool{}}
}

func (t *teller) notify(_ context.Context, _ string, alerts ...*promrules.Alert) {
	if in := t.inputs(alerts); len(in) > 0 {
		t.tell(in)
	}
}

func (t *teller) inputs(alerts []*promrules.Alert) []alerting.Input {
	t.mu.Lock()
	defer t.mu.Unlock()
	in := make([]alerting.Input, 0, len(alerts))
	for _, a := range alerts {
		alarm := alarmOf(a)
		t.complete(&alarm)
		fp := alarm.Fingerprint()
		if !a.ResolvedAt.IsZero() {
			if t.known[fp] {
				delete(t.known, fp)
				in = append(in, alerting.Ended{Fingerprint: fp})
			}
			continue
		}
		t.known[fp] = true
		in = append(in, alerting.Firing{Alarm: alarm})
	}
	return in
}

func alarmOf(a *promrules.Alert) alerting.Alarm {
	return alerting.Alarm{Labels: a.Labels.Map(), Annotations: a.Annotations.Map(), StartsAt: a.FiredAt, EndsAt: a.ValidUntil}
}

// renew takes another external URL, and ends what was told and is not active any more: its rule is gone or another one.
func (t *teller) renew(external *url.URL, active []*promrules.Alert) {
	still := map[string]bool{}
	for _, a := range active {
		alarm := alarmOf(a)
		still[alarm.Fingerprint()] = true
	}
	t.mu.Lock()
	t.external = external
	var over []alerting.Input
	for fp := range t.known {
		if !still[fp] {
			delete(t.known, fp)
			over = append(over, alerting.Ended{Fingerprint: fp})
		}
	}
	t.mu.Unlock()
	if len(over) > 0 {
		t.tell(over)
	}
}

// complete adds the built-in runbook where the rule names none.
func (t *teller) complete(a *alerting.Alarm) {
	if a.Annotations[alerting.AnnotationRunbook] != "" {
		return
	}
	if _, ok := Runbook(a.Rule()); ok {
		a.Annotations = maps.Clone(a.Annotations)
		if a.Annotations == nil {
			a.Annotations = map[string]string{}
		}
		a.Annotations[alerting.AnnotationRunbook] = t.external.JoinPath("runbooks", a.Rule()).String()
	}
}

func (t *teller) firing(fingerprint string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.known[fingerprint]
}
