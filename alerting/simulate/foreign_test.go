package simulate

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/intake"
	"github.com/navcloud/binnacle/alerting/reading"
)

// TestAlarmsOfOthers plays recordings of alarms of others, each an example of a kind that public bug reports tell of, and counts the
// pages that wake.
func TestAlarmsOfOthers(t *testing.T) {
	type paging struct {
		pages int    // that wake
		first string // rule that heads the first page; empty: any
	}
	want := map[string]paging{
		"02-watchdog":                     {0, ""},
		"03-value-in-label":               {1, "DiskUsageHigh"},
		"03b-value-in-label-no-instance":  {1, "QueueDepthHigh"},
		"04-replica-label":                {1, "PostgresqlDown"},
		"04b-replica-label-no-instance":   {1, "KubeAPIDown"},
		"05-two-senders-disagree":         {1, "PaymentGatewayDown"},
		"07-ksm-instance":                 {1, "KubePodCrashLooping"},
		"07b-ksm-restarts":                {1, "KubeJobFailed"},
		"07c-two-nodes-ksm":               {1, "KubernetesNodeNotReady"},
		"07d-two-pods-one-ends":           {2, "KubePodCrashLooping"}, // two namespaces
		"07e-one-host-many-mounts":        {1, "NodeFilesystemReadOnly"},
		"07g-blackbox-relabelled":         {1, "ProbeFailed"},
		"07x-control-no-instance":         {1, "KubePodCrashLooping"},
		"08-severity-pair":                {1, "NodeFilesystemAlmostOutOfSpace"},
		"08b-severity-pair-later":         {1, "KubePersistentVolumeFillingUp"}, // its warning was a ticket before
		"08c-burn-windows":                {1, "KubeAPIErrorBudgetBurn"},
		"10-grafana-nodata":               {1, "DatasourceNoData"},
		"10b-nodata-hides-firing":         {1, "Order errors"},
		"12-no-alertname":                 {1, ""},
		"13-told-once":                    {1, "BackupFailed"},
		"14-instance-arn":                 {1, "ProbeFailed"},
		"14-instance-bare-host":           {1, "ProbeFailed"},
		"14-instance-host-port":           {1, "ProbeFailed"},
		"14-instance-http-url-port":       {1, "ProbeFailed"},
		"14-instance-https-url":           {1, "ProbeFailed"},
		"14-instance-ipv6":                {1, "ProbeFailed"},
		"14-instance-ipv6-port":           {1, "ProbeFailed"},
		"14-instance-mac":                 {1, "ProbeFailed"},
		"14-instance-one-host-six-ports":  {1, "ProbeFailed"},
		"14-instance-tcp-url":             {1, "ProbeFailed"},
		"15b-severity-label-changes":      {1, "DiskLatency"},
		"16-one-dead-host-seven-rules":    {1, "HostDown"},
		"16b-one-dead-host-kind-down":     {1, "HostDown"},
		"06-sender-falls-silent":          {2, "PostgresqlDown"}, // its sender's batches end it, and what comes later pages
		"09-flaps-then-hard-down":         {2, "BlackboxProbeFailed"},
		"09b-flaps-for-two-hours":         {1, "BlackboxProbeFailed"},
		"09d-three-blips-then-hard-down":  {1, ""},
		"09f-15s-on-15s-off-2x":           {1, ""},
		"09f-30s-on-15s-off-3x":           {1, ""},
		"09f-30s-on-60s-off-2x":           {1, ""},
		"09f-60s-on-120s-off-2x":          {2, ""}, // the first phase was told and was over
		"09f-60s-on-60s-off-2x":           {1, ""},
		"09f-90s-on-60s-off-3x":           {1, ""},
		"11-annotation-changes":           {1, "HostHighCpuLoad"},
		"17-gap-in-data":                  {1, "QueueStuck"},
		"17b-gap-of-75s":                  {1, "QueueStuck"},
		"18-slow-flap-10m-on-10m-off-24h": {1, "HighMemory"},
		"18-slow-flap-P1-10m-10m-24h":     {2, ""},
		"31-watchdog-stops":               {1, "SenderSilent"},
	}
	for _, kind := range []string{"impact-users", "kind-down", "layer-cluster-saturation", "page-always", "priority-P1"} {
		want["09c-flaps-then-down-"+kind] = paging{2, "BlackboxProbeFailed"}
	}
	for _, word := range []string{
		"CRITICAL", "Critical", "P1", "absent", "critical", "disaster", "emergency", "error", "fatal", "high", "major", "p1", "page", "pager", "s1", "sev1", "urgent",
	} {
		want["01-severity-"+word] = paging{1, ""}
	}
	for _, word := range []string{"debug", "info", "none", "ok", "ticket", "warning"} {
		want["01-severity-"+word] = paging{}
	}
	for _, name := range []string{
		"crit", "critical-space", "datadog-P1", "level-critical", "nagios-CRITICAL", "priority-1", "priority-P1", "priority-critical", "priority-p1-lower", "pyrra", "sloth-page", "urgency-high",
	} {
		want["01b-"+name] = paging{1, ""}
	}
	files, err := filepath.Glob("testdata/foreign/*.jsonl")
	if err != nil || len(files) != len(want) {
		t.Fatalf("%d recordings, %v; want %d", len(files), err, len(want))
	}
	for _, path := range files {
		name := strings.TrimSuffix(filepath.Base(path), ".jsonl")
		t.Run(name, func(t *testing.T) {
			f, err := os.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			events, err := Read(f)
			if err != nil {
				t.Fatal(err)
			}
			p := New(Options{Settings: alerting.DefaultSettings(), Beats: intake.NewSenders(nil, reading.ReplicaLabels(), events[0].At)})
			p.Watch = Checks(time.Minute)
			p.Add(events...)
			if err := p.Run(events[len(events)-1].At.Add(24 * time.Hour)); err != nil {
				t.Fatal(err)
			}
			var heads []string
			for _, c := range p.Calls() {
				if c.Action.Kind == alerting.Trigger && c.Action.Page.Priority <= alerting.P2 {
					heads = append(heads, c.Action.Page.Rule)
				}
			}
			tc, known := want[name]
			if !known {
				t.Fatal("nothing is said of it")
			}
			if len(heads) != tc.pages || len(heads) > 0 && tc.first != "" && heads[0] != tc.first {
				t.Errorf("pages %v; want %d, the first of %s", heads, tc.pages, tc.first)
			}
		})
	}
}
