package host

import (
	"fmt"
	"math"
	"path"
	"slices"
	"strings"

	"github.com/navcloud/binnacle/collectors"
)

// A container is told by the limits of its control group, the machine by its own figures. Both versions of control groups
// are in use; what stands above our own group is another's to see: a cgroup namespace hides it.
// Source: docs.kernel.org/admin-guide/cgroup-v2.html ("Core Interface Files", "Memory Interface Files") and cgroup-v1
// (memory.rst, cpuacct.rst, sched-bwc.rst), read 30 November 2026.
const cgroupDir = "sys/fs/cgroup/"

// inContainer says whether /sys/fs/cgroup is a control group of its own and not the machine's: the root group of version 2
// has no cgroup.type. The root group of version 1 looks like any other, but nothing limits it.
func inContainer(root collectors.Root) bool { return root.Exists(cgroupDir + "cgroup.type") }

// memoryGroup is the memory of the control group that we run in.
type memoryGroup struct {
	limit    float64 // bytes; infinite where no limit can be seen
	used     float64 // bytes, without what it can give back at once: inactive pages of files
	oomKills float64
	counts   bool // it counts its own OOM kills
}

// memoryOf reads the control group's memory; ok is false where we are not in one, or its memory is not limited.
func memoryOf(fs collectors.Root) (g memoryGroup, ok bool, err error) {
	if inContainer(fs) {
		g.oomKills, g.counts = field(fs, cgroupDir+"memory.events", "oom_kill")
		limit, limited := cgroupLimit(fs, "memory.max")
		if !limited {
			g.limit = math.Inf(1)
			return g, true, nil
		}
		g.limit = limit
		g.used, err = usedOf(fs, "memory.current", "memory.stat", "inactive_file")
		return g, true, err
	}
	const v1 = "memory/"
	limit, limited := cgroupLimit(fs, v1+"memory.limit_in_bytes")
	if !limited {
		return g, false, nil
	}
	g.limit = limit
	if above, ok := field(fs, cgroupDir+v1+"memory.stat", "hierarchical_memory_limit"); ok { // the groups above included
		g.limit = min(g.limit, above)
	}
	total, err := fs.Read("proc/meminfo")
	if err != nil {
		return g, false, err
	}
	if machine, ok := memTotal(total); ok && g.limit >= machine {
		return g, false, nil // the root group, or one that nothing limits
	}
	g.oomKills, g.counts = field(fs, cgroupDir+v1+"memory.oom_control", "oom_kill") // since Linux 4.13
	g.used, err = usedOf(fs, v1+"memory.usage_in_bytes", v1+"memory.stat", "total_inactive_file")
	return g, true, err
}

func usedOf(fs collectors.Root, current, stat, inactive string) (float64, error) {
	used, err := fs.Number(cgroupDir + current)
	if err != nil {
		return 0, err
	}
	if _, err := fs.Read(cgroupDir + stat); err != nil {
		return 0, err
	}
	idle, _ := field(fs, cgroupDir+stat, inactive) // none of it: nothing to give back
	return max(0, used-idle), nil
}

// groupLimit is the lowest limit of memory of the groups that a process is in, as /proc/PID/cgroup names them, and of those
// above them; infinite where there is none.
func groupLimit(fs collectors.Root, groups string) float64 {
	lowest := math.Inf(1)
	for line := range strings.Lines(groups) {
		f := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(f) < 3 {
			continue
		}
		form := ""
		switch {
		case f[0] == "0" && f[1] == "":
			form = "%s/memory.max"
		case slices.Contains(strings.Split(f[1], ","), "memory"):
			form = "memory/%s/memory.limit_in_bytes"
		default:
			continue
		}
		for dir := f[2]; dir != "" && dir != "."; dir = strings.TrimSuffix(path.Dir(dir), "/") {
			if limit, ok := cgroupLimit(fs, fmt.Sprintf(form, dir)); ok {
				lowest = min(lowest, limit)
			}
		}
	}
	return lowest
}

// memTotal is the machine's memory in bytes.
func memTotal(meminfo string) (float64, bool) {
	for key, v := range keyValues(strings.ReplaceAll(meminfo, " kB", "")) {
		if key == "MemTotal:" {
			return v * 1024, true
		}
	}
	return 0, false
}

// field reads the value of one key of a file of "key value" lines.
func field(fs collectors.Root, name, want string) (float64, bool) {
	text, err := fs.Read(name)
	if err != nil {
		return 0, false
	}
	for key, v := range keyValues(text) {
		if key == want {
			return v, true
		}
	}
	return 0, false
}

// cgroupLimit reads a limit of the container's control group; ok is false where there is none ("max").
func cgroupLimit(root collectors.Root, name string) (v float64, ok bool) {
	v, err := root.Number(cgroupDir + name)
	return v, err == nil && !math.IsInf(v, 0) && !math.IsNaN(v)
}

// cpuGroup is the processor time of the control group that we run in.
type cpuGroup struct {
	limit float64 // cores
	used  float64 // seconds on a core
}

// cpuOf reads a quota ("200000 100000" is two cores) and what of it is used; ok is false where there is none.
func cpuOf(fs collectors.Root) (g cpuGroup, ok bool, err error) {
	if inContainer(fs) {
		text, err := fs.Read(cgroupDir + "cpu.max")
		if err != nil || strings.HasPrefix(text, "max") {
			return g, false, nil // the controller is off, or there is no quota
		}
		var quota, period float64
		if _, err := fmt.Sscan(text, &quota, &period); err != nil || period <= 0 {
			return g, false, fmt.Errorf("cpu.max: want a quota and a period, have %.40q", text)
		}
		if _, err := fs.Read(cgroupDir + "cpu.stat"); err != nil {
			return g, false, err
		}
		used, ok := field(fs, cgroupDir+"cpu.stat", "usage_usec")
		return cpuGroup{quota / period, used / 1e6}, ok, nil
	}
	for _, dir := range []string{"cpu/", "cpu,cpuacct/"} {
		quota, ok := cgroupLimit(fs, dir+"cpu.cfs_quota_us")
		period, ok2 := cgroupLimit(fs, dir+"cpu.cfs_period_us")
		if !ok || !ok2 || quota <= 0 || period <= 0 { // -1: no quota
			continue
		}
		for _, acct := range []string{"cpuacct/", "cpu,cpuacct/"} {
			if ns, ok := cgroupLimit(fs, acct+"cpuacct.usage"); ok {
				return cpuGroup{quota / period, ns / 1e9}, true, nil
			}
		}
	}
	return g, false, nil
}
