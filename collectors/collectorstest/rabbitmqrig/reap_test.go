package rabbitmqrig

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestWhatAKilledTestLeftIsTakenAway leaves a namespace with two processes, one of which the rig started.
func TestWhatAKilledTestLeftIsTakenAway(t *testing.T) {
	if os.Getenv("BINNACLE_REAL") == "" {
		t.Skip("namespaces are made only where BINNACLE_REAL is set")
	}
	if err := Available(); err != nil {
		t.Skip(err)
	}
	dir, id := t.TempDir(), "bnctest"
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	c := &Cluster{id: id, dir: dir}
	must(run("ip", "netns", "add", c.Namespace(1)))
	ours, other := c.command(1, "sleep", "600"), exec.Command("ip", "netns", "exec", c.Namespace(1), "sleep", "600")
	must(start(ours))
	must(start(other))
	defer func() {
		_ = other.Process.Kill()
		_ = other.Wait()
	}()
	turn, err := os.OpenFile(filepath.Join(dir, "turn"), os.O_CREATE|os.O_RDWR, 0o600)
	must(err)
	defer func() { _ = turn.Close() }()
	must(note(turn, id, dir))
	waitIn(t, c.Namespace(1), 2)
	must(reap(turn))
	err = ours.Wait()
	if s, ok := ours.ProcessState.Sys().(syscall.WaitStatus); !ok || s.Signal() != syscall.SIGKILL {
		t.Errorf("the process of the rig ended with %v", err)
	}
	if err := other.Process.Signal(syscall.Signal(0)); err != nil {
		t.Errorf("somebody else's process: %v", err)
	}
	if _, err := os.Stat("/run/netns/" + c.Namespace(1)); !os.IsNotExist(err) {
		t.Errorf("the namespace is there: %v", err)
	}
}

// waitIn waits until so many sleep in a namespace.
func waitIn(t *testing.T, space string, want int) {
	t.Helper()
	for {
		out, err := exec.Command("ip", "netns", "pids", space).Output()
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, pid := range strings.Fields(string(out)) {
			if comm, err := os.ReadFile("/proc/" + pid + "/comm"); err == nil && string(comm) == "sleep\n" {
				n++
			}
		}
		if n == want {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}
