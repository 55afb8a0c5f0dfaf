package rules

import (
	"fmt"
	"strings"
	"testing"
)

func TestSimpleRule(t *testing.T) {
	for text, want := range map[string]string{
		"host_load1 > 10":      "host_load1 > 10",
		"(a{b=\"c\"}) <= (-5)": "a <= -5",
		"5 < a":                "a > 5",
		"0 >= a":               "a <= 0",
		"a == 0":               "CloudWatch has no ==",
		"a != 0":               "CloudWatch has no ==",
		"a > bool 0":           "no comparison",
		"a > b":                "no comparison",
		"rate(a[5m]) > 1":      "no comparison",
		"a offset 5m > 1":      "another time",
		"{job=\"x\"} > 1":      "names no metric",
		"a > 1 and b > 1":      "no comparison",
		"a + 1":                "no comparison",
		"up":                   "no comparison",
		"vector(1)":            "no comparison",
		"a > 5 unless b":       "no comparison",
		"2 > 1":                "",
	} {
		got, err := simpleOf(text)
		said := fmt.Sprint(got.Metric, " ", got.Op, " ", got.Value)
		if err != nil {
			said = err.Error()
		}
		switch {
		case want == "" && err == nil:
			t.Errorf("%s: %s; want it refused", text, said)
		case err != nil && !strings.Contains(said, want), err == nil && said != want:
			t.Errorf("%s: %q; want %q", text, said, want)
		}
	}
	th, err := simpleOf(`a{mount=~"/|/var",kind!="x"} > 1`)
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		ls   map[string]string
		want bool
	}{{map[string]string{"mount": "/"}, true}, {map[string]string{"mount": "/home"}, false}, {map[string]string{"mount": "/var", "kind": "x"}, false}} {
		if got := th.Fits(tc.ls); got != tc.want {
			t.Errorf("%v fits: %v; want %v", tc.ls, got, tc.want)
		}
	}
}

// Each shipped rule is a threshold or says why it is none.
func TestSimpleRulesOfPacks(t *testing.T) {
	ts, err := SimpleRules([]string{"all"}, []string{"testdata/disk.yaml"})
	if err != nil || len(ts) < 100 {
		t.Fatalf("%d rules, %v", len(ts), err)
	}
	are := 0
	for _, r := range ts {
		if r.Why == "" {
			are++
		}
	}
	t.Logf("%d of %d shipped rules are thresholds", are, len(ts))
	if are < 10 {
		t.Errorf("%d of %d are thresholds; want some", are, len(ts))
	}
}
