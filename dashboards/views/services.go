package views

import (
	"cmp"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/navcloud/binnacle/agent/health"
	"github.com/navcloud/binnacle/agent/words"
	"github.com/navcloud/binnacle/dashboards"
)

// service is what collectors look after, on all nodes that look.
type service struct {
	Name, Word, Look, Text string
	Collector              string
	Step                   string // what is missing; empty: nothing
	Key                    bigFigure
	At                     []serviceAt
}

// serviceAt is a service on one node.
type serviceAt struct{ Node, Look, Text string }

// systems are the names of what collectors look after, where people write them otherwise.
var systems = map[string]string{
	"self": "binnacle itself", "statsd": "StatsD", "riak": "Riak", "rabbitmq": "RabbitMQ", "exec": "Programs and plugins", "scrape": "Exporters",
	"haproxy": "HAProxy", "mysql": "MySQL", "postgresql": "PostgreSQL", "redis": "Redis", "host": "Machines", "connections": "Connections", "apache": "Apache", "aws": "AWS",
	"elasticsearch": "Elasticsearch", "graphite": "Graphite", "host_systemd": "systemd", "jolokia": "Java (Jolokia)", "logs": "Log files",
	"probe": "Probes", "varnish": "Varnish", "zookeeper": "ZooKeeper", "heartbeat": "Heartbeats",
}

// missing is the step that a reason asks for; NAME is the collector's.
var missing = map[string]string{
	"auth":       "Give it a login that may read: collect.NAME in the configuration.",
	"permission": "Give the agent's user the right to read it.",
	"program":    "Install the program that it calls, or name it in collect.NAME.",
	"parse":      "Its answer could not be read: compare its version with those that are supported.",
	"listen":     "Free the address that it listens on, or name another in collect.NAME.",
}

// servicesOf gathers what all nodes look after: what agents told of themselves, and of this one what it says itself, which is more.
func servicesOf(nodes []health.Node, me string, here []health.Collector) []service {
	by := map[string]map[string]serviceAt{} // by collector and node
	put := func(name string, at serviceAt) {
		if strings.HasPrefix(name, "host_") {
			name = "host"
		}
		if by[name] == nil {
			by[name] = map[string]serviceAt{}
		}
		if have, ok := by[name][at.Node]; !ok || have.Look == "ok" { // of many checks of a machine the worst is told
			by[name][at.Node] = at
		}
	}
	for _, n := range nodes {
		if n.Node == me && len(here) > 0 {
			continue
		}
		for _, s := range n.Seen {
			at := serviceAt{Node: n.Node, Look: "ok"}
			if !s.Up {
				at.Look, at.Text = "need", s.Reason
			}
			put(s.Collector, at)
		}
	}
	steps := map[string]string{}
	for _, c := range here {
		at := serviceAt{Node: me, Look: "ok"}
		switch {
		case c.Absent:
			continue
		case !c.Up && c.LastRun.IsZero():
			at.Look, at.Text = "", "first check within "+words.Duration(c.Interval)
		case !c.Up:
			at.Look, at.Text = "need", cmp.Or(c.Error, strings.ReplaceAll(c.Reason, "_", " "))
			steps[c.Name] = strings.ReplaceAll(missing[c.Reason], "NAME", c.Name)
		}
		put(c.Name, at)
	}
	var out []service
	for _, name := range slices.Sorted(maps.Keys(by)) {
		s := service{Name: cmp.Or(systems[name], name), Collector: name, Step: steps[name]}
		for _, node := range slices.Sorted(maps.Keys(by[name])) {
			s.At = append(s.At, by[name][node])
		}
		s.tell(name)
		out = append(out, s)
	}
	rank, last := map[string]int{"need": 0, "": 1, "ok": 2}, map[string]int{systems["host"]: 1, systems["self"]: 2}
	slices.SortStableFunc(out, func(a, b service) int {
		return cmp.Or(rank[a.Look]-rank[b.Look], last[a.Name]-last[b.Name], cmp.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)))
	})
	return out
}

