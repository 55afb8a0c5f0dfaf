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
	"github.com/navcloud/binnacle/agent/testport"
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
	_, port, _ := net.SplitHostPort(testport.Free(t))
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

// await looks until what the collector says has a line, for at most three minutes, which a busy machine may need.
func await(t *testing.T, c collectors.Collector, want string) string {
	t.Helper()
	got := ""
	for end := time.Now().Add(3 * time.Minute); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		b := &metric.Batch{Time: time.Now()}
		err := c.Collect(t.Context(), b)
		if got = fixture.Show(b, err, ""); strings.Contains(got, want) {
			return got
		}
	}
	t.Fatalf("within three minutes it does not say %s, but\n%s", want, got)
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

// states sends signals to a process, and awaits the state of each.
func states(t *testing.T, c collectors.Collector, name string, p *os.Process, kill string) {
	t.Helper()
	for _, step := range []struct {
		signal syscall.Signal
		want   string
	}{
		{syscall.SIGSTOP, "frozen"}, {syscall.SIGCONT, "ok"}, {syscall.SIGKILL, kill},
	} {
		if err := p.Signal(step.signal); err != nil {
			t.Fatal(err)
		}
		await(t, c, fmt.Sprintf("%s_state{server=\"s\",state=%q} 1", name, step.want))
	}
}

func TestRealNginx(t *testing.T) {
	path, port, dir := realServer(t, "nginx"), free(t), t.TempDir()
	file := filepath.Join(dir, "n.conf")
	text := fmt.Sprintf("daemon off; master_process off; pid %[1]s/pid; error_log stderr;\nevents { worker_connections 24; }\n"+
		"http { access_log off; client_body_temp_path %[1]s/b; proxy_temp_path %[1]s/p; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;\n"+
		" server { listen 127.0.0.1:%[2]s; location = /nginx_status { stub_status; } } }\n", dir, port)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c := made(t, Nginx, Servers{{Name: "s", URL: "http://127.0.0.1:" + port}})
	p := serve(t, path, "-c", file)
	got := await(t, c, `nginx_state{server="s",state="ok"} 1`)
	if !strings.Contains(got, `nginx_connections{server="s",state="active"} 1`) {
		t.Errorf("it says\n%s", got)
	}
	states(t, c, "nginx", p, "down")
}

func TestRealApache(t *testing.T) {
	path, port, dir := realServer(t, "apache2"), free(t), t.TempDir()
	file, modules := filepath.Join(dir, "a.conf"), "/usr/lib/apache2/modules"
	text := fmt.Sprintf("ServerName localhost\nServerRoot %[1]s\nPidFile %[1]s/pid\nErrorLog /dev/stderr\nListen 127.0.0.1:%[2]s\nUser nobody\nGroup nogroup\n"+
		"LoadModule mpm_event_module %[3]s/mod_mpm_event.so\nLoadModule authz_core_module %[3]s/mod_authz_core.so\nLoadModule authz_host_module %[3]s/mod_authz_host.so\n"+
		"LoadModule status_module %[3]s/mod_status.so\nServerLimit 2\nThreadsPerChild 5\nMaxRequestWorkers 10\nStartServers 1\nExtendedStatus On\n"+
		"<Location /server-status>\nSetHandler server-status\nRequire local\n</Location>\n", dir, port, modules)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c := made(t, Apache, Servers{{Name: "s", URL: "http://127.0.0.1:" + port}})
	serve(t, path, "-X", "-f", file)
	if got := await(t, c, `apache_state{server="s",state="ok"} 1`); !strings.Contains(got, `apache_workers{server="s",state="sending"} 1`) {
		t.Errorf("it says\n%s", got)
	}
	var held []net.Conn // half-sent requests take all workers: the status waits for one
	for range 24 {
		conn, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := conn.Write([]byte("GET / HTTP/1.1\r\nHost: x\r\n")); err != nil {
			t.Fatal(err)
		}
		held = append(held, conn)
	}
	await(t, c, `apache_state{server="s",state="frozen"} 1`)
	for _, conn := range held {
		_ = conn.Close()
	}
	await(t, c, `apache_state{server="s",state="ok"} 1`)
}

