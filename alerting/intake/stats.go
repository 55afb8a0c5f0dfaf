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
		Help: "Requests, events and single alarms not taken, by reason: invalid, busy (the router had no room), unreadable_alarm",
	}
	cutTotal = &metric.Desc{
		Name: "binnacle_intake_cut_total", Kind: metric.Counter, Help: "Alarms of which labels or annotations were cut",
	}
	cloudTotal = &metric.Desc{
		Name: "binnacle_intake_aws_total", Kind: metric.Counter, Help: "Words of AWS that came, by form and result: taken, unknown, unreadable",
	}
	clockBehind = &metric.Desc{
		Name: "binnacle_sender_clock_behind_seconds", Kind: metric.Gauge, Unit: metric.Seconds,
		Help: "How far the clock of a sender of alarms is behind ours, at least; its alarms are taken all the same",
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
	return []*metric.Desc{alarmsTotal, rejectedTotal, cutTotal, cloudTotal, clockBehind, unsentTotal, unreachableSeconds}
}

// Collect appends what there is to say about what came in; it is a collectors.Collector.
func (i *Intake) Collect(_ context.Context, b *metric.Batch) error {
	b.Add(alarmsTotal, float64(i.alarms.Load()))
	b.Add(rejectedTotal, float64(i.refused.Load()), "reason", "invalid")
	b.Add(rejectedTotal, float64(i.busy.Load()), "reason", "busy")
	b.Add(rejectedTotal, float64(i.bad.Load()), "reason", "unreadable_alarm")
	b.Add(cutTotal, float64(i.cut.Load()))
	for _, s := range i.Senders() {
		if s.Behind > 0 {
			b.Add(clockBehind, s.Behind.Seconds(), "sender", cutLabel(s.Name))
		}
	}
	for _, f := range i.cloud.list() {
		b.Add(cloudTotal, float64(f.Count), "form", cutLabel(f.Name), "result", f.Result)
	}
	return nil
}

// Collect appends what there is to say about the routers; it is a collectors.Collector.
func (c *Client) Collect(_ context.Context, b *metric.Batch) error {
	b.Add(unsentTotal, float64(c.Dropped()))
	b.Add(unreachableSeconds, c.Unreachable().Seconds())
	return nil
}
