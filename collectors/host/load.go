package host

import (
	"context"
	"fmt"

	"github.com/shirou/gopsutil/v3/load"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/collectors"
)

// Source: proc_loadavg(5). No rule reads it ("load > 4" says nothing); people ask for it first.
var (
	descLoad1  = &metric.Desc{Name: "host_load1", Help: "Tasks running or waiting, averaged over 1 minute"}
	descLoad5  = &metric.Desc{Name: "host_load5", Help: "Tasks running or waiting, averaged over 5 minutes"}
	descLoad15 = &metric.Desc{Name: "host_load15", Help: "Tasks running or waiting, averaged over 15 minutes"}
)

var loadSpec = collectors.Spec{
	Name:    "host_load",
	Metrics: []*metric.Desc{descLoad1, descLoad5, descLoad15},
	New:     func(e collectors.Env) (collectors.Collector, error) { return loadCollector{e.Root}, nil },
}

type loadCollector struct{ fs collectors.Root }

// Collect reads one file, about 15 µs.
func (c loadCollector) Collect(ctx context.Context, b *metric.Batch) error {
	a, err := load.AvgWithContext(withRoot(ctx, c.fs))
	if err != nil {
		return fmt.Errorf("load averages: %w", err)
	}
	b.Add(descLoad1, a.Load1)
	b.Add(descLoad5, a.Load5)
	b.Add(descLoad15, a.Load15)
	return nil
}
