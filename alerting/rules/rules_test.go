package rules

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/agent/store"
	"github.com/navcloud/binnacle/alerting"
)

func TestShippedPacksLackNothing(t *testing.T) {
	packs, err := Packs()
	if err != nil || len(packs) == 0 {
		t.Fatalf("Packs = %v, %v", packs, err)
	}
	for _, p := range packs {
		lacks, err := Advise(p.Name, p.Text)
		if err != nil {
			t.Error(err)
		}
		for _, l := range lacks {
			t.Error(l)
		}
	}
}

func TestAdviseNamesWhatANightWouldMiss(t *testing.T) {
	lacks, err := Advise("x", []byte("groups: [{name: g, rules: [{alert: A, expr: up == 0, labels: {severity: bad, kind: bad}}, {record: r, expr: up}]}]"))
	text := strings.Join(lacks, "\n")
	if err != nil || len(lacks) != 7 {
		t.Errorf("Advise = %v, %v; want 7 lacks", lacks, err)
	}
	for _, want := range []string{`label severity is "bad"`, "no label entity", "no annotation guidance", "no runbook"} {
		if !strings.Contains(text, want) {
			t.Errorf("Advise = %s; want %q in it", text, want)
		}
	}
}

// A pack of others is one line of advice: three hundred rules are not two thousand lines.
func TestAdviseOfOthersRulesIsOneLine(t *testing.T) {
	lacks, err := Advise("x.yml", []byte("groups: [{name: g, rules: [{alert: A, expr: up == 0, labels: {severity: page}}, {alert: B, expr: up == 0, annotations: {description: d}}]}]"))
	want := "x.yml: 2 rules without kind, layer and entity: how they are read is shown by binnacle rules read x.yml; for 1 of them the page will have no first step: no guidance, description or runbook_url"
	if err != nil || len(lacks) != 1 || lacks[0] != want {
		t.Errorf("Advise = %q, %v; want %q", lacks, err, want)
	}
}

func TestAdviseNamesAValueInALabel(t *testing.T) {
	for label, want := range map[string]bool{
		"{{ $value }}": true, `v{{ $value | printf "%.2f" }}`: true, "{{ .Value }}": true, "{{.Value}}": true, "{{ with $value }}{{ . }}{{ end }}": true,
		"$value": false, "{{ $labels.value }}": false, "{{ .Labels.Value }}": false, "plain": false,
	} {
		lacks, err := Advise("x", fmt.Appendf(nil, "groups: [{name: g, rules: [{alert: A, expr: up == 0, labels: {v: %q}}]}]", label))
		if got := strings.Contains(strings.Join(lacks, "\n"), "label v carries the value"); got != want || err != nil {
			t.Errorf("%s: %v, %v; want %v", label, got, err, want)
		}
	}
}

func TestNewTellsFaults(t *testing.T) {
	bad := filepath.Join(t.TempDir(), "bad.yaml")
	if err := os.WriteFile(bad, []byte("groups:\n- name: g\n  rules:\n  - alert: A\n    expr: sum(\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		o    Options
		want string
	}{
		"a pack that is not":   {Options{Packs: []string{"hots"}}, `no pack "hots"; there are `},
		"a glob of nothing":    {Options{Files: []string{"/nowhere/*.yaml"}}, "no file matches"},
		"a broken expression":  {Options{Files: []string{bad}}, "bad.yaml: 5:"},
		"a folder that is one": {Options{Files: []string{filepath.Dir(bad)}}, "is a directory"},
	} {
		t.Run(name, func(t *testing.T) {
			tc.o.Dir = t.TempDir()
			if _, err := New(t.Context(), tc.o); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("New = %v; want %q in it", err, tc.want)
			}
		})
	}
}

// TestARuleFiresAndEnds runs the manager in real time, at its shortest interval: the database's
// background work cannot live in a bubble of faked time.
func TestARuleFiresAndEnds(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	st, err := store.Open(t.TempDir(), store.Options{Retention: time.Hour, RetentionSize: 1 << 30, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	file := filepath.Join(t.TempDir(), "r.yaml")
	text := "groups:\n- name: g\n  interval: 100ms\n  rules:\n  - alert: Down\n    expr: probe_up == 0\n    labels: {severity: critical}\n    annotations: {summary: 'down: {{ $labels.node }}'}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	inputs := make(chan alerting.Input, 100)
	m, err := New(t.Context(), Options{
		Interval: time.Second, Files: []string{file}, Dir: t.TempDir(), ExternalURL: "http://b:9600",
		Queryable: st.Queryable(), Appendable: st.Appendable(), Engine: st.Engine(), Log: log,
		Notify: func(in []alerting.Input) {
			for _, i := range in {
				inputs <- i
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = m.Run(t.Context()) }()

	up := &metric.Desc{Name: "probe_up"}
	set := func(v float64) {
		t.Helper()
		b := &metric.Batch{Time: time.Now()}
		b.Add(up, v, "node", "a")
		if err := st.Append(t.Context(), "x", b.Time, b.Samples); err != nil {
			t.Fatal(err)
		}
	}
	set(0)
	f, ok := (<-inputs).(alerting.Firing)
	if !ok || f.Alarm.Rule() != "Down" || f.Alarm.Labels["node"] != "a" || f.Alarm.Annotations["summary"] != "down: a" {
		t.Fatalf("first input = %+v", f)
	}
	set(1)
	e, ok := (<-inputs).(alerting.Ended)
	if !ok || e.Fingerprint != f.Alarm.Fingerprint() {
		t.Errorf("second input = %+v; want the end of %s", e, f.Alarm.Fingerprint())
	}
	if s := m.Stats(time.Now().Add(time.Hour)); s.LateGroup == "" || s.LateRule == "" {
		t.Errorf("a group that is an hour late: %+v", s)
	}
	if s := m.Stats(time.Now()); s.Rules != 1 || s.Groups != 1 || len(s.Failing) != 0 || s.LastAt.IsZero() {
		t.Errorf("Stats = %+v", s)
	}
}
