package services

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/collectors"
	"github.com/navcloud/binnacle/collectors/collectorstest/fixture"
)

// realServer skips a test of a real server where that is not installed, or nobody asked for it.
func realServer(t *testing.T, program string) string {
	t.Helper()
	if os.Getenv("BINNACLE_REAL") == "" {
		t.Skip("set BINNACLE_REAL to test against real servers")
	}
	path, err := exec.LookPath(program)
	if err != nil {
		t.Skip(err)
	}
	return path
}

func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// serve starts a server, which ends with the test.
func serve(t *testing.T, path string, args ...string) *os.Process {
	t.Helper()
	cmd := exec.Command(path, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = t.TempDir(), t.Output(), t.Output()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return cmd.Process
}

// await looks until what the collector says has a line, for at most a minute.
func await(t *testing.T, c collectors.Collector, want string) string {
	t.Helper()
	got := ""
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		b := &metric.Batch{Time: time.Now()}
		err := c.Collect(t.Context(), b)
		if got = fixture.Show(b, err, ""); strings.Contains(got, want) {
			return got
		}
	}
	t.Fatalf("within a minute it does not say %s, but\n%s", want, got)
	return ""
}

func made(t *testing.T, s collectors.Spec, o Servers) collectors.Collector {
	t.Helper()
	c, err := s.New(collectors.Env{
		Options: o, State: t.TempDir(), Node: "n", Now: time.Now, HTTP: http.DefaultTransport, Dial: (&net.Dialer{}).DialContext, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestRealRedis(t *testing.T) {
	path, port := realServer(t, "redis-server"), free(t)
	c := made(t, Redis, Servers{{Name: "r", URL: "redis://127.0.0.1:" + port}})
	await(t, c, `redis_state{server="r",state="absent"} 1`)
	p := serve(t, path, "--port", port, "--bind", "127.0.0.1", "--save", "", "--maxclients", "20")
	got := await(t, c, `redis_state{server="r",state="ok"} 1`)
	if !strings.Contains(got, `redis_clients_limit{server="r"} 20`) || !strings.Contains(got, `redis_role{role="master",server="r"} 1`) {
		t.Errorf("a server that is well says\n%s", got)
	}
	for _, step := range []struct {
		signal syscall.Signal
		want   string
	}{
		{syscall.SIGSTOP, "frozen"}, {syscall.SIGCONT, "ok"}, {syscall.SIGKILL, "down"},
	} {
		if err := p.Signal(step.signal); err != nil {
			t.Fatal(err)
		}
		await(t, c, fmt.Sprintf("redis_state{server=\"r\",state=%q} 1", step.want))
	}
}

func TestRealHAProxy(t *testing.T) {
	path, port, dir := realServer(t, "haproxy"), free(t), t.TempDir()
	file, sock := filepath.Join(dir, "h.cfg"), filepath.Join(dir, "s")
	text := fmt.Sprintf("global\n  maxconn 77\n  stats socket %s mode 600 level user\ndefaults\n  mode http\n  timeout client 5s\n  timeout server 5s\n  timeout connect 1s\n"+
		"frontend www\n  bind 127.0.0.1:%s\n  default_backend app\nbackend app\n  server gone 127.0.0.1:%s check inter 200ms fall 1\n", sock, port, free(t))
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c := made(t, HAProxy, Servers{{Name: "h", URL: "unix://" + sock}})
	p := serve(t, path, "-db", "-f", file)
	got := await(t, c, `haproxy_server_unreached{backend_server="gone",how="refused",proxy="app",server="h"} 1`)
	if !strings.Contains(got, `haproxy_connections_limit{server="h"} 77`) {
		t.Errorf("it says\n%s", got)
	}
	if err := p.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	await(t, c, `haproxy_state{server="h",state="frozen"} 1`)
	if err := p.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	await(t, c, `haproxy_state{server="h",state="down"} 1`)
}
