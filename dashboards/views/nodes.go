package views

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/navcloud/binnacle/agent/health"
	"github.com/navcloud/binnacle/agent/words"
	"github.com/navcloud/binnacle/dashboards"
)

// line is one thing of the node: its name, how it is in a word, and the rest in a sentence.
type line struct {
	Name  string
	Word  string // well, ill, absent
	Text  string
	Since time.Time // zero: none
	Label string    // of Since
}

type nodeList struct {
	ID, Label string
	Lines     []line
	Empty     string
}

// Here are the lines of what is on this machine, and Absent those of what is not.
func (l nodeList) Here() []line { return l.with(func(x line) bool { return x.Word != health.Absent }) }

func (l nodeList) Absent() []line {
	return l.with(func(x line) bool { return x.Word == health.Absent })
}

// Ill says whether one of them is.
func (l nodeList) Ill() bool {
	return slices.ContainsFunc(l.Lines, func(x line) bool { return x.Word == health.Ill })
}

func (l nodeList) with(is func(line) bool) (out []line) {
	for _, x := range l.Lines {
		if is(x) {
			out = append(out, x)
		}
	}
	return out
}

type nodeHead struct {
	Node, Version, Listen, Data string
	Begun                       time.Time
	Verdict                     string
	Bad                         bool
	Faults                      []string
	Lists                       []nodeList
	Alone                       bool // no fleet is known: its verdict is the page's
}

// nodes is the fleet, and below it the agent that serves the page.
func (p *Pages) nodes(r *http.Request) dashboards.Page {
	pg := dashboards.Page{Name: "nodes", Title: "Nodes", Live: dashboards.LivePath("nodes", r.URL.Query())}
	if p.opts.Status == nil {
		return dashboards.Message(http.StatusNotFound, "No status", "This program does not say how it is.")
	}
	s, now := p.opts.Status(), p.opts.Now()
	head := p.agentHead(s, now)
	pg.Title, pg.Crumb = "Nodes: "+strings.ToLower(strings.TrimSuffix(head.Verdict, ".")), "Nodes"
	if p.opts.Query != nil {
		f := p.fleet(r.Context(), now)
		if len(f.Nodes) > 0 {
			pg.Title = f.Map.Says()
		}
		f.Rows = p.nodeRows(r.Context(), f.Nodes[:min(maxNodes, len(f.Nodes))], now)
		pg.Sections = append(pg.Sections, dashboards.Section{ID: "fleet", Parts: []dashboards.Part{{ID: "fleet-list", Template: "fleet", Data: f}}})
	}
	pg.Sections = append(pg.Sections, dashboards.Section{ID: "agent", Label: "This agent", Hush: true, Parts: []dashboards.Part{{ID: "node-head", Template: "node-head", Data: head}}})
	return pg
}

// agentHead is how the agent that serves the page is, in all its parts.
func (p *Pages) agentHead(s health.Status, now time.Time) nodeHead {
	head := nodeHead{Node: p.opts.Node, Version: p.opts.Version, Listen: s.Listen, Data: s.Data, Begun: s.Begun, Alone: p.opts.Query == nil}
	head.Lists = []nodeList{
		{"collectors", "What it collects", collectorLines(s.Collectors, now), "It collects nothing (collect: off)."},
		{"sinks", "What it ships", sinkLines(s.Sinks, now), "It ships nothing: no destination is configured."},
		{"roles", "What it keeps and judges", roleLines(s, now), ""},
	}
	sick := 0
	for _, l := range head.Lists {
		for _, x := range l.Lines {
			if x.Word == health.Ill {
				sick++
			}
		}
	}
	if s.DataError != "" {
		head.Faults = append(head.Faults, "The data folder cannot be written, so history and decisions do not survive a restart: "+s.DataError)
	}
	if s.Reload != "" {
		head.Faults = append(head.Faults, "The changed configuration was refused, the one before runs on: "+s.Reload)
	}
	for _, f := range s.Faults() {
		if !inLists(f.Of) && f.Of != "reload" && (f.Of != "data" || s.DataError == "") {
			head.Faults = append(head.Faults, words.Capital(f.Text)+".")
		}
	}
	head.Verdict, head.Bad = "All is well.", sick+len(head.Faults) > 0
	if head.Bad {
		head.Verdict = words.Plural(sick+len(head.Faults), "thing") + " to look at."
	}
	return head
}