// tell says in words how a service is.
func (s *service) tell(name string) {
	count := map[string]int{}
	var first serviceAt
	for _, at := range s.At {
		count[at.Look]++
		if at.Look == "need" && first.Node == "" {
			first = at
		}
	}
	switch {
	case count["need"] > 0:
		s.Word, s.Look, s.Text = "Needs a step", "need", first.Node+": "+first.Text
		if n := count["need"]; n > 1 {
			s.Text += ", and " + words.Plural(n-1, "node") + " more"
		}
		s.Step = cmp.Or(s.Step, "See that it answers where collect."+name+" looks.")
	case count["ok"] == 0:
		s.Word, s.Text = "Not run yet", s.At[0].Text
	default:
		s.Word, s.Look, s.Text = "Watched", "ok", "on "+someOf(s.At)
	}
}

// mostNodes are so many of a service's nodes that the page names.
const mostNodes = 12

// Shown are the nodes that are named: those that need a step first.
func (s service) Shown() []serviceAt {
	out := slices.Clone(s.At)
	slices.SortStableFunc(out, func(a, b serviceAt) int {
		rank := map[string]int{"need": 0, "": 1, "ok": 2}
		return rank[a.Look] - rank[b.Look]
	})
	return out[:min(mostNodes, len(out))]
}

// Unnamed is how many more there are.
func (s service) Unnamed() int { return len(s.At) - min(mostNodes, len(s.At)) }

// someOf names the nodes, or the first and how many more.
func someOf(at []serviceAt) string {
	const most = 4
	var names []string
	for _, a := range at[:min(most, len(at))] {
		names = append(names, a.Node)
	}
	if more := len(at) - len(names); more > 0 {
		return strings.Join(names, ", ") + " and " + words.Number(float64(more)) + " more"
	}
	return strings.Join(names, ", ")
}

// homeWatched is how many services that are well have a line of their own.
const homeWatched = 5

// folded leaves what needs a step as it is, and makes one line of the last of what is well, so that the first page stays one.
func folded(in []service) []service {
	well := slices.IndexFunc(in, func(s service) bool { return s.Look == "ok" })
	if well < 0 || len(in)-well <= homeWatched+1 {
		return in
	}
	cut := well + homeWatched
	var names []string
	for _, s := range in[cut:] {
		names = append(names, s.Name)
	}
	return append(in[:cut:cut], service{Name: words.Plural(len(names), "more service"), Word: "Watched", Look: "ok", Text: strings.Join(names, ", ")})
}

// serviceList is the page of all services.
type serviceList struct {
	Says, Lead string
	Services   []service
	Absent     []string // what is looked for here and is not
	Fault      string
}

// services is what runs on the fleet's machines, how it is watched, and the one step that is missing where it is not.
func (p *Pages) services(r *http.Request) dashboards.Page {
	pg := dashboards.Page{Name: "services", Title: "Services", Live: dashboards.LivePath("services", nil)}
	st, now := p.status(), p.opts.Now()
	l := serviceList{}
	var nodes []health.Node
	if p.opts.Query != nil {
		f := p.fleet(r.Context(), now)
		nodes, l.Fault = f.Nodes, f.Fault
	}
	l.Services = servicesOf(nodes, p.opts.Node, st.Collectors)
	if p.opts.Range != nil {
		var watched []string
		for _, s := range l.Services {
			watched = append(watched, s.Collector)
		}
		keys := p.ofServices(r.Context(), watched, now)
		for i := range l.Services {
			l.Services[i].Key = keys[l.Services[i].Collector]
		}
	}
	for _, c := range st.Collectors {
		if c.Absent {
			l.Absent = append(l.Absent, cmp.Or(systems[c.Name], c.Name))
		}
	}
	need := 0
	for _, s := range l.Services {
		if s.Look == "need" {
			need++
		}
	}
	l.Says = words.Plural(len(l.Services)-need, "service") + " watched"
	switch need {
	case 0:
	case 1:
		l.Says += ", one needs a step"
	default:
		l.Says += ", " + words.Number(float64(need)) + " need a step"
	}
	if n := len(nodes); n > 0 {
		l.Lead = "On " + words.Plural(n, "node") + "."
	}
	pg.Title, pg.Crumb = l.Says, "Services"
	pg.Sections = []dashboards.Section{{ID: "services", Hush: true, Parts: []dashboards.Part{{ID: "services-list", Template: "services", Data: l}}}}
	return pg
}
