package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
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
	return errors.Join(c.memory(ctx, b), c.vmstat(b))
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
	if inContainer(c.fs) {
		if limit, ok := cgroupLimit(c.fs, "memory.max"); ok && limit < total {
			left, err := c.left(limit)
			if err != nil {
				return err
			}
			total, available = limit, min(available, left)
		}
	}
	b.Add(descMemoryTotal, total)
	b.Add(descMemoryAvailable, available)
	return nil
}

// left is the container's limit less what it uses and can't give back: inactive file pages go first.
func (c memoryCollector) left(limit float64) (float64, error) {
	current, err := c.fs.Number("sys/fs/cgroup/memory.current")
	if err != nil {
		return 0, err
	}
	stat, err := c.fs.Read("sys/fs/cgroup/memory.stat")
	if err != nil {
		return 0, err
	}
	for key, v := range keyValues(stat) {
		if key == "inactive_file" {
			current -= v
		}
	}
	return max(0, limit-current), nil
}

func (c memoryCollector) vmstat(b *metric.Batch) error {
	text, err := c.fs.Read("proc/vmstat")
	if err != nil {
		return err
	}
	inContainer := inContainer(c.fs)
	page := float64(os.Getpagesize())
	for key, v := range keyValues(text) {
		switch key {
		case "pswpin":
			b.Add(descSwapIn, v*page)
		case "pswpout":
			b.Add(descSwapOut, v*page)
		case "oom_kill": // since Linux 4.13
			if !inContainer {
				b.Add(descOOMKills, v)
			}
		}
	}
	if !inContainer {
		return nil
	}
	events, err := c.fs.Read("sys/fs/cgroup/memory.events")
	if err != nil {
		return nil // the memory controller is not given to this container
	}
	for key, v := range keyValues(events) {
		if key == "oom_kill" {
			b.Add(descOOMKills, v)
		}
	}
	return nil
}
