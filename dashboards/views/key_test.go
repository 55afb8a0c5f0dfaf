package views

import (
	"regexp"
	"testing"

	"github.com/navcloud/binnacle/collectors/catalogue"
)

// TestKeyFiguresAreMeasured holds the key figures to what there is: collectors of that name, and metrics of that name.
func TestKeyFiguresAreMeasured(t *testing.T) {
	known := map[string]bool{}
	for _, s := range catalogue.All() {
		known[s.Name] = true
	}
	metric := regexp.MustCompile(`[a-z]+_[a-z_]+`)
	for collector, figures := range keyFigures {
		if !known[collector] {
			t.Errorf("no collector is called %s", collector)
		}
		for _, f := range figures {
			names := metric.FindAllString(f.each, -1)
			if len(names) != 1 || !catalogue.Reserved(names[0]) {
				t.Errorf("%s, %s: %q measures %q, which no collector does", collector, f.name, f.each, names)
			}
		}
	}
}
