package query

import (
	"time"

	"golang.org/x/sys/unix"
)

// threadClock returns a clock of the CPU time of the calling thread, which other threads may read.
// Source: Linux include/linux/posix-timers.h: a clock of a thread is its number, inverted, with CPUCLOCK_SCHED and
// CPUCLOCK_PERTHREAD_MASK; read 30 November 2026.
func threadClock() (used func() time.Duration, ok bool) {
	const sched, perThread = 2, 4
	id := int32(^unix.Gettid())<<3 | sched | perThread
	var first unix.Timespec
	if unix.ClockGettime(id, &first) != nil {
		return nil, false
	}
	return func() time.Duration {
		var t unix.Timespec
		if unix.ClockGettime(id, &t) != nil {
			return 0
		}
		return time.Duration(t.Nano())
	}, true
}
