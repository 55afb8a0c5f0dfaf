package sinks

import (
	"time"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/agent/series"
)

// totals are for destinations of Prometheus' kind: what adds up comes as running totals, from the registry of series.
// They stand before the queue: what the queue loses then costs resolution and no count.
type totals struct {
	said bool // labels as their collectors gave them
}

func (t totals) form(p *series.Point) (metric.Sample, bool) {
	switch p.Form {
	case series.Level, series.Opening, series.Total, series.Again:
		if t.said {
			return p.Said(), true
		}
		return p.Sample(), true
	}
	return metric.Sample{}, false
}

func (totals) put(dst []metric.Sample, s metric.Sample) []metric.Sample { return append(dst, s) }

func (totals) due(dst []metric.Sample, _ time.Time, _ bool) []metric.Sample { return dst }

// asCollected is for destinations that take what comes: totals of what collectors read as totals, and what was added of
// the rest.
type asCollected struct{ totals }

func (asCollected) form(p *series.Point) (metric.Sample, bool) {
	read := p.Desc.Kind == metric.Counter
	switch p.Form {
	case series.Level:
		return p.Said(), true
	case series.Added:
		return p.Said(), !read
	case series.Total, series.Again, series.Still:
		return p.Said(), read
	}
	return metric.Sample{}, false
}

// increases is for destinations that want what was added.
type increases struct {
	descs map[*metric.Desc]*metric.Desc
}

func newIncreases() increases { return increases{descs: map[*metric.Desc]*metric.Desc{}} }

func (c increases) form(p *series.Point) (metric.Sample, bool) {
	s := p.Said()
	switch {
	case p.Form == series.Added && s.Desc.Kind == metric.Counter:
		s.Desc = c.delta(s.Desc)
		return s, true
	case p.Form == series.Added, p.Form == series.Level:
		return s, true
	}
	return s, false
}

// maxDescs bounds what is remembered of descriptions: they come and go with the clients of StatsD.
const maxDescs = 10_000

// delta returns the Desc of d's increases, the same for the same d.
func (c increases) delta(d *metric.Desc) *metric.Desc {
	out := c.descs[d]
	if out == nil {
		if len(c.descs) >= maxDescs {
			clear(c.descs)
		}
		out = &metric.Desc{Name: d.Name, Kind: metric.Delta, Unit: d.Unit, Help: d.Help}
		c.descs[d] = out
	}
	return out
}
