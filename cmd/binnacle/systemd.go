package main

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sys/unix"

	"github.com/navcloud/binnacle/agent"
)

// startSlice is for how long a start may go on without a word to systemd: reading the history of weeks takes minutes.
const startSlice = 30 * time.Second

// statusEvery is how often systemd is told the status in a line, which `systemctl status` shows.
const statusEvery = 30 * time.Second

// tellSystemd tells the service manager one thing. Without one (NOTIFY_SOCKET is not set) that does nothing.
// Source: sd_notify(3), read 30 November 2026.
func tellSystemd(log *slog.Logger, lines ...string) {
	if _, err := daemon.SdNotify(false, strings.Join(lines, "\n")); err != nil {
		log.Debug("the service manager was not told", "err", err)
	}
}

// starting keeps the service manager waiting until ready is closed.
func starting(ctx context.Context, log *slog.Logger, ready <-chan struct{}) {
	for {
		tellSystemd(log, fmt.Sprintf("EXTEND_TIMEOUT_USEC=%d", (2*startSlice).Microseconds()), "STATUS=starting: reading what is kept")
		select {
		case <-ctx.Done():
			return
		case <-ready:
			return
		case <-time.After(startSlice):
		}
	}
}

// watched tells the service manager that the agent lives, until ctx ends: at half the time that it allows, and only while
// the agent's loops answer. One that hangs is ended and started again by it.
func watched(ctx context.Context, log *slog.Logger, a *agent.Agent) {
	every := statusEvery
	limit, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		log.Warn("the watchdog's time cannot be read", "err", err)
	}
	if limit > 0 {
		every = min(every, limit/2)
	}
	for tick := time.NewTicker(every); ; {
		asked, cancel := context.WithTimeout(ctx, every)
		if err := a.Alive(asked); err == nil {
			tellSystemd(log, "WATCHDOG=1", "STATUS="+headline(a))
		} else if ctx.Err() == nil {
			log.Error("the agent does not answer itself: the watchdog is not told", "err", err)
		}
		cancel()
		select {
		case <-ctx.Done():
			tick.Stop()
			return
		case <-tick.C:
		}
	}
}

// headline is the first line of the status.
func headline(a *agent.Agent) string {
	var text strings.Builder
	a.Status().Write(&text)
	line, _, _ := strings.Cut(text.String(), "\n")
	return line
}

// reloading says that a reload begins, by the monotonic clock as Type=notify-reload wants it.
func reloading(log *slog.Logger) {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return
	}
	tellSystemd(log, "RELOADING=1", fmt.Sprintf("MONOTONIC_USEC=%d", now.Nano()/1000))
}
