package importer

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/alertmanager/pkg/labels"

	"github.com/navcloud/binnacle/alerting/intake"
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
	receiver string
}

// flat is a route of the list: who matches it, and no flat before it, is sent to all its parts.
type flat struct {
	at    string // where its first part stands
	match []string
	parts []part
	// Whether it is of a route that has routes of its own: those may take all that comes to it, as is meant.
	parent bool
}

// part is a receiver with the times at which it is sent pages. At other times nobody else is sent them in its place.
type part struct {
	receiver     string
	to           []string
	active, mute []any
}

func (p part) timed() bool { return len(p.active)+len(p.mute) > 0 }

func (p part) sameTimes(o part) bool {
	return slices.Equal(p.active, o.active) && slices.Equal(p.mute, o.mute)
}

// maxFlat bounds what routes that continue become.
const maxFlat = 200

// tree makes a list of the tree: the first that matches wins in both, a child before its parent.
func (a *am) tree(root map[string]any) {
	a.unlike(root, "route")
	all, never := reachable(a.children(root, node{receiver: text(root["receiver"])}, "route"))
	for _, f := range never {
		a.report(a.file, "%s: left out: a route before it takes all that it matches, in Alertmanager too", f.at)
	}
	for i, f := range all {
		a.emit(f, all[:i])
	}
}

// emit makes routes of a flat, and maintenance of its times where it can.
func (a *am) emit(f flat, before []flat) {
	route := func(times part, parts ...part) {
		out := map[string]any{"to": pagersOf(parts)}
		if len(f.match) > 0 {
			out["match"] = f.match
		}
		for key, v := range map[string][]any{"active": times.active, "mute": times.mute} {
			if len(v) > 0 {
				out[key] = v
			}
		}
		a.routes = append(a.routes, out)
	}
	timed := slices.DeleteFunc(slices.Clone(f.parts), func(p part) bool { return !p.timed() })
	always := slices.DeleteFunc(slices.Clone(f.parts), part.timed)
	switch {
	case len(timed) == 0:
		route(part{}, f.parts...)
	case slices.ContainsFunc(timed, func(p part) bool { return !p.sameTimes(timed[0]) }):
		a.report(a.file, "%s: its times are left out: pagers of several times get the same alarms: they all get them at all times", f.at)
		route(part{}, f.parts...)
	case len(always) > 0:
		route(timed[0], f.parts...)
		route(part{}, always...)
	case a.silence(f, before):
		route(part{}, f.parts...)
	default:
		a.report(a.file, "%s: outside its times the next route that matches gets the page, and it is not held back", f.at)
		route(timed[0], f.parts...)
	}
}

// pagersOf are the pagers of parts, each once.
func pagersOf(parts []part) (out []string) {
	for _, p := range parts {
		for _, name := range p.to {
			if !slices.Contains(out, name) {
				out = append(out, name)
			}
		}
	}
	return out
}

// reachable are the flats of a list that something comes to: before each of them no other takes all that it would. never are those
// whose whole route nothing comes to.
func reachable(all []flat) (out, never []flat) {
	came := map[string]bool{}
	for _, f := range all {
		if !slices.ContainsFunc(out, func(o flat) bool { return len(beyond(o, f)) == 0 }) {
			out = append(out, f)
			came[f.at] = true
		}
	}
	for _, f := range all {
		if !came[f.at] && !f.parent {
			never = append(never, f)
			came[f.at] = true
		}
	}
	return out, never
}

// beyond are the matchers that one flat has and another has not.
func beyond(one, other flat) []string {
	return slices.DeleteFunc(slices.Clone(one.match), func(m string) bool { return slices.Contains(other.match, m) })
}

// children makes routes of the children of m.
func (a *am) children(m map[string]any, up node, at string) (out []flat) {
	first := len(a.Report)
	for i, c := range slices.Backward(list(m["routes"])) {
		child, _ := c.(map[string]any)
		here, before := fmt.Sprintf("%s.routes[%d]", at, i), len(a.Report)
		own := a.branch(child, up, here)
		if child["continue"] == true {
			both, ok := over(own, out)
			if !ok {
				a.report(a.file, "%s.continue: left out, since too many routes would come of it: the first route that matches wins; add the pagers of later routes to its \"to\"", here)
			}
			own = both
		}
		out = append(own, out...)
		said := slices.Clone(a.Report[before:]) // the report has the order of the file
		a.Report = slices.Insert(a.Report[:before], first, said...)
	}
	return out
}

