package riak

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"time"

	"github.com/navcloud/binnacle/collectors/check"
	"github.com/navcloud/binnacle/collectors/host"
)

// extra is a check beside /stats, at its own pace: it may be slow, and holds up no ping.
type extra struct {
	*check.Check
	tell func(output) // of the last run that found something; guarded by collector.mu
}

func newExtra(name string, every, deadline time.Duration, do func(context.Context) (tell func(output), err error)) *extra {
	x := &extra{}
	x.Check = &check.Check{
		Name: name, Every: every, Deadline: deadline,
		// It costs the node: it rests as long after a slow run as after a quick one.
		Rest: func(took time.Duration, _ error) time.Duration { return every + took },
		Do: func(ctx context.Context) (func(), error) {
			tell, err := do(ctx)
			if tell == nil {
				return nil, err
			}
			return func() { x.tell = tell }, err
		},
	}
	return x
}

// allExtras are the checks that the options switch on; the kernel's figures are always looked at.
func (r *collector) allExtras() []*extra {
	o := r.opt
	r.process = newExtra("process", 15*time.Second, 10*time.Second, r.askLocal)
	out := []*extra{r.process}
	if len(o.Admin) > 0 {
		out = append(out, newExtra("admin", o.AdminEvery, 3*adminDeadline, r.askAdmin))
		if o.Keydir {
			out = append(out, newExtra("keydir", keydirEvery, adminDeadline, r.askKeydir))
		}
	}
	if len(o.TLS) > 0 {
		out = append(out, newExtra("tls", tlsEvery, 10*time.Second, r.askTLS))
	}
	if len(o.Logs) > 0 {
		out = append(out, newExtra("log", 15*time.Second, 5*time.Second, r.log.check))
	}
	return out
}

// setExtras makes the extra checks those of the collector.
func (r *collector) setExtras(extras []*extra) {
	r.extras = extras
	var all []*check.Check
	for _, x := range extras {
		all = append(all, x.Check)
	}
	r.set = check.NewSet(&r.mu, r.env.Now, r.env.Log, all...)
}

// extraReason names in a word why an extra check found nothing.
func extraReason(err error) string {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return reasonTimeout
	case errors.Is(err, fs.ErrPermission):
		return "permission"
	case errors.Is(err, errAdmin):
		return reasonParse
	}
	return "error"
}

// Run runs each extra check at its own pace until ctx ends. Nothing is looked at before Riak was found.
func (r *collector) Run(ctx context.Context) error {
	r.mu.Lock()
	r.ran = true
	r.mu.Unlock()
	select {
	case <-r.seen:
		r.set.Run(ctx)
	case <-ctx.Done():
	}
	return nil
}

// tellExtras appends what the extra checks know, and runs them first where nobody does.
func (r *collector) tellExtras(ctx context.Context, o output) {
	r.mu.Lock()
	ran := r.ran
	r.mu.Unlock()
	if !ran {
		r.set.Once(ctx)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	o.add(descRestarts, r.restarts)
	now := r.env.Now()
	for _, x := range r.extras {
		if x != r.process {
			o.b.Bool(descExtraOK, x.OK(), "cluster", o.cluster, "look", x.Name)
		}
		if x.tell != nil && x.Fresh(now) {
			x.tell(o)
		}
	}
}

// askLocal reads what the kernel says of the node's virtual machine, its disk and its listener. It finds the machine by
// the name that the node itself tells, so that it tells nothing of a node elsewhere.
func (r *collector) askLocal(ctx context.Context) (func(output), error) {
	fs := r.env.Root
	r.mu.Lock()
	name := r.name
	r.mu.Unlock()
	pid := ""
	if name != "" {
		pid = host.FindBeam(fs.Path("proc"), func(args string) bool { return strings.Contains(args, "\x00"+name+"\x00") })
	}
	if pid == "" {
		return func(output) {}, nil
	}
	beam, running := host.BeamOf(ctx, fs, pid)
	size, free, disk := host.DiskOf(ctx, fs, r.opt.DataDir)
	exposed, listens := host.ListensBeyondLoopback(fs, r.port)
	return func(o output) {
		if running {
			o.add(descStart, beam.Start)
			o.add(descResident, beam.Resident)
			if beam.MemoryLimit > 0 {
				o.add(descMemoryLimit, beam.MemoryLimit)
			}
			if beam.FileLimit > 0 {
				o.add(descFiles, beam.Files)
				o.add(descFileLimit, beam.FileLimit)
			}
		}
		if disk {
			o.add(descDataSize, size, "mount", r.opt.DataDir)
			o.add(descDataFree, free, "mount", r.opt.DataDir)
		}
		if listens {
			o.bool(descExposed, exposed)
		}
	}, nil
}
