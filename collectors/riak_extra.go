package collectors

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// riakExtra is something looked at beside /stats, at its own pace: it may be slow, and holds up no ping. The fields
// below last are guarded by riak.mu.
type riakExtra struct {
	name     string
	every    time.Duration
	deadline time.Duration
	do       func(context.Context) (tell func(riakOut), err error) // both where a part of it failed

	tell func(riakOut) // of the last look that found something
	at   time.Time
	err  error // of the last look
}

// current says whether what the look found is good for now.
func (x *riakExtra) current(now time.Time) bool {
	return x.tell != nil && now.Sub(x.at) <= 2*x.every+x.deadline
}

// riakExtras are the looks that the options switch on; the kernel's figures are always looked at.
func (r *riak) allExtras() []*riakExtra {
	o := r.opt
	out := []*riakExtra{{name: "process", every: 15 * time.Second, deadline: 10 * time.Second, do: r.lookLocal}}
	if len(o.Admin) > 0 {
		out = append(out, &riakExtra{name: "admin", every: o.AdminEvery, deadline: 3 * riakAdminDeadline, do: r.lookAdmin})
		if o.Keydir {
			out = append(out, &riakExtra{name: "keydir", every: riakKeydirEvery, deadline: riakAdminDeadline, do: r.lookKeydir})
		}
	}
	if len(o.TLS) > 0 {
		out = append(out, &riakExtra{name: "tls", every: riakTLSEvery, deadline: 10 * time.Second, do: r.lookTLS})
	}
	if len(o.Logs) > 0 {
		out = append(out, &riakExtra{name: "log", every: 15 * time.Second, deadline: 5 * time.Second, do: r.log.look})
	}
	return out
}

// Run takes each extra look at its own pace until ctx ends. Nothing is looked at before Riak was found.
func (r *riak) Run(ctx context.Context) error {
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

func (r *riak) take(ctx context.Context, x *riakExtra) {
	look, cancel := context.WithTimeout(WithRoot(ctx, r.env.Root), x.deadline)
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
func (r *riak) tellExtras(ctx context.Context, o riakOut) {
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
	o.add(riakRestarts, r.restarts)
	now := r.env.Now()
	for _, x := range r.extras {
		if x.name != "process" {
			o.b.Bool(riakExtraOK, x.err == nil && x.tell != nil, "cluster", o.cluster, "look", x.name)
		}
		if x.current(now) {
			x.tell(o)
		}
	}
}

// lookLocal reads what the kernel says of the node's virtual machine, its disk and its listener. It finds the machine by
// the name that the node itself tells, so that it tells nothing of a node elsewhere.
func (r *riak) lookLocal(ctx context.Context) (func(riakOut), error) {
	fs := hostFS(r.env.Root)
	r.mu.Lock()
	name := r.name
	r.mu.Unlock()
	pid := ""
	if name != "" {
		pid = findBeam(fs.path("proc"), func(args string) bool { return strings.Contains(args, "\x00"+name+"\x00") })
	}
	if pid == "" {
		return func(riakOut) {}, nil
	}
	beam, running := beamOf(ctx, fs, pid)
	size, free, disk := diskOf(ctx, fs, r.opt.DataDir)
	exposed, listens := listensBeyondLoopback(fs, r.port)
	return func(o riakOut) {
		if running {
			o.add(riakStart, beam.start)
			o.add(riakResident, beam.resident)
			if beam.memoryLimit > 0 {
				o.add(riakMemoryLimit, beam.memoryLimit)
			}
			if beam.fileLimit > 0 {
				o.add(riakFiles, beam.files)
				o.add(riakFileLimit, beam.fileLimit)
			}
		}
		if disk {
			o.add(riakDataSize, size, "mount", r.opt.DataDir)
			o.add(riakDataFree, free, "mount", r.opt.DataDir)
		}
		if listens {
			o.bool(riakExposed, exposed)
		}
	}, nil
}

// unitStoppedInOrder asks the service manager whether a service that does not run was stopped and ended well. A service
// that it does not know is no such. Source: systemctl(1), systemd 252.
func unitStoppedInOrder(ctx context.Context, root string, unit []string) (bool, error) {
	if len(unit) == 0 {
		return false, nil
	}
	if _, err := os.Stat(filepath.Join(root, "run/systemd/system")); err != nil {
		return false, nil // no systemd here
	}
	out, err := exec.CommandContext(ctx, unit[0], unit[1:]...).Output()
	if err != nil {
		return false, fmt.Errorf("%s: %w", strings.Join(unit, " "), err)
	}
	text := "\n" + string(out)
	has := func(line string) bool { return strings.Contains(text, "\n"+line+"\n") }
	return has("ActiveState=inactive") && has("Result=success") && !has("LoadState=not-found"), nil
}
