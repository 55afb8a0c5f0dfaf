package collectors

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/navcloud/binnacle/agent/metric"
)

// Source: scsi_device attributes of sysfs (drivers/scsi/scsi_sysfs.c); "degraded" of docs.kernel.org/admin-guide/md.html,
// read November 2026. NVMe and virtio keep no such counter: their errors show in host_filesystem_errors_total.
var (
	hostDiskErrors = &metric.Desc{
		Name: "host_disk_io_errors_total", Kind: metric.Counter,
		Help: "Commands that a SCSI or SATA disk ended with an error",
	}
	hostRAIDMissing = &metric.Desc{
		Name: "host_raid_missing_disks", Help: "Disks that an array (md) of a level with redundancy lacks",
	}
)

func init() {
	register(Spec{
		Name:     "host_disk",
		Interval: 30 * time.Second,
		Metrics:  []*metric.Desc{hostDiskErrors, hostRAIDMissing},
		New:      func(e Env) (Collector, error) { return hostDisk{hostFS(e.Root)}, nil },
	})
}

type hostDisk struct{ fs hostFS }

// Collect reads one small file a disk.
func (c hostDisk) Collect(_ context.Context, b *metric.Batch) error {
	var errs []error
	for _, name := range c.fs.glob("sys/block/sd*/device/ioerr_cnt") {
		text, err := c.fs.read(name)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		n, err := strconv.ParseUint(strings.TrimSpace(text), 0, 64) // "0x1f"
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: want a number, have %.40q", name, text))
			continue
		}
		b.Add(hostDiskErrors, float64(n), "device", "/dev/"+strings.Split(name, "/")[2])
	}
	for _, name := range c.fs.glob("sys/block/md*/md/degraded") {
		n, err := c.fs.number(name)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		b.Add(hostRAIDMissing, n, "device", "/dev/"+strings.Split(name, "/")[2])
	}
	return errors.Join(errs...)
}
