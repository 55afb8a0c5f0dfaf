package packagetest

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// steps is how long one command may take, on a machine that does much else.
const steps = 5 * time.Minute

// tree is a Debian system in a folder.
type tree struct {
	t    *testing.T
	root string
}

func (d tree) path(name string) string { return filepath.Join(d.root, name) }

// run runs a command of the tree and returns both of its outputs.
func (d tree) run(args ...string) string {
	d.t.Helper()
	out, err := d.try(args...)
	if err != nil {
		d.t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

func (d tree) try(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(d.t.Context(), steps)
	defer cancel()
	cmd := exec.CommandContext(ctx, "chroot", append([]string{d.root}, args...)...)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C"}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (d tree) there(name string) bool {
	_, err := os.Lstat(d.path(name))
	return err == nil
}

// owned errs where a file has another owner or mode.
func (d tree) owned(name string, mode os.FileMode, owner string) {
	d.t.Helper()
	got := strings.TrimSpace(d.run("stat", "-c", "%a %U:%G", "/"+name))
	if want := fmt.Sprintf("%o %s", mode, owner); got != want {
		d.t.Errorf("%s: %s; want %s", name, got, want)
	}
}

// debian makes the tree, or skips where there is none to be had.
func debian(t *testing.T) tree {
	t.Helper()
	if os.Getenv("BINNACLE_PACKAGES") == "" {
		t.Skip("BINNACLE_PACKAGES is not set: no tree of Debian is made")
	}
	if os.Geteuid() != 0 {
		t.Skip("this is not root: a tree of Debian cannot be entered")
	}
	for _, tool := range []string{"debootstrap", "dpkg-deb", "chroot"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip(tool + " is not installed")
		}
	}
	if made := os.Getenv("BINNACLE_DEBIAN"); made != "" { // a tree that debootstrap made before
		return tree{t, made}.copied()
	}
	d := tree{t, filepath.Join(t.TempDir(), "debian")}
	ctx, cancel := context.WithTimeout(t.Context(), steps)
	defer cancel()
	if out, err := exec.CommandContext(ctx, "debootstrap", "--variant=minbase", "--include=systemd,systemd-sysv,dbus", "bookworm", d.root).CombinedOutput(); err != nil {
		t.Skipf("debootstrap cannot make a tree of Debian 12, so that the packages are not tested here: %v: %s", err, lastLine(out))
	}
	return d
}

func lastLine(b []byte) string {
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	return lines[len(lines)-1]
}

// copied is the same system once more.
func (d tree) copied() tree {
	d.t.Helper()
	other := tree{d.t, filepath.Join(d.t.TempDir(), "debian")}
	if out, err := exec.Command("cp", "-a", d.root, other.root).CombinedOutput(); err != nil {
		d.t.Fatal(err, string(out))
	}
	return other
}

// build builds the package, and the same as a later version.
func build(t *testing.T, d tree) (first, second string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "packaging/build", "0.1.0", "amd64")
	cmd.Dir = filepath.Join("..", "..")
	cmd.Env = append(os.Environ(), "PLAIN=1", "KINDS=deb")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("packaging/build: %v\n%s", err, out)
	}
	made, err := filepath.Glob(filepath.Join("..", "..", "dist", "packages", "*.deb"))
	if err != nil || len(made) != 1 {
		t.Fatal(made, err)
	}
	first, second = d.path("first.deb"), d.path("second.deb")
	script := `set -e; cp "$1" "$2"; w=$(mktemp -d); dpkg-deb -R "$1" "$w/p"; sed -i 's/^Version:.*/Version: 0.2.0-1/' "$w/p/DEBIAN/control"
dpkg-deb -Zgzip -z1 --root-owner-group -b "$w/p" "$3" >/dev/null; rm -r "$w"`
	if out, err := exec.CommandContext(t.Context(), "sh", "-c", script, "sh", made[0], first, second).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return "/first.deb", "/second.deb"
}

// service is the unit's program, run as the unit would.
type service struct {
	t      *testing.T
	cmd    *exec.Cmd
	out    bytes.Buffer
	socket *net.UnixConn
	ended  chan error
}

// start runs ExecStart of the unit as its user, with a socket of a service manager.
func (d tree) start() *service {
	d.t.Helper()
	unit, err := os.ReadFile(d.path("usr/lib/systemd/system/binnacle.service"))
	if err != nil {
		d.t.Fatal(err)
	}
	_, line, ok := strings.Cut(string(unit), "\nExecStart=")
	if !ok {
		d.t.Fatal("the unit has no ExecStart")
	}
	line, _, _ = strings.Cut(line, "\n")
	s := &service{t: d.t, ended: make(chan error, 1)}
	at := d.path("tmp/notify")
	_ = os.Remove(at)
	if s.socket, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram", Name: at}); err != nil {
		d.t.Fatal(err)
	}
	if err := os.Chmod(at, 0o777); err != nil {
		d.t.Fatal(err)
	}
	s.cmd = exec.Command("chroot", append([]string{"--userspec=binnacle:binnacle", d.root}, strings.Fields(line)...)...)
	s.cmd.Env = []string{"PATH=/usr/bin:/bin", "NOTIFY_SOCKET=/tmp/notify", "WATCHDOG_USEC=60000000"}
	s.cmd.Stdout, s.cmd.Stderr = &s.out, &s.out
	if err := s.cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	go func() { s.ended <- s.cmd.Wait() }()
	d.t.Cleanup(func() { _ = s.cmd.Process.Kill() }) // where it runs still
	s.hear("READY=1")
	return s
}

// hear waits until the service manager was told something.
func (s *service) hear(what string) {
	s.t.Helper()
	buf := make([]byte, 4096)
	for until := time.Now().Add(steps); ; {
		if err := s.socket.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
			s.t.Fatal(err)
		}
		n, err := s.socket.Read(buf)
		if err == nil && strings.Contains(string(buf[:n]), what) {
			return
		}
		select {
		case err := <-s.ended:
			s.t.Fatalf("it ended before %s: %v\n%s", what, err, s.out.String())
		default:
		}
		if time.Now().After(until) {
			s.t.Fatalf("%s was not told", what)
		}
	}
}

// stop ends it as systemd does.
func (s *service) stop() {
	s.t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		s.t.Fatal(err)
	}
	s.hear("STOPPING=1")
	if err := <-s.ended; err != nil {
		s.t.Errorf("it ended with %v\n%s", err, s.out.String())
	}
	_ = s.socket.Close()
}

// until waits for a state.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(steps); !holds(); time.Sleep(200 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal(what + ": not within " + steps.String())
		}
	}
}
