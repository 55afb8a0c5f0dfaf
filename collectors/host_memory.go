package collectors

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/shirou/gopsutil/v3/mem"

	"github.com/navcloud/binnacle/agent/metric"
)

// Source: proc_meminfo(5), proc_vmstat(5); memory.* of docs.kernel.org/admin-guide/cgroup-v2.html, read November 2026.
var (
	hostMemoryTotal = &metric.Desc{
		Name: "host_memory_total_bytes", Unit: metric.Bytes,
		Help: "Memory of the machine, or of the container where its limit is lower",
	}
	hostMemoryAvailable = &metric.Desc{
		Name: "host_memory_available_bytes", Unit: metric.Bytes,
		Help: "Memory that can be had without swapping (MemAvailable), or what is left to the container",
	}
	hostSwapIn = &metric.Desc{
		Name: "host_swap_in_bytes_total", Kind: metric.Counter, Unit: metric.Bytes,
		Help: "Read back from swap",
	}
	hostSwapOut = &metric.Desc{
		Name: "host_swap_out_bytes_total", Kind: metric.Counter, Unit: metric.Bytes,
		Help: "Written to swap",
	}
	hostOOMKills = &metric.Desc{
		Name: "host_oom_kills_total", Kind: metric.Counter,
		Help: "Processes that the kernel killed for want of memory, in the container where we run in one",
	}
)

func init() {
	register(Spec{
		Name:    "host_memory",
		Metrics: []*metric.Desc{hostMemoryTotal, hostMemoryAvailable, hostSwapIn, hostSwapOut, hostOOMKills},
		New:     func(e Env) (Collector, error) { return hostMemory{hostFS(e.Root)}, nil },
	})
}

type hostMemory struct{ fs hostFS }

// Collect reads /proc/meminfo and /proc/vmstat; the latter is most of its cost.
func (c hostMemory) Collect(ctx context.Context, b *metric.Batch) error {
	return errors.Join(c.memory(ctx, b), c.vmstat(b))
}

func (c hostMemory) memory(ctx context.Context, b *metric.Batch) error {
	m, err := mem.VirtualMemoryWithContext(ctx)
	if err != nil {
		return fmt.Errorf("proc/meminfo: %w", err)
	}
	if m.Total == 0 { // it tells an unreadable file by zeros
		return fmt.Errorf("proc/meminfo: want MemTotal: %w", fs.ErrNotExist)
	}
	total, available := float64(m.Total), float64(m.Available)
	if c.fs.inContainer() {
		if limit, ok := c.fs.cgroupLimit("memory.max"); ok && limit < total {
			left, err := c.left(limit)
			if err != nil {
				return err
			}
			total, available = limit, min(available, left)
		}
	}
	b.Add(hostMemoryTotal, total)
	b.Add(hostMemoryAvailable, available)
	return nil
}

// left is the container's limit less what it uses and can't give back: inactive file pages go first.
func (c hostMemory) left(limit float64) (float64, error) {
	current, err := c.fs.number("sys/fs/cgroup/memory.current")
	if err != nil {
		return 0, err
	}
	stat, err := c.fs.read("sys/fs/cgroup/memory.stat")
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

func (c hostMemory) vmstat(b *metric.Batch) error {
	text, err := c.fs.read("proc/vmstat")
	if err != nil {
		return err
	}
	inContainer := c.fs.inContainer()
	page := float64(os.Getpagesize())
	for key, v := range keyValues(text) {
		switch key {
		case "pswpin":
			b.Add(hostSwapIn, v*page)
		case "pswpout":
			b.Add(hostSwapOut, v*page)
		case "oom_kill": // since Linux 4.13
			if !inContainer {
				b.Add(hostOOMKills, v)
			}
		}
	}
	if !inContainer {
		return nil
	}
	events, err := c.fs.read("sys/fs/cgroup/memory.events")
	if err != nil {
		return nil // the memory controller is not given to this container
	}
	for key, v := range keyValues(events) {
		if key == "oom_kill" {
			b.Add(hostOOMKills, v)
		}
	}
	return nil
}
