package simulate

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/navcloud/binnacle/alerting"
)

// TestAlarmsOfOthers plays recordings of alarms of others, each an example of a kind that public bug reports tell of, and counts the
// pages that wake.
func TestAlarmsOfOthers(t *testing.T) {
	want := map[string]struct {
		pages int
		first string // rule that heads the first page; empty: any
	}{
		"02-watchdog":                    {0, ""},
		"03-value-in-label":              {1, "DiskUsageHigh"},
		"03b-value-in-label-no-instance": {1, "QueueDepthHigh"},
		"04-replica-label":               {1, "PostgresqlDown"},
		"04b-replica-label-no-instance":  {1, "KubeAPIDown"},
		"05-two-senders-disagree":        {1, "PaymentGatewayDown"},
		"07-ksm-instance":                {1, "KubePodCrashLooping"},
		"07b-ksm-restarts":               {1, "KubeJobFailed"},
		"07c-two-nodes-ksm":              {1, "KubernetesNodeNotReady"},
		"07d-two-pods-one-ends":          {2, "KubePodCrashLooping"}, // two namespaces
		"07e-one-host-many-mounts":       {1, "NodeFilesystemReadOnly"},
		"07g-blackbox-relabelled":        {1, "ProbeFailed"},
		"07x-control-no-instance":        {1, "KubePodCrashLooping"},
		"08-severity-pair":               {1, "NodeFilesystemAlmostOutOfSpace"},
		"08b-severity-pair-later":        {1, "KubePersistentVolumeFillingUp"}, // its warning was a ticket before
		"08c-burn-windows":               {1, "KubeAPIErrorBudgetBurn"},
		"10-grafana-nodata":              {1, "DatasourceNoData"},
		"10b-nodata-hides-firing":        {1, "Order errors"},
		"12-no-alertname":                {1, ""},
		"13-told-once":                   {1, "BackupFailed"},
		"14-instance-arn":                {1, "ProbeFailed"},
		"14-instance-bare-host":          {1, "ProbeFailed"},
		"14-instance-host-port":          {1, "ProbeFailed"},
		"14-instance-http-url-port":      {1, "ProbeFailed"},
		"14-instance-https-url":          {1, "ProbeFailed"},
		"14-instance-ipv6":               {1, "ProbeFailed"},
		"14-instance-ipv6-port":          {1, "ProbeFailed"},
		"14-instance-mac":                {1, "ProbeFailed"},
		"14-instance-one-host-six-ports": {1, "ProbeFailed"},
		"14-instance-tcp-url":            {1, "ProbeFailed"},
		"15b-severity-label-changes":     {1, "DiskLatency"},
		"16-one-dead-host-seven-rules":   {1, "HostDown"},
		"16b-one-dead-host-kind-down":    {1, "HostDown"},
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
			p := New(Options{Settings: alerting.DefaultSettings()})
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
			tc := want[name]
			if len(heads) != tc.pages || len(heads) > 0 && tc.first != "" && heads[0] != tc.first {
				t.Errorf("pages %v; want %d, the first of %s", heads, tc.pages, tc.first)
			}
		})
	}
}
