package collectors

import (
	"cmp"
	"context"
	"fmt"
	"runtime/metrics"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/navcloud/binnacle/agent/metric"
)

// What the agent knows of itself beside Env.Self. Source: proc_pid_status(5), getrusage(2), package runtime/metrics.
var (
	selfBuild = &metric.Desc{Name: "binnacle_build_info", Help: "1, with the version in its labels"}
	selfRSS   = &metric.Desc{
		Name: "binnacle_resident_bytes", Unit: metric.Bytes, Help: "Memory in use (VmRSS)",
	}
	selfRSSFile = &metric.Desc{
		Name: "binnacle_resident_file_bytes", Unit: metric.Bytes, Help: "Of it, pages of files, which the kernel may take back (RssFile)",
	}
	selfPeak = &metric.Desc{
		Name: "binnacle_resident_peak_bytes", Unit: metric.Bytes, Help: "The most that was ever in use (VmHWM)",
	}
	selfCPU = &metric.Desc{
		Name: "binnacle_cpu_seconds_total", Kind: metric.Counter, Unit: metric.Seconds, Help: "Time on a core",
	}
	selfGoroutines = &metric.Desc{Name: "binnacle_goroutines", Help: "Goroutines"}
	selfHeap       = &metric.Desc{
		Name: "binnacle_heap_live_bytes", Unit: metric.Bytes, Help: "Heap that the last garbage collection found in use",
	}
	selfGC = &metric.Desc{Name: "binnacle_gc_cycles_total", Kind: metric.Counter, Help: "Garbage collections"}
)

// Self is the collector of the agent's own figures.
var Self = Spec{
	Name:    "self",
	Metrics: []*metric.Desc{selfBuild, selfRSS, selfRSSFile, selfPeak, selfCPU, selfGoroutines, selfHeap, selfGC},
	New: func(e Env) (Collector, error) {
		return &self{fs: e.Root, agent: e.Self, version: cmp.Or(e.Version, "devel")}, nil
	},
}

type self struct {
	fs      Root
	agent   func(*metric.Batch)
	version string
}

// Collect asks the agent, the Go runtime and one file in /proc. The world is never stopped for it.
func (c *self) Collect(_ context.Context, b *metric.Batch) error {
	if c.agent != nil {
		c.agent(b)
	}
	b.Add(selfBuild, 1, "version", c.version)
	c.runtime(b)
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &usage); err != nil {
		return fmt.Errorf("getrusage: %w", err)
	}
	b.Add(selfCPU, float64(usage.Utime.Nano()+usage.Stime.Nano())/1e9)
	return c.memory(b)
}

func (c *self) runtime(b *metric.Batch) {
	table := []*metric.Desc{selfGoroutines, selfHeap, selfGC}
	samples := []metrics.Sample{
		{Name: "/sched/goroutines:goroutines"}, {Name: "/gc/heap/live:bytes"}, {Name: "/gc/cycles/total:gc-cycles"},
	}
	metrics.Read(samples)
	for i, s := range samples {
		if s.Value.Kind() == metrics.KindUint64 { // else this version of Go does not know it
			b.Add(table[i], float64(s.Value.Uint64()))
		}
	}
}

func (c *self) memory(b *metric.Batch) error {
	text, err := c.fs.Read("proc/self/status")
	if err != nil {
		return err
	}
	table := map[string]*metric.Desc{"VmRSS": selfRSS, "RssFile": selfRSSFile, "VmHWM": selfPeak}
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(line, ":")
		d := table[key]
		if d == nil {
			continue
		}
		kb, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 64)
		if err != nil {
			return fmt.Errorf("proc/self/status: %s: want kB, have %.40q", key, value)
		}
		b.Add(d, kb*1024)
	}
	return nil
}
