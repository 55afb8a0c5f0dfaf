package importer

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/alertmanager/matcher/compat"
	"github.com/prometheus/alertmanager/pkg/labels"

	"github.com/navcloud/binnacle/alerting/people"
)

// used are the windows that a route or maintenance uses; another is reported.
func (a *am) used() map[string]any {
	out := map[string]any{}
	for _, r := range append(slices.Clone(a.routes), a.quiet...) {
		m, _ := r.(map[string]any)
		for _, key := range []string{"active", "mute", "during", "outside"} {
			for _, w := range list(m[key]) {
				out[text(w)] = a.windows[text(w)]
			}
		}
	}
	for _, name := range sorted(a.windows) {
		if out[name] == nil {
			a.report(a.file, "time interval %s: left out: no route uses it", name)
		}
	}
	return out
}

// node is a route in the tree with what its parents say.
type node struct {
	match    []string
	not      []string // matchers that keep out what routes before it take
	vague    bool     // not lacks a route before it that no single matcher keeps out
	receiver string
}

// tree makes a list of the tree: the first that matches wins in both, a child before its parent.
func (a *am) tree(root map[string]any) {
	a.unlike(root, "route")
	a.children(root, node{receiver: text(root["receiver"])}, "route")
}

// children makes routes of the children of m, and returns what they leave to it.
func (a *am) children(m map[string]any, up node, at string) node {
	for i, c := range list(m["routes"]) {
		child, _ := c.(map[string]any)
		a.branch(child, up, fmt.Sprintf("%s.routes[%d]", at, i))
		up = up.without(child)
	}
	return up
}

// without is a node less what one of the routes before it takes.
func (n node) without(m map[string]any) node {
	if m["continue"] == true {
		return n
	}
	not := ""
	if ms := matchers(m); len(ms) == 1 {
		not = opposite(ms[0])
	}
	n.not = slices.Clone(n.not)
	if n.vague = n.vague || not == ""; not != "" {
		n.not = append(n.not, not)
	}
	return n
}

// opposite is the matcher that fits what another one does not; empty: it cannot be read.
func opposite(matcher string) string {
	ms, err := compat.Matchers(matcher, "import")
	if err != nil || len(ms) != 1 {
		return ""
	}
	m := *ms[0]
	m.Type = map[labels.MatchType]labels.MatchType{
		labels.MatchEqual: labels.MatchNotEqual, labels.MatchNotEqual: labels.MatchEqual,
		labels.MatchRegexp: labels.MatchNotRegexp, labels.MatchNotRegexp: labels.MatchRegexp,
	}[m.Type]
	return m.String()
}

func (a *am) branch(m map[string]any, up node, at string) {
	a.unlike(m, at)
	n := up
	n.match = append(slices.Clone(up.match), matchers(m)...)
	if r := text(m["receiver"]); r != "" {
		n.receiver = r
	}
	n = a.children(m, n, at)
	to := a.names[n.receiver]
	if len(to) == 0 {
		a.report(a.file, "%s: left out: receiver %s sends to nobody", at, n.receiver)
		return
	}
	out := map[string]any{"to": to}
	if active, mute := list(m["active_time_intervals"]), list(m["mute_time_intervals"]); len(active)+len(mute) > 0 && !a.silence(n, active, mute, at) {
		for key, v := range map[string][]any{"active": active, "mute": mute} {
			if len(v) > 0 {
				out[key] = v
				a.report(a.file, "%s: outside its times the next route that matches gets the page, and it is not held back", at)
			}
		}
	}
	if len(n.match) > 0 {
		out["match"] = n.match
	}
	a.routes = append(a.routes, out)
}

// silence makes a maintenance window of the times of a route. It refuses where no list of matchers says which alarms come to that
// route.
func (a *am) silence(n node, active, mute []any, at string) bool {
	if n.vague {
		return false
	}
	match := append(slices.Clone(n.match), n.not...)
	q := people.Recurring{Open: func(time.Time) bool { return false }}
	var err error
	if q.Matchers, err = people.ParseMatchers(match...); err != nil || q.Check(time.Time{}) != nil {
		return false
	}
	m := map[string]any{"name": strings.Trim(unnameable.ReplaceAllString(n.receiver, "-"), "-._") + fmt.Sprintf("-%d", len(a.quiet)+1), "match": match}
	for key, v := range map[string][]any{"outside": active, "during": mute} {
		if len(v) > 0 {
			m[key] = v
		}
	}
	a.quiet = append(a.quiet, m)
	a.report(a.file, "%s: its times became route.maintenance %s; a P1 pages all the same a day after the window opened, and a symptom unless a matcher names its rule", at, m["name"])
	return true
}
