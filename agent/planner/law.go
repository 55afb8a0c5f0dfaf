package planner

import (
	"context"
	"fmt"
	"time"

	"github.com/navcloud/binnacle/agent/capacity"
	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/agent/store"
)

// The law that is looked for: how many streams a node serves for each second that an event takes to all of them. By
// Little's law that is what its throughput is at that load.
const (
	lawLoad    = `sum by (stack, az, node) (avg_over_time(navcloud_streams_open[1h])) > 0`
	lawLatency = `histogram_avg(sum by (stack, az, node) (rate(navcloud_fanout_latency_seconds[1h]))) > 0`
	lawKept    = 28 * 24 // hours
)

// measure notes what the nodes did in the last hour, and fits the law to what they did in four weeks.
func (p *Planner) measure(ctx context.Context, now time.Time) error {
	end := now.Truncate(hour)
	b, err := p.measured(ctx, end)
	if err != nil {
		return err
	}
	if err := p.o.Kept.Append(ctx, "law", end, b.Samples); err != nil {
		return err
	}
	l := capacity.Scaling{Load: "streams on a node", Throughput: "streams for each second of fan-out latency"}
	at := map[string]map[int]float64{} // throughput by node and hour
	node := func(labels map[string]string) string {
		return fmt.Sprint(labels["stack"], "/", labels["az"], "/", labels["node"])
	}
	every := func(d *metric.Desc, of func(map[string]string) func(int, float64)) {
		if err == nil {
			err = p.each(ctx, "last_over_time("+d.Name+"[59m])", end, hour, lawKept, of)
		}
	}
	every(descThroughput, func(labels map[string]string) func(int, float64) {
		hours := at[node(labels)]
		if hours == nil {
			hours = map[int]float64{}
			at[node(labels)] = hours
		}
		return func(i int, v float64) { hours[i] = v }
	})
	every(descLoad, func(labels map[string]string) func(int, float64) {
		hours := at[node(labels)]
		return func(i int, v float64) {
			if x := hours[i]; x > 0 {
				l.N, l.X = append(l.N, v), append(l.X, x)
			}
		}
	})
	if err != nil {
		return err
	}
	l.Fit()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.report.Scaling = l
	return nil
}

// measured are load and throughput of the hour before end.
func (p *Planner) measured(ctx context.Context, end time.Time) (*metric.Batch, error) {
	latency := map[string]float64{}
	b := &metric.Batch{Time: end}
	for _, q := range []struct {
		text string
		take func(store.Series, float64)
	}{
		{lawLatency, func(s store.Series, v float64) { latency[s.Labels.Key()] = v }},
		{lawLoad, func(s store.Series, v float64) {
			if l := latency[s.Labels.Key()]; l > 0 {
				AddMeasured(b, s.Labels.Map(), v, v/l)
			}
		}},
	} {
		series, err := p.o.Main.Instant(ctx, q.text, end)
		if err != nil {
			return nil, err
		}
		for _, s := range series {
			q.take(s, s.Points[len(s.Points)-1].V)
		}
	}
	return b, nil
}
