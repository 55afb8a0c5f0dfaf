package host

import (
	"context"
	"fmt"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/collectors"
)

// Source: file-nr and file-max of docs.kernel.org/admin-guide/sysctl/fs.html, read November 2026.
var (
	descFileHandles      = &metric.Desc{Name: "host_file_handles", Help: "Open files of the whole machine"}
	descFileHandlesLimit = &metric.Desc{Name: "host_file_handles_limit", Help: "How many the kernel allows (file-max)"}
)

var filesSpec = collectors.Spec{
	Name:    "host_files",
	Metrics: []*metric.Desc{descFileHandles, descFileHandlesLimit},
	New:     func(e collectors.Env) (collectors.Collector, error) { return filesCollector{e.Root}, nil },
}

type filesCollector struct{ fs collectors.Root }

// Collect reads one small file.
func (c filesCollector) Collect(_ context.Context, b *metric.Batch) error {
	text, err := c.fs.Read("proc/sys/fs/file-nr")
	if err != nil {
		return err
	}
	var open, unused, limit float64
	if _, err := fmt.Sscan(text, &open, &unused, &limit); err != nil {
		return fmt.Errorf("proc/sys/fs/file-nr: want three numbers, have %.80q: %w", text, err)
	}
	b.Add(descFileHandles, open-unused)
	b.Add(descFileHandlesLimit, limit)
	return nil
}
