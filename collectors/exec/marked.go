package exec

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"
)

// runs numbers the runs of this process.
var runs atomic.Int64

// markOf is a variable that a run has in its environment, as all have that it starts: they may leave its group and its
// session, and keep it.
func markOf(name string) string {
	return fmt.Sprintf("BINNACLE_EXEC=%s-%d-%d", name, os.Getpid(), runs.Add(1))
}

// killMarked ends what a run left behind and that is in no group of it any more. It goes twice, for what was started meanwhile, and
// again while a process shows no environment, as one does for a moment that becomes another program. A program that empties the
// environment of what it starts escapes, and one that may not be read.
func killMarked(mark string) {
	unsure := false
	for pass := 0; pass < 2 || unsure && pass < 4; pass++ {
		if pass > 1 {
			time.Sleep(5 * time.Millisecond)
		}
		unsure = false
		paths, err := filepath.Glob("/proc/[0-9]*")
		if err != nil {
			return
		}
		for _, path := range paths {
			pid, err := strconv.Atoi(filepath.Base(path))
			if err != nil || pid == os.Getpid() {
				continue
			}
			env, err := os.ReadFile(filepath.Join(path, "environ"))
			if err == nil && bytes.Contains(append([]byte{0}, env...), []byte("\x00"+mark+"\x00")) {
				_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended
			}
			if err == nil && len(env) == 0 {
				_, err := os.Readlink(filepath.Join(path, "exe")) // threads of the kernel and what has ended have none
				unsure = unsure || err == nil
			}
		}
	}
}
