package host

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/collectors"
)

// Source: proc_pid_mountinfo(5), statfs(2), Documentation/ABI/testing/sysfs-fs-ext4. Labels: mountpoint and device.
var (
	descFSSize = &metric.Desc{
		Name: "host_filesystem_size_bytes", Unit: metric.Bytes, Help: "Size of a file system that can be written",
	}
	descFSAvailable = &metric.Desc{
		Name: "host_filesystem_available_bytes", Unit: metric.Bytes, Help: "Of it, free to those who are not root",
	}
	descFSInodes = &metric.Desc{
		Name: "host_filesystem_inodes", Help: "Inodes that it has in all; absent where they are made as needed",
	}
	descFSInodesFree = &metric.Desc{Name: "host_filesystem_inodes_free", Help: "Of them, free"}
	descFSReadOnly   = &metric.Desc{
		Name: "host_filesystem_readonly", Help: "1 where a file system of a disk can't be written now",
	}
	descFSErrors = &metric.Desc{
		Name: "host_filesystem_errors_total", Kind: metric.Counter, Help: "Errors that ext4 met in its own structures or its disk",
	}
)

// filesystemOptions is the section of the configuration.
type filesystemOptions struct {
	Exclude []string `yaml:"exclude"` // mount points that are nobody's concern, beside those that never are
}

var filesystemSpec = collectors.Spec{
	Name:     "host_filesystem",
	Options:  filesystemOptions{},
	Interval: 15 * time.Second,
	Metrics:  []*metric.Desc{descFSSize, descFSAvailable, descFSInodes, descFSInodesFree, descFSReadOnly, descFSErrors},
	New: func(e collectors.Env) (collectors.Collector, error) {
		return &filesystemCollector{
			fs: e.Root, exclude: e.Options.(filesystemOptions).Exclude, reject: e.Reject,
			prober: newProber(e.Root),
		}, nil
	},
}

type filesystemCollector struct {
	fs      collectors.Root
	exclude []string
	reject  func(reason, line string)
	prober  *prober
}

// Collect reads the list of mounts and asks each file system of a local disk, some 10 µs each. gopsutil's list is not used
// because it knows only the options of the mount: a file system that the kernel turned read-only after an error says so
// in those of the superblock alone. A disk that can't be looked at costs no other.
func (c *filesystemCollector) Collect(ctx context.Context, b *metric.Batch) error {
	mounts, err := readMounts(c.fs, c.reject)
	if err != nil {
		return err
	}
	all := volumes(slices.DeleteFunc(mounts, func(m mount) bool { return !c.isDisk(m) }))
	var ask []volume
	for _, d := range all {
		b.Bool(descFSReadOnly, d.readonly(), d.labels()...)
		if !d.readonly() { // else how full it is concerns nobody
			ask = append(ask, d)
		}
	}
	answers := c.prober.answers(ctx, ask)
	var errs []error
	for _, d := range ask {
		point := collectors.Label(d.mounts[0].point)
		u := answers[d.mounts[0].dev]
		if u.err != nil {
			errs = append(errs, collectors.Part(point, fmt.Errorf("%s: %w", point, u.err)))
			continue
		}
		b.Add(descFSSize, u.size, d.labels()...)
		b.Add(descFSAvailable, u.available, d.labels()...)
		if u.inodes > 0 {
			b.Add(descFSInodes, u.inodes, d.labels()...)
			b.Add(descFSInodesFree, u.inodesFree, d.labels()...)
		}
	}
	return errors.Join(append(errs, c.errors(b))...)
}

// errors adds what ext4 counts.
func (c *filesystemCollector) errors(b *metric.Batch) error {
	var errs []error
	for _, name := range c.fs.Glob("sys/fs/ext4/*/errors_count") {
		device := "/dev/" + strings.Split(name, "/")[3]
		n, err := c.fs.Number(name)
		if err != nil {
			errs = append(errs, collectors.Part("errors of "+device, err))
			continue
		}
		b.Add(descFSErrors, n, "device", device)
	}
	return errors.Join(errs...)
}

// localDisk names the types of file system that stand on a disk of this machine. A list of what counts is
// shorter and safer than one of what does not: a network file system that does not answer blocks who asks. FAT is
// left out: it holds firmware, and sticks.
var localDisk = map[string]bool{
	"ext2": true, "ext3": true, "ext4": true, "xfs": true, "btrfs": true, "zfs": true, "f2fs": true,
	"jfs": true, "reiserfs": true, "bcachefs": true, "nilfs2": true,
}

// isDisk says whether m can be full in a way that concerns somebody. Snaps, images, the EFI partition and files that a
// container runtime mounts into a container never do.
func (c *filesystemCollector) isDisk(m mount) bool {
	return localDisk[m.fstype] &&
		!strings.HasPrefix(m.point, "/boot/efi") && m.point != "/efi" &&
		!strings.HasPrefix(m.point, "/snap/") && !strings.HasPrefix(m.point, "/var/snap/") &&
		!strings.HasPrefix(m.point, "/var/lib/docker/") && !strings.HasPrefix(m.point, "/var/lib/kubelet/") &&
		!strings.HasPrefix(m.point, "/var/lib/containerd/") && !strings.HasPrefix(m.point, "/run/") &&
		!slices.Contains(c.exclude, m.point)
}
