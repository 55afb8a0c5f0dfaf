package rabbitmqrig

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Boot starts the broker of node n, and does not wait until it serves.
func (c *Cluster) Boot(n int) error {
	if c.epmd[n] == nil { // in the foreground, so that no daemon is left
		c.epmd[n] = c.command(n, "epmd")
		if err := start(c.epmd[n]); err != nil {
			return fmt.Errorf("epmd of n%d: %w", n, err)
		}
		time.Sleep(300 * time.Millisecond)
	}
	p := &process{cmd: c.command(n, server), done: make(chan struct{})}
	if err := start(p.cmd); err != nil {
		return fmt.Errorf("broker n%d: %w", n, err)
	}
	go func() {
		_ = p.cmd.Wait() // how it ends is the test's doing
		close(p.done)
	}()
	c.node[n] = p
	return nil
}

// ready waits until node n answers and sees all nodes running.
func (c *Cluster) ready(ctx context.Context, n int) error {
	want := Size
	if c.node[Size] == nil {
		want = 1
	}
	for {
		body, err := c.ask(ctx, n, http.MethodGet, "nodes?columns=running", "")
		if err == nil && strings.Count(body, `"running":true`) >= want {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("n%d is not ready: %w (last answer: %.100s, %w)", n, ctx.Err(), body, err)
		case <-c.node[n].done:
			return fmt.Errorf("n%d ended while starting", n)
		case <-time.After(500 * time.Millisecond):
		}
	}
}

