// Package rabbitmqrig runs real RabbitMQ for tests: three nodes in three network namespaces on one machine, whose links
// can be cut and healed, and which can be stopped, frozen and started again.
//
// It needs root, iproute2 and Debian's rabbitmq-server; Available says what is missing. Nothing is installed, no file
// outside its directory is touched, and Close leaves nothing behind: it ends the processes that it started, by their
// pid, and deletes the namespaces that it made. No systemd: the brokers are children of the test. They end with it, also where
// it is killed; what else that leaves, the next Start takes away.
package rabbitmqrig

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Probe is a user, and its password, who has all rights on the vhost binnacle and none elsewhere.
const Probe = "probe"

// Size is how many nodes there are: n1, n2, n3.
const Size = 3

const (
	server  = "/usr/lib/rabbitmq/bin/rabbitmq-server" // not the wrapper in sbin, which changes user and folders
	subnet  = "10.213.78"
	user    = "monitor"
	adminPW = "rig"
)

// Available returns why there can be no rig here, or nil.
func Available() error {
	if os.Getuid() != 0 {
		return errors.New("network namespaces need root")
	}
	for _, tool := range []string{"ip", "epmd"} {
		if _, err := exec.LookPath(tool); err != nil {
			return fmt.Errorf("%s: %w", tool, err)
		}
	}
	if _, err := os.Stat(server); err != nil {
		return fmt.Errorf("no rabbitmq-server: %w", err)
	}
	probe := fmt.Sprintf("binnacle-probe%d", os.Getpid()) // of several packages that ask at once
	if out, err := exec.Command("ip", "netns", "add", probe).CombinedOutput(); err != nil {
		return fmt.Errorf("no network namespace can be made: %s", bytes.TrimSpace(out))
	}
	return run("ip", "netns", "del", probe)
}

// Cluster is three brokers. It is not safe for concurrent use.
type Cluster struct {
	dir  string
	id   string
	turn *os.File // locked while the cluster is there
	epmd [Size + 1]*exec.Cmd
	node [Size + 1]*process
}

// process is one broker; done is closed when it has ended.
type process struct {
	cmd  *exec.Cmd
	done chan struct{}
}

// Options are how the brokers behave in a cut.
type Options struct {
	Handling string        // ignore, pause_minority, autoheal
	Tick     time.Duration // net_ticktime; after about it a silent peer is declared down
}

// startLimit is how long a start may take: ten times as long as on two cores that do nothing else.
const startLimit = 6 * time.Minute

// Start starts a cluster in dir, which is empty, and waits until all nodes see each other: 35 to 60 s on two cores. One
// machine has one cluster at a time, whichever package's tests want it: it waits for its turn until ctx ends.
func Start(ctx context.Context, dir string, o Options) (*Cluster, error) {
	turn, err := takeTurn(ctx)
	if err != nil {
		return nil, err
	}
	c := &Cluster{dir: dir, id: fmt.Sprintf("bnc%d", os.Getpid()), turn: turn}
	if err := errors.Join(reap(turn), note(turn, c.id, dir)); err != nil {
		return nil, errors.Join(err, turn.Close())
	}
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	if err := c.start(ctx, o); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// takeTurn locks a file that all on this machine know. Source: flock(2); the lock ends with the process at the latest.
func takeTurn(ctx context.Context) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(os.TempDir(), "binnacle-rabbitmqrig.lock"), os.O_CREATE|os.O_RDWR|syscall.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return f, nil
		}
		select {
		case <-time.After(500 * time.Millisecond):
		case <-ctx.Done():
			_ = f.Close()
			return nil, fmt.Errorf("another cluster has its turn: %w", errors.Join(err, ctx.Err()))
		}
	}
}

func (c *Cluster) start(ctx context.Context, o Options) error {
	if err := c.network(); err != nil {
		return err
	}
	if err := c.files(o); err != nil {
		return err
	}
	for n := 1; n <= Size; n++ {
		if err := c.Boot(n); err != nil {
			return err
		}
		if n == 1 { // the others join it
			if err := c.ready(ctx, 1); err != nil {
				return err
			}
		}
	}
	for n := 1; n <= Size; n++ {
		if err := c.ready(ctx, n); err != nil {
			return err
		}
	}
	for path, body := range map[string]string{
		"users/" + user:            `{"password":"monitor","tags":"monitoring"}`,
		"exchanges/%2F/nav.events": `{"type":"fanout","durable":true}`,
		"users/" + Probe:           `{"password":"probe","tags":""}`,
		"vhosts/binnacle":          `{}`,
	} {
		if err := c.api(ctx, http.MethodPut, path, body); err != nil {
			return err
		}
	}
	if err := c.everywhere(ctx, "binnacle"); err != nil {
		return err
	}
	for path, body := range map[string]string{
		"permissions/%2F/" + user:       `{"configure":"^$","write":"^$","read":".*"}`,
		"permissions/binnacle/" + Probe: `{"configure":".*","write":".*","read":".*"}`,
	} {
		if err := c.api(ctx, http.MethodPut, path, body); err != nil {
			return err
		}
	}
	for n := 1; n <= Size; n++ {
		q := fmt.Sprintf("nav.api.n%d", n)
		if err := c.api(ctx, http.MethodPut, "queues/%2F/"+q, `{"durable":true}`); err != nil {
			return err
		}
		if err := c.api(ctx, http.MethodPost, "bindings/%2F/e/nav.events/q/"+q, `{}`); err != nil {
			return err
		}
	}
	return nil
}

