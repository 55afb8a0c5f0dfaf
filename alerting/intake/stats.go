package intake

import (
	"context"

	"github.com/navcloud/binnacle/agent/metric"
)

// What is published about what comes in.
var (
	alarmsTotal = &metric.Desc{
		Name: "binnacle_intake_alarms_total", Kind: metric.Counter, Help: "Alarms taken from others, repetitions included",
	}
	rejectedTotal = &metric.Desc{
		Name: "binnacle_intake_rejected_total", Kind: metric.Counter,
		Help: "Requests and events not taken, by reason: invalid, busy (the router had no room)",
	}
	cutTotal = &metric.Desc{
		Name: "binnacle_intake_cut_total", Kind: metric.Counter, Help: "Alarms of which labels or annotations were cut",
	}
	unsentTotal = &metric.Desc{
		Name: "binnacle_router_dropped_alarms_total", Kind: metric.Counter, Help: "Alarms of this node that found no room in the table for the routers",
	}
	unreachableSeconds = &metric.Desc{
		Name: "binnacle_router_unreachable_seconds", Kind: metric.Gauge, Unit: metric.Seconds, Help: "For how long no router has answered, 0 while one does",
	}
)

// Metrics are all that the two Collects yield.
func Metrics() []*metric.Desc {
	return []*metric.Desc{alarmsTotal, rejectedTotal, cutTotal, unsentTotal, unreachableSeconds}
}

// Collect appends what there is to say about what came in; it is a collectors.Collector.
func (i *Intake) Collect(_ context.Context, b *metric.Batch) error {
	b.Add(alarmsTotal, float64(i.alarms.Load()))
	b.Add(rejectedTotal, float64(i.refused.Load()), "reason", "invalid")
	b.Add(rejectedTotal, float64(i.busy.Load()), "reason", "busy")
	b.Add(cutTotal, float64(i.cut.Load()))
	return nil
}

// Collect appends what there is to say about the routers; it is a collectors.Collector.
func (c *Client) Collect(_ context.Context, b *metric.Batch) error {
	b.Add(unsentTotal, float64(c.Dropped()))
	b.Add(unreachableSeconds, c.Unreachable().Seconds())
	return nil
}