// inLists says whether a line of the lists below shows what is wrong.
func inLists(of string) bool {
	switch of {
	case "rules", "paging", "ledger", "rollups":
		return true
	}
	return strings.HasPrefix(of, "ship.") || strings.HasPrefix(of, "collect.")
}

func collectorLines(in []health.Collector, now time.Time) []line {
	var out []line
	for _, c := range in {
		l := line{Name: c.Name, Word: health.Well, Since: c.LastUp, Label: "Last looked"}
		switch {
		case c.Up:
			l.Text = fmt.Sprintf("%s every %s, in %s.", words.Plural(c.Series, "value"), words.Duration(c.Interval), words.Seconds(c.Took.Seconds()))
			for _, k := range c.BlindChecks() {
				l.Word = health.Ill
				l.Text += fmt.Sprintf(" It has not seen %s for %s (%s): %s.", k.Name, words.Duration(now.Sub(k.Since)), k.Reason, k.Error)
			}
			for _, n := range c.Notes {
				l.Text += " " + n + "."
			}
		case c.LastRun.IsZero():
			l.Word, l.Text = health.Absent, "Not looked yet."
		case c.Absent:
			l.Word, l.Since, l.Text = health.Absent, time.Time{}, "Not on this machine; looked for again each minute."
		default:
			l.Word, l.Label = health.Ill, "Last seen"
			l.Text = "Cannot look: " + cmp.Or(c.Error, c.Reason, "no reason given") + "."
		}
		if c.Overruns > 0 {
			l.Text += " " + words.Number(c.Overruns) + " left out since the one before had not ended."
		}
		out = append(out, l)
	}
	return out
}

func sinkLines(in []health.Sink, now time.Time) []line {
	var out []line
	for _, s := range in {
		l := line{Name: s.Name, Word: health.Well, Since: s.LastSuccess, Label: "Last delivered", Text: words.Number(s.Sent) + " samples delivered"}
		if s.LastSuccess.IsZero() {
			l.Text = "Nothing delivered yet"
		}
		l.Text += ", " + words.Number(float64(s.Waiting)) + " wait in memory"
		if s.Spooled > 0 {
			l.Text += fmt.Sprintf(", %s on disk (%s, the oldest %s old)", words.Number(float64(s.Spooled)), words.Bytes(s.SpoolBytes), words.Duration(now.Sub(s.SpoolOldest)))
		}
		l.Text += "." + losses(" Lost: ", s.Dropped)
		if !s.Up {
			l.Word = health.Ill
			l.Text = fmt.Sprintf("Cannot be reached for %s: %s. %s", words.Duration(now.Sub(s.DownSince)), cmp.Or(s.Error, "no reason given"), l.Text)
		}
		out = append(out, l)
	}
	return out
}

// losses names counts by reason; what is 0 is left out.
func losses(lead string, by map[string]float64) string {
	var saying []string
	for _, reason := range slices.Sorted(maps.Keys(by)) {
		if by[reason] > 0 {
			saying = append(saying, words.Number(by[reason])+" ("+strings.ReplaceAll(reason, "_", " ")+")")
		}
	}
	if len(saying) == 0 {
		return ""
	}
	return lead + strings.Join(saying, ", ") + "."
}

func rollupLine(r health.Rollups, now time.Time) line {
	l := line{Name: "history for long", Word: health.Well, Text: "Nothing was copied since the start: that comes ten minutes after the samples do."}
	switch {
	case r.Error != "":
		l.Word, l.Text = health.Ill, r.Error+"."
	case r.Series > 0:
		l.Text = fmt.Sprintf("%s series, a value every 5 minutes, %s on disk.", words.Number(float64(r.Series)), words.Bytes(r.Bytes))
	}
	if !r.Oldest.IsZero() {
		l.Text += " It reaches back " + words.Duration(now.Sub(r.Oldest)) + "."
	}
	if r.LeftOut > 0 {
		l.Text += fmt.Sprintf(" %s more are left out (store.rollups.max_series).", words.Number(float64(r.LeftOut)))
	}
	l.Text += losses(" Refused: ", map[string]float64{"samples": float64(r.Refused)})
	return l
}

