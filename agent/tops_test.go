package agent

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/collectors/host"
)

// TestAHostAlarmNamesTheProcesses of its onset: only an alarm about this machine, and the same words as long as it fires.
func TestAHostAlarmNamesTheProcesses(t *testing.T) {
	dir := t.TempDir()
	memory := func(mib int) {
		d := filepath.Join(dir, "1")
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
		stat := fmt.Sprintf("1 (hog) S 1 1 1 0 -1 0 0 0 0 0 1 0 0 0 20 0 1 0 1 0 %d 0", mib<<20/os.Getpagesize())
		if err := os.WriteFile(filepath.Join(d, "stat"), []byte(stat), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	memory(64)
	tp := &tops{top: host.Top{Proc: dir}, name: func() string { return "n1" }, told: map[string]string{}}
	fires := func(labels ...string) alerting.Alarm {
		a := alerting.Alarm{Labels: map[string]string{"alertname": "MemoryLow"}}
		for i := 0; i < len(labels); i += 2 {
			a.Labels[labels[i]] = labels[i+1]
		}
		return a
	}
	mine := fires("layer", "host", "node", "n1")
	said := func(a alerting.Alarm) string {
		return tp.add([]alerting.Input{alerting.Firing{Alarm: a}})[0].(alerting.Firing).Alarm.Annotations[alerting.AnnotationTop]
	}
	if got := said(mine); got != "memory: hog 64 MiB" {
		t.Errorf("its alarm says %q", got)
	}
	if mine.Annotations != nil {
		t.Error("the alarm that was handed in was changed")
	}
	memory(128)
	if got := said(mine); got != "memory: hog 64 MiB" {
		t.Errorf("later it says %q, want what was at its onset", got)
	}
	tp.add([]alerting.Input{alerting.Ended{Fingerprint: mine.Fingerprint()}})
	if got := said(mine); got != "memory: hog 128 MiB" {
		t.Errorf("when it fires again it says %q, want what is now", got)
	}
	for what, a := range map[string]alerting.Alarm{"another machine": fires("layer", "host", "node", "n2"), "a cluster": fires("layer", "cluster", "node", "n1")} {
		if got := said(a); got != "" {
			t.Errorf("an alarm about %s says %q", what, got)
		}
	}
}
