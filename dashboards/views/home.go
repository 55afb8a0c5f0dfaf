package views

import (
	"cmp"
	"context"
	"fmt"
	"maps"
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

// heroText is how much of the guidance stands below the worst problem, in bytes.
const heroText = 160

// hero is a problem as the first page shows the worst.
type hero struct {
	alerting.ProblemView
	Line charts.Spark // of what its alarm measures
}

// First is the beginning of the first thing to do, whole sentences.
func (h hero) First() string {
	text, out := strings.ReplaceAll(h.Page.Guidance, "`", ""), ""
	for _, s := range strings.SplitAfter(text, ". ") {
		if out != "" && len(out)+len(s) > heroText {
			break
		}
		out += s
	}
	return strings.TrimSpace(out)
}

// Impact is who is affected, where the sentence does not say it.
func (h hero) Impact() string {
	if strings.HasPrefix(h.Page.Sentence, h.Page.Impact) {
		return ""
	}
	return h.Page.Impact
}

// Worst is the problem that the page begins with.
func (h home) Worst() hero { return hero{h.Problems[0], h.Line} }

// Standing is who has it, and whether anybody was called.
func (h hero) Standing() string {
	switch {
	case h.AckedBy != "":
		return "acknowledged by " + h.AckedBy
	case h.State == alerting.Paged:
		return "paged, not acknowledged"
	}
	return ""
}

// Bounds of the first page.
const (
	homeProblems = 5
	homeWorst    = 10 // nodes that are named
	homeOwn      = 6  // of one's own metrics
	homeSpan     = time.Hour
)

// home is the first minute: what is wrong, how the fleet is, what runs here, and what is to be done next.
type home struct {
	Says, Lead string
	Calm       bool
	Problems   []alerting.ProblemView
	Line       charts.Spark // of the first of them
	More       int
	Urgent     [2]int // of P1 and P2, all of them
	Hurts      bool   // a P1 is noticed by users
	CanAct     bool
	Span       string // that the figures look back
	Figures    []bigFigure
	Fleet      nodeMap
	Pins       []pin
	Streams    *streamsCard
	Own        []family // the first of one's own metrics
	OwnMore    int
	Services   []service
	Steps      []step
	Ships      []line
}

// streamsCard is NavCloud's streams on the first page.
type streamsCard struct {
	Total float64
	Line  charts.Spark
	Zones []gauge
}

// bigFigure is a figure of the fleet, with the node that stands out.
type bigFigure struct {
	Name, Value, Note, Link string
	Line                    charts.Spark
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
	pg := dashboards.Page{Name: "home", Title: "Home", Forms: true}
	now := p.opts.Now()
	along := dashboards.TimeOf(r.URL.Query())
	names, named := pinned(r)
	if named {
		pg.Cookie = keepPins(names)
	}
	live := url.Values{"pin": names}
	maps.Copy(live, along)
	pg.Live = dashboards.LivePath("home", live)
	st := p.status()
	span := dashboards.ReadPeriod(r.URL.Query(), now, "/", keptSpan(st, homeSpan, now), maxRange)
	pg.Period = &span
	h := home{CanAct: p.opts.CanAct == nil || p.opts.CanAct(r)}
	if p.opts.View != nil {
		h.addProblems(p.opts.View())
		if p.opts.Sketch != nil && len(h.Problems) > 0 {
			h.Line = p.opts.Sketch(r.Context(), h.Problems[0])[0]
		}
	}
	if p.opts.Query != nil {
		f := p.fleet(r.Context(), now)
		h.Fleet = mapOf(f.Nodes, homeWorst)
		h.Span = span.Label()
		h.Figures = p.fleetFigures(r.Context(), span)
		h.Streams = p.streamsCard(r.Context(), now)
		if p.opts.Range != nil {
			h.Pins = p.pins(r.Context(), names, span, along)
		}
		h.addOwn(p.ownFamilies(r.Context(), span))
	}
	h.Services, h.Steps = folded(servicesOf(h.Fleet.All, p.opts.Node, st.Collectors)), p.steps(st)
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
		{ID: "home-pins", Label: "Pinned charts", Hush: true, Parts: pinParts(h)},
		{ID: "home-fleet", Label: "The fleet", Hush: true, Parts: []dashboards.Part{{ID: "home-figures", Template: "home-fleet", Data: h}}},
		{ID: "home-own", Label: "What you count", Hush: true, Parts: []dashboards.Part{{ID: "home-metrics", Template: "home-own", Data: h}}},
		{ID: "home-rest", Hush: true, Parts: []dashboards.Part{{ID: "home-services", Template: "home-rest", Data: h}}},
	}
	return pg
}

// pinParts is nothing where nothing is pinned.
func pinParts(h home) []dashboards.Part {
	if len(h.Pins) == 0 {
		return nil
	}
	return []dashboards.Part{{ID: "home-pinned", Template: "home-pins", Data: h}}
}

func (h *home) addProblems(v alerting.View) {
	for _, pv := range v.Problems {
		if pv.State == alerting.SilencedState {
			continue
		}
		if pv.Priority <= alerting.P2 {
			h.Urgent[pv.Priority-alerting.P1]++
			h.Hurts = h.Hurts || pv.Priority == alerting.P1 && pv.Page.HurtsUsers()
		}
		if len(h.Problems) < homeProblems {
			h.Problems = append(h.Problems, pv)
		} else {
			h.More++
		}
	}
}

