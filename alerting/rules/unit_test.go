package rules

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestShippedPacksPassTheirTests(t *testing.T) {
	if raceEnabled {
		t.Skip("hours of evaluation in one goroutine: nothing to race, and ten times slower; .ci/test runs it without -race")
	}
	files, err := filepath.Glob("packs/*_test.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("packs/*_test.yaml = %v, %v", files, err)
	}
	for _, f := range files {
		t.Run(filepath.Base(f), func(t *testing.T) {
			t.Parallel()
			for _, v := range Test(f) {
				for _, fault := range v.Faults {
					t.Errorf("%s: %s", v.Name, fault)
				}
			}
		})
	}
}

// TestEveryShippedAlarmHasACase wants each alarm of a pack to be expected by a case of it; the cases that expect
// nothing begin with the healthy recording.
func TestEveryShippedAlarmHasACase(t *testing.T) {
	packs, err := Packs()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range packs {
		files, err := filepath.Glob("packs/" + p.Name + "*_test.yaml")
		if err != nil {
			t.Fatal(err)
		}
		var cases string
		for _, f := range files {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			cases += string(b)
		}
		groups, err := parse(p.Name, p.Text)
		if err != nil {
			t.Fatal(err)
		}
		for _, g := range groups.Groups {
			for _, r := range g.Rules {
				if r.Alert != "" && !strings.Contains(cases, `alertname="`+r.Alert+`"`) && !strings.Contains(cases, "alertname: "+r.Alert+"\n") && !strings.Contains(cases, "alertname: "+r.Alert+",") {
					t.Errorf("%s: no case expects %s", p.Name, r.Alert)
				}
			}
		}
	}
}

func TestPromtoolsFormatIsRun(t *testing.T) {
	verdicts := Test("testdata/disk_test.yaml")
	if len(verdicts) != 2 {
		t.Fatalf("Test = %v; want a verdict for each of 2 cases", verdicts)
	}
	for _, v := range verdicts {
		if len(v.Faults) > 0 {
			t.Errorf("%s: %s", v.Name, strings.Join(v.Faults, "\n"))
		}
	}
}

// TestWhatIsWrongIsFound changes one thing of a file that passes and wants the fault to be told.
func TestWhatIsWrongIsFound(t *testing.T) {
	for name, tc := range map[string]struct{ file, old, new, want string }{
		"an alert that does not fire yet": {"disk_test.yaml", "7m30s", "6m30s", "got: []"},
		"another annotation":              {"disk_test.yaml", "'Disk full on a'", "'Disk is full'", "alertname: DiskFull"},
		"another value":                   {"disk_test.yaml", "value: 1}]}\n  - {expr: 'ALERTS'", "value: 2}]}\n  - {expr: 'ALERTS'", `expr: "disk:rate"`},
		"another histogram":               {"disk_test.yaml", "histogram: '{{schema:5 count:2", "histogram: '{{schema:5 count:3", `expr: "took_seconds"`},
		"a broken expression":             {"disk_test.yaml", "'vector(3)'", "'vector('", "parse error"},
		"a broken series":                 {"disk_test.yaml", "'0.5x24'", "'0.5y'", `series disk_free_ratio{node="b"}`},
		"an unknown key":                  {"disk_test.yaml", "alert_rule_test:", "alert_rules_test:", "alert_rules_test"},
		"a rule file that is not there":   {"disk_test.yaml", "[disk.yaml]", "[dusk.yaml]", "no file matches"},
		"a broken rule":                   {"disk.yaml", "disk_free_ratio <", "disk_free_ratio <<", "disk.yaml"},
		"a page on another entity":        {"disk_test.pages.yaml", "host:a", "host:b", "page 1: want entity host:b, have "},
		"a page too late":                 {"disk_test.pages.yaml", "7m30s", "5m", "page 1: want it within 5m"},
		"a page that is not sent":         {"disk_test.pages.yaml", "by: 7m30s}", "by: 7m30s}\n  - {rule: Other}", "want 2 pages, have 1"},
		"pages of no case":                {"disk_test.pages.yaml", "a disk fills", "a disc fills", "no case of this name"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for _, f := range []string{"disk.yaml", "disk_test.yaml", "disk_test.pages.yaml"} {
				b, err := os.ReadFile("testdata/" + f)
				if err != nil {
					t.Fatal(err)
				}
				text := string(b)
				if f == tc.file {
					text = strings.Replace(text, tc.old, tc.new, 1)
					if text == string(b) {
						t.Fatalf("%s has no %q", f, tc.old)
					}
				}
				if err := os.WriteFile(filepath.Join(dir, f), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			var all []string
			for _, v := range Test(filepath.Join(dir, "disk_test.yaml")) {
				all = append(all, v.Faults...)
			}
			if got := strings.Join(all, "\n"); !strings.Contains(got, tc.want) {
				t.Errorf("faults = %q; want %q in it", got, tc.want)
			}
		})
	}
}
