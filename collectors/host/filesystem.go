package host

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/shirou/gopsutil/v3/disk"

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
		return filesystemCollector{e.Root, e.Options.(filesystemOptions).Exclude}, nil
	},
}

type filesystemCollector struct {
	fs      collectors.Root
	exclude []string
}

// Collect reads the list of mounts and asks each file system of a local disk, some 10 µs each. A disk that does not
// answer blocks it: the schedule's deadline tells that.
func (c filesystemCollector) Collect(ctx context.Context, b *metric.Batch) error {
	mounts, err := c.mounts()
	if err != nil {
		return err
	}
	var errs []error
	for _, m := range mounts {
		labels := []string{"mountpoint", m.point, "device", m.device}
		b.Bool(descFSReadOnly, m.readonly, labels...)
		if m.readonly {
			continue // how full it is concerns nobody
		}
		u, err := disk.UsageWithContext(ctx, c.fs.Path(m.point))
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", m.point, err))
			continue
		}
		b.Add(descFSSize, float64(u.Total), labels...)
		b.Add(descFSAvailable, float64(u.Free), labels...)
		if u.InodesTotal > 0 {
			b.Add(descFSInodes, float64(u.InodesTotal), labels...)
			b.Add(descFSInodesFree, float64(u.InodesFree), labels...)
		}
	}
	for _, name := range c.fs.Glob("sys/fs/ext4/*/errors_count") {
		n, err := c.fs.Number(name)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		b.Add(descFSErrors, n, "device", "/dev/"+strings.Split(name, "/")[3])
	}
	return errors.Join(errs...)
}

// mount is a line of mountinfo.
type mount struct {
	point, device, fstype, root string
	readonly                    bool
}

// bound is 1 for a mount that shows a part of its file system only.
func (m mount) bound() int {
	if m.root == "/" {
		return 0
	}
	return 1
}

// mounts returns those of local disks, each disk once. gopsutil's list is not used because it knows only
// the options of the mount: a file system that the kernel turned read-only after an error says so in those of
// the superblock alone.
func (c filesystemCollector) mounts() ([]mount, error) {
	// Of process 1, because the service manager may show us a world of our own (ProtectSystem=strict).
	name := "proc/1/mountinfo"
	text, err := c.fs.Read(name)
	if err != nil {
		name = "proc/self/mountinfo"
		if text, err = c.fs.Read(name); err != nil {
			return nil, err
		}
	}
	var out []mount
	for line := range strings.Lines(text) {
		m, err := parseMount(line)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if c.isDisk(m) {
			out = append(out, m)
		}
	}
	// A disk that is mounted more than once (bind mounts, subvolumes) counts where its own root is, else at the shortest path.
	slices.SortStableFunc(out, func(a, b mount) int {
		return cmp.Or(cmp.Compare(a.device, b.device), cmp.Compare(a.bound(), b.bound()), cmp.Compare(len(a.point), len(b.point)))
	})
	return slices.CompactFunc(out, func(a, b mount) bool { return a.device == b.device }), nil
}

// parseMount reads "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue".
func parseMount(line string) (mount, error) {
	left, right, ok := strings.Cut(line, " - ")
	l, r := strings.Fields(left), strings.Fields(right)
	if !ok || len(l) < 6 || len(r) < 3 {
		return mount{}, fmt.Errorf("want a mount, have %.120q", line)
	}
	return mount{
		root: l[3], point: unescapeMount(l[4]), fstype: r[0], device: unescapeMount(r[1]),
		readonly: hasOption(l[5], "ro") || hasOption(r[2], "ro"),
	}, nil
}

func hasOption(options, want string) bool { return slices.Contains(strings.Split(options, ","), want) }

// unescapeMount turns \040 into a space, and the like.
func unescapeMount(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	if u, err := strconv.Unquote(`"` + strings.ReplaceAll(s, `"`, `\"`) + `"`); err == nil {
		return u
	}
	return s
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
func (c filesystemCollector) isDisk(m mount) bool {
	return localDisk[m.fstype] &&
		!strings.HasPrefix(m.point, "/boot/efi") && m.point != "/efi" &&
		!strings.HasPrefix(m.point, "/snap/") && !strings.HasPrefix(m.point, "/var/snap/") &&
		!strings.HasPrefix(m.point, "/var/lib/docker/") && !strings.HasPrefix(m.point, "/var/lib/kubelet/") &&
		!strings.HasPrefix(m.point, "/var/lib/containerd/") && !strings.HasPrefix(m.point, "/run/") &&
		!slices.Contains(c.exclude, m.point)
}
