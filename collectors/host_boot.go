package collectors

import (
	"context"
	"fmt"

	"github.com/navcloud/binnacle/agent/metric"
)

// Source: proc_uptime(5); Debian's and Ubuntu's update-notifier writes reboot-required.
var (
	hostUptime = &metric.Desc{
		Name: "host_uptime_seconds", Unit: metric.Seconds, Help: "Since the kernel started, suspend included",
	}
	hostRebootRequired = &metric.Desc{
		Name: "host_reboot_required", Help: "1 when a package upgrade waits for a reboot",
	}
)

func init() {
	register(Spec{
		Name:    "host_boot",
		Metrics: []*metric.Desc{hostUptime, hostRebootRequired},
		New:     func(e Env) (Collector, error) { return hostBoot{hostFS(e.Root)}, nil },
	})
}

type hostBoot struct{ fs hostFS }

// Collect reads one small file and looks for another. gopsutil is not asked: it keeps the boot time of its first look.
func (c hostBoot) Collect(_ context.Context, b *metric.Batch) error {
	text, err := c.fs.read("proc/uptime")
	if err != nil {
		return err
	}
	var up float64
	if _, err := fmt.Sscan(text, &up); err != nil {
		return fmt.Errorf("proc/uptime: want a number first, have %.40q: %w", text, err)
	}
	b.Add(hostUptime, up)
	b.Bool(hostRebootRequired, c.fs.exists("run/reboot-required"))
	return nil
}
