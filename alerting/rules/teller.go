package rules

import (
	"context"
	"maps"
	"net/url"
	"sync"
	"time"

	promrules "github.com/prometheus/prometheus/rules"

	"github.com/navcloud/binnacle/alerting"
)

// teller makes inputs of alerts: Firing while they hold, each minute again; Ended once, and not while nobody can see whether
// they hold.
type teller struct {
	tell func([]alerting.Input)
	eyes *eyes
	now  func() time.Time

	mu       sync.Mutex
	external *url.URL
	known    map[string]bool   // fingerprints that were told as firing
	held     map[string]*held  // of them, those that their rules do not make any more
	kept     map[string]string // keep_firing_for of the rules that have one, by name: the longest
}

// learn finds for how long rules keep firing. Prometheus' rule manager does not remember that across a restart, so that the alarm
// says it to the router, which does.
func (t *teller) learn(list []*promrules.AlertingRule) {
	longest := map[string]time.Duration{}
	for _, r := range list {
		if d := r.KeepFiringFor(); d > longest[r.Name()] {
			longest[r.Name()] = d
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = map[string]string{}
	for name, d := range longest {
		t.kept[name] = d.String()
	}
}

func newTeller(external *url.URL, tell func([]alerting.Input), e *eyes, now func() time.Time) *teller {
	return &teller{external: external, tell: tell, eyes: e, now: now, known: map[string]bool{}, held: map[string]*held{}}
}

func (t *teller) notify(_ context.Context, expr string, alerts ...*promrules.Alert) {
	if in := t.inputs(expr, alerts); len(in) > 0 {
		t.tell(in)
	}
}

func (t *teller) inputs(expr string, alerts []*promrules.Alert) []alerting.Input {
	in := make([]alerting.Input, 0, len(alerts))
	for _, a := range alerts {
		alarm := t.alarm(a)
		if a.ResolvedAt.IsZero() {
			t.fires(alarm)
			in = append(in, alerting.Firing{Alarm: alarm})
		} else if t.firing(alarm.Fingerprint()) {
			in = append(in, t.ending(alarm, expr, a.FiredAt.Sub(a.ActiveAt))...)
		}
	}
	return in
}

// alarm is what the router hears of an alert.
func (t *teller) alarm(a *promrules.Alert) alerting.Alarm {
	t.mu.Lock()
	defer t.mu.Unlock()
	alarm := alarmOf(a)
	t.complete(&alarm)
	return alarm
}

// fires notes that a rule makes an alarm.
func (t *teller) fires(a alerting.Alarm) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.known[a.Fingerprint()] = true
	delete(t.held, a.Fingerprint())
}

func alarmOf(a *promrules.Alert) alerting.Alarm {
	return alerting.Alarm{Labels: a.Labels.Map(), Annotations: a.Annotations.Map(), StartsAt: a.FiredAt, EndsAt: a.ValidUntil}
}

// renew takes another external URL, and ends what was told and is not active any more: its rule is gone or another one.
// exprs are those of the rules that there are: what is held for one of them stays.
func (t *teller) renew(external *url.URL, active []*promrules.Alert, exprs map[string]bool) {
	still := map[string]bool{}
	for _, a := range active {
		alarm := alarmOf(a)
		still[alarm.Fingerprint()] = true
	}
	t.mu.Lock()
	t.external = external
	var over []alerting.Input
	for fp := range t.known {
		if h := t.held[fp]; still[fp] || h != nil && exprs[h.expr] {
			continue
		}
		delete(t.known, fp)
		delete(t.held, fp)
		over = append(over, alerting.Ended{Fingerprint: fp})
	}
	t.mu.Unlock()
	if len(over) > 0 {
		t.tell(over)
	}
}

// complete adds for how long the rule keeps firing, and the built-in runbook where the rule names none.
func (t *teller) complete(a *alerting.Alarm) {
	if d := t.kept[a.Rule()]; d != "" {
		a.Annotations = maps.Clone(a.Annotations)
		if a.Annotations == nil {
			a.Annotations = map[string]string{}
		}
		a.Annotations[alerting.AnnotationKeeps] = d
	}
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
