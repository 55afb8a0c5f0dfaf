package host

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/collectors"
)

// Source: adjtimex(2), clock_gettime(2).
var (
	descClockSync = &metric.Desc{
		Name: "host_clock_synchronised", Help: "1 while a time daemon disciplines the clock and trusts its source",
	}
	descClockOffset = &metric.Desc{
		Name: "host_clock_offset_seconds", Unit: metric.Seconds, Help: "How far the clock is off, as its time daemon told the kernel",
	}
	descClockStep = &metric.Desc{
		Name: "host_clock_step_seconds", Unit: metric.Seconds,
		Help: "By how much the clock was set since the collection before, forwards or backwards; suspend is none",
	}
)

var clockSpec = collectors.Spec{
	Name:    "host_clock",
	Metrics: []*metric.Desc{descClockSync, descClockOffset, descClockStep},
	New: func(collectors.Env) (collectors.Collector, error) {
		return &clockCollector{adjtimex: unix.Adjtimex, wall: wallAgainstBoot}, nil
	},
}

type clockCollector struct {
	adjtimex func(*unix.Timex) (int, error)
	wall     func() (time.Duration, error) // wall clock less the clock that nobody sets
	before   time.Duration
	looked   bool
}

// maxErrorLimit is the kernel's NTP_PHASE_LIMIT, in microseconds. maxerror begins there, is set by a time daemon that
// trusts its source, and grows by 0.5 ms a second when none does. STA_UNSYNC alone says less: chrony without rtcsync and
// systemd-timesyncd beside a hardware clock in local time leave it set for good, so that the kernel does not write that
// clock. Source: kernel/time/ntp.c, Linux 6.1; timedated's ntp_synced, systemd 252; read 30 November 2026.
const maxErrorLimit = 16_000_000

// Collect makes three system calls and reads no file.
func (c *clockCollector) Collect(_ context.Context, b *metric.Batch) error {
	var t unix.Timex
	if _, err := c.adjtimex(&t); err != nil {
		return collectors.Blind("permission", fmt.Errorf("adjtimex: %w", err))
	}
	unit := 1e-6
	if t.Status&unix.STA_NANO != 0 {
		unit = 1e-9
	}
	b.Bool(descClockSync, t.Maxerror < maxErrorLimit)
	b.Add(descClockOffset, float64(t.Offset)*unit)
	return c.step(b)
}

func (c *clockCollector) step(b *metric.Batch) error {
	now, err := c.wall()
	if err != nil {
		return err
	}
	step := now - c.before
	if !c.looked {
		step = 0
	}
	c.before, c.looked = now, true
	b.Add(descClockStep, step.Seconds())
	return nil
}

// wallAgainstBoot compares with CLOCK_BOOTTIME because the monotonic clock stands still in suspend, and
// waking up would look like a step.
func wallAgainstBoot() (time.Duration, error) {
	var wall, boot unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &boot); err != nil {
		return 0, fmt.Errorf("clock_gettime: %w", err)
	}
	if err := unix.ClockGettime(unix.CLOCK_REALTIME, &wall); err != nil {
		return 0, fmt.Errorf("clock_gettime: %w", err)
	}
	return time.Duration(wall.Nano() - boot.Nano()), nil
}
