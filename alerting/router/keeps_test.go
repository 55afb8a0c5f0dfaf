package router

import (
	"testing"
	"time"

	"github.com/navcloud/binnacle/alerting"
)

// An alarm of a rule that keeps firing is held over a restart for as long, although its source sends others and not it.
func TestARuleThatKeepsFiringIsHeldOverARestart(t *testing.T) {
	begin := time.Date(2026, 11, 30, 3, 0, 0, 0, time.UTC)
	for keeps, want := range map[string]time.Duration{"10m0s": 10 * time.Minute, "": alerting.DefaultSettings().Start.ListenResolve, "forever": alerting.DefaultSettings().Start.ListenResolve} {
		r := New(alerting.DefaultSettings())
		held := alerting.Alarm{Labels: map[string]string{"alertname": "Kept", "severity": "critical", "instance": "k:1"}, Annotations: map[string]string{alerting.AnnotationKeeps: keeps}}
		others := alerting.Alarm{Labels: map[string]string{"alertname": "Other", "severity": "info", "instance": "k:1"}}
		r.memory.restore([]alerting.Alarm{held})
		r.restored = true
		ended := time.Duration(0)
		for at := time.Duration(0); at < 20*time.Minute && ended == 0; at += 10 * time.Second {
			r.Step(begin.Add(at), []alerting.Input{alerting.Firing{Alarm: others}})
			if f := r.memory.alarms[held.Fingerprint()]; f == nil || !f.Firing() {
				ended = at
			}
		}
		if ended < want || ended > want+30*time.Second {
			t.Errorf("keep_firing_for %q: it ended after %v, want %v", keeps, ended, want)
		}
	}
}
