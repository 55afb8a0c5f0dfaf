package views

import (
	"context"
	"math"
	"strings"
	"time"

	"github.com/navcloud/binnacle/agent/health"
	"github.com/navcloud/binnacle/agent/query"
	"github.com/navcloud/binnacle/agent/words"
)

// nodeRow is a node in the list of all.
type nodeRow struct {
	health.Node
	Services []string
	Loads    []share // processor, memory, the fullest disk; none where its machine is not watched
}

// share is a part of something limited, as a bar.
type share struct {
	Name  string
	Value float64 // of 1; NaN: not known
}

// Text is the share in words.
func (s share) Text() string {
	if math.IsNaN(s.Value) {
		return "–"
	}
	return words.Percent(s.Value)
}

// Bar is the share as a bar, which says by its colour when little is left.
func (s share) Bar() gauge {
	if math.IsNaN(s.Value) {
		return gauge{}
	}
	g := gauge{Share: s.Value}
	if s.Name == "CPU" { // a processor that works is no fault
		g.Calm = true
	}
	return g
}

// nodeRows adds to nodes what runs on them and how busy their machines are.
func (p *Pages) nodeRows(ctx context.Context, nodes []health.Node, now time.Time) []nodeRow {
	busy := p.busy(ctx, now)
	out := make([]nodeRow, 0, len(nodes))
	for _, n := range nodes {
		row := nodeRow{Node: n, Services: servicesOn(n)}
		if loads, ok := busy[n.Node]; ok {
			row.Loads = loads
		}
		out = append(out, row)
	}
	return out
}

// busy is how busy the nodes' machines are.
func (p *Pages) busy(ctx context.Context, now time.Time) map[string][]share {
	return p.answers.Get(ctx, "busy", now, p.opts.Interval, queryTime, func(ctx context.Context) any {
		out := map[string][]share{}
		for i, f := range fleetFigures[:3] {
			all, err := p.opts.Query(ctx, f.each, now)
			if err != nil {
				continue // the head of the page says that the store did not answer
			}
			for _, s := range all {
				node := s.Labels["node"]
				if out[node] == nil {
					out[node] = []share{{"CPU", math.NaN()}, {"Memory", math.NaN()}, {"Disk", math.NaN()}}
				}
				out[node][i].Value = query.Last(s)
			}
		}
		return out
	}).(map[string][]share)
}

// servicesOn are the services that a node's agent sees there, the machine and the agent left out.
func servicesOn(n health.Node) []string {
	var out []string
	for _, s := range n.Seen {
		if s.Up && s.Collector != "self" && s.Collector != "statsd" && s.Collector != "connections" && !strings.HasPrefix(s.Collector, "host_") {
			name := systems[s.Collector]
			if name == "" {
				name = s.Collector
			}
			out = append(out, name)
		}
	}
	return out
}
