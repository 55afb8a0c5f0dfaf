package host

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// proc writes processes into a folder like /proc.
func proc(t *testing.T, dir string, of map[string][4]int) {
	t.Helper()
	for pid, v := range of {
		d := filepath.Join(dir, pid)
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
		name := map[string]string{"1": "systemd", "20": "beam.smp", "21": "a) b; c", "22": "worker", "23": "worker"}[pid]
		stat := fmt.Sprintf("%s (%s) S 1 1 1 0 -1 0 0 0 0 0 %d 0 0 0 20 0 1 0 %d 0 %d 0", pid, name, v[0], v[1], v[2])
		io := fmt.Sprintf("rchar: 1\nread_bytes: 0\nwrite_bytes: %d\n", v[3])
		for file, text := range map[string]string{"stat": stat, "io": io} {
			if err := os.WriteFile(filepath.Join(d, file), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestTop(t *testing.T) {
	dir, now := t.TempDir(), time.Unix(1000, 0)
	page := os.Getpagesize()
	top := &Top{Proc: dir}
	pages := func(mib int) int { return mib << 20 / page }
	proc(t, dir, map[string][4]int{"1": {100, 1, pages(8), 0}, "20": {5000, 7, pages(2048), 0}, "22": {10, 8, pages(64), 0}, "23": {10, 9, pages(64), 0}})
	top.Sample(now)
	proc(t, dir, map[string][4]int{"1": {100, 1, pages(8), 0}, "20": {7000, 7, pages(2048), 100 << 20}, "21": {400, 11, pages(1), 0}, "22": {510, 8, pages(64), 0}, "23": {510, 9, pages(64), 0}})
	got := top.Read(now.Add(10 * time.Second))
	want := "CPU: beam.smp 200 %, worker 100 %, a) b_ c 40 %; memory: beam.smp 2.0 GiB, worker 128 MiB, systemd 8.0 MiB, a) b_ c 1.0 MiB; I/O: beam.smp 10 MiB/s"
	if got != want {
		t.Errorf("Read = %q,\nwant   %q", got, want)
	}
	if got := (&Top{Proc: dir}).Read(now); got != "memory: beam.smp 2.0 GiB, worker 128 MiB, systemd 8.0 MiB, a) b_ c 1.0 MiB" {
		t.Errorf("before a sample: %q, want memory alone", got)
	}
	if err := os.RemoveAll(filepath.Join(dir, "1")); err != nil {
		t.Fatal(err)
	}
	if got := top.Read(now.Add(time.Minute)); got != "" {
		t.Errorf("where others are hidden: %q, want nothing", got)
	}
}
