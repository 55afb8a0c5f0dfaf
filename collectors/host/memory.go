package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"

	"github.com/shirou/gopsutil/v3/mem"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/collectors"
)

// Source: proc_meminfo(5), proc_vmstat(5); memory.* of docs.kernel.org/admin-guide/cgroup-v2.html, read November 2026.
var (
	descMemoryTotal = &metric.Desc{
		Name: "host_memory_total_bytes", Unit: metric.Bytes,
		Help: "Memory of the machine, or of the container where its limit is lower",
	}
	descMemoryAvailable = &metric.Desc{
		Name: "host_memory_available_bytes", Unit: metric.Bytes,
		Help: "Memory that can be had without swapping (MemAvailable), or what is left to the container",
	}
	descSwapIn = &metric.Desc{
		Name: "host_swap_in_bytes_total", Kind: metric.Counter, Unit: metric.Bytes,
		Help: "Read back from swap",
	}
	descSwapOut = &metric.Desc{
		Name: "host_swap_out_bytes_total", Kind: metric.Counter, Unit: metric.Bytes,
		Help: "Written to swap",
	}
	descOOMKills = &metric.Desc{
		Name: "host_oom_kills_total", Kind: metric.Counter,
		Help: "Processes that the kernel killed for want of memory, in the container where we run in one",
	}
)

var memorySpec = collectors.Spec{
	Name:    "host_memory",
	Metrics: []*metric.Desc{descMemoryTotal, descMemoryAvailable, descSwapIn, descSwapOut, descOOMKills},
	New:     func(e collectors.Env) (collectors.Collector, error) { return memoryCollector{e.Root}, nil },
}

type memoryCollector struct{ fs collectors.Root }

// Collect reads /proc/meminfo and /proc/vmstat; the latter is most of its cost.
func (c memoryCollector) Collect(ctx context.Context, b *metric.Batch) error {
	ctx = withRoot(ctx, c.fs)
	return errors.Join(collectors.Part("memory", c.memory(ctx, b)), collectors.Part("vmstat", c.vmstat(b)))
}

func (c memoryCollector) memory(ctx context.Context, b *metric.Batch) error {
	m, err := mem.VirtualMemoryWithContext(ctx)
	if err != nil {
		return fmt.Errorf("proc/meminfo: %w", err)
	}
	if m.Total == 0 { // it tells an unreadable file by zeros
		return fmt.Errorf("proc/meminfo: want MemTotal: %w", fs.ErrNotExist)
	}
	total, available := float64(m.Total), float64(m.Available)
	g, ok, err := memoryOf(c.fs)
	if err != nil {
		return err
	}
	if ok && g.limit < total {
		total, available = g.limit, min(available, max(0, g.limit-g.used))
	}
	b.Add(descMemoryTotal, total)
	b.Add(descMemoryAvailable, available)
	return nil
}

// Hidden says what a container can't know.
func (c memoryCollector) Hidden() []string {
	if g, ok, err := memoryOf(c.fs); err != nil || !ok || !math.IsInf(g.limit, 1) {
		return nil
	}
	return []string{"a limit of memory of a group above this container: it can't be seen from inside, and the machine's memory is told"}
}

func (c memoryCollector) vmstat(b *metric.Batch) error {
	text, err := c.fs.Read("proc/vmstat")
	if err != nil {
		return err
	}
	g, contained, _ := memoryOf(c.fs) // what it could not read the memory says
	page := float64(os.Getpagesize())
	for key, v := range keyValues(text) {
		switch key {
		case "pswpin":
			b.Add(descSwapIn, v*page)
		case "pswpout":
			b.Add(descSwapOut, v*page)
		case "oom_kill": // since Linux 4.13
			if !contained {
				b.Add(descOOMKills, v)
			}
		}
	}
	if contained && g.counts { // else the memory controller is not given to this container
		b.Add(descOOMKills, g.oomKills)
	}
	return nil
}
