package planner

import (
	"context"
	"time"

	"github.com/navcloud/binnacle/agent/capacity"
	"github.com/navcloud/binnacle/agent/metric"
)

// The series of the second store. A day ahead is what a forecast is held against.
var (
	descUse        = &metric.Desc{Name: "binnacle_capacity_use", Help: "Use of a pool, largest of 5 minutes"}
	descLimit      = &metric.Desc{Name: "binnacle_capacity_limit", Help: "Limit of a pool"}
	descDay        = &metric.Desc{Name: "binnacle_capacity_day", Help: "Largest use of a pool of a day, told at midnight"}
	descSaid       = &metric.Desc{Name: "binnacle_capacity_forecast", Help: "Largest use of an hour as forecast a day before, by quantile; told when it was forecast"}
	descLoad       = &metric.Desc{Name: "binnacle_capacity_load", Help: "Load of a node, mean of an hour"}
	descThroughput = &metric.Desc{Name: "binnacle_capacity_throughput", Help: "Throughput of a node at that load"}
)

// keep writes readings into the second store.
func (p *Planner) keep(ctx context.Context, at time.Time, all []found) error {
	b := &metric.Batch{Time: at}
	for _, f := range all {
		for _, r := range f.readings {
			for _, z := range r.Zones {
				AddUse(b, f.pool.Name, r.Labels, z.Name, z.Use)
			}
			b.Add(descLimit, r.Limit, labelled(f.pool.Name, r.Labels)...)
		}
	}
	return p.o.Kept.Append(ctx, "capacity", at, b.Samples)
}

// AddUse appends what a pool's part in a zone was used.
func AddUse(b *metric.Batch, pool string, labels map[string]string, zone string, use float64) {
	b.Add(descUse, use, labelled(pool, labels, "az", zone)...)
}

// AddSaid appends what is forecast of the hour that ends a day later.
func AddSaid(b *metric.Batch, pool string, labels map[string]string, s capacity.Said) {
	for _, q := range []struct {
		name string
		v    float64
	}{{"0.1", s.Lo}, {"0.5", s.Mid}, {"0.9", s.Hi}} {
		b.Add(descSaid, q.v, labelled(pool, labels, "quantile", q.name)...)
	}
}

// AddMeasured appends the throughput of a node at a load.
func AddMeasured(b *metric.Batch, labels map[string]string, load, throughput float64) {
	var kv []string
	for k, v := range labels {
		kv = append(kv, k, v)
	}
	b.Add(descLoad, load, kv...)
	b.Add(descThroughput, throughput, kv...)
}

// labelled are the labels of an instance of a pool as names and values.
func labelled(pool string, labels map[string]string, more ...string) []string {
	out := append([]string{"pool", pool}, more...)
	for k, v := range labels {
		if k != "__name__" {
			out = append(out, k, v)
		}
	}
	return out
}
