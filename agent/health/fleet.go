package health

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/navcloud/binnacle/agent/query"
	"github.com/navcloud/binnacle/agent/words"
)

// Node is a node as its agent tells of it.
type Node struct {
	Node, AZ, Group, Service, Version string
	Software                          []string      // versions of what it runs beside the agent
	Age                               time.Duration // of its last word
	Ended                             bool          // its figures have ended: it was stopped, or was not heard for the time that a query looks back
	Begun                             time.Time
	Collectors                        int      // that see what they look for
	Blind                             []string // those that do not, and why
	Seen                              []Seen   // all of them, by name
	Others                            []string // faults that the node itself names, of anything but collectors and destinations
	Sinks                             []NodeSink
	Streams                           float64 // of NavCloud; negative: none
}

// Seen is a collector of a node and whether it sees what it looks for.
type Seen struct {
	Collector, Reason string
	Up                bool
}

// NodeSink is a destination of a node.
type NodeSink struct {
	Name     string
	Up       bool
	Success  time.Duration // since the last delivery
	Waiting  float64       // samples in memory and on disk
	SpoolAge time.Duration // of the oldest on disk
	Bytes    float64       // of the spool
	Lost     float64       // samples in the last hour
}

// Word is how the node is: well, ill, or silent.
func (n Node) Word() string {
	switch {
	case n.Ended || n.Age > SilentAfter:
		return "silent"
	case len(n.Faults()) > 0:
		return Ill
	}
	return Well
}

// Faults are what is wrong, in words.
func (n Node) Faults() []string {
	var out []string
	if n.Ended || n.Age > SilentAfter {
		out = append(out, "no word for "+words.Duration(n.Age))
	}
	for _, b := range n.Blind {
		out = append(out, "cannot see "+b)
	}
	out = append(out, n.Others...)
	for _, s := range n.Sinks {
		if !s.Up {
			out = append(out, "cannot reach "+s.Name+" for "+words.Duration(s.Success))
		}
		if s.Lost > 0 {
			out = append(out, "lost "+words.Plural(int(s.Lost+0.5), "sample")+" towards "+s.Name+" in an hour")
		}
	}
	return out
}

// Health is one sentence.
func (n Node) Health() string {
	f := n.Faults()
	if len(f) == 0 {
		return fmt.Sprintf("Looks by %s, ships to %s.", words.Plural(n.Collectors, "collector"), words.Plural(len(n.Sinks), "destination"))
	}
	text := strings.Join(f, "; ")
	return strings.ToUpper(text[:1]) + text[1:] + "."
}

// Ships is what the node ships, in a sentence.
func (n Node) Ships() string {
	var out []string
	for _, s := range n.Sinks {
		text := s.Name + ": " + words.Number(s.Waiting) + " waiting"
		if s.Bytes > 0 {
			text += fmt.Sprintf(", %s on disk, the oldest %s old", words.Bytes(int64(s.Bytes)), words.Duration(s.SpoolAge))
		}
		out = append(out, text)
	}
	return cmp.Or(strings.Join(out, "; "), "nothing")
}

// Queries are what Fleet asks; an agent that was heard within lookBack has a row.
var Queries = map[string]string{
	"info":     `max by (node, az, group, service) (max_over_time(binnacle_node_info[1h]))`,
	"age":      `time() - max by (node) (timestamp(binnacle_start_time_seconds))`,
	"begun":    `max by (node) (binnacle_start_time_seconds)`,
	"version":  `max by (node, version) (binnacle_build_info)`,
	"rabbitmq": `max by (node, version) (rabbitmq_node_info)`,
	"up":       `min by (node, collector, reason) (binnacle_collector_up)`,
	"blind":    `max by (node, collector, check) (binnacle_check_blind_seconds{check!=""}) > 0`,
	"faults":   `max by (node, of) (binnacle_fault{of!~"(ship|collect)[.].*"}) > 0`,
	"streams":  `sum by (node) (navcloud_streams_open)`,
	"sink up":  `min by (node, sink) (binnacle_sink_up)`,
	"success":  `max by (node, sink) (binnacle_sink_last_success_age_seconds)`,
	"waiting":  `sum by (node, sink) (binnacle_sink_queue_samples) + on (node, sink) (sum by (node, sink) (binnacle_sink_spool_samples) or sum by (node, sink) (binnacle_sink_queue_samples) * 0)`,
	"bytes":    `sum by (node, sink) (binnacle_sink_spool_bytes)`,
	"spooled":  `max by (node, sink) (binnacle_sink_spool_age_seconds)`,
	"lost":     `sum by (node, sink) (increase(binnacle_sink_dropped_samples_total[1h]))`,
}