func roleLines(s health.Status, now time.Time) []line {
	out := []line{{Name: "history", Word: health.Absent, Text: "Off."}, {Name: "rules", Word: health.Absent, Text: "Off."}, {Name: "paging", Word: health.Absent, Text: "Off: its alarms go to the routers."}}
	if st := s.Store; st != nil {
		out[0].Word, out[0].Text = health.Well, fmt.Sprintf("%s series, %s on disk.", words.Number(float64(st.Series)), words.Bytes(st.Bytes))
		if !st.Oldest.IsZero() {
			out[0].Text += " It reaches back " + words.Duration(now.Sub(st.Oldest)) + "."
		}
		out[0].Text += losses(" Refused: ", st.Refused)
		if len(st.Lost) > 0 {
			out[0].Text += " " + strings.Join(st.Lost, "; ") + "."
		}
	}
	if ru := s.Rules; ru != nil {
		out[1].Word, out[1].Text = health.Well, fmt.Sprintf("%s in %s.", words.Plural(ru.Rules, "rule"), words.Plural(ru.Groups, "group"))
		if len(ru.Failing) > 0 {
			out[1].Word = health.Ill
			out[1].Text += " Failing: " + strings.Join(ru.Failing, "; ") + "."
		}
		if ru.Late > health.RulesLate {
			out[1].Word = health.Ill
			out[1].Text += " They are " + words.Duration(ru.Late) + " late."
		}
	}
	if rt := s.Route; rt != nil {
		out[2].Word, out[2].Text = health.Well, fmt.Sprintf("%s, mode %s, %s open.", cmp.Or(s.Pager, "No pager"), rt.Mode, words.Plural(rt.Open, "incident"))
		if !rt.Durable || rt.StandsIn != "" {
			out[2].Word = health.Ill
			out[2].Text += " Decisions are in memory alone: the ledger cannot be written."
			out[2].Since, out[2].Label = rt.Since, "Since"
		}
		if rt.Undelivered > health.DeliverWithin {
			out[2].Word = health.Ill
			out[2].Text += " A page is not delivered since " + words.Duration(rt.Undelivered) + "."
		}
	}
	if s.Rollups != nil {
		out = slices.Insert(out, 1, rollupLine(*s.Rollups, now))
	}
	return out
}

// fleetList is all nodes that this node's store has heard of.
type fleetList struct {
	Nodes    []health.Node
	Map      nodeMap
	Rows     []nodeRow // of the first of them
	Versions string    // who runs what, where they differ
	Fault    string
	Missing  []health.Missing // whom Auto Scaling has, or should have
}

func (p *Pages) fleet(ctx context.Context, now time.Time) fleetList {
	return p.answers.Last(ctx, "fleet", now, p.opts.Interval, queryTime, func(ctx context.Context) any {
		nodes, err := health.Fleet(ctx, p.opts.Query, now)
		f := fleetList{Nodes: nodes, Map: mapOf(nodes, homeWorst)}
		if err != nil {
			f.Fault = "The store did not answer all that was asked, so what is missing is not known: " + err.Error() + "."
		}
		missing, gone := health.FindMissing(ctx, p.opts.Query, now)
		if f.Missing = missing; gone != nil && f.Fault == "" {
			f.Fault = "The store did not say which instances have no agent: " + gone.Error() + "."
		}
		by := map[string]int{}
		for _, n := range nodes {
			by[cmp.Or(n.Version, "an unknown version")]++
		}
		if len(by) > 1 {
			var saying []string
			for _, v := range slices.Sorted(maps.Keys(by)) {
				saying = append(saying, v+" on "+words.Number(float64(by[v])))
			}
			f.Versions = "Their agents differ: " + strings.Join(saying, ", ") + "."
		} else if len(by) == 1 {
			f.Versions = "All run the same version of the agent."
		}
		return f
	}).(fleetList)
}

// maxMissing bounds those that are named.
const maxMissing = 30

// Absent are those missing that are named.
func (f fleetList) Absent() []health.Missing { return f.Missing[:min(maxMissing, len(f.Missing))] }

// Unnamed is how many more are missing.
func (f fleetList) Unnamed() int { return len(f.Missing) - len(f.Absent()) }

// Streaming says whether one of the rows has streams.
func (f fleetList) Streaming() bool {
	return slices.ContainsFunc(f.Rows, func(r nodeRow) bool { return r.Streams >= 0 })
}

// More is how many nodes have no row.
func (f fleetList) More() int { return len(f.Nodes) - len(f.Rows) }
