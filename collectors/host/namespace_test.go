package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/collectors"
	"github.com/navcloud/binnacle/collectors/collectorstest/fixture"
)

// inNamespaces runs the calling test again as process 1 of namespaces of its own (mounts, processes, network), where it
// can mount what it likes, and reports whether it is there.
func inNamespaces(t *testing.T) bool {
	t.Helper()
	const there = "BINNACLE_TEST_NAMESPACES"
	if os.Getenv(there) != "" {
		for _, step := range []error{
			unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""),
			unix.Mount("proc", "/proc", "proc", 0, ""),
		} {
			if step != nil {
				t.Fatal(step)
			}
		}
		return true
	}
	if os.Geteuid() != 0 {
		t.Skip("wants root, to make namespaces")
	}
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe", "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), there+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWNET}
	out, err := cmd.CombinedOutput()
	switch {
	case errors.Is(err, syscall.EPERM), errors.Is(err, syscall.ENOSYS), errors.Is(err, syscall.EINVAL):
		t.Skip("this machine lets nobody make namespaces: ", err)
	case err != nil:
		t.Errorf("in namespaces of its own: %v\n%s", err, out)
	case strings.Contains(string(out), "--- SKIP"):
		t.Skipf("%s", out)
	}
	return false
}

// tool runs a program of the system; the test is skipped where there is none.
func tool(t *testing.T, args ...string) {
	t.Helper()
	if _, err := exec.LookPath(args[0]); err != nil {
		t.Skip(err)
	}
	if out, err := exec.CommandContext(t.Context(), args[0], args[1:]...).CombinedOutput(); err != nil {
		t.Skipf("%s: %v: %s", strings.Join(args, " "), err, out)
	}
}

// seenOf collects once and returns the values of one device, by metric and mount point.
func seenOf(t *testing.T, device string) (map[string]float64, error) {
	t.Helper()
	env := collectors.Env{Root: "/", Options: filesystemOptions{}, Now: time.Now}
	c, err := filesystemSpec.New(env)
	if err != nil {
		t.Fatal(err)
	}
	b, err := fixture.CollectOnce(filesystemSpec, c, env)
	fixture.Check(t, filesystemSpec, b)
	out := map[string]float64{}
	for _, s := range b.Samples {
		if s.Labels.Get("device") == device {
			out[strings.TrimPrefix(s.Desc.Name, "host_filesystem_")+" "+s.Labels.Get("mountpoint")] = s.Value
		}
	}
	return out, err
}

// loopDisk makes a disk of 8 MiB with ext4 and mounts it.
func loopDisk(t *testing.T, dir, point string) (device string) {
	t.Helper()
	image := filepath.Join(dir, "image")
	f, err := os.Create(image)
	if err == nil {
		err = errors.Join(f.Truncate(8<<20), f.Close(), os.MkdirAll(point, 0o755))
	}
	if err != nil {
		t.Fatal(err)
	}
	tool(t, "mkfs.ext4", "-q", "-F", image)
	tool(t, "mount", "-o", "loop", image, point)
	t.Cleanup(func() { _ = unix.Unmount(point, unix.MNT_DETACH) })
	mounts, err := readMounts("/", func(string, string) {})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range mounts {
		if m.point == point {
			return m.source
		}
	}
	t.Fatalf("%s is not among the mounts", point)
	return ""
}

func TestDisksOfRealNamespaces(t *testing.T) {
	if !inNamespaces(t) {
		return
	}
	dir := t.TempDir()
	data, short := filepath.Join(dir, "data"), filepath.Join(dir, "s")
	device := loopDisk(t, dir, data)
	whole := func(got map[string]float64) bool {
		return got["size_bytes "+data] > 4<<20 && got["readonly "+data] == 0
	}

	if got, err := seenOf(t, device); !whole(got) {
		t.Errorf("a disk: %v, %v", got, err)
	}
	_ = os.Mkdir(short, 0o755)
	tool(t, "mount", "--bind", data, short)
	t.Cleanup(func() { _ = unix.Unmount(short, unix.MNT_DETACH) })
	tool(t, "mount", "-o", "remount,bind,ro", short)
	if got, err := seenOf(t, device); !whole(got) || got["readonly "+short] != 0 || got["size_bytes "+short] != 0 {
		t.Errorf("with a read-only bind mount at a shorter path: %v, %v", got, err)
	}
	over := func(name string) {
		if err := unix.Mount("tmpfs", name, "tmpfs", 0, "size=4k"); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = unix.Unmount(name, unix.MNT_DETACH) })
	}
	over(data)
	if got, err := seenOf(t, device); !whole(got) {
		t.Errorf("mounted over, and seen through its other mount: %v, %v", got, err)
	}
	over(short)
	got, err := seenOf(t, device)
	var part *collectors.PartError
	if got["size_bytes "+data] != 0 || !errors.As(err, &part) || part.Part != data || !errors.Is(err, errOtherDisk) {
		t.Errorf("hidden wherever it is: %v, %v; want that it can be written, and an error that names it", got, err)
	}
}

