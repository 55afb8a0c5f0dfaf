package collectors

import (
	"context"
	"fmt"

	"github.com/navcloud/binnacle/agent/metric"
)

// Source: file-nr and file-max of docs.kernel.org/admin-guide/sysctl/fs.html, read November 2026.
var (
	hostFileHandles      = &metric.Desc{Name: "host_file_handles", Help: "Open files of the whole machine"}
	hostFileHandlesLimit = &metric.Desc{Name: "host_file_handles_limit", Help: "How many the kernel allows (file-max)"}
)

func init() {
	register(Spec{
		Name:    "host_files",
		Metrics: []*metric.Desc{hostFileHandles, hostFileHandlesLimit},
		New:     func(e Env) (Collector, error) { return hostFiles{hostFS(e.Root)}, nil },
	})
}

type hostFiles struct{ fs hostFS }

// Collect reads one small file.
func (c hostFiles) Collect(_ context.Context, b *metric.Batch) error {
	text, err := c.fs.read("proc/sys/fs/file-nr")
	if err != nil {
		return err
	}
	var open, unused, limit float64
	if _, err := fmt.Sscan(text, &open, &unused, &limit); err != nil {
		return fmt.Errorf("proc/sys/fs/file-nr: want three numbers, have %.80q: %w", text, err)
	}
	b.Add(hostFileHandles, open-unused)
	b.Add(hostFileHandlesLimit, limit)
	return nil
}