// Namespace is the name of the network namespace of node n.
func (c *Cluster) Namespace(n int) string { return fmt.Sprintf("%s-%d", c.id, n) }

// Address is that of node n in all namespaces of the cluster.
func (c *Cluster) Address(n int) string { return fmt.Sprintf("%s.%d", subnet, n) }

func (c *Cluster) hub() string { return c.id + "-hub" }

// network makes a bridge in a namespace of its own and one for each node.
func (c *Cluster) network() error {
	if err := errors.Join(run("ip", "netns", "add", c.hub()), run("ip", "-n", c.hub(), "link", "add", "br0", "type", "bridge"),
		run("ip", "-n", c.hub(), "link", "set", "br0", "up")); err != nil {
		return err
	}
	for n := 1; n <= Size; n++ {
		ns, port := c.Namespace(n), fmt.Sprintf("p%d", n)
		for _, args := range [][]string{
			{"netns", "add", ns},
			{"-n", c.hub(), "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", ns},
			{"-n", c.hub(), "link", "set", port, "master", "br0", "up"},
			{"-n", ns, "link", "set", "lo", "up"},
			{"-n", ns, "addr", "add", c.Address(n) + "/24", "dev", "eth0"},
			{"-n", ns, "link", "set", "eth0", "up"},
		} {
			if err := run("ip", args...); err != nil {
				return err
			}
		}
	}
	return nil
}

// files writes what the brokers read. Names resolve by an inetrc of Erlang; /etc/hosts is left alone.
func (c *Cluster) files(o Options) error {
	inetrc := "{lookup,[file]}.\n{host,{127,0,0,1},[\"localhost\"]}.\n"
	var members string
	for n := 1; n <= Size; n++ {
		inetrc += fmt.Sprintf("{host,{%s},[\"n%d\"]}.\n", strings.ReplaceAll(c.Address(n), ".", ","), n)
		members += fmt.Sprintf("cluster_formation.classic_config.nodes.%d = rabbit@n%d\n", n, n)
	}
	conf := fmt.Sprintf(`listeners.tcp.1 = 0.0.0.0:5672
management.tcp.port = 15672
prometheus.tcp.port = 15692
default_user = rig
default_pass = %s
loopback_users = none
net_ticktime = %d
cluster_partition_handling = %s
disk_free_limit.absolute = 50MB
log.console = false
cluster_name = nav-rig
cluster_formation.peer_discovery_backend = classic_config
%s`, adminPW, int(o.Tick.Seconds()), o.Handling, members)
	put := map[string]string{".erlang.cookie": "binnacle" + c.id, "inetrc": inetrc}
	for n := 1; n <= Size; n++ {
		put[fmt.Sprintf("n%d/rabbitmq.conf", n)] = conf
		put[fmt.Sprintf("n%d/enabled_plugins", n)] = "[rabbitmq_management,rabbitmq_prometheus].\n"
		put[fmt.Sprintf("n%d/advanced.config", n)] = "[].\n"
	}
	for name, text := range put {
		path := filepath.Join(c.dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(text), 0o400); err != nil {
			return err
		}
	}
	return nil
}

// command makes a command in the namespace and with the environment of node n.
func (c *Cluster) command(n int, args ...string) *exec.Cmd {
	d := filepath.Join(c.dir, fmt.Sprintf("n%d", n))
	cmd := exec.Command("ip", append([]string{"netns", "exec", c.Namespace(n)}, args...)...)
	cmd.Dir = c.dir // where the broker writes a dump when it dies
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "LANG=C.UTF-8", "HOME=" + c.dir, "ERL_INETRC=" + filepath.Join(c.dir, "inetrc"),
		fmt.Sprintf("RABBITMQ_NODENAME=rabbit@n%d", n), "RABBITMQ_CONF_ENV_FILE=/dev/null",
		"RABBITMQ_CONFIG_FILE=" + d + "/rabbitmq.conf", "RABBITMQ_ADVANCED_CONFIG_FILE=" + d + "/advanced.config",
		"RABBITMQ_ENABLED_PLUGINS_FILE=" + d + "/enabled_plugins", "RABBITMQ_MNESIA_BASE=" + d + "/mnesia",
		"RABBITMQ_LOG_BASE=" + d + "/log", "RABBITMQ_PID_FILE=" + d + "/rabbit.pid", "RABBITMQ_DIST_PORT=25672",
		"RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-kernel inet_dist_use_interface {0,0,0,0} +S 2:2",
		"RUNNING_UNDER_SYSTEMD=true", // only makes the script exec the virtual machine, so that its pid is ours
	}
	return cmd
}

func run(name string, args ...string) error {
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, bytes.TrimSpace(out))
	}
	return nil
}
