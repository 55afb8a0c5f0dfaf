package health

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestFaultsAreDecidedOnce(t *testing.T) {
	now := time.Date(2026, 11, 30, 3, 0, 0, 0, time.UTC)
	at := func(s Status) Status {
		s.At, s.Begun, s.Loaded, s.Node = now, now.Add(-time.Hour), now.Add(-time.Hour), "n1"
		return s
	}
	for name, tc := range map[string]struct {
		s    Status
		want string // of each fault what it is of, the worst first
		code int
	}{
		"well":                              {Status{}, "", ExitOK},
		"a page that no pager has accepted": {Status{Route: &Route{Durable: true, Undelivered: 16 * time.Second}}, "paging", ExitCritical},
		"a page that is on its way":         {Status{Route: &Route{Durable: true, Undelivered: 2 * time.Second}}, "", ExitOK},
		"rules that are late":               {Status{Rules: &Rules{Late: 31 * time.Second}}, "rules", ExitWarning},
		"rules that cannot be loaded":       {Status{Parts: []Part{{Name: "rules", Error: "x.yaml: bad", Since: now.Add(-time.Minute)}}}, "rules", ExitCritical},
		"a part beside":                     {Status{Parts: []Part{{Name: "discover", Error: "timeout", Since: now}}}, "discover", ExitWarning},
		"a destination that is not open":    {Status{Parts: []Part{{Name: "ship.otlp", Error: "no CA", Since: now}}, Sinks: []Sink{{Name: "otlp", DownSince: now, Error: "no CA"}}}, "ship.otlp", ExitWarning},
		"a folder that all can write":       {Status{DataShared: true}, "data", ExitWarning},
		"the worst first":                   {Status{Reload: "bad", Route: &Route{}}, "ledger reload", ExitCritical},
		"one router of two":                 {Status{Routers: []Router{{URL: "a", Reached: now}, {URL: "b", Error: "refused"}}}, "routers", ExitWarning},
		"the only router":                   {Status{Routers: []Router{{URL: "b", Error: "refused"}}}, "routers", ExitCritical},
	} {
		t.Run(name, func(t *testing.T) {
			faults := at(tc.s).Faults()
			var of []string
			for _, f := range faults {
				of = append(of, f.Of)
				if faultWords(f.Of) == "" {
					t.Errorf("%s has no words for others", f.Of)
				}
			}
			var out strings.Builder
			if code := at(tc.s).Write(&out); strings.Join(of, " ") != tc.want || code != tc.code || Code(faults) != tc.code {
				t.Errorf("faults of %v, code %d; want %s, %d:\n%s", of, code, tc.want, tc.code, out.String())
			}
			for _, f := range faults {
				if !strings.Contains(out.String(), f.Text) {
					t.Errorf("the command does not say %q", f.Text)
				}
			}
		})
	}
}

func TestALateGroupNamesItsSlowestRule(t *testing.T) {
	s := Status{Rules: &Rules{Late: 45 * time.Second, LateGroup: "host", LateRule: "HostDiskFilling", LateTakes: 19 * time.Second}}
	var texts []string
	for _, f := range s.Faults() {
		texts = append(texts, f.Text)
	}
	if want := "rules are 45s late: those of the group host, of which HostDiskFilling takes longest, 19s"; !slices.Contains(texts, want) {
		t.Errorf("%q; want %q", texts, want)
	}
}

func TestTheRulePackHasTheSameLimits(t *testing.T) {
	text := string(must(os.ReadFile("../../alerting/rules/packs/self.yaml")))
	if want := fmt.Sprintf("binnacle_rule_evaluation_late_seconds > %.0f\n", RulesLate.Seconds()); !strings.Contains(text, want) {
		t.Errorf("the pack self does not say %q", want)
	}
}

func must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}
