package logs

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestRealJournal follows a journal that systemd-journal-remote writes, by the real journalctl, over restarts of the agent.
func TestRealJournal(t *testing.T) {
	const writer = "/usr/lib/systemd/systemd-journal-remote"
	if os.Getenv("BINNACLE_REAL") == "" || os.Getenv("BINNACLE_SERVICES") == "" {
		t.Skip("make services plays it")
	}
	if _, err := os.Stat(writer); err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	cmd := exec.Command(writer, "--output="+filepath.Join(dir, "remote.journal"), "--split-mode=none", "-")
	cmd.Stderr = t.Output()
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = in.Close(); _ = cmd.Wait() })
	begin, entries := time.Now(), 0
	put := func(n, priority int, message string) {
		t.Helper()
		for range n {
			now := time.Now()
			entries++ // of two machines by turns
			boot, machine := strings.Repeat(fmt.Sprint(entries%2+1), 32), strings.Repeat(fmt.Sprint(entries%2+3), 32)
			if _, err := fmt.Fprintf(in, "__REALTIME_TIMESTAMP=%d\n__MONOTONIC_TIMESTAMP=%d\n_BOOT_ID=%s\n_MACHINE_ID=%s\n_SYSTEMD_UNIT=app.service\nPRIORITY=%d\nMESSAGE=%s\n\n",
				now.UnixMicro(), now.Sub(begin).Microseconds()+1, boot, machine, priority, message); err != nil {
				t.Fatal(err)
			}
		}
	}
	put(5, 3, "hit before it was followed")
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if out, _ := exec.Command("journalctl", "--directory="+dir, "--merge", "--quiet", "--output=cat").Output(); strings.Count(string(out), "hit") == 5 {
			break
		}
	}
	k := newBench(t, Log{Journal: &Journal{Directory: dir, Units: []string{"app.service"}, Priority: "warning"}, Patterns: []Pattern{{Name: "hits_total", Match: "^hit"}}})
	// follow runs the collector until it said so.
	follow := func(ready func() bool) {
		t.Helper()
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- k.c.Run(ctx) }()
		for end := time.Now().Add(3 * time.Minute); !ready() && time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
			k.collect()
		}
		cancel()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		k.collect()
	}
	follow(func() bool { put(1, 3, "is it followed?"); return k.sums["logs_lines_total"] > 0 })
	want := 0.0
	for range 3 {
		put(100, 3, "hit while nobody follows")
		put(7, 6, "hit of no weight")
		k.start()
		more := 11
		want += 100 + float64(more)
		follow(func() bool {
			if more > 0 {
				put(1, 4, "hit while it is followed")
				more--
			}
			return k.sums["hits_total"] >= want
		})
		if k.sums["hits_total"] != want {
			t.Fatalf("%v entries are counted; want %v", k.sums["hits_total"], want)
		}
	}
}
