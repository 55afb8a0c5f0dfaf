package catalogue

import (
	"path/filepath"
	"testing"

	"github.com/navcloud/binnacle/agent/metric"
)

// noFixture names the collectors that a fixture can't feed, and why: what they gather is sent to them
// while they run, so there is no world to lay out before one Collect. Each has tests of its own.
var noFixture = map[string]string{
	"statsd":   "clients send to its sockets",
	"aws":      "a router asks AWS for it",
	"exec":     "its programs are run between two collections",
	"graphite": "senders write to its sockets",
	"logs":     "what is there when it begins is no news",
	"probe":    "its endpoints are asked between two collections",
	"scrape":   "its targets are asked between two collections",
}

func TestEveryCollectorHasOneNameAndAFixture(t *testing.T) {
	seen := map[string]bool{}
	for _, spec := range All() {
		if seen[spec.Name] {
			t.Errorf("two collectors have the name %s", spec.Name)
		}
		seen[spec.Name] = true
		own, _ := filepath.Glob("../testdata/" + spec.Name + ".txtar")
		below, _ := filepath.Glob("../*/testdata/" + spec.Name + ".txtar")
		switch have := len(own)+len(below) > 0; {
		case have && noFixture[spec.Name] != "":
			t.Errorf("collector %s has a fixture and stands in noFixture", spec.Name)
		case !have && noFixture[spec.Name] == "":
			t.Errorf("collector %s has no fixture: testdata/%s.txtar in its package", spec.Name, spec.Name)
		}
	}
	if _, ok := Lookup("no_such"); ok {
		t.Error("Lookup finds what is not there")
	}
}

func TestNamesOfCollectorsAreReserved(t *testing.T) {
	for _, spec := range All() {
		for _, d := range spec.Metrics {
			if name := metric.PromName(d); !Reserved(name) {
				t.Errorf("%s of %s is not reserved", name, spec.Name)
			}
		}
	}
	for _, name := range []string{"navcloud_streams", "hostess_total", "redis_latency_seconds", "ups"} {
		if Reserved(name) {
			t.Errorf("%s is reserved", name)
		}
	}
}
