package rules

import (
	"slices"
	"strings"
	"testing"

	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/reading"
)

const theirRules = `apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
spec:
  groups:
  - name: a
    rules:
    - alert: KubePersistentVolumeFillingUp
      expr: kubelet_volume_stats_available_bytes / kubelet_volume_stats_capacity_bytes < 0.03
      labels: {severity: critical}
      annotations: {description: 'Only {{ $value }} is left of {{ $labels.persistentvolumeclaim }}'}
    - alert: Watchdog
      expr: vector(1)
      labels: {severity: none}
    - record: a:b
      expr: sum(a)
---
groups:
- name: b
  rules:
  - alert: CheckoutErrorBudgetBurn
    expr: sum by (sloth_slo) (x) > 1
    labels: {severity: page, sloth_service: checkout}
  - alert: Strange
    expr: up == 0
    labels: {severity: purple}
  - alert: Broken
    expr: sum(
    labels: {severity: warning}
  - alert: [not, a, name]
`

func TestReadOthers(t *testing.T) {
	f := ReadOthers([]byte(theirRules), reading.New(reading.DefaultSettings()).Read)
	var got []string
	for _, r := range f.Rules {
		got = append(got, r.Priority.String()+" "+r.Name)
	}
	want := []string{"P2 KubePersistentVolumeFillingUp", "P5 Watchdog", "P1 CheckoutErrorBudgetBurn", "P2 Strange", "P3 Broken"}
	if !slices.Equal(got, want) || f.Recording != 1 || len(f.Faults) != 2 {
		t.Errorf("read %v, %d recording, faults %q; want %v, 1 and 2 faults", got, f.Recording, f.Faults, want)
	}
	lines := f.Summary()
	if text := strings.Join(lines, "\n"); len(lines) > 10 || !strings.Contains(text, "Strange (purple)") || !strings.Contains(text, "Broken: expr") {
		t.Errorf("the summary is\n%s", text)
	}
	if f := ReadOthers([]byte("a: [b"), func(alerting.Alarm) alerting.Reading { return alerting.Reading{} }); len(f.Faults) != 1 {
		t.Errorf("what is no YAML has the faults %q", f.Faults)
	}
}
