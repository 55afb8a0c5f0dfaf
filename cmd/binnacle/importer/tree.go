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

// flat is a route of the list. timed: it holds at some times only, so that no other can be laid over it.
type flat struct {
	to    []string
	match []string
	times map[string][]any // active, mute
	timed bool
}

// maxFlat bounds what routes that continue become.
const maxFlat = 200

// tree makes a list of the tree: the first that matches wins in both, a child before its parent.
func (a *am) tree(root map[string]any) {
	a.unlike(root, "route")
	all, _ := a.children(root, node{receiver: text(root["receiver"])}, "route")
	for _, f := range all {
		out := map[string]any{"to": f.to}
		if len(f.match) > 0 {
			out["match"] = f.match
		}
		for key, v := range f.times {
			out[key] = v
		}
		a.routes = append(a.routes, out)
	}
}

// children makes routes of the children of m, and returns what they leave to it.
func (a *am) children(m map[string]any, up node, at string) ([]flat, node) {
	children := list(m["routes"])
	each := make([][]flat, len(children))
	for i, c := range children {
		child, _ := c.(map[string]any)
		each[i] = a.branch(child, up, fmt.Sprintf("%s.routes[%d]", at, i))
		up = up.without(child)
	}
	var out []flat
	for i, c := range slices.Backward(children) {
		child, _ := c.(map[string]any)
		if child["continue"] == true {
			both, ok := over(each[i], out)
			if !ok {
				a.report(a.file, "%s.routes[%d].continue: no counterpart here: the first route that matches wins; add the pagers of later routes to its \"to\"", at, i)
			}
			each[i] = both
		}
		out = append(each[i], out...)
	}
	return out, up
}

// over lays routes that continue over those that follow: who matches both is sent to both. It refuses where times are in the way,
// or where too many would come of it.
func over(first, later []flat) ([]flat, bool) {
	timed := func(f flat) bool { return f.timed }
	if len(first)*(len(later)+1) > maxFlat || len(later) > 0 && slices.ContainsFunc(first, timed) || slices.ContainsFunc(later, timed) {
		return first, len(later) == 0
	}
	var out []flat
	for _, f := range first {
		for _, l := range later {
			if excludes(f.match, l.match) {
				continue
			}
			both := flat{to: slices.Clone(f.to), match: slices.Clone(f.match)}
			for _, name := range l.to {
				if !slices.Contains(both.to, name) {
					both.to = append(both.to, name)
				}
			}
			for _, m := range l.match {
				if !slices.Contains(both.match, m) {
					both.match = append(both.match, m)
				}
			}
			out = append(out, both)
		}
		out = append(out, f)
	}
	return out, true
}

// excludes says whether no alarm can match both: they want two values of one label.
func excludes(one, other []string) bool {
	want := map[string]string{}
	for i, m := range append(slices.Clone(one), other...) {
		ms, err := compat.Matchers(m, "import")
		if err != nil {
			continue
		}
		for _, m := range ms {
			if m.Type != labels.MatchEqual {
				continue
			}
			if v, ok := want[m.Name]; ok && i >= len(one) && v != m.Value {
				return true
			}
			want[m.Name] = m.Value
		}
	}
	return false
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

func (a *am) branch(m map[string]any, up node, at string) []flat {
	a.unlike(m, at)
	n := up
	n.match = append(slices.Clone(up.match), matchers(m)...)
	if r := text(m["receiver"]); r != "" {
		n.receiver = r
	}
	out, n := a.children(m, n, at)
	own := flat{to: a.names[n.receiver], match: n.match}
	if len(own.to) == 0 {
		a.report(a.file, "%s: left out: receiver %s sends to nobody", at, n.receiver)
		return out
	}
	if active, mute := list(m["active_time_intervals"]), list(m["mute_time_intervals"]); len(active)+len(mute) > 0 {
		own.timed = true
		if !a.silence(n, active, mute, at) {
			own.times = map[string][]any{}
			for key, v := range map[string][]any{"active": active, "mute": mute} {
				if len(v) > 0 {
					own.times[key] = v
					a.report(a.file, "%s: outside its times the next route that matches gets the page, and it is not held back", at)
				}
			}
		}
	}
	return append(out, own)
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
