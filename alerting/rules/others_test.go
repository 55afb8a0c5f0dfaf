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

// Each is a form in which rule files are published.
func TestReadOthersForms(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want []string // priority, name, subject
	}{
		"a chart's template": {"{{- if .Values.alerts.enabled }}\napiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata:\n  name: {{ include \"x.name\" . }}\n  labels:\n" +
			"    {{- toYaml .Values.labels | nindent 4 }}\nspec:\n  groups:\n  - name: a\n    rules:\n    {{- if .Values.one }}\n    - alert: OneDown\n      expr: up{job=\"{{ .Values.job }}\"} == 0\n" +
			"      for: {{ .Values.for | default \"5m\" }}\n      labels:\n        severity: {{ .Values.severity | default \"warning\" }}\n      annotations:\n" +
			"        summary: 'One {{`{{ $labels.pod }}`}} is down {{ \"{{\" }} $value {{ \"}}\" }}'\n    {{- end }}\n{{- end }}\n", []string{"P3 OneDown pod:pod"}},
		"a ConfigMap": {"kind: ConfigMap\ndata:\n  a.yml: |\n    groups:\n    - name: a\n      rules:\n      - alert: OneDown\n        expr: up == 0\n        labels: {severity: critical}\n", []string{"P2 OneDown node:instance"}},
		"Grafana's": {
			"apiVersion: 1\ngroups:\n- name: a\n  folder: f\n  rules:\n  - uid: u\n    title: One is slow\n    condition: C\n    data:\n    - refId: A\n      model: {expr: 'max by (pod, namespace) (x)'}\n    labels: {severity: critical}\n",
			[]string{"P2 One is slow pod:namespace/pod"},
		},
		"Loki's":                    {"groups:\n- name: a\n  rules:\n  - alert: ManyErrors\n    expr: sum by (app) (rate({app=\"x\"} |= \"error\" [5m])) > 1\n    labels: {severity: warning}\n", []string{"P3 ManyErrors service:app"}},
		"a label from a label":      {"groups:\n- name: a\n  rules:\n  - alert: OneDown\n    expr: sum by (deployment, namespace) (x)\n    labels: {severity: warning, service: '{{ $labels.deployment }}'}\n", []string{"P3 OneDown workload:namespace/deployment"}},
		"nothing by an aggregation": {"groups:\n- name: a\n  rules:\n  - alert: HighErrorRate\n    expr: sum(rate(x{code=~\"5..\"}[5m])) / sum(rate(x[5m])) > 0.05\n    labels: {severity: critical}\n", []string{"P2 HighErrorRate "}},
	} {
		f := ReadOthers([]byte(c.text), reading.New(reading.DefaultSettings()).Read)
		var got []string
		for _, r := range f.Rules {
			got = append(got, r.Priority.String()+" "+r.Name+" "+r.Reading.Subject.ID())
		}
		if !slices.Equal(got, c.want) || len(f.Faults) > 0 {
			t.Errorf("%s reads %q, faults %q; want %q", name, got, f.Faults, c.want)
		}
	}
	for _, text := range []string{"ALERT Down\n  IF up == 0\n  FOR 5m\n", "a: b\n", "{ local x = 1, alert: x }"} {
		if f := ReadOthers([]byte(text), reading.New(reading.DefaultSettings()).Read); len(f.Faults) != 1 {
			t.Errorf("%q has the faults %q", text, f.Faults)
		}
	}
}

// The words of a template are code, and tell nothing of the alarm.
func TestReadOthersIgnoresTemplates(t *testing.T) {
	f := ReadOthers([]byte("groups:\n- name: a\n  rules:\n  - alert: ApiDown\n    expr: api_up == 0\n    labels: {severity: critical}\n    annotations: {summary: 'api on {{ $labels.instance }} {{ $value | humanize }}'}\n"),
		reading.New(reading.DefaultSettings()).Read)
	if r := f.Rules[0].Reading; r.Layer.Known() {
		t.Errorf("the layer is %v by %s", r.Layer.Value, r.Layer.From)
	}
}
