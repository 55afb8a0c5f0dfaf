package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/collectors"
)

// Source: docs.kernel.org/accounting/psi.html, read November 2026. Totals and not the averages beside
// them, so that a rule chooses its own window.
var descPressure = &metric.Desc{
	Name: "host_pressure_seconds_total", Kind: metric.Counter, Unit: metric.Seconds,
	Help: "Time in which some task, or all that had work (full), waited for the resource",
}

var pressureSpec = collectors.Spec{
	Name:    "host_pressure",
	Metrics: []*metric.Desc{descPressure},
	New:     func(e collectors.Env) (collectors.Collector, error) { return pressureCollector{e.Root}, nil },
}

type pressureCollector struct{ fs collectors.Root }

// Collect reads three small files: the machine's, or in a container those of its control group. A kernel
// without PSI, or with it switched off, is ErrAbsent.
func (c pressureCollector) Collect(_ context.Context, b *metric.Batch) error {
	form := "proc/pressure/%s"
	if inContainer(c.fs) {
		form = "sys/fs/cgroup/%s.pressure"
	}
	var errs []error
	missing := 0
	for _, resource := range []string{"cpu", "memory", "io"} {
		name := fmt.Sprintf(form, resource)
		text, err := c.fs.Read(name)
		switch {
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, errors.ErrUnsupported): // psi=0 on the command line
			missing++
		case err != nil:
			errs = append(errs, err)
		default:
			errs = append(errs, addPressure(b, resource, name, text))
		}
	}
	if missing == 3 {
		return fmt.Errorf("pressure stall information: %w", collectors.ErrAbsent)
	}
	return errors.Join(errs...)
}

// addPressure reads lines such as "full avg10=0.00 avg60=0.00 avg300=0.00 total=5735176", in microseconds. The
// machine's own cpu has no meaning for full: all that have work never wait for all cores at once.
func addPressure(b *metric.Batch, resource, name, text string) error {
	for line := range strings.Lines(text) {
		extent, _, _ := strings.Cut(line, " ")
		_, total, ok := strings.Cut(strings.TrimSpace(line), " total=")
		us, err := strconv.ParseFloat(total, 64)
		if !ok || err != nil || extent != "some" && extent != "full" {
			return fmt.Errorf("%s: want \"some|full ... total=N\", have %.80q", name, line)
		}
		if resource == "cpu" && extent == "full" {
			continue
		}
		b.Add(descPressure, us/1e6, "resource", resource, "extent", extent)
	}
	return nil
}
