package host

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// mostTop is how many processes Top names of each kind.
const mostTop = 5

// Top says which processes use most of the processor, memory and disk, since it was last asked or sampled. It names commands
// and never their arguments, which may hold secrets. It may be used by many goroutines at once.
type Top struct {
	Proc string // /proc

	mu   sync.Mutex
	at   time.Time
	last map[string]used // by pid and start
}

type used struct {
	name             string
	ticks, pages, io float64 // of processor time (100 a second), resident, bytes read and written
}

// Sample remembers what the processes have used, so that the next Read says what they used since.
func (t *Top) Sample(now time.Time) {
	all := t.look()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.at, t.last = now, all
}

// Read says what they use, in words; empty where /proc shows our own processes alone or too little time has passed.
// Source: proc_pid_stat(5), fields 14, 15, 22 and 24; proc_pid_io(5), which only root may read of others; read 30 November 2026.
func (t *Top) Read(now time.Time) string {
	if ProcessesHidden(t.Proc) {
		return ""
	}
	t.mu.Lock()
	at, last := t.at, t.last
	t.mu.Unlock()
	all := t.look()
	var out []string
	if since := now.Sub(at).Seconds(); last != nil && since >= 1 {
		out = append(out,
			ranked("CPU", all, func(id string, u used) float64 { return u.ticks - last[id].ticks }, func(v float64) string { return fmt.Sprintf("%.0f %%", v/since) }, since),
			ranked("I/O", all, func(id string, u used) float64 { return u.io - last[id].io }, func(v float64) string { return bytesText(v/since) + "/s" }, 64<<10*since))
	}
	page := float64(os.Getpagesize())
	memory := ranked("memory", all, func(_ string, u used) float64 { return u.pages * page }, bytesText, 1<<20)
	out = slices.Insert(out, min(1, len(out)), memory)
	return strings.Join(slices.DeleteFunc(out, func(s string) bool { return s == "" }), "; ")
}

// ranked lists commands by what all their processes use together; what is below least is left out.
func ranked(what string, all map[string]used, of func(id string, u used) float64, say func(float64) string, least float64) string {
	sum := map[string]float64{}
	for id, u := range all {
		sum[u.name] += max(0, of(id, u))
	}
	var names []string
	for name, v := range sum {
		if v >= least {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(cmp.Compare(sum[b], sum[a]), cmp.Compare(a, b)) })
	if len(names) == 0 {
		return ""
	}
	var out []string
	for _, name := range names[:min(mostTop, len(names))] {
		out = append(out, name+" "+say(sum[name]))
	}
	return what + ": " + strings.Join(out, ", ")
}

func (t *Top) look() map[string]used {
	dirs, err := os.ReadDir(t.Proc)
	if err != nil {
		return nil
	}
	all := map[string]used{}
	for _, d := range dirs {
		if _, err := strconv.Atoi(d.Name()); err != nil {
			continue
		}
		if id, u, ok := t.process(d.Name()); ok {
			all[id] = u
		}
	}
	return all
}

func (t *Top) process(pid string) (id string, u used, ok bool) {
	stat, err := os.ReadFile(filepath.Join(t.Proc, pid, "stat"))
	if err != nil {
		return "", u, false
	}
	text := string(stat)
	open, end := strings.IndexByte(text, '('), strings.LastIndexByte(text, ')')
	if open < 0 || end < open {
		return "", u, false
	}
	f := strings.Fields(text[end+1:]) // from field 3 on
	if len(f) < 22 {
		return "", u, false
	}
	number := func(s string) float64 { v, _ := strconv.ParseFloat(s, 64); return v } // the kernel writes numbers
	u.name = strings.Map(func(r rune) rune {
		if r < ' ' || strings.ContainsRune(",;:", r) {
			return '_'
		}
		return r
	}, text[open+1:end])
	u.ticks, u.pages = number(f[11])+number(f[12]), number(f[21])
	io, _ := os.ReadFile(filepath.Join(t.Proc, pid, "io")) // empty where we may not
	for line := range strings.Lines(string(io)) {
		if name, v, ok := strings.Cut(strings.TrimSpace(line), ": "); ok && (name == "read_bytes" || name == "write_bytes") {
			u.io += number(v)
		}
	}
	return pid + "/" + f[19], u, true
}

func bytesText(v float64) string {
	for _, unit := range []string{"B", "KiB", "MiB", "GiB"} {
		if v < 1024 {
			return strconv.FormatFloat(v, 'f', map[bool]int{true: 1}[v < 10 && unit != "B"], 64) + " " + unit
		}
		v /= 1024
	}
	return fmt.Sprintf("%.1f TiB", v)
}
