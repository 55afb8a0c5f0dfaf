package views

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/navcloud/binnacle/agent/capacity"
	"github.com/navcloud/binnacle/agent/health"
	"github.com/navcloud/binnacle/agent/query"
	"github.com/navcloud/binnacle/agent/words"
	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/dashboards"
	"github.com/navcloud/binnacle/dashboards/charts"
)

// Bounds of the first page.
const (
	homeProblems = 5
	homeWorst    = 10 // nodes that are named
	homeSpan     = time.Hour
)

// home is the first minute: what is wrong, how the fleet is, what runs here, and what is to be done next.
type home struct {
	Says, Lead string
	Calm       bool
	Problems   []alerting.ProblemView
	More       int
	CanAct     bool
	Figures    []bigFigure
	Nodes      []health.Node // the worst
	Rest       []health.Node
	NodeWords  string
	Services   []service
	Steps      []step
	Ships      []line
}

// bigFigure is a figure of the fleet, with the node that stands out.
type bigFigure struct {
	Name, Value, Note, Link string
	Line                    charts.Spark
}

// service is what a collector looks after.
type service struct {
	Name, Word, Look, Text string
}

type step struct{ Title, Text, Link, Label string }

// fleetFigures are the four figures of the fleet: the query of all, and that of each node for the one that stands out.
var fleetFigures = []struct {
	name, all, each string
	say             func(float64) string
}{
	{"Processor", `1 - sum(rate(host_cpu_seconds_total{mode="idle"}[2m])) / sum(rate(host_cpu_seconds_total[2m]))`, `1 - sum by (node) (rate(host_cpu_seconds_total{mode="idle"}[2m])) / sum by (node) (rate(host_cpu_seconds_total[2m]))`, words.Percent},
	{"Memory in use", `1 - sum(host_memory_available_bytes) / sum(host_memory_total_bytes)`, `1 - host_memory_available_bytes / on (node) host_memory_total_bytes`, words.Percent},
	{"Disk, fullest", `max(1 - host_filesystem_available_bytes / host_filesystem_size_bytes unless on (node, mountpoint) host_filesystem_readonly == 1)`, `max by (node) (1 - host_filesystem_available_bytes / host_filesystem_size_bytes unless on (node, mountpoint) host_filesystem_readonly == 1)`, words.Percent},
	{"Network, packets", `sum(rate(host_network_packets_total[2m]))`, `sum by (node) (rate(host_network_packets_total[2m]))`, words.Rate},
}

// boardQuery are the parts of an address that the board understood when it was at "/".
var boardQuery = []string{"problem", "done", "q", "priority", "service", "silence"}

func (p *Pages) home(r *http.Request) dashboards.Page {
	if q := r.URL.Query(); slices.ContainsFunc(boardQuery, q.Has) {
		return dashboards.Page{To: "/board?" + q.Encode()}
	}
	pg := dashboards.Page{Name: "home", Title: "Home", Live: dashboards.LivePath("home", nil), Forms: true}
	now := p.opts.Now()
	h := home{CanAct: p.opts.CanAct == nil || p.opts.CanAct(r)}
	if p.opts.View != nil {
		h.addProblems(p.opts.View())
	}
	st := p.status()
	if p.opts.Query != nil {
		f := p.fleet(r.Context(), now)
		h.NodeWords = f.Words
		h.addNodes(f.Nodes, f.More)
		h.Figures = p.fleetFigures(r.Context(), now)
	}
	h.Services, h.Steps = services(st.Collectors), p.steps(st)
	h.Ships = sinkLines(st.Sinks, now)
	h.say(st, p.opts.View != nil)
	if p.opts.Capacity != nil && h.Calm {
		if until := soonest(p.opts.Capacity()); until != "" {
			h.Lead += " " + until
		}
	}
	pg.Title = h.Says
	pg.Crumb = "Home"
	pg.Sections = []dashboards.Section{
		{ID: "summary", Parts: []dashboards.Part{{ID: "home-head", Template: "home-head", Data: h}}},
		{ID: "home-problems", Label: "Open problems", Hush: true, Parts: []dashboards.Part{{ID: "home-list", Template: "home-problems", Data: h}}},
		{ID: "home-fleet", Label: "The fleet", Hush: true, Parts: []dashboards.Part{{ID: "home-figures", Template: "home-fleet", Data: h}}},
		{ID: "home-rest", Hush: true, Parts: []dashboards.Part{{ID: "home-services", Template: "home-rest", Data: h}}},
	}
	return pg
}

