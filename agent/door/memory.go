package door

import (
	"bytes"
	"math"
	"os"
	"path"
	"runtime/debug"
	"strconv"
	"sync/atomic"
	"time"
)

// tightShare is the share of the memory limit above which bulk intake waits.
const tightShare = 0.85

// memory says whether the process comes near its limit: GOMEMLIMIT, or that of its control group.
type memory struct {
	limit int64 // bytes; 0: none
	next  atomic.Int64
	tight atomic.Bool
}

func newMemory() *memory {
	limit := debug.SetMemoryLimit(-1) // which only asks
	if limit == math.MaxInt64 {
		limit = 0
	}
	if group := groupLimit("/proc/self/cgroup", "/sys/fs/cgroup"); group > 0 && (limit == 0 || group < limit) {
		limit = group
	}
	return &memory{limit: limit}
}

// groupLimit is the least limit of a process's control group and those above it; 0 where there is none.
// Source: Linux Documentation/admin-guide/cgroup-v2.rst, memory.max, read 30 November 2026. Of version 1 only the
// group that a container sees as the root is looked at.
func groupLimit(self, root string) (least int64) {
	text, err := os.ReadFile(self)
	if err != nil {
		return 0
	}
	take := func(file string) {
		text, err := os.ReadFile(file)
		if err != nil {
			return
		}
		// What has no limit says "max", or in version 1 a number near 2^63.
		n, err := strconv.ParseInt(string(bytes.TrimSpace(text)), 10, 64)
		if err == nil && n > 0 && n < 1<<60 && (least == 0 || n < least) {
			least = n
		}
	}
	for line := range bytes.Lines(text) {
		if group, ok := bytes.CutPrefix(bytes.TrimSpace(line), []byte("0::")); ok {
			for dir := path.Clean("/" + string(group)); ; dir = path.Dir(dir) {
				take(path.Join(root, dir, "memory.max"))
				if dir == "/" {
					break
				}
			}
		}
	}
	take(path.Join(root, "memory", "memory.limit_in_bytes"))
	return least
}

// short looks at most once a second.
func (m *memory) short() bool {
	if m.limit == 0 {
		return false
	}
	now := time.Now().UnixNano()
	if next := m.next.Load(); now >= next && m.next.CompareAndSwap(next, now+int64(time.Second)) {
		m.tight.Store(float64(resident()) > tightShare*float64(m.limit))
	}
	return m.tight.Load()
}

// resident is how much memory the process has; 0 where the system does not say. Source: proc_pid_statm(5).
func resident() int64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := bytes.Fields(text)
	if len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseInt(string(fields[1]), 10, 64)
	if err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}
