package host

import (
	"context"
	"errors"
	"fmt"
	"path"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/navcloud/binnacle/collectors"
)

// usage is what statfs(2) says of a file system.
type usage struct {
	size, available    float64 // bytes
	inodes, inodesFree float64 // inodes 0: made as needed
}

// statfsWait is how long one collection waits for all disks together. A healthy one answers in some 10 µs.
const statfsWait = 2 * time.Second

var (
	errOtherDisk = errors.New("another file system is mounted there, or hides it from us")
	errNoAnswer  = errors.New("it does not answer")
)

// prober asks disks how full they are. A disk that hangs blocks the call for good, in the kernel: each is asked in a
// goroutine of its own, one at a time, and is left behind when it does not answer.
type prober struct {
	ask func(volume) (usage, error)

	mu   sync.Mutex
	busy map[string]time.Time // disks that have not answered, by major:minor, and since when they were asked
}

func newProber(fs collectors.Root) *prober {
	return &prober{ask: looker(fs).look, busy: map[string]time.Time{}}
}

// answers asks all disks side by side and returns what came within statfsWait, or the error, by major:minor.
func (p *prober) answers(ctx context.Context, disks []volume) map[string]answer {
	type reply struct {
		dev string
		answer
	}
	replies := make(chan reply, len(disks)) // none of those left behind blocks
	out := make(map[string]answer, len(disks))
	waiting := 0
	for _, d := range disks {
		dev := d.mounts[0].dev
		p.mu.Lock()
		since, busy := p.busy[dev]
		if !busy {
			p.busy[dev] = time.Now()
		}
		p.mu.Unlock()
		if busy {
			out[dev] = answer{err: collectors.Blind("timeout", fmt.Errorf("%w, asked %v ago", errNoAnswer, time.Since(since).Round(time.Second)))}
			continue
		}
		waiting++
		go func() {
			u, err := p.ask(d)
			p.mu.Lock()
			delete(p.busy, dev)
			p.mu.Unlock()
			replies <- reply{dev, answer{u, err}}
		}()
	}
	limit := time.NewTimer(statfsWait)
	defer limit.Stop()
	for waiting > 0 {
		select {
		case r := <-replies:
			out[r.dev] = r.answer
			waiting--
			continue
		case <-limit.C:
		case <-ctx.Done():
		}
		break
	}
	for _, d := range disks {
		if _, ok := out[d.mounts[0].dev]; !ok {
			out[d.mounts[0].dev] = answer{err: collectors.Blind("timeout", fmt.Errorf("%w within %v", errNoAnswer, statfsWait))}
		}
	}
	return out
}

// answer is what came of asking a disk.
type answer struct {
	usage
	err error
}

// looker looks at disks below a root.
type looker collectors.Root

// look looks at a disk through the first of its mounts that shows it. Where process 1 sees it and we do not (ProtectHome, a
// mount namespace of our own), it is looked at through the eyes of process 1, as far as we may.
func (l looker) look(d volume) (usage, error) {
	var first error
	for _, root := range []string{"/", "/proc/1/root"} {
		for _, m := range d.mounts {
			u, err := l.statfs(path.Join(root, m.point), m)
			if err == nil {
				return u, nil
			}
			if first == nil {
				first = err
			}
		}
	}
	return usage{}, first
}

// statfs opens a folder without reading it, so that what is checked is what is measured.
func (l looker) statfs(name string, m mount) (usage, error) {
	fd, err := unix.Open(collectors.Root(l).Path(name), unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return usage{}, err
	}
	defer func() { _ = unix.Close(fd) }() // nothing was written
	var st unix.Stat_t
	var fs unix.Statfs_t
	if err := errors.Join(unix.Fstat(fd, &st), unix.Fstatfs(fd, &fs)); err != nil {
		return usage{}, err
	}
	if l == "/" && !m.shows(st, fs) { // a fixture's disks are folders
		return usage{}, collectors.Blind("hidden", errOtherDisk)
	}
	unit := float64(fs.Frsize)
	if unit == 0 {
		unit = float64(fs.Bsize)
	}
	return usage{
		size: float64(fs.Blocks) * unit, available: float64(fs.Bavail) * unit,
		inodes: float64(fs.Files), inodesFree: float64(fs.Ffree),
	}, nil
}

// shows reports whether an open folder is of the mount's file system. A subvolume of btrfs has a number of its own, so
// there the type alone can be compared.
func (m mount) shows(st unix.Stat_t, fs unix.Statfs_t) bool {
	if fmt.Sprintf("%d:%d", unix.Major(st.Dev), unix.Minor(st.Dev)) == m.dev {
		return true
	}
	return m.fstype == "btrfs" && fs.Type == unix.BTRFS_SUPER_MAGIC
}