func TestADiskThatIsHiddenFromTheAgentAlone(t *testing.T) {
	if !inNamespaces(t) {
		return
	}
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	device := loopDisk(t, dir, data)
	// As ProtectHome=tmpfs does: process 1 sees the disk, and we, in a mount namespace of our own, a tmpfs over it.
	onThreadOfItsOwn(func() {
		if err := unix.Unshare(unix.CLONE_NEWNS | unix.CLONE_FS); err != nil {
			t.Error(err)
			return
		}
		if err := unix.Mount("tmpfs", data, "tmpfs", 0, "size=4k"); err != nil {
			t.Error(err)
			return
		}
		mounts, err := readMounts("/", func(string, string) {})
		if err != nil {
			t.Error(err)
			return
		}
		for _, d := range volumes(mounts) {
			if d.mounts[0].source != device {
				continue
			}
			if u, err := looker("/").look(d); err != nil || u.size < 4<<20 {
				t.Errorf("through process 1: %+v, %v; want the disk's own size", u, err)
			}
			return
		}
		t.Errorf("%s is not among the mounts of process 1", device)
	})
}

// onThreadOfItsOwn runs f on a thread that ends with it, and is not the first of the process, which /proc/1 speaks of.
func onThreadOfItsOwn(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // not given back: the thread ends, and its mounts with it
		if unix.Gettid() == unix.Getpid() {
			onThreadOfItsOwn(f)
			return
		}
		f()
	}()
	<-done
}

func TestAMountPointThatIsNoUTF8(t *testing.T) {
	if !inNamespaces(t) {
		return
	}
	dir := t.TempDir()
	device := loopDisk(t, dir, filepath.Join(dir, "\xe9"))
	want := `size_bytes ` + filepath.Join(dir, `\xe9`)
	if got, err := seenOf(t, device); got[want] < 4<<20 {
		t.Errorf("%v, %v; want %s", got, err, want)
	}
}

func TestInterfacesOfANamespaceWithoutItsSys(t *testing.T) {
	if !inNamespaces(t) {
		return
	}
	tool(t, "ip", "link", "add", "d0", "type", "veth", "peer", "name", "d1")
	tool(t, "ip", "link", "add", "d2", "type", "veth", "peer", "name", "d3")
	tool(t, "ip", "link", "set", "d0", "up")
	tool(t, "ip", "link", "set", "d1", "up")
	env := collectors.Env{Root: "/", Now: time.Now}
	c, err := networkSpec.New(env)
	if err != nil {
		t.Fatal(err)
	}
	devices := map[string]bool{}
	for range 3000 { // the kernel says after a moment only that a link is up
		b, cerr := fixture.CollectOnce(networkSpec, c, env)
		err = cerr
		for _, s := range b.Samples {
			if s.Desc == descNetPackets {
				devices[s.Labels.Get("device")] = true
			}
		}
		if len(devices) > 1 {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if fmt.Sprint(devices) != "map[d0:true d1:true]" {
		t.Errorf("told: %v, %v; want d0 and d1, which are up", devices, err)
	}
}

func TestADiskThatHangsHoldsUpNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		p := newProber("/")
		var mu sync.Mutex
		asked := map[string]int{}
		p.ask = func(d volume) (usage, error) {
			mu.Lock()
			asked[d.mounts[0].dev]++
			mu.Unlock()
			if d.mounts[0].dev == "1:1" {
				<-release
			}
			return usage{size: 1}, nil
		}
		both := []volume{{[]mount{{dev: "1:1", point: "/hangs"}}}, {[]mount{{dev: "1:2", point: "/well"}}}}
		for range 3 {
			begin := time.Now()
			got := p.answers(t.Context(), both)
			if !errors.Is(got["1:1"].err, errNoAnswer) || got["1:2"].size != 1 || time.Since(begin) > statfsWait {
				t.Errorf("after %v: %v", time.Since(begin), got)
			}
			synctest.Wait()
		}
		if asked["1:1"] != 1 || asked["1:2"] != 3 {
			t.Errorf("asked %v, want the one that hangs once", asked)
		}
		close(release)
		synctest.Wait()
		if got := p.answers(t.Context(), both); got["1:1"].err != nil {
			t.Errorf("it answers again: %v", got)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_ = p.answers(ctx, both) // ends
		synctest.Wait()
	})
}

func TestTheClockIsJudgedByItsErrorAndNotByAFlagOfPolicy(t *testing.T) {
	for _, c := range []struct {
		what     string
		status   int32
		maxError int64
		want     float64
	}{
		{"chrony with rtcsync", unix.STA_PLL | unix.STA_NANO, 500, 1},
		{"chrony without rtcsync, or a hardware clock in local time", unix.STA_UNSYNC, 2_500, 1},
		{"never set since the start", unix.STA_UNSYNC, 16_000_000, 0},
		{"its daemon has been gone for nine hours", 0, 16_000_000, 0},
		{"its daemon has been gone for an hour", 0, 1_800_000, 1},
	} {
		clock := &clockCollector{
			adjtimex: func(t *unix.Timex) (int, error) {
				t.Status, t.Maxerror = c.status, c.maxError
				return 0, nil
			},
			wall: func() (time.Duration, error) { return 0, nil },
		}
		b := &metric.Batch{}
		if err := clock.Collect(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		if got := b.Samples[0].Value; got != c.want {
			t.Errorf("%s: synchronised %v, want %v", c.what, got, c.want)
		}
	}
}