// over lays routes that continue over those that follow: who matches both is sent to both. It refuses where too many would come of
// it.
func over(first, later []flat) ([]flat, bool) {
	if len(first)*(len(later)+1) > maxFlat {
		return first, false
	}
	var out []flat
	for _, f := range first {
		for _, l := range later {
			if excludes(f.match, l.match) {
				continue
			}
			out = append(out, flat{
				at: f.at, match: append(slices.Clone(f.match), beyond(l, f)...), parts: append(slices.Clone(f.parts), l.parts...), parent: f.parent,
			})
		}
		out = append(out, f)
	}
	return out, true
}

// excludes says whether no alarm can match both: they want two values of one label.
func excludes(one, other []string) bool {
	want := map[string]string{}
	for i, m := range append(slices.Clone(one), other...) {
		ms, err := people.ReadMatchers(m)
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

// opposite is the matcher that fits what another one does not; empty: it is none, or several in one.
func opposite(matcher string) string {
	ms, err := people.ReadMatchers(matcher)
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
	n := node{match: append(slices.Clone(up.match), matchers(m)...), receiver: firstText(text(m["receiver"]), up.receiver)}
	out := a.children(m, n, at)
	if len(a.names[n.receiver]) == 0 {
		a.report(a.file, "%s: left out: receiver %s sends to nobody", at, n.receiver)
		return out
	}
	if watchdog(n.match) {
		a.report(a.file, "%s: an alarm that always fires pages nobody here: when it stops, that is an alarm. The service that %s pings is for route.heartbeat.url", at, n.receiver)
	}
	own := part{n.receiver, a.names[n.receiver], list(m["active_time_intervals"]), list(m["mute_time_intervals"])}
	return append(out, flat{at: at, match: n.match, parts: []part{own}, parent: len(list(m["routes"])) > 0})
}

// watchdog says whether a route is for an alarm that always fires.
func watchdog(match []string) bool {
	for _, text := range match {
		ms, _ := people.ReadMatchers(text) // what cannot be read is refused elsewhere
		for _, m := range ms {
			if m.Name == "alertname" && slices.ContainsFunc(intake.Watchdogs, m.Matches) && !m.Matches("another") {
				return true
			}
		}
	}
	return false
}

// silence makes a maintenance window of the times of a flat. It refuses where no list of matchers says which alarms come to it.
func (a *am) silence(f flat, before []flat) bool {
	match, times := slices.Clone(f.match), f.parts[0]
	var others []flat // with other times: their alarms have to be kept out
	for _, b := range before {
		alike := !slices.ContainsFunc(b.parts, func(p part) bool { return !p.sameTimes(times) })
		if alike || excludes(b.match, match) {
			continue
		}
		others = append(others, b)
		if more := beyond(b, f); len(more) == 1 {
			if out := opposite(more[0]); out != "" && !slices.Contains(match, out) {
				match = append(match, out)
			}
		}
	}
	for _, b := range others {
		if !slices.ContainsFunc(b.match, func(m string) bool { return slices.Contains(match, opposite(m)) }) {
			return false
		}
	}
	q := people.Recurring{Open: func(time.Time) bool { return false }}
	var err error
	if q.Matchers, err = people.ParseMatchers(match...); err != nil || q.Check(time.Time{}) != nil {
		return false
	}
	m := map[string]any{"name": strings.Trim(unnameable.ReplaceAllString(times.receiver, "-"), "-._") + fmt.Sprintf("-%d", len(a.quiet)+1), "match": match}
	for key, v := range map[string][]any{"outside": times.active, "during": times.mute} {
		if len(v) > 0 {
			m[key] = v
		}
	}
	a.quiet = append(a.quiet, m)
	a.report(a.file, "%s: its times became route.maintenance %s; a P1 pages all the same a day after the window opened, and a symptom unless a matcher names its rule", f.at, m["name"])
	return true
}
