package demo

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/navcloud/binnacle/cmd/navcloud/api"
)

// ChildCommand is the hidden subcommand by which the program starts itself again as a node of NavCloud or as
// its clients; what follows is NavCloud's own command line.
const ChildCommand = "demo-navcloud"

// Child runs what ChildCommand stands for. It also ends when its standard input does, so that a demo that was
// killed leaves nothing behind.
func Child(ctx context.Context, args []string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	return api.Main(ctx, args)
}

// child is a process that the demo started.
type child struct {
	cmd   *exec.Cmd
	stdin io.Closer
	done  chan struct{}
	err   error // once done
}

// childWait is what a child gets to end by itself.
const childWait = 5 * time.Second

// startChild starts the program again. lines gets what it prints, may be nil.
func startChild(env []string, lines func([]byte), args ...string) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := &child{cmd: exec.Command(self, append([]string{ChildCommand}, args...)...), done: make(chan struct{})}
	c.cmd.Env = append(os.Environ(), env...)
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is ours to pass on, in order
	in, err := c.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	c.stdin = in
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s %s: %w", self, args[0], err)
	}
	go func() {
		s := bufio.NewScanner(out)
		for s.Scan() {
			if lines != nil {
				lines(s.Bytes())
			}
		}
		c.err = c.cmd.Wait()
		close(c.done)
	}()
	return c, nil
}

// kill ends the process at once, as a machine that is gone does.
func (c *child) kill() {
	_ = c.cmd.Process.Kill()
	<-c.done
}

// end lets the process end by itself, and kills it when it does not.
func (c *child) end() {
	_ = c.stdin.Close()
	select {
	case <-c.done:
	case <-time.After(childWait):
		c.kill()
	}
}

// fleet are the nodes of NavCloud and their clients.
type fleet struct {
	w      *world
	broker string
	addrs  []string
	swarm  *child

	mu     sync.Mutex
	nodes  map[string]*child
	report api.Report // the swarm's last word
}

// Of the clients: three streams of each user, on three nodes, so that every write is heard on all of them.
const (
	streams = 600
	users   = 200
	writes  = 20 // a second
)

func startFleet(w *world, broker string) (*fleet, error) {
	f := &fleet{w: w, broker: broker, nodes: map[string]*child{}}
	for range apis {
		addr, err := freeTCP()
		if err != nil {
			return f, err
		}
		f.addrs = append(f.addrs, addr)
	}
	for i := range apis {
		if err := f.startNode(i); err != nil {
			return f, err
		}
	}
	for _, addr := range f.addrs {
		if err := answers(addr); err != nil {
			return f, err
		}
	}
	list := f.addrs[0] + "," + f.addrs[1] + "," + f.addrs[2]
	var err error
	f.swarm, err = startChild(nil, f.took, "swarm", "-nodes", list, "-streams", fmt.Sprint(streams), "-users", fmt.Sprint(users),
		"-rate", fmt.Sprint(writes), "-grace", "5s", "-ramp", "300")
	return f, err
}

// answers waits until somebody listens.
func answers(addr string) (err error) {
	for until := time.Now().Add(childWait); time.Now().Before(until); time.Sleep(20 * time.Millisecond) {
		var conn net.Conn
		if conn, err = net.Dial("tcp", addr); err == nil {
			return conn.Close()
		}
	}
	return fmt.Errorf("NavCloud does not listen: %w", err)
}

func (f *fleet) startNode(i int) error {
	c, err := startChild([]string{"NAVCLOUD_BROKER=" + f.broker}, nil, "serve", "-listen", f.addrs[i], "-node", apis[i], "-az", zones[i],
		"-stack", stack, "-version", "1.0", "-statsd", f.w.statsd, "-data", filepath.Join(f.w.dir, apis[i]+".db"), "-drain", "2s", "-quiet")
	if err != nil {
		return err
	}
	f.mu.Lock()
	f.nodes[apis[i]] = c
	f.mu.Unlock()
	return nil
}

// killNode ends a node as a machine that is gone.
func (f *fleet) killNode(i int) (pid int) {
	f.mu.Lock()
	c := f.nodes[apis[i]]
	delete(f.nodes, apis[i])
	f.mu.Unlock()
	c.kill()
	return c.cmd.Process.Pid
}

func (f *fleet) took(line []byte) {
	var r api.Report
	if json.Unmarshal(line, &r) == nil {
		f.mu.Lock()
		f.report = r
		f.mu.Unlock()
	}
}

func (f *fleet) last() api.Report {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.report
}

// dead tells a node that ended without being told to; nil when there is none.
func (f *fleet) dead() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	var errs []error
	for name, c := range f.nodes {
		select {
		case <-c.done:
			errs = append(errs, fmt.Errorf("%s ended: %v", name, c.err))
		default:
		}
	}
	return errors.Join(errs...)
}

// end stops the clients, then the nodes.
func (f *fleet) end() {
	if f.swarm != nil {
		f.swarm.end()
	}
	f.mu.Lock()
	nodes := f.nodes
	f.nodes = nil
	f.mu.Unlock()
	var wg sync.WaitGroup
	for _, c := range nodes {
		wg.Go(c.end)
	}
	wg.Wait()
}
