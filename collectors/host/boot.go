package host

import (
	"context"
	"fmt"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/collectors"
)

// Source: proc_uptime(5); Debian's and Ubuntu's update-notifier writes reboot-required.
var (
	descUptime = &metric.Desc{
		Name: "host_uptime_seconds", Unit: metric.Seconds, Help: "Since the kernel started, suspend included",
	}
	descRebootRequired = &metric.Desc{
		Name: "host_reboot_required", Help: "1 when a package upgrade waits for a reboot",
	}
)

var bootSpec = collectors.Spec{
	Name:    "host_boot",
	Metrics: []*metric.Desc{descUptime, descRebootRequired},
	New:     func(e collectors.Env) (collectors.Collector, error) { return bootCollector{e.Root}, nil },
}

type bootCollector struct{ fs collectors.Root }

// Collect reads one small file and looks for another. gopsutil is not asked: it keeps the boot time of its first call.
func (c bootCollector) Collect(_ context.Context, b *metric.Batch) error {
	text, err := c.fs.Read("proc/uptime")
	if err != nil {
		return err
	}
	var up float64
	if _, err := fmt.Sscan(text, &up); err != nil {
		return fmt.Errorf("proc/uptime: want a number first, have %.40q: %w", text, err)
	}
	b.Add(descUptime, up)
	b.Bool(descRebootRequired, c.fs.Exists("run/reboot-required"))
	return nil
}
