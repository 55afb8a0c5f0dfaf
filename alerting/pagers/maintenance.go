package pagers

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// Maintenance silences alarms whenever a window is open.
type Maintenance struct {
	Name    string   `yaml:"name"`    // for people
	Match   []string `yaml:"match"`   // matchers as Alertmanager's; all must match
	During  []string `yaml:"during"`  // windows in which the alarms are silenced
	Outside []string `yaml:"outside"` // windows outside which they are
	Comment string   `yaml:"comment"` // why
}

const mostMaintenance = 100

func (c Config) validateMaintenance(used map[string]bool) (errs []error) {
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if len(c.Maintenance) > mostMaintenance {
		bad("maintenance: %d entries are more than %d", len(c.Maintenance), mostMaintenance)
	}
	seen := map[string]bool{}
	for i, m := range c.Maintenance {
		at := fmt.Sprintf("maintenance[%d]", i)
		switch {
		case !named.MatchString(m.Name):
			bad("%s.name: want a name of letters, digits, dots and dashes, have %q", at, m.Name)
		case seen[m.Name]:
			bad("%s.name: %s is there already", at, m.Name)
		}
		seen[m.Name] = true
		if len(m.During)+len(m.Outside) == 0 {
			bad("%s: want the names of windows in during or outside", at)
		}
		for _, w := range append(slices.Clone(m.During), m.Outside...) {
			used[w] = true
			if _, ok := c.Windows[w]; !ok {
				bad("%s: no window %q", at, w)
			}
		}
	}
	return errs
}

// Open says when the alarms of a maintenance are silenced: it tells for a time whether they are.
func (c Config) Open(m Maintenance) func(time.Time) bool {
	return func(at time.Time) bool {
		in := func(name string) bool { return c.Windows[name].contains(at) }
		return slices.ContainsFunc(m.During, in) || len(m.Outside) > 0 && !slices.ContainsFunc(m.Outside, in)
	}
}

// ClockChanges says at which changes of the clocks in the year from now a window gains or loses time.
func (c Config) ClockChanges(now time.Time) (out []string) {
	for _, name := range slices.Sorted(maps.Keys(c.Windows)) {
		for _, text := range c.Windows[name].clockChanges(now) {
			out = append(out, "window "+name+": "+text)
		}
	}
	return out
}