func (h *home) addProblems(v alerting.View) {
	for _, pv := range v.Problems {
		if pv.State == alerting.Quiet {
			continue
		}
		if len(h.Problems) < homeProblems {
			h.Problems = append(h.Problems, pv)
		} else {
			h.More++
		}
	}
}

func (h *home) addNodes(nodes []health.Node, more int) {
	n := 0
	for n < len(nodes) && n < homeWorst && nodes[n].Word() != health.Well {
		n++
	}
	h.Nodes, h.Rest = nodes[:n], nodes[n:]
}

// say makes the sentence that the page begins with.
func (h *home) say(st health.Status, routes bool) {
	p1, p2, rest := 0, 0, h.More
	for _, pv := range h.Problems {
		switch pv.Priority {
		case alerting.P1:
			p1++
		case alerting.P2:
			p2++
		default:
			rest++
		}
	}
	nodes := words.Plural(len(h.Nodes)+len(h.Rest), "node")
	switch {
	case p1 > 0 && p2 > 0:
		h.Says = affects(p1) + " users, " + needs(p2)
	case p1 > 0:
		h.Says = affects(p1) + " users"
	case p2 > 0:
		h.Says = fmt.Sprintf("%s a person within the hour", strings.Replace(affects(p2), "affect", "need", 1))
	case rest > 0:
		h.Says = "Nothing is urgent: " + words.Plural(rest, "problem") + " can wait"
	case st.Store != nil && st.Store.Series == 0:
		h.Says = "Nothing is measured yet"
	default:
		h.Says, h.Calm = "All well: "+nodes, true
		if st.Store != nil {
			h.Says += ", " + words.Number(float64(st.Store.Series)) + " series"
		}
	}
	if (p1 > 0 || p2 > 0) && rest > 0 {
		h.Lead = words.Plural(rest, "problem") + " can wait. "
	}
	if !routes {
		h.Lead += "This node routes no alarms: the routers show the problems. "
	}
	if st.Rules != nil && st.Store != nil {
		h.Lead += fmt.Sprintf("%s watch %s series.", words.Plural(st.Rules.Rules, "rule"), words.Number(float64(st.Store.Series)))
	}
	h.Lead = strings.TrimSpace(h.Lead + " " + sentence(h.NodeWords))
}

func sentence(nodeWords string) string {
	if nodeWords == "" || nodeWords == "none" {
		return ""
	}
	return "Nodes: " + nodeWords + "."
}

func needs(n int) string {
	if n == 1 {
		return "one more needs you within the hour"
	}
	return words.Number(float64(n)) + " more need you within the hour"
}

func affects(n int) string {
	if n == 1 {
		return "One problem affects"
	}
	return words.Plural(n, "problem") + " affect"
}

// fleetFigures asks for the large figures.
func (p *Pages) fleetFigures(ctx context.Context, now time.Time) []bigFigure {
	if p.opts.Range == nil {
		return nil
	}
	return p.answers.Get(ctx, "home figures", now, 15*time.Second, queryTime, func(ctx context.Context) any {
		var out []bigFigure
		step := charts.StepOf(homeSpan)
		end := now.Truncate(step)
		for _, f := range fleetFigures {
			b := bigFigure{Name: f.name, Value: "–", Link: "/explore?q=" + escape(f.each)}
			if s, err := p.opts.Range(ctx, f.all, end.Add(-homeSpan), end, step); err == nil && len(s) > 0 && len(s[0].Points) > 0 {
				b.Value, b.Line = f.say(query.Last(s[0])), charts.DrawSpark(s[0].Points, end, step, f.say)
			}
			if each, err := p.opts.Query(ctx, f.each, now); err == nil && len(each) > 0 {
				worst := slices.MaxFunc(each, func(a, b query.Series) int { return cmp.Compare(order(query.Last(a)), order(query.Last(b))) })
				if n := worst.Labels["node"]; n != "" {
					b.Note = n + " highest, " + f.say(query.Last(worst))
					b.Link = "/nodes/" + escape(n)
				}
			}
			out = append(out, b)
		}
		return out
	}).([]bigFigure)
}

