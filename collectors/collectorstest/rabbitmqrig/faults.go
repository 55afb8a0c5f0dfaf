package rabbitmqrig

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
)

// distPort is the distribution port of every node.
const distPort = "25672"

// Mute lets nothing out of node n to the others, while what they send still comes in: loss in one direction.
func (c *Cluster) Mute(n int) error { return c.eachOther(n, "replace") }

// Unmute undoes Mute.
func (c *Cluster) Unmute(n int) error { return c.eachOther(n, "del") }

func (c *Cluster) eachOther(n int, what string) error {
	var errs []error
	for o := 1; o <= Size; o++ {
		if o != n {
			errs = append(errs, run("ip", "-n", c.Namespace(n), "route", what, "blackhole", c.Address(o)+"/32"))
		}
	}
	return errors.Join(errs...)
}

// CutDist drops what node n sends from or to a distribution port; all its other ports stay. Source: ip-rule(8).
func (c *Cluster) CutDist(n int) error { return c.distRule(n, "add") }

// HealDist undoes CutDist.
func (c *Cluster) HealDist(n int) error { return c.distRule(n, "del") }

func (c *Cluster) distRule(n int, what string) error {
	var errs []error
	for _, side := range []string{"dport", "sport"} {
		errs = append(errs, run("ip", "-n", c.Namespace(n), "rule", what, "ipproto", "tcp", side, distPort, "blackhole", "pref", "5"))
	}
	return errors.Join(errs...)
}

// Slow lets no more than rate into the link of node n and out of it, such as 256kbit. Source: tc-tbf(8).
func (c *Cluster) Slow(n int, rate string) error {
	tbf := []string{"root", "tbf", "rate", rate, "burst", "16kb", "latency", "2s"}
	return errors.Join(
		run("tc", append([]string{"-n", c.Namespace(n), "qdisc", "add", "dev", "eth0"}, tbf...)...),
		run("tc", append([]string{"-n", c.hub(), "qdisc", "add", "dev", fmt.Sprintf("p%d", n)}, tbf...)...))
}

// Unslow undoes Slow.
func (c *Cluster) Unslow(n int) error {
	return errors.Join(
		run("tc", "-n", c.Namespace(n), "qdisc", "del", "dev", "eth0", "root"),
		run("tc", "-n", c.hub(), "qdisc", "del", "dev", fmt.Sprintf("p%d", n), "root"))
}

// KillPortMapper ends epmd on node n, which the rig started. A broker starts one again by itself.
func (c *Cluster) KillPortMapper(n int) error {
	e := c.epmd[n]
	if err := e.Process.Kill(); err != nil {
		return err
	}
	_ = e.Wait() // that it was killed is the test's doing
	return nil
}

// RenameQueue deletes a queue of events and makes another one in its place, as a program does that calls its queue otherwise.
func (c *Cluster) RenameQueue(ctx context.Context, from, to string) error {
	return errors.Join(
		c.api(ctx, http.MethodPut, "queues/%2F/"+to, `{"durable":true}`),
		c.api(ctx, http.MethodPost, "bindings/%2F/e/nav.events/q/"+to, `{}`),
		c.api(ctx, http.MethodDelete, "queues/%2F/"+from, ""))
}

// MakeQueues makes durable queues with a message in each.
func (c *Cluster) MakeQueues(ctx context.Context, names ...string) error {
	var errs []error
	for _, name := range names {
		errs = append(errs, c.api(ctx, http.MethodPut, "queues/%2F/"+name, `{"durable":true}`),
			c.api(ctx, http.MethodPost, "exchanges/%2F/amq.default/publish", fmt.Sprintf(`{"properties":{},"routing_key":%q,"payload":"x","payload_encoding":"string"}`, name)))
	}
	return errors.Join(errs...)
}

// DropQueues deletes queues.
func (c *Cluster) DropQueues(ctx context.Context, names ...string) error {
	var errs []error
	for _, name := range names {
		errs = append(errs, c.api(ctx, http.MethodDelete, "queues/%2F/"+name, ""))
	}
	return errors.Join(errs...)
}

// Erase deletes what node n has on its disk; it must have ended.
func (c *Cluster) Erase(n int) error {
	if !c.Ended(n) {
		return fmt.Errorf("n%d runs", n)
	}
	return os.RemoveAll(filepath.Join(c.dir, fmt.Sprintf("n%d", n), "mnesia"))
}

// Wait waits until the virtual machine of node n has ended.
func (c *Cluster) Wait(ctx context.Context, n int) error {
	select {
	case <-c.node[n].done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Command runs a command line of an operator at node n, with the tools of RabbitMQ, and returns what it printed. {node} in it
// is the node's own Erlang name.
func (c *Cluster) Command(ctx context.Context, n int, line string) (string, error) {
	node := fmt.Sprintf("rabbit@n%d", n)
	script := `rabbitmqctl() { /usr/lib/rabbitmq/bin/rabbitmqctl -n ` + node + ` "$@"; }
rabbitmq-plugins() { /usr/lib/rabbitmq/bin/rabbitmq-plugins -n ` + node + ` "$@"; }
rabbitmq_queues() { /usr/lib/rabbitmq/bin/rabbitmq-queues -n ` + node + ` "$@"; }
` + strings.NewReplacer("{node}", node, "rabbitmq-queues ", "rabbitmq_queues ").Replace(line)
	cmd := c.command(n, "bash", "-c", script)
	type result struct {
		out []byte
		err error
	}
	done := make(chan result, 1)
	go func() {
		out, err := cmd.CombinedOutput()
		done <- result{out, err}
	}()
	select {
	case r := <-done:
		if r.err != nil {
			return string(r.out), fmt.Errorf("%s: %w: %.400s", line, r.err, r.out)
		}
		return string(r.out), nil
	case <-ctx.Done():
		if cmd.Process != nil {
			_ = cmd.Process.Kill()
		}
		return "", fmt.Errorf("%s: %w", line, ctx.Err())
	}
}
