package router

import (
	"fmt"
	"testing"
	"time"

	"github.com/navcloud/binnacle/alerting"
)

// TestAnAlarmThatIsForgottenLeavesNothing fires alarms whose label with a measured value changes, and lets them end.
func TestAnAlarmThatIsForgottenLeavesNothing(t *testing.T) {
	w := newWorld(t)
	said := func(i, value int) alerting.Alarm {
		return alerting.Alarm{Labels: map[string]string{alerting.LabelRule: "Lag", "severity": "warning", "instance": fmt.Sprintf("x%d:9100", i), "current": fmt.Sprint(value)}}
	}
	for value := range 3 {
		for i := range 20 {
			if value > 0 {
				w.in = append(w.in, alerting.Ended{Fingerprint: said(i, value-1).Fingerprint(), Sender: "s"})
			}
			w.in = append(w.in, alerting.Firing{Alarm: said(i, value), Sender: "s"})
		}
		w.step()
		w.wait(10 * time.Second)
	}
	if n := len(w.r.memory.alarms); n != 20 {
		t.Fatalf("%d alarms, want 20 that went on under other labels", n)
	}
	for i := range 20 {
		w.in = append(w.in, alerting.Ended{Fingerprint: said(i, 2).Fingerprint(), Sender: "s"})
	}
	w.step()
	for range 8 {
		w.wait(20 * time.Minute)
		w.step()
	}
	if m := w.r.memory; len(m.alarms)+len(m.identity.of)+len(m.identity.by)+len(m.identity.facts) != 0 {
		t.Errorf("%d alarms and %d, %d, %d names are kept", len(m.alarms), len(m.identity.of), len(m.identity.by), len(m.identity.facts))
	}
}

// An alarm whose label changes each minute of a year leaves a bounded trace, of its newest names.
func TestNamesOfOneAlarmAreBounded(t *testing.T) {
	i := newIdentity()
	i.rename("other", "b")
	for n := range 10_000 {
		i.rename(fmt.Sprint(n), "a")
	}
	if len(i.of) != mostNames+1 || len(i.by["a"]) != mostNames || i.of["9999"] != "a" || i.of["other"] != "b" {
		t.Errorf("%d names of two alarms, %d of the first; want %d and %d", len(i.of), len(i.by["a"]), mostNames+1, mostNames)
	}
	i.forget("a")
	if len(i.of) != 1 {
		t.Errorf("%d names after the first is forgotten; want 1", len(i.of))
	}
}
