package pagers

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/alertmanager/pkg/labels"

	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/people"
)

// routes are a Config's, ready to match.
type routes struct {
	list    []route
	byName  map[string]route
	rest    string // name of the route of what no other matches; empty: as route.pagerduty says
	windows map[string]Window
}

type route struct {
	Route
	name     string
	matchers labels.Matchers
	prios    []alerting.Priority
}

func newRoutes(c Config) (*routes, error) {
	rs := &routes{byName: map[string]route{}, windows: c.Windows, rest: c.Default}
	for i, r := range c.Routes {
		out := route{Route: r}
		for _, m := range r.Match {
			ms, err := people.ReadMatchers(m)
			if err != nil {
				return nil, fmt.Errorf("routes[%d].match: %w", i, err)
			}
			out.matchers = append(out.matchers, ms...)
		}
		for _, p := range r.Priority {
			out.prios = append(out.prios, alerting.ParsePriority(p))
		}
		out.name = rs.nameOf(r)
		rs.byName[out.name] = out
		rs.list = append(rs.list, out)
	}
	if rs.rest != "" {
		if _, ok := rs.byName[rs.rest]; !ok {
			rs.byName[rs.rest] = route{Route: Route{To: []string{rs.rest}}, name: rs.rest}
		}
	}
	return rs, nil
}

// nameOf is the name of a route: of its pagers. It stays when routes change places; only where two routes have the same pagers
// and differ in who else is called does the later one's name have a number.
func (rs *routes) nameOf(r Route) string {
	base := strings.Join(r.To, "+")
	name := base
	for n := 2; ; n++ {
		old, taken := rs.byName[name]
		if !taken || old.Second == r.Second && slices.Equal(old.Escalate, r.Escalate) {
			return name
		}
		name = fmt.Sprintf("%s.%d", base, n)
	}
}

// of is the name of the route for an alarm; empty: none matches, and there is no default.
func (rs *routes) of(alarm map[string]string, p alerting.Priority, at time.Time) string {
	for _, r := range rs.list {
		if r.matches(alarm, p) && rs.open(r, at) {
			return r.name
		}
	}
	return rs.rest
}

func (r route) matches(alarm map[string]string, p alerting.Priority) bool {
	if len(r.prios) > 0 && !slices.Contains(r.prios, p) {
		return false
	}
	for _, m := range r.matchers {
		if !m.Matches(alarm[m.Name]) {
			return false
		}
	}
	return true
}

// open says whether it is the time of a route. A window with the name of its first pager is one of its own.
func (rs *routes) open(r route, at time.Time) bool {
	if w, ok := rs.windows[r.To[0]]; ok && !w.contains(at) {
		return false
	}
	in := func(name string) bool { return rs.windows[name].contains(at) }
	return (len(r.Active) == 0 || slices.ContainsFunc(r.Active, in)) && !slices.ContainsFunc(r.Mute, in)
}
