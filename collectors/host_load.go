package collectors

import (
	"context"
	"fmt"

	"github.com/shirou/gopsutil/v3/load"

	"github.com/navcloud/binnacle/agent/metric"
)

// Source: proc_loadavg(5). No rule reads it ("load > 4" says nothing); people ask for it first.
var (
	hostLoad1  = &metric.Desc{Name: "host_load1", Help: "Tasks running or waiting, averaged over 1 minute"}
	hostLoad5  = &metric.Desc{Name: "host_load5", Help: "Tasks running or waiting, averaged over 5 minutes"}
	hostLoad15 = &metric.Desc{Name: "host_load15", Help: "Tasks running or waiting, averaged over 15 minutes"}
)

func init() {
	register(Spec{
		Name:    "host_load",
		Metrics: []*metric.Desc{hostLoad1, hostLoad5, hostLoad15},
		New:     func(Env) (Collector, error) { return hostLoad{}, nil },
	})
}

type hostLoad struct{}

// Collect reads one file, about 15 µs.
func (hostLoad) Collect(ctx context.Context, b *metric.Batch) error {
	a, err := load.AvgWithContext(ctx)
	if err != nil {
		return fmt.Errorf("load averages: %w", err)
	}
	b.Add(hostLoad1, a.Load1)
	b.Add(hostLoad5, a.Load5)
	b.Add(hostLoad15, a.Load15)
	return nil
}