// Fleet lists the nodes that a store has heard of, the worst first, then by name. The error is that of the first query
// that failed; what others brought is returned beside it.
func Fleet(ctx context.Context, ask query.Func, at time.Time) ([]Node, error) {
	got, err := query.All(ctx, ask, Queries, at)
	nodes := map[string]*Node{}
	for _, s := range got["info"] {
		name := s.Labels["node"]
		n := nodes[name]
		if n == nil {
			n = &Node{Node: name, Streams: -1}
			nodes[name] = n
		}
		n.AZ, n.Group, n.Service = cmp.Or(n.AZ, s.Labels["az"]), cmp.Or(n.Group, s.Labels["group"]), cmp.Or(n.Service, s.Labels["service"])
	}
	each := func(name string, set func(n *Node, s query.Series, v float64)) {
		for _, s := range got[name] {
			if n := nodes[s.Labels["node"]]; n != nil {
				set(n, s, query.Last(s))
			}
		}
	}
	each("age", func(n *Node, _ query.Series, v float64) { n.Age = span(v) })
	each("begun", func(n *Node, _ query.Series, v float64) { n.Begun = time.UnixMilli(int64(v * 1000)) })
	each("version", func(n *Node, s query.Series, _ float64) { n.Version = s.Labels["version"] })
	each("streams", func(n *Node, _ query.Series, v float64) { n.Streams = v })
	each("rabbitmq", func(n *Node, s query.Series, _ float64) {
		n.Software = append(n.Software, strings.TrimSpace("RabbitMQ "+s.Labels["version"]))
	})
	each("up", func(n *Node, s query.Series, v float64) {
		n.Seen = append(n.Seen, Seen{s.Labels["collector"], strings.ReplaceAll(s.Labels["reason"], "_", " "), v > 0})
		switch {
		case v > 0:
			n.Collectors++
		default:
			n.Blind = append(n.Blind, s.Labels["collector"]+" ("+cmp.Or(strings.ReplaceAll(s.Labels["reason"], "_", " "), "no reason given")+")")
		}
	})
	each("blind", func(n *Node, s query.Series, v float64) {
		n.Blind = append(n.Blind, s.Labels["collector"]+" "+s.Labels["check"]+" for "+words.Duration(span(v)))
	})
	each("faults", func(n *Node, s query.Series, _ float64) { n.Others = append(n.Others, faultWords(s.Labels["of"])) })
	addSinks(each)
	if ages, ok := got["age"]; ok { // else nobody is called silent
		if e := ended(ctx, ask, at, nodes, ages); err == nil {
			err = e
		}
	}
	out := make([]Node, 0, len(nodes))
	for _, n := range nodes {
		slices.Sort(n.Blind)
		slices.SortFunc(n.Seen, func(a, b Seen) int { return cmp.Compare(a.Collector, b.Collector) })
		slices.Sort(n.Others)
		slices.SortFunc(n.Sinks, func(a, b NodeSink) int { return cmp.Compare(a.Name, b.Name) })
		out = append(out, *n)
	}
	rank := map[string]int{"silent": 0, Ill: 1, Well: 2}
	slices.SortFunc(out, func(a, b Node) int { return cmp.Or(rank[a.Word()]-rank[b.Word()], cmp.Compare(a.Node, b.Node)) })
	return out, err
}

// lookBack is how long ago a node was heard that has a row.
const lookBack = time.Hour

// ended notes which nodes send nothing any more, and asks since when.
func ended(ctx context.Context, ask query.Func, at time.Time, nodes map[string]*Node, ages []query.Series) error {
	heard := map[string]bool{}
	for _, s := range ages {
		heard[s.Labels["node"]] = true
	}
	var names []string
	for name, n := range nodes {
		if n.Ended = !heard[name]; n.Ended {
			n.Age = lookBack
			names = append(names, regexp.QuoteMeta(name))
		}
	}
	if len(names) == 0 {
		return nil
	}
	slices.Sort(names)
	last, err := ask(ctx, fmt.Sprintf(`time() - max by (node) (max_over_time(timestamp(binnacle_start_time_seconds{node=~%q})[1h:15s]))`, strings.Join(names, "|")), at)
	for _, s := range last {
		if n := nodes[s.Labels["node"]]; n != nil {
			n.Age = span(query.Last(s))
		}
	}
	return err
}

// faultWords tells in short what a node says that is wrong with it: Fault.Of is what reaches the others.
func faultWords(of string) string {
	if text, ok := map[string]string{
		"paging": "a page is undelivered", "ledger": "its ledger is not on disk", "routers": "reaches not all routers", "data": "its data folder is not right",
		"damage": "damaged data was set aside", "history": "writes no history", "capacity": "capacity is not known", "rollups": "the past is not kept",
		"reload": "refused its last configuration", "rules": "its rules fail or are late", "door": "is open to others",
	}[of]; ok {
		return text
	}
	if name, ok := strings.CutPrefix(of, "channel."); ok {
		return "the pager's channel " + name + " fails"
	}
	return of + " does not work"
}

func addSinks(each func(string, func(*Node, query.Series, float64))) {
	each("sink up", func(n *Node, s query.Series, v float64) {
		n.Sinks = append(n.Sinks, NodeSink{Name: s.Labels["sink"], Up: v > 0})
	})
	sink := func(name string, set func(*NodeSink, float64)) {
		each(name, func(n *Node, s query.Series, v float64) {
			for i := range n.Sinks {
				if n.Sinks[i].Name == s.Labels["sink"] {
					set(&n.Sinks[i], v)
				}
			}
		})
	}
	sink("success", func(s *NodeSink, v float64) { s.Success = span(v) })
	sink("waiting", func(s *NodeSink, v float64) { s.Waiting = v })
	sink("bytes", func(s *NodeSink, v float64) { s.Bytes = v })
	sink("spooled", func(s *NodeSink, v float64) { s.SpoolAge = span(v) })
	sink("lost", func(s *NodeSink, v float64) { s.Lost = v })
}

func span(seconds float64) time.Duration { return time.Duration(seconds * float64(time.Second)) }

// The words for how a thing is.
const (
	Well   = "well"
	Ill    = "ill"
	Absent = "absent"
)

// Words counts nodes by how they are.
func Words(nodes []Node) string {
	by := map[string]int{}
	for _, n := range nodes {
		by[n.Word()]++
	}
	var out []string
	for _, w := range []string{"silent", Ill, Well} {
		if by[w] > 0 {
			out = append(out, words.Number(float64(by[w]))+" "+w)
		}
	}
	return cmp.Or(strings.Join(out, ", "), "none")
}
