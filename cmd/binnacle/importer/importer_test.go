package importer

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/navcloud/binnacle/agent"
)

const before = `
global:
  smtp_smarthost: mail.example.com:587
  smtp_from: alerts@example.com
  smtp_auth_password: PASSWORD1
  slack_api_url: https://hooks.slack.com/services/SECRET2
  resolve_timeout: 5m
templates: [tmpl/*.tmpl]
route:
  receiver: team mail
  group_by: [alertname]
  routes:
  - matchers: [team="db"]
    receiver: db
    continue: true
    routes:
    - {match: {severity: critical}, receiver: pager, active_time_intervals: [office]}
  - {match_re: {service: ^(a|b)$}, receiver: silent}
  - {matchers: ['x=~"y z"'], mute_time_intervals: [office]}
inhibit_rules: [{source_matchers: [severity=critical], target_matchers: [severity=warning], equal: [alertname]}]
time_intervals:
- {name: office, time_intervals: [{weekdays: ['monday:friday']}]}
- {name: unused, time_intervals: [{years: ['2026']}]}
receivers:
- name: team mail
  email_configs: [{to: a@example.com}]
- name: db
  slack_configs: [{channel: '#db'}]
  webhook_configs: [{url: 'https://hooks.example.com/SECRET3'}]
- name: pager
  pagerduty_configs: [{routing_key: 0123456789abcdef0123456789abcdef, severity: critical}]
- name: silent
`

