//go:build unix

package door

import (
	"os"
	"syscall"
)

// files are how many descriptors the process may open, and how many it has open.
func files() (most, used int) {
	var l syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l) != nil {
		return 0, 0
	}
	for _, dir := range []string{"/proc/self/fd", "/dev/fd"} {
		if entries, err := os.ReadDir(dir); err == nil {
			return int(min(l.Cur, 1<<30)), len(entries)
		}
	}
	return int(min(l.Cur, 1<<30)), 64
}