func order(v float64) float64 {
	if math.IsNaN(v) {
		return math.Inf(-1)
	}
	return v
}

// services are what the collectors look after, what needs a step first.
func services(in []health.Collector) []service {
	var out []service
	for _, c := range in {
		s := service{Name: c.Name}
		switch {
		case c.Absent:
			continue
		case c.Up:
			s.Word, s.Look, s.Text = "Watched", "ok", words.Plural(c.Series, "series")
			s.Text = words.Number(float64(c.Series)) + " series"
		case c.LastRun.IsZero():
			s.Word, s.Text = "Not run yet", "Its first check comes within "+words.Duration(c.Interval)+"."
		default:
			s.Word, s.Look, s.Text = "Needs a step", "need", cmp.Or(c.Error, strings.ReplaceAll(c.Reason, "_", " "))
		}
		out = append(out, s)
	}
	out = asPeopleSay(machine(out))
	rank := map[string]int{"need": 0, "": 1, "ok": 2}
	slices.SortStableFunc(out, func(a, b service) int { return rank[a.Look] - rank[b.Look] })
	return folded(out)
}

// systems are the names of what collectors look after, where people write them otherwise.
var systems = map[string]string{
	"self": "binnacle itself", "statsd": "StatsD", "riak": "Riak", "rabbitmq": "RabbitMQ", "exec": "Programs and plugins", "scrape": "Exporters",
}

// asPeopleSay gives services the names that people use.
func asPeopleSay(in []service) []service {
	for i, s := range in {
		in[i].Name = cmp.Or(systems[s.Name], s.Name)
	}
	return in
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
	return append(in[:cut:cut], service{words.Plural(len(names), "more service"), "Watched", "ok", strings.Join(names, ", ")})
}

// machine makes one line of the checks of the machine itself that see what they look for.
func machine(in []service) []service {
	n := 0
	out := slices.DeleteFunc(slices.Clone(in), func(s service) bool {
		is := s.Look == "ok" && strings.HasPrefix(s.Name, "host_")
		if is {
			n++
		}
		return is
	})
	if n > 0 {
		out = append(out, service{"This machine", "Watched", "ok", words.Plural(n, "check") + ": processor, memory, disks, network and more"})
	}
	return out
}

// fewNodes are so many that their names fit.
const fewNodes = 24

// Named says whether the nodes that are well are few enough to be named.
func (h home) Named() bool { return len(h.Rest) <= fewNodes }

// steps are what is to be done next; each goes away when it is done.
func (p *Pages) steps(st health.Status) []step {
	var out []step
	if st.Route != nil && st.Pager == "" {
		out = append(out, step{"Connect a pager", "Pages are decided and go nowhere. Set route.pagerduty.routing_key in the configuration.", "/nodes", "How this node is"})
	}
	if st.Route != nil && st.Route.Mode == "shadow" {
		out = append(out, step{"Leave shadow mode", "What would have been paged is on the timeline. When you trust it, set route.mode: on.", "/timeline", "What would have been paged"})
	}
	if len(st.Sinks) == 0 {
		out = append(out, step{"Ship the figures", "They stay on this node. Name a destination under ship in the configuration.", "/nodes", "How this node is"})
	}
	if st.Route == nil && len(st.Routers) == 0 {
		out = append(out, step{"Name a router", "Alarms of this node go nowhere. Set rules.routers, or route: on.", "/nodes", "How this node is"})
	}
	return out
}

// soonest says in words what runs out first, and nothing where nothing does.
func soonest(rep capacity.Report) string {
	for _, a := range rep.Answers {
		if a.Urgent() {
			return a.Pool.Title + ": " + a.Forecast() + "."
		}
	}
	if len(rep.Answers) > 0 {
		return words.Plural(len(rep.Answers), "pool") + " with room."
	}
	return ""
}

func escape(s string) string { return url.QueryEscape(s) }
