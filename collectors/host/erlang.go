package host

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/shirou/gopsutil/v3/disk"
	"github.com/shirou/gopsutil/v3/process"

	"github.com/navcloud/binnacle/collectors"
)

// ProcessesHidden reports whether /proc shows our own processes alone (hidepid), so that one that is not seen may be there
// all the same: process 1 is there in every namespace. Source: proc(5), "hidepid", read 30 November 2026.
func ProcessesHidden(proc string) bool {
	dirs, err := os.ReadDir(proc)
	if err != nil {
		return false
	}
	some := false
	for _, d := range dirs {
		if d.Name() == "1" {
			return false
		}
		_, err := strconv.Atoi(d.Name())
		some = some || err == nil
	}
	return some
}

// FindBeam returns the process of the Erlang virtual machine whose arguments, each between two zeros, are those
// looked for, or "". Where several run (containers, namespaces), it is the one in our own network namespace.
func FindBeam(proc string, is func(args string) bool) string {
	dirs, err := os.ReadDir(proc)
	if err != nil {
		return ""
	}
	own, _ := os.Readlink(filepath.Join(proc, "self/ns/net"))
	for _, d := range dirs {
		if _, err := strconv.Atoi(d.Name()); err != nil {
			continue
		}
		dir := filepath.Join(proc, d.Name())
		comm, err := os.ReadFile(filepath.Join(dir, "comm"))
		if err != nil || strings.TrimSpace(string(comm)) != "beam.smp" {
			continue
		}
		args, err := os.ReadFile(filepath.Join(dir, "cmdline"))
		if err != nil || !is("\x00"+string(args)+"\x00") {
			continue
		}
		if ns, err := os.Readlink(filepath.Join(dir, "ns/net")); err == nil && own != "" && ns != own {
			continue
		}
		return d.Name()
	}
	return ""
}

// Process is one process as the kernel shows it to everybody.
type Process struct {
	ID      string // pid and start time: changes with each start
	Stopped bool   // by a signal, a debugger or a freezer
	Age     time.Duration
}

// ReadProcess reads the state and the age of a process below the folder proc; ok is false where there is none, or it has
// ended. Source: proc_pid_stat(5), fields 3 and 22; 100 ticks a second on every architecture that Go knows.
func ReadProcess(proc, pid string) (p Process, ok bool) {
	if pid == "" {
		return p, false
	}
	stat, err := os.ReadFile(filepath.Join(proc, pid, "stat"))
	if err != nil {
		return p, false
	}
	_, rest, ok := strings.Cut(string(stat), ") ")
	fields := strings.Fields(rest)
	if !ok || len(fields) < 20 || fields[0] == "Z" {
		return p, false
	}
	p = Process{ID: pid + "/" + fields[19], Stopped: fields[0] == "T" || fields[0] == "t"}
	ticks, err := strconv.ParseFloat(fields[19], 64)
	up, uerr := os.ReadFile(filepath.Join(proc, "uptime"))
	if err == nil && uerr == nil {
		first, _, _ := strings.Cut(string(up), " ")
		if s, err := strconv.ParseFloat(first, 64); err == nil {
			p.Age = time.Duration((s - ticks/100) * float64(time.Second))
		}
	}
	return p, true
}

// Beam is what the kernel says of an Erlang virtual machine; what we may not read is 0.
type Beam struct {
	Start                 float64 // seconds since the machine's
	Resident, MemoryLimit float64 // bytes; the limit is that of its control groups, else the machine's memory
	Files, FileLimit      float64 // open, and the soft limit; 0 where closed to us
}

// BeamOf reads them; ok is false where there is no such process. Source: proc_pid_stat(5), proc_pid_cgroup(5); cgroup-v2.html, "memory.max", read November 2026.
func BeamOf(ctx context.Context, fs collectors.Root, pid string) (f Beam, ok bool) {
	ctx = withRoot(ctx, fs)
	n, err := strconv.Atoi(pid)
	if err != nil {
		return f, false
	}
	p := &process.Process{Pid: int32(n)}
	ticks, err := (processCollector{fs: fs}).start(p.Pid)
	memory, merr := p.MemoryInfoWithContext(ctx)
	if err != nil || merr != nil {
		return f, false // it ended meanwhile
	}
	f.Start, f.Resident = ticks/100, float64(memory.RSS) // USER_HZ is 100 on all that Go runs on
	f.Files, f.FileLimit, _ = openFiles(ctx, p)
	text, err := fs.Read("proc/meminfo")
	if err != nil {
		return f, true
	}
	f.MemoryLimit, _ = memTotal(text)
	groups, _ := fs.Read("proc/" + pid + "/cgroup")
	f.MemoryLimit = min(f.MemoryLimit, groupLimit(fs, groups))
	return f, true
}

// DiskOf returns size and free space, in bytes, of the file system that a folder is on, as df counts: what is kept for root,
// or beyond a quota, is in neither. ok is false where the folder is not there.
func DiskOf(ctx context.Context, fs collectors.Root, dir string) (size, free float64, ok bool) {
	if !fs.Exists(dir) {
		return 0, 0, false
	}
	u, err := disk.UsageWithContext(ctx, fs.Path(dir))
	if err != nil || u.Total == 0 {
		return 0, 0, false
	}
	return float64(u.Used + u.Free), float64(u.Free), true
}

// ListensBeyondLoopback says whether somebody listens at the port on an address that other machines reach.
// Source: proc_pid_net(5), tcp: addresses are hexadecimal in the order of the processor, state 0A is listening.
func ListensBeyondLoopback(fs collectors.Root, port uint16) (beyond, ok bool) {
	for _, name := range []string{"proc/net/tcp", "proc/net/tcp6"} {
		text, err := fs.Read(name)
		if err != nil {
			continue
		}
		for line := range strings.Lines(text) {
			f := strings.Fields(line)
			if len(f) < 4 || f[3] != "0A" {
				continue
			}
			addr, at, _ := strings.Cut(f[1], ":")
			if n, err := strconv.ParseUint(at, 16, 16); err != nil || uint16(n) != port {
				continue
			}
			ok = true
			v4 := len(addr) == 8 || strings.HasPrefix(addr, "0000000000000000FFFF0000")
			loopback := v4 && strings.HasSuffix(addr, "7F") || addr == "00000000000000000000000001000000"
			beyond = beyond || !loopback
		}
	}
	return beyond, ok
}
