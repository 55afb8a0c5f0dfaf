package agent

import (
	"bufio"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// trim gives back the pages of the program's file that only its start touched: initialising some hundred
// packages maps nearly the whole of it, 42 MB measured in November 2026, of which a running agent uses
// a third. The pages stay in the system's cache and come back at a touch; nothing is lost, as they are read-only.
// Source: madvise(2), MADV_DONTNEED on a file mapping.
func trim() error {
	exe, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return fmt.Errorf("trim: %w", err)
	}
	f, err := os.Open("/proc/self/maps")
	if err != nil {
		return fmt.Errorf("trim: %w", err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var from, to uintptr
		var perms string
		if _, err := fmt.Sscanf(lines.Text(), "%x-%x %s", &from, &to, &perms); err != nil {
			continue
		}
		if !strings.HasSuffix(lines.Text(), " "+exe) || strings.Contains(perms, "w") || to <= from {
			continue
		}
		if _, _, errno := unix.Syscall(unix.SYS_MADVISE, from, to-from, unix.MADV_DONTNEED); errno != 0 {
			return fmt.Errorf("trim: madvise: %w", errno)
		}
	}
	return lines.Err()
}
