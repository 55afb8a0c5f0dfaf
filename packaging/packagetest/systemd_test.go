package packagetest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// boot runs systemd of a tree as process 1 of namespaces of its own, with a cgroup of its own. $1 is the tree, $2 the cgroup.
const boot = `set -e
echo $$ >"$2/cgroup.procs"
exec unshare --pid --mount --cgroup --uts --ipc --net --fork --kill-child sh -c '
set -e
ip link set lo up
mount --make-rprivate /
mount --bind "$1" "$1"
mount -t proc proc "$1/proc"
mount -t sysfs -o ro sysfs "$1/sys"
mount -t cgroup2 cgroup2 "$1/sys/fs/cgroup"
mount -t tmpfs -o mode=1777 tmpfs "$1/tmp"
for d in run dev; do mount -t tmpfs -o mode=755 tmpfs "$1/$d"; done
mkdir "$1/dev/shm" "$1/dev/pts"
mount -t tmpfs tmpfs "$1/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$1/dev/pts"
ln -s pts/ptmx "$1/dev/ptmx"
for d in null zero full random urandom tty; do : >"$1/dev/$d"; mount --bind "/dev/$d" "$1/dev/$d"; done
cd "$1"
pivot_root . mnt
umount -l /mnt
exec env -i container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --log-target=console
' sh "$1"
`

// machine is a tree in which systemd runs.
type machine struct {
	tree
	pid string // of its process 1, as seen from here
}

// booted boots a tree, or skips where this kernel or these rights have no room for it.
func booted(t *testing.T, d tree) machine {
	t.Helper()
	hierarchy := ""
	for _, at := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"} {
		if _, err := os.Stat(filepath.Join(at, "cgroup.controllers")); err == nil {
			hierarchy = at
		}
	}
	if hierarchy == "" {
		t.Skip("there is no unified hierarchy of cgroups: systemd is not booted here")
	}
	group := filepath.Join(hierarchy, "binnacle-test-"+strconv.Itoa(os.Getpid()))
	if err := os.Mkdir(group, 0o755); err != nil {
		t.Skipf("no cgroup can be made, so that systemd is not booted here: %v", err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	said := filepath.Join(t.TempDir(), "console")
	console, err := os.Create(said)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, "sh", "-c", boot, "sh", d.root, group)
	cmd.Stdout, cmd.Stderr = console, console
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { _ = cmd.Wait(); close(done) }()
	t.Cleanup(func() {
		cancel() // --kill-child takes process 1 along, and the kernel all others of its namespace
		<-done
		_ = console.Close()
		for range 100 {
			if exec.Command("find", group, "-depth", "-type", "d", "-exec", "rmdir", "{}", "+").Run() == nil {
				return
			}
			time.Sleep(50 * time.Millisecond)
		}
	})
	m := machine{tree: d}
	for until := time.Now().Add(steps); time.Now().Before(until); time.Sleep(200 * time.Millisecond) {
		select {
		case <-done:
			text, _ := os.ReadFile(said)
			t.Skipf("systemd cannot be booted here: %s", lastLine(text))
		default:
		}
		children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", cmd.Process.Pid))
		if err != nil || len(strings.Fields(string(children))) == 0 {
			continue
		}
		m.pid = strings.Fields(string(children))[0]
		if out, err := m.try("systemctl", "is-system-running"); err == nil || strings.Contains(out, "degraded") {
			return m
		}
	}
	text, _ := os.ReadFile(said)
	t.Fatalf("systemd does not come up:\n%s", text)
	return m
}

// try runs a command beside the machine's systemd.
func (m machine) try(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(m.t.Context(), steps)
	defer cancel()
	cmd := exec.CommandContext(ctx, "nsenter", append([]string{"-t", m.pid, "-a"}, args...)...)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C"}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (m machine) run(args ...string) string {
	m.t.Helper()
	out, err := m.try(args...)
	if err != nil {
		m.t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// unit waits until a property of the unit is as wanted.
func (m machine) unit(property string, good func(string) bool) string {
	m.t.Helper()
	var value string
	until(m.t, "a good "+property+" of the unit", func() bool {
		value = strings.TrimSpace(m.run("systemctl", "show", "binnacle", "-p", property, "--value"))
		return good(value)
	})
	return value
}

// Under systemd: setup enables and starts the unit, in its sandbox every collector of a host sees, a reload and an upgrade reach it, a
// process that hangs is started again, and removing and purging leave nothing.
func systemd(t *testing.T, d tree, first, second string) {
	for _, tool := range []string{"unshare", "nsenter", "pivot_root", "ip"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip(tool + " is not installed")
		}
	}
	m := booted(t, d)
	m.run("dpkg", "-i", first)
	out, err := m.try("binnacle", "setup", "--yes", "--admin", "maria")
	if err != nil {
		log, _ := m.try("journalctl", "-xeu", "binnacle", "--no-pager")
		t.Fatalf("%v\n%s\n%s", err, out, log)
	}
	if !strings.Contains(out, "binnacle.service: enabled and started") {
		t.Errorf("%s\nwant the unit enabled and started", out)
	}
	m.unit("ActiveState", func(s string) bool { return s == "active" })
	// Of a round of all collectors: what its own sandbox forbids would be blind.
	status := ""
	until(t, "a status of all collectors", func() bool {
		status, _ = m.try("binnacle", "status")
		return strings.Contains(status, "host_clock") && !strings.Contains(status, "not yet")
	})
	if strings.Contains(status, "BLIND") {
		t.Errorf("under the unit's sandbox a collector is blind:\n%s", status)
	}
	m.run("systemctl", "reload", "binnacle")
	m.unit("ActiveState", func(s string) bool { return s == "active" })

	pid := m.unit("MainPID", func(s string) bool { return s != "0" })
	m.run("dpkg", "-i", second)
	m.unit("MainPID", func(s string) bool { return s != "0" && s != pid })
	m.unit("ActiveState", func(s string) bool { return s == "active" })
	until(t, "a version of the node", func() bool {
		nodes, _ := m.try("binnacle", "nodes")
		return strings.Contains(nodes, "0.1.0") // the program of both packages is one
	})

	m.run("mkdir", "-p", "/run/systemd/system/binnacle.service.d")
	m.run("sh", "-c", `printf '[Service]\nWatchdogSec=10s\n' >/run/systemd/system/binnacle.service.d/short.conf`)
	m.run("systemctl", "daemon-reload")
	m.run("systemctl", "restart", "binnacle")
	m.run("sh", "-c", "kill -STOP $(systemctl show binnacle -p MainPID --value)")
	m.unit("NRestarts", func(s string) bool { return s != "0" })
	m.unit("ActiveState", func(s string) bool { return s == "active" })
	m.run("rm", "-r", "/run/systemd/system/binnacle.service.d")

	m.run("dpkg", "-r", "binnacle")
	if out, err := m.try("systemctl", "is-active", "binnacle"); err == nil {
		t.Errorf("removed, and the unit is %s", out)
	}
	m.run("dpkg", "--purge", "binnacle")
	if out := m.run("find", "/etc", "/var/lib", "/usr", "/run", "-xdev", "-name", "*binnacle*", "-not", "-path", "/var/lib/dpkg/*", "-not", "-path", "/var/lib/systemd/*"); out != "" {
		t.Errorf("after purging there is\n%s", out)
	}
}
