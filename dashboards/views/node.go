package views

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/navcloud/binnacle/agent/health"
	"github.com/navcloud/binnacle/agent/query"
	"github.com/navcloud/binnacle/agent/words"
	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/dashboards"
	"github.com/navcloud/binnacle/dashboards/charts"
)

// nodeSpan is how far back the figures of one node are drawn.
const nodeSpan = 6 * time.Hour

// nodeFigures are the figures of one node; NODE stands for its name. What has no series is left out.
var nodeFigures = []struct {
	title, promql string
	unit          charts.Unit
}{
	{"Processor in use, by mode", `sum by (mode) (rate(host_cpu_seconds_total{node="NODE",mode!="idle"}[%s])) / scalar(sum(rate(host_cpu_seconds_total{node="NODE"}[%s])))`, charts.InPercent},
	{"Memory left", `host_memory_available_bytes{node="NODE"}`, charts.InBytes},
	{"Disks in use", `max by (mountpoint) (1 - host_filesystem_available_bytes{node="NODE"} / host_filesystem_size_bytes{node="NODE"})`, charts.InPercent},
	{"Load", `host_load1{node="NODE"}`, charts.InExact},
	{"Network, packets", `sum by (direction) (rate(host_network_packets_total{node="NODE"}[%s]))`, charts.InRate},
	{"Open streams", `sum(navcloud_streams_open{node="NODE"})`, charts.InNumber},
}

type nodePage struct {
	health.Node
	Found    bool
	Measured bool // others tell of it now, as of an instance without an agent
	Problems []alerting.ProblemView
	Pools    []runway
	Figures  []bigFigure
	Services []string
	Charts   []charts.Chart
	Fault    string
}

// Says is the sentence that the page begins with.
func (n nodePage) Says() string {
	if len(n.Problems) > 0 {
		return n.Name() + ": " + words.Plural(len(n.Problems), "problem")
	}
	if n.Measured {
		return n.Name() + " has no agent of its own"
	}
	if !n.Found {
		return n.Name() + " has not been heard for an hour"
	}
	return n.Name() + " is " + n.Word()
}

// Name is the node's.
func (n nodePage) Name() string { return n.Node.Node }

// node is all that is known of one node.
func (p *Pages) node(r *http.Request) dashboards.Page {
	name := r.PathValue("node")
	if name == "" {
		name = r.URL.Query().Get("node")
	}
	live := dashboards.TimeOf(r.URL.Query())
	live.Set("node", name)
	pg := dashboards.Page{
		Name: "nodes", Title: name, Live: dashboards.LivePath("node", live), Forms: true, Charts: true,
		Up: &dashboards.Link{Path: "/nodes", Label: "Nodes"},
	}
	if p.opts.Query == nil || p.opts.Range == nil {
		return dashboards.NoStore(pg)
	}
	now := p.opts.Now()
	nodes, err := health.Fleet(r.Context(), p.opts.Query, now)
	n := nodePage{Node: health.Node{Node: name, Streams: -1}}
	if err != nil {
		n.Fault = "The store did not answer all that was asked: " + err.Error() + "."
	}
	if i := slices.IndexFunc(nodes, func(o health.Node) bool { return o.Node == name }); i >= 0 {
		n.Node, n.Found = nodes[i], true
	}
	if !n.Found && name == p.opts.Node && p.opts.Status != nil { // it knows itself before its store does
		n.Node, n.Found = p.itself(), true
	}
	if p.opts.View != nil {
		n.Problems = problemsOf(p.opts.View(), name)
	}
	if p.opts.Capacity != nil {
		for _, a := range p.opts.Capacity().Answers {
			if a.Labels["node"] == name {
				n.Pools = append(n.Pools, newRunway(a))
			}
		}
	}
	span := dashboards.ReadPeriod(r.URL.Query(), now, "/nodes/"+url.PathEscape(name), keptSpan(p.status(), nodeSpan, now), maxRange)
	delete(span.Kept, "node")
	pg.Period, n.Services = &span, servicesOn(n.Node)
	n.Figures, n.Charts = p.figuresOfNode(r.Context(), n.Node, span), p.nodeCharts(r.Context(), n.Node, span)
	n.Measured = !n.Found && slices.ContainsFunc(n.Charts, func(c charts.Chart) bool { return measuredSince(c, now.Add(-measuredFor)) })
	if !n.Found && len(n.Charts) == 0 && len(n.Problems) == 0 && n.Fault == "" {
		return dashboards.Message(http.StatusNotFound, "No such node", "No agent called "+name+" has told this store of itself in the last hour.")
	}
	pg.Sections = []dashboards.Section{
		{ID: "summary", Parts: []dashboards.Part{{ID: "node-summary", Template: "node-summary", Data: n}}},
		{ID: "charts", Label: "Figures", Hush: true},
	}
	for _, c := range n.Charts {
		pg.Sections[1].Parts = append(pg.Sections[1].Parts, dashboards.Part{ID: c.ID, Template: "chart", Data: filed(c, "node", live)})
	}
	return pg
}

