package sinks

import (
	"context"
	"hash/fnv"
	"time"

	"github.com/navcloud/binnacle/agent/metric"
)

// Write implements Sink: as few requests as the limits allow, a sample's datums never split.
func (c *cloudwatch) Write(ctx context.Context, samples []metric.Sample) error {
	var (
		ds    []datum
		bytes int
		sent  int // samples in requests that were taken
	)
	put := func(upto int) error {
		if len(ds) > 0 {
			if err := c.client.put(ctx, c.opts.Namespace, ds); err != nil {
				return Partial(sent, err)
			}
		}
		sent, ds, bytes = upto, ds[:0], 0
		return nil
	}
	for i, s := range samples {
		more := c.datums(s)
		size := 0
		for _, d := range more {
			size += d.size()
		}
		if len(ds)+len(more) > maxDatums || bytes+size > maxRequestBytes {
			if err := put(i); err != nil {
				return err
			}
		}
		ds, bytes = append(ds, more...), bytes+size
	}
	return put(len(samples))
}

// datums makes what CloudWatch shall see of s: one datum, or two at scope both.
func (c *cloudwatch) datums(s metric.Sample) []datum {
	d := datum{name: s.Desc.Name, at: s.Time, unit: s.Desc.Unit, kind: s.Desc.Kind, seconds: 60}
	if matchAny(c.opts.HighResolution, s.Desc.Name) {
		d.seconds = 1
	}
	switch h := s.Hist; {
	case h == nil:
		d.value = s.Value
	case h.Count == 0:
		return nil // nothing was observed
	case s.Desc.Kind == metric.Distribution:
		// Percentiles come from Values, the exact least, largest and sum from StatisticValues; the service
		// takes both at once, as its own agent sends them.
		d.stats = h
		d.values, d.counts = h.Values(maxDatumValues)
	case h.Min == h.Max:
		d.value = h.Min
	default:
		// One sample a node and minute, however often it was looked at: Sum is then the fleet's total, SampleCount its nodes, and
		// Average that of a node, while Minimum and Maximum stay exact.
		d.stats = &metric.Histogram{Count: 1, Sum: h.Sum / h.Count, Min: h.Min, Max: h.Max}
	}
	base := c.shared(s.Labels).Merge(c.group)
	switch c.opts.ScopeOf(s.Desc.Name) {
	case scopeInstance:
		d.dims = c.own(base)
		return []datum{d}
	case scopeBoth:
		one := d
		d.dims, one.dims = base, c.own(base)
		return []datum{d, one}
	}
	d.dims = base
	return []datum{d}
}

// shared returns ls without what tells nodes apart: the label node, and the node's tags, which are
// dimensions only where the options say so.
func (c *cloudwatch) shared(ls metric.Labels) metric.Labels {
	out := make(metric.Labels, 0, len(ls))
	for _, l := range ls {
		if l.Name != "node" && c.tags[l.Name] != l.Value {
			out = append(out, l)
		}
	}
	return out
}

// own adds the node to dims.
func (c *cloudwatch) own(dims metric.Labels) metric.Labels {
	return dims.With(c.opts.InstanceDimension, c.node)
}

// size estimates the bytes of d in a request from above; TestEstimateIsAbove holds it to the codec.
func (d datum) size() int {
	n := 160 + len(d.name) + 18*len(d.values)
	if d.stats != nil {
		n += 100
	}
	for _, l := range d.dims {
		n += 24 + len(l.Name) + len(l.Value)
	}
	return n
}

// phase returns the second of the minute, 5 to 54, in which a node flushes, so that a fleet's calls
// are spread and the minute before is whole.
func phase(node string) time.Duration {
	h := fnv.New32a()
	_, _ = h.Write([]byte(node))
	return time.Duration(5+h.Sum32()%50) * time.Second
}
