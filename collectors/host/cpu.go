package host

import (
	"context"
	"errors"
	"fmt"

	"github.com/shirou/gopsutil/v3/cpu"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/collectors"
)

// Source: proc_stat(5); cpu.max and cpu.stat of docs.kernel.org/admin-guide/cgroup-v2.html, read November 2026.
var (
	descCPUSeconds = &metric.Desc{
		Name: "host_cpu_seconds_total", Kind: metric.Counter, Unit: metric.Seconds,
		Help: "Time that all cores together spent in each mode",
	}
	descCPULimit = &metric.Desc{Name: "host_cpu_limit_cores", Help: "Cores that the container may use; absent where it is not limited"}
	descCPUUsed  = &metric.Desc{
		Name: "host_cpu_used_seconds_total", Kind: metric.Counter, Unit: metric.Seconds,
		Help: "Time on a core of all that runs in the container; absent where its cores are not limited",
	}
)

var cpuSpec = collectors.Spec{
	Name:    "host_cpu",
	Metrics: []*metric.Desc{descCPUSeconds, descCPULimit, descCPUUsed},
	New:     func(e collectors.Env) (collectors.Collector, error) { return cpuCollector{e.Root}, nil },
}

type cpuCollector struct{ fs collectors.Root }

// Collect reads one line of /proc/stat and, in a container, two small files.
func (c cpuCollector) Collect(ctx context.Context, b *metric.Batch) error {
	ctx = withRoot(ctx, c.fs)
	all, err := cpu.TimesWithContext(ctx, false)
	if err != nil {
		return fmt.Errorf("proc/stat: %w", err)
	}
	if len(all) == 0 { // so it tells a file that is missing or strange
		return errors.New("proc/stat: want the line cpu first")
	}
	t := all[0]
	for _, m := range []struct {
		mode string
		v    float64
	}{
		{"user", t.User},
		{"nice", t.Nice},
		{"system", t.System},
		{"idle", t.Idle},
		{"iowait", t.Iowait},
		{"irq", t.Irq + t.Softirq},
		{"steal", t.Steal},
	} {
		b.Add(descCPUSeconds, m.v, "mode", m.mode)
	}
	g, ok, err := cpuOf(c.fs)
	if err != nil || !ok {
		return collectors.Part("container", err) // without a quota the machine's own figures count
	}
	b.Add(descCPULimit, g.limit)
	b.Add(descCPUUsed, g.used)
	return nil
}

// Hidden says what a container can't know.
func (c cpuCollector) Hidden() []string {
	if _, ok, err := cpuOf(c.fs); err != nil || ok || !inContainer(c.fs) {
		return nil
	}
	return []string{"a quota of processors of a group above this container: it can't be seen from inside, and the machine's are told"}
}
