// Package pagers is the one way out: it knows which pagers there are, which of them an alarm's page goes to, and in whose place
// another one goes. Package pagerduty sends to PagerDuty, package receivers to everything else.
//
// A route has a name, which is what the router and the ledger know of it: the names of its pagers. The first pager of a route
// decides whether a page was delivered; what the others did not accept they are sent again for an hour, in order.
package pagers

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/navcloud/binnacle/agent/strict"
	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/pagers/pagerduty"
	"github.com/navcloud/binnacle/alerting/pagers/receivers"
	"github.com/navcloud/binnacle/alerting/people"
)

// Config says which pagers there are and who gets what. Empty: route.pagerduty alone.
type Config struct {
	Pagers  map[string]Pager  `yaml:"pagers"`
	Default string            `yaml:"default"` // of Pagers, for what no route matches; empty: route.pagerduty
	Routes  []Route           `yaml:"routes"`  // the first that matches wins
	Windows map[string]Window `yaml:"windows"`
	// Maintenance are recurring silences.
	Maintenance []Maintenance `yaml:"maintenance"`
	Templates   []string      `yaml:"templates"` // files of message templates, as Alertmanager's
}

// PagerDuty is the name of the pager that route.pagerduty is.
const PagerDuty = "pagerduty"

// Pager is one receiver of a kind: slack: {...}. PagerDuty's has the fields of route.pagerduty.
type Pager struct {
	Receiver  receivers.Config
	PagerDuty *pagerduty.Config
}

// Route sends what it matches to pagers.
type Route struct {
	Match    []string   `yaml:"match"`    // matchers as Alertmanager's; all must match
	Priority []string   `yaml:"priority"` // P1 to P5; empty: all
	To       []string   `yaml:"to"`       // names of pagers, the one that must accept first
	Second   string     `yaml:"second"`   // for a P1 that the first of To did not accept
	Escalate []Escalate `yaml:"escalate"` // while nobody acknowledges
	Active   []string   `yaml:"active"`   // windows in which alone it matches
	Mute     []string   `yaml:"mute"`     // windows in which it does not
}

// Escalate is one step of who else is paged.
type Escalate struct {
	After time.Duration `yaml:"after"` // since the page was accepted; 1m to 24h
	To    string        `yaml:"to"`
}

// UnmarshalYAML reads one kind and its fields.
func (p *Pager) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind != yaml.MappingNode || len(n.Content) != 2 {
		return fmt.Errorf("want one kind and its fields, such as slack: {api_url: ...}; kinds are pagerduty, %s", strings.Join(receivers.Kinds(), ", "))
	}
	kind, fields := n.Content[0].Value, n.Content[1]
	if kind != PagerDuty {
		var err error
		p.Receiver, err = receivers.ReadConfig(kind, fields)
		return err
	}
	b, err := yaml.Marshal(fields)
	if err != nil {
		return err
	}
	c := pagerduty.DefaultConfig()
	if err := strict.Decode(b, &c); err != nil {
		return fmt.Errorf("pagerduty: %w", err)
	}
	if !c.Configured() {
		return errors.New("pagerduty.routing_key: want the key of an Events API v2 integration")
	}
	if err := c.Validate(); err != nil {
		return fmt.Errorf("pagerduty: %s", strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	p.PagerDuty = &c
	return nil
}

// MarshalYAML shows it without secrets.
func (p Pager) MarshalYAML() (any, error) {
	if p.PagerDuty != nil {
		return map[string]any{PagerDuty: p.PagerDuty}, nil
	}
	return map[string]any{p.Receiver.Kind(): p.Receiver}, nil
}

// Key tells one pager from another, secrets included: it must not be shown.
func (p Pager) Key() string {
	if p.PagerDuty != nil {
		return fmt.Sprintf("pagerduty %q %+v", p.PagerDuty.RoutingKey.Reveal()+p.PagerDuty.Token.Reveal(), *p.PagerDuty)
	}
	return p.Receiver.Key()
}

// Configured says whether there are pagers besides route.pagerduty.
func (c Config) Configured() bool { return len(c.Pagers) > 0 }

// RouteOf is the name of the route of an alarm of a priority at a time; empty: route.pagerduty says.
func (c Config) RouteOf() (func(labels map[string]string, p alerting.Priority, at time.Time) string, error) {
	rs, err := newRoutes(c)
	if err != nil {
		return nil, err
	}
	return rs.of, nil
}

// RouteNames are the names of all routes that an alarm can have, in order. A configuration that does not fit has none.
func (c Config) RouteNames() []string {
	rs, err := newRoutes(c)
	if err != nil {
		return nil
	}
	return slices.Sorted(maps.Keys(rs.byName))
}

// Equal says whether two configurations are the same, secrets included.
func (c Config) Equal(o Config) bool {
	return c.Default == o.Default && reflect.DeepEqual(c.Routes, o.Routes) && reflect.DeepEqual(c.Windows, o.Windows) && reflect.DeepEqual(c.Maintenance, o.Maintenance) && slices.Equal(c.Templates, o.Templates) &&
		maps.EqualFunc(c.Pagers, o.Pagers, func(a, b Pager) bool { return a.Key() == b.Key() })
}

var named = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)

