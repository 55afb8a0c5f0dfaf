package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/collectors"
)

// Source: systemctl(1), systemd 252.
var descUnitFailed = &metric.Desc{
	Name: "host_unit_failed",
	Help: "1 for a unit in state failed, 0 once it is not any more; label watched says whether it was active under our watch",
}

// systemdOptions is the section of the configuration.
type systemdOptions struct {
	Command []string `yaml:"command"` // what lists the units, one a line: name, load, active, sub
}

var systemdSpec = collectors.Spec{
	Name: "host_systemd",
	// systemctl and not D-Bus: 5 ms of a core a minute, for which a protocol and its login need not be written.
	Options: systemdOptions{[]string{
		"systemctl", "list-units", "--type=service,mount,socket,timer", "--state=active,reloading,failed",
		"--plain", "--no-legend", "--no-pager", "--full",
	}},
	Interval: time.Minute,
	Deadline: 10 * time.Second,
	Metrics:  []*metric.Desc{descUnitFailed},
	New: func(e collectors.Env) (collectors.Collector, error) {
		command := e.Options.(systemdOptions).Command
		if len(command) == 0 {
			return nil, errors.New("command: want a program that lists the units")
		}
		return &systemdCollector{fs: e.Root, reject: e.Reject, command: command, active: map[string]bool{}, failed: map[string]bool{}}, nil
	},
}

// maxUnitList bounds what the command may print, in bytes.
const maxUnitList = 4 << 20

// maxUnits bounds what is remembered of units.
const maxUnits = 10_000

type systemdCollector struct {
	fs      collectors.Root
	reject  func(reason, line string)
	command []string
	active  map[string]bool // seen active or mounted under our watch
	failed  map[string]bool // seen failed
}

// Collect runs one process, which the deadline kills. A machine that systemd did not start is ErrAbsent.
func (c *systemdCollector) Collect(ctx context.Context, b *metric.Batch) error {
	if !c.fs.Exists("run/systemd/system") { // sd_booted(3)
		return fmt.Errorf("systemd: %w", collectors.ErrAbsent)
	}
	out, err := c.run(ctx)
	if err != nil {
		return err
	}
	failed := map[string]bool{}
	for line := range strings.Lines(out) {
		f := strings.Fields(line)
		if len(f) < 4 {
			c.reject("unit", line)
			continue
		}
		switch unit, state := collectors.Label(f[0]), f[2]; {
		case state == "failed":
			failed[unit] = true
		case len(c.active) < maxUnits:
			c.active[unit] = true
		}
	}
	for unit := range failed {
		if len(c.failed) < maxUnits {
			c.failed[unit] = true
		}
	}
	for unit := range c.failed {
		watched := "no"
		if c.active[unit] {
			watched = "yes"
		}
		b.Bool(descUnitFailed, failed[unit], "unit", unit, "watched", watched)
		if !failed[unit] {
			delete(c.failed, unit) // its 0 is told once and stands until the series grows old
		}
	}
	return nil
}

func (c *systemdCollector) run(ctx context.Context) (string, error) {
	cmd := exec.CommandContext(ctx, c.command[0], c.command[1:]...)
	cmd.Dir = string(c.fs)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	cmd.WaitDelay = time.Second
	out, complaint := collectors.Limited{Limit: maxUnitList}, collectors.Limited{Limit: 1000}
	cmd.Stdout, cmd.Stderr = &out, &complaint
	if err := cmd.Run(); err != nil {
		return "", collectors.Blind("systemctl", fmt.Errorf("%s: %w: %s", c.command[0], err, strings.TrimSpace(complaint.String())))
	}
	return out.String(), nil
}
