package rabbitmqrig

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// LoneAvailable returns why there can be no lone broker here, or nil. It needs no root.
func LoneAvailable() error {
	if _, err := exec.LookPath("epmd"); err != nil {
		return err
	}
	if _, err := os.Stat(server); err != nil {
		return fmt.Errorf("no rabbitmq-server: %w", err)
	}
	return nil
}

// Lone is one broker on ports of loopback. Its user is monitor, who may do anything, with the password monitor. It is not
// safe for concurrent use.
type Lone struct {
	AMQP, Management, Metrics string // host:port

	dir  string
	env  []string
	epmd *exec.Cmd
	node *process
}

// StartLone starts a broker with its files in dir, which is empty, and waits until it serves: 10 to 20 s on two cores.
func StartLone(ctx context.Context, dir string) (*Lone, error) {
	l := &Lone{dir: dir}
	err := l.prepare()
	if err == nil {
		err = l.Boot(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// prepare writes what the broker reads, and starts the daemon that knows its port.
func (l *Lone) prepare() error {
	var ports [5]string
	for i := range ports {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer func() { _ = ln.Close() }()
		_, ports[i], _ = net.SplitHostPort(ln.Addr().String())
	}
	l.AMQP, l.Management, l.Metrics = "127.0.0.1:"+ports[0], "127.0.0.1:"+ports[1], "127.0.0.1:"+ports[2]
	for name, text := range map[string]string{
		".erlang.cookie":  fmt.Sprintf("binnacle%d", os.Getpid()),
		"advanced.config": "[].\n",
		"enabled_plugins": "[rabbitmq_management,rabbitmq_prometheus].\n",
		"rabbitmq.conf": fmt.Sprintf("listeners.tcp.1 = %s\nmanagement.tcp.ip = 127.0.0.1\nmanagement.tcp.port = %s\nprometheus.tcp.ip = 127.0.0.1\nprometheus.tcp.port = %s\n"+
			"default_user = %s\ndefault_pass = %s\ndisk_free_limit.absolute = 50MB\nlog.console = false\n", l.AMQP, ports[1], ports[2], user, user),
	} {
		if err := os.WriteFile(filepath.Join(l.dir, name), []byte(text), 0o400); err != nil {
			return err
		}
	}
	l.env = []string{
		"PATH=" + os.Getenv("PATH"), "LANG=C.UTF-8", "HOME=" + l.dir, "RABBITMQ_NODENAME=lone@localhost", "RABBITMQ_CONF_ENV_FILE=/dev/null",
		"RABBITMQ_CONFIG_FILE=" + l.dir + "/rabbitmq.conf", "RABBITMQ_ADVANCED_CONFIG_FILE=" + l.dir + "/advanced.config",
		"RABBITMQ_ENABLED_PLUGINS_FILE=" + l.dir + "/enabled_plugins", "RABBITMQ_MNESIA_BASE=" + l.dir + "/mnesia", "RABBITMQ_LOG_BASE=" + l.dir + "/log",
		"RABBITMQ_PID_FILE=" + l.dir + "/rabbit.pid", "ERL_EPMD_PORT=" + ports[3], "ERL_EPMD_ADDRESS=127.0.0.1", "RABBITMQ_DIST_PORT=" + ports[4],
		"RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-kernel inet_dist_use_interface {127,0,0,1} +S 2:2", "RUNNING_UNDER_SYSTEMD=true",
	}
	return nil
}

func (l *Lone) start(args ...string) (*exec.Cmd, error) {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir, cmd.Env = l.dir, l.env
	return cmd, start(cmd)
}

// Boot starts the broker, again where it was killed, and waits until it serves.
func (l *Lone) Boot(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	if l.epmd == nil {
		cmd, err := l.start("epmd") // in the foreground, so that no daemon is left
		if err != nil {
			return err
		}
		l.epmd = cmd
	}
	cmd, err := l.start(server)
	if err != nil {
		return err
	}
	p := &process{cmd: cmd, done: make(chan struct{})}
	l.node = p
	go func() {
		_ = p.cmd.Wait() // how it ends is the test's doing
		close(p.done)
	}()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+l.Management+"/api/health/checks/local-alarms", nil)
		if err != nil {
			return err
		}
		req.SetBasicAuth(user, user)
		resp, err := http.DefaultClient.Do(req)
		if err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the broker is not ready: %w", ctx.Err())
		case <-p.done:
			return fmt.Errorf("the broker ended while starting: %s", l.log())
		case <-time.After(300 * time.Millisecond):
		}
	}
}

// log is the end of what the broker wrote.
func (l *Lone) log() string {
	b, err := os.ReadFile(filepath.Join(l.dir, "log", "lone@localhost.log"))
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(b[max(0, len(b)-600):]))
}

// Kill ends the broker at once.
func (l *Lone) Kill() error {
	select {
	case <-l.node.done:
		return nil
	default:
	}
	err := l.node.cmd.Process.Kill()
	<-l.node.done
	return err
}

// Close ends all that was started.
func (l *Lone) Close() error {
	var err error
	if l.node != nil {
		err = l.Kill()
	}
	if l.epmd != nil {
		err = errors.Join(err, l.epmd.Process.Kill())
		_ = l.epmd.Wait()
	}
	return err
}