func (h *home) addOwn(own []family) {
	h.Own = own[:min(homeOwn, len(own))]
	h.OwnMore = len(own) - len(h.Own)
}

// streamsCard is nothing where no node reports streams.
func (p *Pages) streamsCard(ctx context.Context, now time.Time) *streamsCard {
	a := p.ask(ctx, now)
	nodes := perNode(a, now)
	if len(nodes) == 0 {
		return nil
	}
	c := &streamsCard{Zones: fold(nodes, func(g gauge) gauge { return gauge{AZ: g.AZ} })}
	most := 0.0
	for i := range c.Zones {
		c.Total += c.Zones[i].Open
		most = max(most, c.Zones[i].Open)
	}
	for i := range c.Zones { // the bars compare zones, not limits
		c.Zones[i].Share = c.Zones[i].Open / max(most, 1)
	}
	if line := a.by["open line"]; len(line) > 0 {
		points, end := charts.UpTo(line[0].Points, now, sparkStep, c.Total)
		c.Line = charts.DrawSpark(points, end, sparkStep, words.Number)
	}
	return c
}

// say makes the sentence that the page begins with.
func (h *home) say(st health.Status, routes bool) {
	p1, p2 := h.Urgent[0], h.Urgent[1]
	rest := len(h.Problems) + h.More - p1 - p2
	nodes := words.Plural(len(h.Fleet.All), "node")
	switch {
	case p1 > 0 && p2 > 0:
		h.Says = h.first(p1) + ", " + needs(p2)
	case p1 > 0:
		h.Says = h.first(p1)
	case p2 > 0:
		h.Says = need(p2) + " a person within the hour"
	case rest > 0:
		h.Says = "Nothing is urgent: " + words.Plural(rest, "problem") + " can wait"
	case st.Store != nil && st.Store.Series == 0:
		h.Says = "Nothing is measured yet"
	case h.Fleet.Ill() == 1:
		h.Says = "No problem, and one of " + nodes + " is not well"
	case h.Fleet.Ill() > 1:
		h.Says = "No problem, and " + inWords(h.Fleet.Ill()) + " of " + nodes + " are not well"
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
	h.Lead = strings.TrimSpace(h.Lead + " " + full(h.Fleet.Says()))
}

// full ends what says something with a full stop.
func full(text string) string {
	if text == "" {
		return ""
	}
	return text + "."
}

func needs(n int) string {
	if n == 1 {
		return "one more needs you within the hour"
	}
	return inWords(n) + " more need you within the hour"
}

// first says of the P1 that users notice them, or that they do not wait.
func (h *home) first(n int) string {
	if h.Hurts {
		return affects(n) + " users"
	}
	return need(n) + " a person now"
}

func need(n int) string { return strings.Replace(affects(n), "affect", "need", 1) }

func affects(n int) string {
	if n == 1 {
		return "One problem affects"
	}
	text := inWords(n)
	return strings.ToUpper(text[:1]) + text[1:] + " problems affect"
}

// inWords writes a small number as a sentence does.
func inWords(n int) string {
	small := []string{"no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"}
	if n >= 0 && n < len(small) {
		return small[n]
	}
	return words.Number(float64(n))
}

// fleetFigures asks for the large figures.
func (p *Pages) fleetFigures(ctx context.Context, span dashboards.Period) []bigFigure {
	if p.opts.Range == nil {
		return nil
	}
	back := span.To.Sub(span.From)
	step := charts.SparkStep(back)
	end, now := span.To.Truncate(step), p.opts.Now()
	key := strings.Join([]string{"home figures", back.String(), until(span, end)}, "\xff")
	return p.answers.Last(ctx, key, now, min(step, 15*time.Second), queryTime, func(ctx context.Context) any {
		var out []bigFigure
		for _, f := range fleetFigures {
			b := bigFigure{Name: f.name, Value: "–", Link: "/explore?q=" + escape(f.each)}
			if s, err := p.opts.Range(ctx, f.all, end.Add(-back), end, step); err == nil && len(s) > 0 && len(s[0].Points) > 0 {
				b.Value, b.Line = f.say(query.Last(s[0])), charts.DrawSpark(s[0].Points, end, step, f.say)
			} else if s, err := p.opts.Query(ctx, f.all, span.To); err == nil && len(s) > 0 {
				b.Value = f.say(query.Last(s[0])) // there is no line yet
			}
			if each, err := p.opts.Query(ctx, f.each, span.To); err == nil && len(each) > 0 {
				worst := slices.MaxFunc(each, func(a, b query.Series) int { return cmp.Compare(order(query.Last(a)), order(query.Last(b))) })
				if n := worst.Labels["node"]; n != "" {
					if b.Note = "on " + n; len(each) > 1 {
						b.Note = n + " highest, " + f.say(query.Last(worst))
					}
					b.Link = "/nodes/" + escape(n)
				}
			}
			out = append(out, b)
		}
		return out
	}).([]bigFigure)
}

// until is how an answer about a time is named: one that runs on is one, whenever it is asked for.
func until(span dashboards.Period, end time.Time) string {
	if span.Running {
		return "now"
	}
	return end.String()
}

func order(v float64) float64 {
	if math.IsNaN(v) {
		return math.Inf(-1)
	}
	return v
}

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