// ValidateWith says what is out of bounds; pd says whether route.pagerduty has a key.
func (c Config) ValidateWith(pd bool) error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	known := func(at, name string) {
		if _, ok := c.Pagers[name]; !ok && (name != PagerDuty || !pd) {
			bad("%s: no pager %q; there are %s", at, name, c.names(pd))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Pagers)) {
		if !named.MatchString(name) || name == pagerduty.DefaultRoute || name == pagerduty.LowRoute || name == PagerDuty {
			bad("pagers.%s: want a name of letters, digits, dots and dashes, and not default, low or pagerduty", name)
		}
	}
	switch {
	case c.Default != "":
		known("default", c.Default)
	case len(c.Pagers) > 0 && !pd:
		bad("default: want the name of the pager for what no route matches; there are %s", c.names(pd))
	case len(c.Pagers) == 0 && len(c.Routes) > 0 && !pd:
		bad("routes: want pagers to send to")
	}
	used := map[string]bool{}
	for i, r := range c.Routes {
		at := fmt.Sprintf("routes[%d]", i)
		errs = append(errs, r.validate(at)...)
		for _, to := range append(slices.Clone(r.To), r.others()...) {
			known(at, to)
		}
		for _, w := range append(slices.Clone(r.Active), r.Mute...) {
			used[w] = true
			if _, ok := c.Windows[w]; !ok {
				bad("%s: no window %q", at, w)
			}
		}
	}
	errs = append(errs, c.validateMaintenance(used)...)
	for _, name := range slices.Sorted(maps.Keys(c.Windows)) {
		if _, ok := c.Pagers[name]; !ok && !used[name] {
			bad("windows.%s: neither a pager has that name nor does a route (active, mute) or maintenance (during, outside) use it", name)
		}
		if name == c.Default {
			bad("windows.%s: the default pager is for all that no other takes, at any time; give its routes the window (active)", name)
		}
		if err := c.Windows[name].validate(); err != nil {
			bad("windows.%s: %w", name, err)
		}
	}
	return errors.Join(errs...)
}

func (c Config) names(pd bool) string {
	names := slices.Sorted(maps.Keys(c.Pagers))
	if pd {
		names = append(names, PagerDuty)
	}
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

func (r Route) others() (names []string) {
	if r.Second != "" {
		names = append(names, r.Second)
	}
	for _, e := range r.Escalate {
		names = append(names, e.To)
	}
	return names
}

func (r Route) validate(at string) (errs []error) {
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(at+format, args...)) }
	if len(r.To) == 0 {
		bad(".to: want the names of pagers")
	}
	if slices.Contains(r.To, r.Second) {
		bad(".second: %s is in to already", r.Second)
	}
	for _, m := range r.Match {
		if _, err := people.ReadMatchers(m); err != nil {
			bad(".match: %s: %w", m, err)
		}
	}
	for _, p := range r.Priority {
		if alerting.ParsePriority(p) == 0 {
			bad(".priority: %q is none of P1 to P5", p)
		}
	}
	last := time.Duration(0)
	for _, e := range r.Escalate {
		if e.After < time.Minute || e.After > 24*time.Hour || e.After <= last {
			bad(".escalate: after %v is not within 1m to 24h and later than the step before", e.After)
		}
		last = e.After
	}
	return errs
}
