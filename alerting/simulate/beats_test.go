package simulate

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/intake"
	"github.com/navcloud/binnacle/alerting/reading"
)

// told plays lines of a recording and returns the rules that head pages that wake.
func told(t *testing.T, on time.Duration, lines ...string) (rules []string) {
	t.Helper()
	events, err := Read(strings.NewReader(strings.Join(lines, "\n")))
	if err != nil {
		t.Fatal(err)
	}
	p := New(Options{Settings: alerting.DefaultSettings(), Beats: intake.NewSenders(nil, reading.ReplicaLabels(), events[0].At)})
	p.Add(events...)
	p.Watch = Checks(time.Minute)
	if err := p.Run(events[len(events)-1].At.Add(on)); err != nil {
		t.Fatal(err)
	}
	for _, c := range p.Calls() {
		if c.Action.Kind == alerting.Trigger && c.Action.Page.Priority <= alerting.P2 {
			rules = append(rules, c.Action.Page.Rule)
		}
	}
	return rules
}

// sends are the lines of a sender that sends an alarm each minute from one minute to another.
func sends(sender, rule, severity, more string, from, to int) (lines []string) {
	begin := time.Date(2026, 11, 24, 2, 0, 0, 0, time.UTC)
	for m := from; m <= to; m++ {
		at := begin.Add(time.Duration(m) * time.Minute)
		lines = append(lines, fmt.Sprintf(`{"at": %q, "sender": %q, "labels": {"alertname": %q, "severity": %q%s}, "startsAt": %q, "endsAt": %q}`,
			at.Format(time.RFC3339), sender, rule, severity, more, begin.Add(time.Duration(from)*time.Minute).Format(time.RFC3339), at.Add(4*time.Minute).Format(time.RFC3339)))
	}
	return lines
}

// TestSendersOfARecording: who stops sending is known by an alarm that always fires and by no other, of a pair only when both
// stop; and an alarm ends by its sender's batches, each of which may hold many.
func TestSendersOfARecording(t *testing.T) {
	const k8s = `, "prometheus": "monitoring/k8s"`
	join := func(of ...[]string) (all []string) {
		for _, lines := range of {
			all = append(all, lines...)
		}
		return all
	}
	for name, tc := range map[string]struct {
		lines []string
		want  string
	}{
		"a watchdog that stops, while others of its sender go on": {join(sends("a", "Watchdog", "none", k8s, 0, 20), sends("a", "Quota", "info", k8s, 0, 60)), "SenderSilent"},
		"under another public name":                               {join(sends("a", "DeadMansSwitch", "none", "", 0, 20), sends("b", "Quota", "info", "", 0, 60)), "SenderSilent"},
		"one of a pair stops":                                     {join(sends("a", "Watchdog", "none", k8s, 0, 20), sends("b", "Watchdog", "none", k8s, 0, 60), sends("b", "Quota", "info", k8s, 0, 60)), ""},
		"an alarm that always fires":                              {join(sends("a", "AlwaysOn", "none", k8s, 0, 20), sends("a", "Watchdog", "none", k8s, 0, 60)), ""},
		"a rule that is gone ends by the third batch without it, and comes back as news": {join(
			sends("a", "PostgresqlDown", "critical", `, "instance": "pg-1:9187"`, 0, 10), sends("a", "Quota", "info", "", 0, 180), sends("a", "PostgresqlDown", "critical", `, "instance": "pg-1:9187"`, 120, 180),
		), "PostgresqlDown PostgresqlDown"},
		"many alarms in one batch end nothing": {join(
			sends("a", "PostgresqlDown", "critical", `, "instance": "pg-1:9187"`, 0, 60), sends("a", "Quota", "info", `, "namespace": "a"`, 0, 60), sends("a", "Quota", "info", `, "namespace": "b"`, 0, 60),
			sends("a", "Quota", "info", `, "namespace": "c"`, 0, 60), sends("a", "Quota", "info", `, "namespace": "d"`, 0, 60),
		), "PostgresqlDown"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := strings.Join(told(t, 4*time.Minute, tc.lines...), " "); got != tc.want {
				t.Errorf("pages: %q, want %q", got, tc.want)
			}
		})
	}
}

// TestANameHidesNothing: whatever a rule is called, what its author calls critical pages by itself, also while a fault of another
// owner is open that began longer ago than a guess may reach.
func TestANameHidesNothing(t *testing.T) {
	for _, name := range []string{
		"Watchdog", "InfoInhibitor", "DeadMansSwitch", "CPUThrottlingHigh", "KubeJobFailed", "NodeClockSkewDetected", "KubeVersionMismatch", "TestAlert", "ThisIsFine", "Maintenance",
		"InfoOnly", "BackupFinished", "AllGood", "RebootRequired", "CertificateExpires", "PackageUpdatesPending", "HeartbeatOK", "KubePodNotReady", "ServiceSlowFollowsDatabase", "PostgresqlDown2",
	} {
		lines := sends("a", name, "critical", `, "service": "pay", "deployment": "pay", "namespace": "pay"`, 0, 40)
		if got := told(t, time.Minute, lines...); len(got) != 1 || got[0] != name {
			t.Errorf("%s alone: pages %v, want one", name, got)
		}
		lines = append(sends("a", "PostgresqlDown", "critical", `, "instance": "pg-1:9187", "job": "postgres"`, 0, 60), sends("a", name, "critical", `, "service": "pay", "deployment": "pay", "namespace": "pay"`, 20, 60)...)
		if got := told(t, time.Minute, lines...); len(got) != 2 || got[1] != name {
			t.Errorf("%s 20 minutes after a database: pages %v, want one of its own", name, got)
		}
	}
}