// written is the configuration of a result, its secrets in their files.
func written(t *testing.T, folder string, files ...File) (*Result, agent.Config) {
	t.Helper()
	r, err := Import(files, folder)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range r.Secrets {
		path := filepath.Join(folder, "secrets", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	b, err := yaml.Marshal(r.Config)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"PASSWORD1", "SECRET2", "SECRET3", "0123456789abcdef"} {
		if strings.Contains(string(b), secret) {
			t.Errorf("the configuration shows %s:\n%s", secret, b)
		}
	}
	cfg, err := agent.ParseConfig("binnacle.yaml", b)
	if err != nil {
		t.Fatalf("%v in\n%s", err, b)
	}
	return r, cfg
}

func TestNothingIsLostSilently(t *testing.T) {
	r, cfg := written(t, t.TempDir(), File{"/etc/am/alertmanager.yml", []byte(before)})
	if got, want := fmt.Sprint(sorted(section(section(r.Config, "route"), "pagers"))), "[db-webhook db pager team-mail]"; got != "[db db-webhook pager team-mail]" {
		t.Errorf("pagers %s, want %s", got, want)
	}
	var got []string
	for _, w := range cfg.Route.Ways.Routes {
		got = append(got, fmt.Sprint(w.Match, w.To, w.Active, w.Mute))
	}
	want := []string{
		`[team="db" severity="critical" x=~"y z"] [pager team-mail] [] []`, `[team="db" severity="critical"] [pager] [] []`,
		`[team="db" x=~"y z"] [db db-webhook team-mail] [] [office]`, `[team="db" x=~"y z"] [db db-webhook] [] []`,
		`[team="db"] [db db-webhook] [] []`, `[x=~"y z"] [team-mail] [] []`,
	}
	// Within one receiver the order of kinds is that of their names.
	if !slices.Equal(got, want) {
		t.Errorf("routes\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	got = nil
	for _, m := range cfg.Route.Ways.Maintenance {
		got = append(got, fmt.Sprint(m.Name, m.Match, m.During, m.Outside))
	}
	want = []string{`pager-1[team="db" severity="critical" x!~"y z"] [] [office]`, `team-mail-2[x=~"y z" team!="db"] [office] []`}
	if !slices.Equal(got, want) {
		t.Errorf("maintenance\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if cfg.Route.Ways.Default != "team-mail" || cfg.Route.Delivery.Mode != "shadow" || cfg.Route.Ways.Templates[0] != "/etc/am/tmpl/*.tmpl" {
		t.Errorf("default %q, mode %q, templates %v", cfg.Route.Ways.Default, cfg.Route.Delivery.Mode, cfg.Route.Ways.Templates)
	}
	report := strings.Join(r.Report, "\n")
	for _, want := range []string{
		"inhibit_rules", "global.resolve_timeout", "route.group_by", "routes[0].routes[0]: its times are left out", "receiver silent", "routes[1]: left out", "time interval unused",
		"pagerduty_configs.severity", "routes[2]: its times became route.maintenance team-mail-2",
	} {
		if !strings.Contains(report, want) {
			t.Errorf("the report lacks %s:\n%s", want, report)
		}
	}
}

// Pagers that get the same alarms at other times each get theirs at their times.
func TestTimesOfRoutesThatContinue(t *testing.T) {
	for name, tc := range map[string]struct{ routes, want, quiet string }{
		"both at the same times": {
			`[{matchers: [a="1"], receiver: a, active_time_intervals: [night], continue: true}, {matchers: [a="1"], receiver: b, active_time_intervals: [night]}]`,
			`[{[a="1"] [] [a b]  [] [] []}]`, `[a-1[a="1"] [] [night]]`,
		},
		"the first at times, the second always": {
			`[{matchers: [a="1"], receiver: a, active_time_intervals: [night], continue: true}, {matchers: [a="1"], receiver: b}]`,
			`[{[a="1"] [] [a b]  [] [night] []} {[a="1"] [] [b]  [] [] []}]`, `[]`,
		},
		"the first always, the second not at times": {
			`[{matchers: [a="1"], receiver: a, continue: true}, {matchers: [a="1"], receiver: b, mute_time_intervals: [night]}]`,
			`[{[a="1"] [] [a b]  [] [] [night]} {[a="1"] [] [a]  [] [] []}]`, `[]`,
		},
		"names of any letters": {
			`[{matchers: ['"label with space"="1"'], receiver: b}]`, `[{["label with space"="1"] [] [b]  [] [] []}]`, `[]`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, cfg := written(t, t.TempDir(), File{"/etc/am/alertmanager.yml", []byte(`
route: {receiver: a, routes: ` + tc.routes + `}
time_intervals: [{name: night, time_intervals: [{times: [{start_time: "00:00", end_time: "06:00"}]}]}]
receivers: [{name: a, webhook_configs: [{url: 'https://hooks.example.com/a'}]}, {name: b, webhook_configs: [{url: 'https://hooks.example.com/b'}]}]
`)})
			quiet := []string{}
			for _, m := range cfg.Route.Ways.Maintenance {
				quiet = append(quiet, fmt.Sprint(m.Name, m.Match, m.During, m.Outside))
			}
			if got := fmt.Sprint(cfg.Route.Ways.Routes); got != tc.want || fmt.Sprint(quiet) != tc.quiet {
				t.Errorf("routes %s, maintenance %v\nwant %s, %s", got, quiet, tc.want, tc.quiet)
			}
		})
	}
}

// A receiver that is pinged by an alarm that always fires is no pager: its service has a place of its own here.
func TestAWatchdogIsNoPage(t *testing.T) {
	for match, want := range map[string]bool{`alertname="Watchdog"`: true, `alertname=~"Watchdog|InfoInhibitor"`: true, `alertname=~".+"`: false, `alertname!="x"`: false, `team="a"`: false} {
		r, _ := written(t, t.TempDir(), File{"/etc/am/alertmanager.yml", []byte("route: {receiver: a, routes: [{matchers: ['" + match + "'], receiver: b}]}\n" +
			"receivers: [{name: a, webhook_configs: [{url: 'https://hooks.example.com/a'}]}, {name: b, webhook_configs: [{url: 'https://hooks.example.com/b'}]}]\n")})
		if got := strings.Contains(strings.Join(r.Report, "\n"), "route.heartbeat.url"); got != want {
			t.Errorf("%s: %v, want %v: %q", match, got, want, r.Report)
		}
	}
}

// Where no list of matchers says which alarms come to a route, its times decide about the route as before.
func TestTimesThatNoSilenceCanSay(t *testing.T) {
	_, cfg := written(t, t.TempDir(), File{"/etc/am/alertmanager.yml", []byte(`
route:
  receiver: a
  routes:
  - {matchers: [team="x", severity="page", env="prod"], receiver: b}
  - {matchers: [team="x"], mute_time_intervals: [night]}
time_intervals: [{name: night, time_intervals: [{times: [{start_time: "00:00", end_time: "06:00"}]}]}]
receivers: [{name: a, webhook_configs: [{url: 'https://hooks.example.com/a'}]}, {name: b, webhook_configs: [{url: 'https://hooks.example.com/b'}]}]
`)})
	if w := cfg.Route.Ways; len(w.Maintenance) != 0 || len(w.Routes) != 2 || fmt.Sprint(w.Routes[1].Mute) != "[night]" {
		t.Errorf("maintenance %v, routes %v", w.Maintenance, w.Routes)
	}
}

func TestRulesAreTakenAsTheyAre(t *testing.T) {
	text := []byte("groups: [{name: g, rules: [{alert: A, expr: up == 0}]}]\n")
	r, _ := written(t, t.TempDir(), File{"/a/r.yml", text}, File{"/b/r.yaml", text})
	if len(r.Rules) != 2 || string(r.Rules["r.yaml"]) != string(text) || r.Rules["r-2.yaml"] == nil {
		t.Errorf("rules %v", sortedNames(r.Rules))
	}
	for path, text := range map[string]string{"/x.yml": "a: b", "/y.yml": "groups: [{name: g, rules: [{alert: A, expr: 'up =='}]}]", "/z.yml": "route: {receiver: a}\nreceivers: []"} {
		if _, err := Import([]File{{path, []byte(text)}}, "/x"); err == nil || !strings.Contains(err.Error(), filepath.Base(path)) {
			t.Errorf("%s: %v, want an error with its name", text, err)
		}
	}
}

func sortedNames(m map[string][]byte) (out []string) {
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
