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
	New:     func(e collectors.Env) (collectors.Collector, error) { return pressureCollector{e.Root, e.Reject}, nil },
}

type pressureCollector struct {
	fs     collectors.Root
	reject func(reason, line string)
}

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
			errs = append(errs, collectors.Part(resource, err))
		default:
			errs = append(errs, collectors.Part(resource, c.add(b, resource, name, text)))
		}
	}
	if missing == 3 {
		return fmt.Errorf("pressure stall information: %w", collectors.ErrAbsent)
	}
	return errors.Join(errs...)
}

// add reads lines such as "full avg10=0.00 avg60=0.00 avg300=0.00 total=5735176", in microseconds. The
// machine's own cpu has no meaning for full: all that have work never wait for all cores at once.
func (c pressureCollector) add(b *metric.Batch, resource, name, text string) error {
	seen := map[string]bool{}
	for line := range strings.Lines(text) {
		extent, _, _ := strings.Cut(line, " ")
		_, total, ok := strings.Cut(strings.TrimSpace(line), " total=")
		us, err := strconv.ParseUint(total, 10, 64)
		if !ok || err != nil || extent != "some" && extent != "full" || seen[extent] {
			c.reject("pressure", line)
			continue
		}
		seen[extent] = true
		if resource == "cpu" && extent == "full" {
			continue
		}
		b.Add(descPressure, float64(us)/1e6, "resource", resource, "extent", extent)
	}
	if !seen["some"] {
		return fmt.Errorf("%s: want \"some ... total=N\", have %.80q", name, text)
	}
	return nil
}