// measuredFor is how old a figure may be that says a node sends now.
const measuredFor = 5 * time.Minute

// measuredSince says whether a chart has a value since then.
func measuredSince(c charts.Chart, since time.Time) bool {
	return slices.ContainsFunc(c.Lines, func(l charts.Line) bool { return len(l.Pts) > 0 && !l.Pts[len(l.Pts)-1].T.Before(since) })
}

// itself is the node that serves the page, by its own word.
func (p *Pages) itself() health.Node {
	st := p.status()
	n := health.Node{Node: p.opts.Node, Version: p.opts.Version, Begun: st.Begun, Streams: -1}
	for _, c := range st.Collectors {
		switch {
		case c.Absent || c.LastRun.IsZero():
			continue
		case c.Up:
			n.Collectors++
		default:
			n.Blind = append(n.Blind, c.Name+" ("+cmp.Or(c.Error, strings.ReplaceAll(c.Reason, "_", " "))+")")
		}
		n.Seen = append(n.Seen, health.Seen{Collector: c.Name, Reason: c.Error, Up: c.Up})
	}
	return n
}

// problemsOf are the problems of a node: its own, and those that explain an alarm of it.
func problemsOf(v alerting.View, node string) []alerting.ProblemView {
	is := func(a alerting.Alarm) bool {
		_, name, _ := strings.Cut(a.Labels[alerting.LabelEntity], ":")
		return a.Labels["node"] == node || name == node
	}
	var out []alerting.ProblemView
	for _, pv := range v.Problems {
		if is(pv.Root) || slices.ContainsFunc(pv.Explained, func(e alerting.ExplainedAlarm) bool { return is(e.Alarm) }) {
			out = append(out, pv)
		}
	}
	return out
}

func (p *Pages) nodeCharts(ctx context.Context, n health.Node, of dashboards.Period) []charts.Chart {
	name, keys := n.Node, keysOf(n)
	span, now := of.To.Sub(of.From), p.opts.Now()
	step := charts.StepOf(span)
	end := of.To.Truncate(step)
	window := short60(max(time.Minute, 4*p.opts.Interval, step))
	return p.answers.Get(ctx, strings.Join([]string{"node", name, span.String(), end.String(), fmt.Sprint(len(keys))}, "\xff"), now, step, queryTime, func(ctx context.Context) any {
		var out []charts.Chart
		marks := p.deploys(ctx, end.Add(-span), end)
		draw := func(title, promql string, unit charts.Unit) {
			all, err := p.opts.Range(ctx, promql, end.Add(-span), end, step)
			if err != nil || len(all) == 0 {
				return // the head says what the store did not answer
			}
			pl := charts.Plan{ID: fmt.Sprintf("node-%d", len(out)), Title: title, Unit: unit, From: end.Add(-span), To: end, Step: step, Marks: marks}
			out = append(out, charts.Draw(pl, all, func(s query.Series) string {
				if len(all) == 1 {
					return name
				}
				return apart(s.Labels, all)
			}))
		}
		for _, f := range nodeFigures {
			draw(f.title, strings.ReplaceAll(strings.ReplaceAll(f.promql, `"NODE"`, fmt.Sprintf("%q", name)), "%s", window), f.unit)
		}
		for _, k := range keys {
			draw(k.name, onNode(k.each, name), k.unit)
		}
		return out
	}).([]charts.Chart)
}

// apart names a series by the labels in which it differs from the others.
func apart(labels map[string]string, all []query.Series) string {
	own := map[string]string{}
	for k, v := range labels {
		if slices.ContainsFunc(all, func(o query.Series) bool { return o.Labels[k] != v }) {
			own[k] = v
		}
	}
	return labelWords(own, "")
}
