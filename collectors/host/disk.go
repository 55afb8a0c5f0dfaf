package host

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/collectors"
)

// Source: scsi_device attributes of sysfs (drivers/scsi/scsi_sysfs.c); "degraded" of docs.kernel.org/admin-guide/md.html,
// read November 2026. NVMe and virtio keep no such counter: their errors show in host_filesystem_errors_total.
var (
	descDiskErrors = &metric.Desc{
		Name: "host_disk_io_errors_total", Kind: metric.Counter,
		Help: "Commands that a SCSI or SATA disk ended with an error",
	}
	descRAIDMissing = &metric.Desc{
		Name: "host_raid_missing_disks", Help: "Disks that an array (md) of a level with redundancy lacks",
	}
)

var diskSpec = collectors.Spec{
	Name:     "host_disk",
	Interval: 30 * time.Second,
	Metrics:  []*metric.Desc{descDiskErrors, descRAIDMissing},
	New:      func(e collectors.Env) (collectors.Collector, error) { return diskCollector{e.Root}, nil },
}

type diskCollector struct{ fs collectors.Root }

// Collect reads one small file a disk.
func (c diskCollector) Collect(_ context.Context, b *metric.Batch) error {
	var errs []error
	for _, name := range c.fs.Glob("sys/block/sd*/device/ioerr_cnt") {
		device := "/dev/" + strings.Split(name, "/")[2]
		text, err := c.fs.Read(name)
		if err != nil {
			errs = append(errs, collectors.Part(device, err))
			continue
		}
		n, err := strconv.ParseUint(strings.TrimSpace(text), 0, 64) // "0x1f"
		if err != nil {
			errs = append(errs, collectors.Part(device, fmt.Errorf("%s: want a number, have %.40q", name, text)))
			continue
		}
		b.Add(descDiskErrors, float64(n), "device", device)
	}
	for _, name := range c.fs.Glob("sys/block/md*/md/degraded") {
		device := "/dev/" + strings.Split(name, "/")[2]
		n, err := c.fs.Number(name)
		if err != nil {
			errs = append(errs, collectors.Part(device, err))
			continue
		}
		b.Add(descRAIDMissing, n, "device", device)
	}
	return errors.Join(errs...)
}
