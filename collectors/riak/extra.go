package riak

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/navcloud/binnacle/collectors/host"
)

// extra is something looked at beside /stats, at its own pace: it may be slow, and holds up no ping. The fields
// below last are guarded by collector.mu.
type extra struct {
	name     string
	every    time.Duration
	deadline time.Duration
	do       func(context.Context) (tell func(output), err error) // both where a part of it failed

	tell func(output) // of the last look that found something
	at   time.Time
	err  error // of the last look
}

// current says whether what the look found is good for now.
func (x *extra) current(now time.Time) bool {
	return x.tell != nil && now.Sub(x.at) <= 2*x.every+x.deadline
}

// riakExtras are the looks that the options switch on; the kernel's figures are always looked at.
func (r *collector) allExtras() []*extra {
	o := r.opt
	out := []*extra{{name: "process", every: 15 * time.Second, deadline: 10 * time.Second, do: r.lookLocal}}
	if len(o.Admin) > 0 {
		out = append(out, &extra{name: "admin", every: o.AdminEvery, deadline: 3 * adminDeadline, do: r.lookAdmin})
		if o.Keydir {
			out = append(out, &extra{name: "keydir", every: keydirEvery, deadline: adminDeadline, do: r.lookKeydir})
		}
	}
	if len(o.TLS) > 0 {
		out = append(out, &extra{name: "tls", every: tlsEvery, deadline: 10 * time.Second, do: r.lookTLS})
	}
	if len(o.Logs) > 0 {
		out = append(out, &extra{name: "log", every: 15 * time.Second, deadline: 5 * time.Second, do: r.log.look})
	}
	return out
}

// Run takes each extra look at its own pace until ctx ends. Nothing is looked at before Riak was found.
func (r *collector) Run(ctx context.Context) error {
	r.mu.Lock()
	r.ran = true
	r.mu.Unlock()
	select {
	case <-r.seen:
	case <-ctx.Done():
		return nil
	}
	var wg sync.WaitGroup
	for _, x := range r.extras {
		wg.Go(func() {
			for {
				r.take(ctx, x)
				timer := time.NewTimer(x.every)
				select {
				case <-timer.C:
				case <-ctx.Done():
					timer.Stop()
					return
				}
			}
		})
	}
	wg.Wait()
	return nil
}

func (r *collector) take(ctx context.Context, x *extra) {
	look, cancel := context.WithTimeout(ctx, x.deadline)
	defer cancel()
	tell, err := x.do(look)
	if ctx.Err() != nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil && x.err == nil {
		r.env.Log.Warn("riak: a look failed", "look", x.name, "err", err)
	}
	x.err = err
	if tell != nil {
		x.tell, x.at = tell, r.env.Now()
	}
}

// tellExtras appends what the extra looks know, and looks first where nobody runs them.
func (r *collector) tellExtras(ctx context.Context, o output) {
	r.mu.Lock()
	ran := r.ran
	r.mu.Unlock()
	if !ran {
		for _, x := range r.extras {
			r.take(ctx, x)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	o.add(descRestarts, r.restarts)
	now := r.env.Now()
	for _, x := range r.extras {
		if x.name != "process" {
			o.b.Bool(descExtraOK, x.err == nil && x.tell != nil, "cluster", o.cluster, "look", x.name)
		}
		if x.current(now) {
			x.tell(o)
		}
	}
}

// lookLocal reads what the kernel says of the node's virtual machine, its disk and its listener. It finds the machine by
// the name that the node itself tells, so that it tells nothing of a node elsewhere.
func (r *collector) lookLocal(ctx context.Context) (func(output), error) {
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
