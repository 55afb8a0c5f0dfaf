package simulate

import (
	"slices"
	"testing"
	"time"
)

// TestAMisleadingNameHidesNoPage gives critical alarms the names of chores, of noise and of other things: whatever they are read as, they
// page when they stand alone, when they begin with another fault, and an hour after it, for they are about another owner. Certain
// edges alone explain.
func TestAMisleadingNameHidesNoPage(t *testing.T) {
	names := []string{
		"Watchdog", "InfoInhibitor", "DeadMansSwitch", "CPUThrottlingHigh", "KubeJobFailed", "CertificateExpiresSoon", "PackagesAvailableForUpgrade", "BackupReportLate",
		"PrometheusScrapeSlow", "TestAlertPleaseIgnore", "KubeNodeNotReady", "NodeClockNotSynchronising", "LowPriorityNotice", "InfoOnly", "Resolved",
	}
	about := []string{
		"instance=pay1:8080 job=pay", "namespace=bank deployment=pay instance=10.0.0.9:8080 job=kube-state-metrics", "service=pay", "",
	}
	for _, name := range names {
		for _, labels := range about {
			it := name + " critical " + labels
			for when, fault := range map[string][]other{
				"alone":                     nil,
				"with another fault":        {{0, "PostgresqlDown critical instance=db1:9187 job=postgres"}},
				"an hour after another one": {{0, "PostgresqlDown critical instance=db1:9187 job=postgres"}, {30 * time.Second, "RedisDown critical instance=db1:9121 job=redis"}},
			} {
				after := 30 * time.Second
				if when == "an hour after another one" {
					after = time.Hour
				}
				rules, at := heads(t, nil, after+30*time.Minute, append(slices.Clone(fault), other{after, it})...)
				n := slices.Index(rules, name)
				if n < 0 {
					t.Errorf("%q %s: pages are headed by %v", it, when, rules)
				} else if late := at[n] - after; late > 20*time.Minute {
					t.Errorf("%q %s: its page came after %v", it, when, late)
				}
			}
		}
	}
}
