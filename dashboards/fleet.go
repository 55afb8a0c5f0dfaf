package dashboards

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// Query evaluates PromQL at one time.
type Query func(ctx context.Context, promql string, at time.Time) ([]Series, error)

// FleetNode is a node as its agent tells of it.
type FleetNode struct {
	Node, AZ, Group, Service, Version string
	Software                          []string      // versions of what it runs beside the agent
	Age                               time.Duration // of its last word; negative: none for the time that a query looks back
	Begun                             time.Time
	Collectors                        int      // that see what they look for
	Blind                             []string // those that do not, and why
	Sinks                             []FleetSink
	Streams                           float64 // of NavCloud; negative: none
}

// FleetSink is a destination of a node.
type FleetSink struct {
	Name     string
	Up       bool
	Success  time.Duration // since the last delivery
	Waiting  float64       // samples in memory and on disk
	SpoolAge time.Duration // of the oldest on disk
	Bytes    float64       // of the spool
	Lost     float64       // samples in the last hour
}

// silentAfter is the age of a node's last word from which it counts as silent: three collections missed, and some.
const silentAfter = time.Minute

// Word is how the node is: well, ill, or silent.
func (n FleetNode) Word() string {
	switch {
	case n.Age < 0 || n.Age > silentAfter:
		return "silent"
	case len(n.Faults()) > 0:
		return ill
	}
	return well
}

// Faults are what is wrong, in words.
func (n FleetNode) Faults() []string {
	var out []string
	switch {
	case n.Age < 0:
		out = append(out, "no word for 5 min and more")
	case n.Age > silentAfter:
		out = append(out, "no word for "+short(n.Age))
	}
	for _, b := range n.Blind {
		out = append(out, "cannot see "+b)
	}
	for _, s := range n.Sinks {
		if !s.Up {
			out = append(out, "cannot reach "+s.Name+" for "+short(s.Success))
		}
		if s.Lost > 0 {
			out = append(out, "lost "+plural(int(s.Lost+0.5), "sample")+" towards "+s.Name+" in an hour")
		}
	}
	return out
}

// Health is one sentence.
func (n FleetNode) Health() string {
	f := n.Faults()
	if len(f) == 0 {
		return fmt.Sprintf("Looks by %s, ships to %s.", plural(n.Collectors, "collector"), plural(len(n.Sinks), "destination"))
	}
	text := strings.Join(f, "; ")
	return strings.ToUpper(text[:1]) + text[1:] + "."
}

// Ships is what the node ships, in a sentence.
func (n FleetNode) Ships() string {
	var out []string
	for _, s := range n.Sinks {
		text := s.Name + ": " + number(s.Waiting) + " waiting"
		if s.Bytes > 0 {
			text += fmt.Sprintf(", %s on disk, the oldest %s old", byteSize(int64(s.Bytes)), short(s.SpoolAge))
		}
		out = append(out, text)
	}
	return cmp.Or(strings.Join(out, "; "), "nothing")
}

// fleetQueries are what is asked; an agent that was heard within an hour has a row.
var fleetQueries = map[string]string{
	"info":     `max by (node, az, group, service) (max_over_time(binnacle_node_info[1h]))`,
	"age":      `time() - max by (node) (timestamp(binnacle_start_time_seconds))`,
	"begun":    `max by (node) (binnacle_start_time_seconds)`,
	"version":  `max by (node, version) (binnacle_build_info)`,
	"rabbitmq": `max by (node, version) (rabbitmq_node_info)`,
	"up":       `min by (node, collector, reason) (binnacle_collector_up)`,
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
func Fleet(ctx context.Context, ask Query, at time.Time) ([]FleetNode, error) {
	got, err := askAll(ctx, ask, fleetQueries, at)
	nodes, age := map[string]*FleetNode{}, time.Duration(-1)
	if _, ok := got["age"]; !ok {
		age = 0 // not known: nobody is called silent for that
	}
	for _, s := range got["info"] {
		name := s.Labels["node"]
		n := nodes[name]
		if n == nil {
			n = &FleetNode{Node: name, Age: age, Streams: -1}
			nodes[name] = n
		}
		n.AZ, n.Group, n.Service = cmp.Or(n.AZ, s.Labels["az"]), cmp.Or(n.Group, s.Labels["group"]), cmp.Or(n.Service, s.Labels["service"])
	}
	each := func(name string, set func(n *FleetNode, s Series, v float64)) {
		for _, s := range got[name] {
			if n := nodes[s.Labels["node"]]; n != nil {
				set(n, s, last(s))
			}
		}
	}
	each("age", func(n *FleetNode, _ Series, v float64) { n.Age = span(v) })
	each("begun", func(n *FleetNode, _ Series, v float64) { n.Begun = time.UnixMilli(int64(v * 1000)) })
	each("version", func(n *FleetNode, s Series, _ float64) { n.Version = s.Labels["version"] })
	each("streams", func(n *FleetNode, _ Series, v float64) { n.Streams = v })
	each("rabbitmq", func(n *FleetNode, s Series, _ float64) {
		n.Software = append(n.Software, strings.TrimSpace("RabbitMQ "+s.Labels["version"]))
	})
	each("up", func(n *FleetNode, s Series, v float64) {
		switch {
		case v > 0:
			n.Collectors++
		default:
			n.Blind = append(n.Blind, s.Labels["collector"]+" ("+cmp.Or(strings.ReplaceAll(s.Labels["reason"], "_", " "), "no reason given")+")")
		}
	})
	addSinks(each)
	out := make([]FleetNode, 0, len(nodes))
	for _, n := range nodes {
		slices.Sort(n.Blind)
		slices.SortFunc(n.Sinks, func(a, b FleetSink) int { return cmp.Compare(a.Name, b.Name) })
		out = append(out, *n)
	}
	rank := map[string]int{"silent": 0, ill: 1, well: 2}
	slices.SortFunc(out, func(a, b FleetNode) int { return cmp.Or(rank[a.Word()]-rank[b.Word()], cmp.Compare(a.Node, b.Node)) })
	return out, err
}

func addSinks(each func(string, func(*FleetNode, Series, float64))) {
	each("sink up", func(n *FleetNode, s Series, v float64) {
		n.Sinks = append(n.Sinks, FleetSink{Name: s.Labels["sink"], Up: v > 0})
	})
	sink := func(name string, set func(*FleetSink, float64)) {
		each(name, func(n *FleetNode, s Series, v float64) {
			for i := range n.Sinks {
				if n.Sinks[i].Name == s.Labels["sink"] {
					set(&n.Sinks[i], v)
				}
			}
		})
	}
	sink("success", func(s *FleetSink, v float64) { s.Success = span(v) })
	sink("waiting", func(s *FleetSink, v float64) { s.Waiting = v })
	sink("bytes", func(s *FleetSink, v float64) { s.Bytes = v })
	sink("spooled", func(s *FleetSink, v float64) { s.SpoolAge = span(v) })
	sink("lost", func(s *FleetSink, v float64) { s.Lost = v })
}

func span(seconds float64) time.Duration { return time.Duration(seconds * float64(time.Second)) }

// askAll asks all queries at once. What failed has no answer, not an empty one. The error is that of the first by name that failed.
func askAll(ctx context.Context, ask Query, queries map[string]string, at time.Time) (map[string][]Series, error) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	got, worst, first := map[string][]Series{}, "", error(nil)
	for name, q := range queries {
		wg.Go(func() {
			s, err := ask(ctx, q, at)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				got[name] = s
			} else if first == nil || name < worst {
				worst, first = name, err
			}
		})
	}
	wg.Wait()
	return got, first
}