func TestRealMemcached(t *testing.T) {
	path, port := realServer(t, "memcached"), free(t)
	c := made(t, Memcached, Servers{{Name: "s", URL: "tcp://127.0.0.1:" + port}})
	p := serve(t, path, "-u", "nobody", "-l", "127.0.0.1", "-p", port, "-U", "0", "-m", "2", "-c", "32", "-t", "2")
	if got := await(t, c, `memcached_state{server="s",state="ok"} 1`); !strings.Contains(got, `memcached_connections_limit{server="s"} 32`) {
		t.Errorf("it says\n%s", got)
	}
	var held []net.Conn
	for range 40 {
		conn, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		held = append(held, conn)
	}
	await(t, c, `memcached_state{server="s",state="full"} 1`)
	for _, conn := range held {
		_ = conn.Close()
	}
	await(t, c, `memcached_state{server="s",state="ok"} 1`)
	states(t, c, "memcached", p, "down")
}

func TestRealVarnish(t *testing.T) {
	path, port := realServer(t, "varnishd"), free(t)
	if _, err := exec.LookPath("cc"); err != nil {
		t.Skip("varnishd compiles its configuration, and there is no compiler: ", err)
	}
	dir, err := os.MkdirTemp("/var/tmp", "varnish") // its child is another user, who may not enter a folder of a test
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	c := made(t, Varnish, Servers{{Name: "s", Instance: filepath.Join(dir, "n")}})
	await(t, c, `varnish_state{server="s",state="absent"} 1`)
	p := serve(t, path, "-F", "-n", filepath.Join(dir, "n"), "-a", "127.0.0.1:"+port, "-T", "none", "-b", "127.0.0.1:"+free(t), "-s", "malloc,2M")
	if got := await(t, c, `varnish_state{server="s",state="ok"} 1`); !strings.Contains(got, `varnish_child_running{server="s"} 1`) || strings.Contains(got, "varnish_backend_up") {
		t.Errorf("a backend without a probe has no state, but it says\n%s", got)
	}
	if err := p.Signal(syscall.SIGTERM); err != nil { // the child ends with its manager
		t.Fatal(err)
	}
	await(t, c, `varnish_state{server="s",state="down"} 1`)
}

func TestRealZooKeeper(t *testing.T) {
	path, port, dir := realServer(t, "java"), free(t), t.TempDir()
	jar := "/usr/share/java/zookeeper.jar"
	if _, err := os.Stat(jar); err != nil {
		t.Skip(err)
	}
	quorum, election := free(t), free(t)
	zoo := func(name, servers string) string {
		data := filepath.Join(dir, name)
		if err := os.MkdirAll(data, 0o700); err != nil {
			t.Fatal(err)
		}
		text := fmt.Sprintf("tickTime=500\ndataDir=%s\nclientPort=%s\nclientPortAddress=127.0.0.1\nadmin.enableServer=false\n4lw.commands.whitelist=mntr\ninitLimit=10\nsyncLimit=4\n%s", data, port, servers)
		file := filepath.Join(dir, name+".cfg")
		for path, body := range map[string]string{file: text, filepath.Join(data, "myid"): "1"} {
			if err := os.WriteFile(path, []byte(body), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return file
	}
	run := func(file string) *os.Process {
		return serve(t, path, "-Xmx64m", "-cp", "/etc/zookeeper/conf:"+jar, "org.apache.zookeeper.server.quorum.QuorumPeerMain", file)
	}
	c := made(t, ZooKeeper, Servers{{Name: "s", URL: "tcp://127.0.0.1:" + port}})
	alone := run(zoo("alone", ""))
	if got := await(t, c, `zookeeper_state{server="s",state="ok"} 1`); !strings.Contains(got, `zookeeper_mode{mode="standalone",server="s"} 1`) {
		t.Errorf("it says\n%s", got)
	}
	states(t, c, "zookeeper", alone, "down")
	run(zoo("one", fmt.Sprintf("server.1=127.0.0.1:%s:%s\nserver.2=127.0.0.1:1:2\nserver.3=127.0.0.1:3:4\n", quorum, election)))
	await(t, c, `zookeeper_state{server="s",state="no_quorum"} 1`)
}