// api changes something at node 1, again where a cluster that is still joining lets a request hang.
func (c *Cluster) api(ctx context.Context, method, path, body string) (err error) {
	for range 6 {
		if _, err = c.ask(ctx, 1, method, path, body); err == nil || ctx.Err() != nil {
			break
		}
		time.Sleep(time.Second)
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	return nil
}

// everywhere waits until a vhost runs on all nodes. One that is made while a node still starts is not started there, and
// nobody tries again: RabbitMQ 3.10 on a busy machine refused all connections to it at one node for good.
func (c *Cluster) everywhere(ctx context.Context, vhost string) error {
	for {
		body, err := c.ask(ctx, 1, http.MethodGet, "vhosts/"+vhost+"?columns=cluster_state", "")
		if err == nil && strings.Count(body, `"running"`) == Size {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("vhost %s: %w (last answer: %.200s, %w)", vhost, ctx.Err(), body, err)
		case <-time.After(time.Second):
		}
		for n := 1; n <= Size; n++ { // where it runs, nothing happens
			_, _ = c.ask(ctx, 1, http.MethodPost, fmt.Sprintf("vhosts/%s/start/rabbit@n%d", vhost, n), "")
		}
	}
}

// ask asks node n's management API as administrator.
func (c *Cluster) ask(ctx context.Context, n int, method, path, body string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, "http://127.0.0.1:15672/api/"+path, strings.NewReader(body))
	if err != nil {
		return "", err
	}
	req.SetBasicAuth("rig", adminPW)
	resp, err := (&http.Transport{DialContext: c.Dial(n), DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err == nil && resp.StatusCode >= 300 {
		err = fmt.Errorf("%s %s: %s %s", method, path, resp.Status, text)
	}
	return string(text), err
}

// Dial connects from within the namespace of node n. A socket stays in the namespace that its thread was in when it
// was made. Source: setns(2), network_namespaces(7).
func (c *Cluster) Dial(n int) func(ctx context.Context, network, address string) (net.Conn, error) {
	path := "/run/netns/" + c.Namespace(n)
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		runtime.LockOSThread()
		own, err := os.Open(fmt.Sprintf("/proc/self/task/%d/ns/net", unix.Gettid()))
		if err != nil {
			return nil, err
		}
		defer func() { _ = own.Close() }()
		other, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer func() { _ = other.Close() }()
		if err := unix.Setns(int(other.Fd()), unix.CLONE_NEWNET); err != nil {
			return nil, fmt.Errorf("setns %s: %w", path, err)
		}
		conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
		if back := unix.Setns(int(own.Fd()), unix.CLONE_NEWNET); back != nil {
			return nil, errors.Join(err, back) // the thread stays locked and ends with its goroutine
		}
		runtime.UnlockOSThread()
		return conn, err
	}
}

// Cut takes node n off the network: its port of the bridge goes down.
func (c *Cluster) Cut(n int) error {
	return run("ip", "-n", c.hub(), "link", "set", fmt.Sprintf("p%d", n), "down")
}

// Heal undoes Cut.
func (c *Cluster) Heal(n int) error {
	return run("ip", "-n", c.hub(), "link", "set", fmt.Sprintf("p%d", n), "up")
}

// CutPair keeps a and b from each other; both still reach the third.
func (c *Cluster) CutPair(a, b int) error {
	return errors.Join(
		run("ip", "-n", c.Namespace(a), "route", "replace", "blackhole", c.Address(b)+"/32"),
		run("ip", "-n", c.Namespace(b), "route", "replace", "blackhole", c.Address(a)+"/32"))
}

// HealPair undoes CutPair.
func (c *Cluster) HealPair(a, b int) error {
	return errors.Join(
		run("ip", "-n", c.Namespace(a), "route", "del", "blackhole", c.Address(b)+"/32"),
		run("ip", "-n", c.Namespace(b), "route", "del", "blackhole", c.Address(a)+"/32"))
}

// Signal sends a signal to the virtual machine of node n: SIGSTOP freezes, SIGCONT thaws, SIGTERM stops in order.
func (c *Cluster) Signal(n int, s syscall.Signal) error {
	return c.node[n].cmd.Process.Signal(s)
}

// Drop closes the connection between a and b once, without losing a packet.
func (c *Cluster) Drop(a, b int) error {
	return c.ctl(a, "eval", fmt.Sprintf("erlang:disconnect_node('rabbit@n%d').", b))
}

// StopVHost stops a vhost on node n alone, as one is that was never started there.
func (c *Cluster) StopVHost(n int, vhost string) error {
	return c.ctl(n, "eval", fmt.Sprintf("ok = supervisor:terminate_child(rabbit_vhost_sup_sup, element(4, hd(ets:lookup(rabbit_vhost_sup_sup, <<%q>>)))).", vhost))
}

// RestartVHost undoes StopVHost.
func (c *Cluster) RestartVHost(n int, vhost string) error {
	return c.ctl(n, "restart_vhost", "-p", vhost)
}

// StopApp stops the application of node n, as an operator does.
func (c *Cluster) StopApp(n int) error { return c.ctl(n, "stop_app") }

// StartApp undoes StopApp.
func (c *Cluster) StartApp(n int) error { return c.ctl(n, "start_app") }

// ctl runs rabbitmqctl at node n.
func (c *Cluster) ctl(n int, args ...string) error {
	cmd := c.command(n, append([]string{"/usr/lib/rabbitmq/bin/rabbitmqctl", "-n", fmt.Sprintf("rabbit@n%d", n)}, args...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("rabbitmqctl: %w: %.300s", err, out)
	}
	return nil
}

// Starts is how often RabbitMQ has started on node n, by its own log: with its virtual machine, and again after each pause.
func (c *Cluster) Starts(n int) (int, error) {
	text, err := os.ReadFile(c.logFile(n))
	return bytes.Count(text, []byte("Starting RabbitMQ ")), err
}

// Log is the last lines of what node n wrote, for a test that fails.
func (c *Cluster) Log(n, lines int) string {
	text, err := os.ReadFile(c.logFile(n))
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

func (c *Cluster) logFile(n int) string {
	return filepath.Join(c.dir, fmt.Sprintf("n%d", n), "log", fmt.Sprintf("rabbit@n%d.log", n))
}

// Ended says whether the virtual machine of node n has ended.
func (c *Cluster) Ended(n int) bool {
	select {
	case <-c.node[n].done:
		return true
	default:
		return false
	}
}

// Close ends every broker that runs and deletes the namespaces.
func (c *Cluster) Close() error {
	for n := 1; n <= Size; n++ {
		if p := c.node[n]; p != nil && !c.Ended(n) {
			_ = p.cmd.Process.Signal(syscall.SIGKILL) // nothing in it is worth an orderly stop
			<-p.done
		}
		if e := c.epmd[n]; e != nil {
			_ = e.Process.Kill()
			_ = e.Wait()
		}
	}
	// What an operator's command or a broker started, such as a port mapper, may still be there.
	return errors.Join(sweep(c.id, c.dir), c.turn.Truncate(0), c.turn.Close())
}
