package simulate_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/simulate"
	"github.com/navcloud/binnacle/alerting/topology"
)

// TestADeadSwitchIsOnePage has hosts behind a hypervisor behind a switch, as Nagios' parents say, and one behind two switches. What
// stands in front explains what is behind it, also when its own check comes last.
func TestADeadSwitchIsOnePage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "topology.yaml")
	if err := os.WriteFile(path, []byte(`
add: true
entities:
  "host:switch": {kind: host}
  "host:other-switch": {kind: host}
  "host:hypervisor": {kind: host, parents: ["host:switch"]}
  "host:db-1": {kind: host, parents: ["host:hypervisor"]}
  "host:db-2": {kind: host, parents: ["host:hypervisor"]}
  "host:web-1": {kind: host, parents: ["host:switch", "host:other-switch"], spare: 1}
`), 0o600); err != nil {
		t.Fatal(err)
	}
	g, err := topology.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		hosts string // 5 s one after the other; a + is a minute
		want  string // who the pages are about at the end
	}{
		"the switch last":                       {"db-1 db-2 hypervisor switch", "switch"},
		"the switch first":                      {"switch hypervisor db-1 db-2", "switch"},
		"the hypervisor alone":                  {"db-2 db-1 hypervisor", "hypervisor"},
		"the switch after a page":               {"db-1 + switch", "switch"},
		"one of two switches breaks no web-1":   {"switch web-1", "switch web-1"},
		"both switches do":                      {"web-1 other-switch switch", "other-switch switch"},
		"a host that stands behind none of it":  {"db-1 mail switch", "mail switch"},
		"a host alone":                          {"db-1", "db-1"},
		"the dead are behind what does not say": {"db-1 db-2", "db-1 db-2"},
	} {
		t.Run(name, func(t *testing.T) {
			begin := time.Date(2026, 11, 30, 3, 0, 0, 0, time.UTC)
			p := simulate.New(simulate.Options{Settings: alerting.DefaultSettings(), Graph: g})
			at := begin
			for _, host := range strings.Fields(tc.hosts) {
				if host == "+" {
					at = at.Add(time.Minute)
					continue
				}
				labels := map[string]string{"alertname": host, "host": host, "severity": "critical", "kind": "down"}
				p.Add(simulate.Event{At: at, In: alerting.Firing{Alarm: alerting.Alarm{Labels: labels, StartsAt: at}}})
				at = at.Add(5 * time.Second)
			}
			if err := p.Run(at.Add(10 * time.Minute)); err != nil {
				t.Fatal(err)
			}
			about := map[string]bool{}
			for _, v := range p.View().Problems {
				about[v.Root.Labels["host"]] = true
			}
			pages := 0
			for _, c := range p.Calls() {
				if c.New {
					pages++
				}
			}
			for _, host := range strings.Fields(tc.want) {
				if !about[host] {
					t.Errorf("problems of %v; want %s", about, tc.want)
				}
			}
			if want := len(strings.Fields(tc.want)); len(about) != want || pages != want {
				t.Errorf("%d pages, problems of %v; want %s", pages, about, tc.want)
			}
		})
	}
}
