package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"

	"github.com/shirou/gopsutil/v3/process"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/collectors"
)

// Source: proc_pid_stat(5), proc_pid_limits(5), proc_pid_fd(5). Label process is the name in the configuration.
var (
	descProcessCount = &metric.Desc{Name: "host_process_count", Help: "Processes that match; 0 when there is none"}
	descProcessStart = &metric.Desc{
		Name: "host_process_start_seconds", Unit: metric.Seconds,
		Help: "When the oldest of them started, since the machine did",
	}
	descProcessFiles = &metric.Desc{
		Name: "host_process_file_ratio", Unit: metric.Ratio,
		Help: "Open files against the soft limit, of the one that comes closest; absent where we may not see them",
	}
)

// processOptions is the section of the configuration.
type processOptions struct {
	Watch map[string]string `yaml:"watch"` // a name, and a regular expression that its command line matches
}

var processSpec = collectors.Spec{
	Name:    "host_process",
	Options: processOptions{},
	Metrics: []*metric.Desc{descProcessCount, descProcessStart, descProcessFiles},
	New:     newHostProcess,
}

type processCollector struct {
	fs    collectors.Root
	watch map[string]*regexp.Regexp
}

func newHostProcess(e collectors.Env) (collectors.Collector, error) {
	c := processCollector{fs: e.Root, watch: map[string]*regexp.Regexp{}}
	for name, pattern := range e.Options.(processOptions).Watch {
		re, err := regexp.Compile(pattern)
		if err != nil {
			return nil, fmt.Errorf("watch.%s: %w", name, err)
		}
		c.watch[name] = re
	}
	return c, nil
}

// watched is what is known of the processes of one name.
type watched struct {
	count     int
	start     float64 // ticks since boot
	fileRatio float64 // -1 while unknown
}

// Collect reads the command line of every process, some 10 µs each, but only where the configuration names one.
func (c processCollector) Collect(ctx context.Context, b *metric.Batch) error {
	ctx = withRoot(ctx, c.fs)
	if len(c.watch) == 0 {
		return nil
	}
	pids, err := process.PidsWithContext(ctx)
	if err != nil {
		return fmt.Errorf("processes: %w", err)
	}
	if c.fs == "/" && ProcessesHidden(c.fs.Path("proc")) {
		return collectors.Blind("permission", errors.New("processes: /proc shows our own alone (hidepid)"))
	}
	found := map[string]watched{}
	for _, pid := range pids {
		if int(pid) == os.Getpid() || ctx.Err() != nil {
			continue
		}
		p := &process.Process{Pid: pid}
		line, err := p.CmdlineWithContext(ctx)
		if err != nil || line == "" {
			continue // it ended meanwhile, or is the kernel's
		}
		for name, re := range c.watch {
			if re.MatchString(line) {
				found[name] = c.add(ctx, found[name], p)
			}
		}
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("processes: not all were looked at: %w", err)
	}
	for name := range c.watch {
		w := found[name]
		b.Add(descProcessCount, float64(w.count), "process", name)
		if w.count == 0 {
			continue
		}
		b.Add(descProcessStart, w.start/100, "process", name) // USER_HZ is 100 on all that Go runs on
		if w.fileRatio >= 0 {
			b.Add(descProcessFiles, w.fileRatio, "process", name)
		}
	}
	return nil
}

func (c processCollector) add(ctx context.Context, w watched, p *process.Process) watched {
	start, err := c.start(p.Pid)
	if err != nil {
		return w // it ended meanwhile
	}
	if w.count == 0 {
		w.start, w.fileRatio = start, -1
	}
	w.count++
	w.start = min(w.start, start)
	if open, limit, ok := openFiles(ctx, p); ok {
		w.fileRatio = max(w.fileRatio, open/limit)
	}
	return w
}

// openFiles returns how many files a process has open and its soft limit; another user's are closed to us.
func openFiles(ctx context.Context, p *process.Process) (open, limit float64, ok bool) {
	n, err := p.NumFDsWithContext(ctx)
	if err != nil {
		return 0, 0, false
	}
	limits, err := p.RlimitWithContext(ctx)
	if err != nil {
		return 0, 0, false
	}
	for _, l := range limits {
		if l.Resource == process.RLIMIT_NOFILE && l.Soft > 0 {
			return float64(n), float64(l.Soft), true
		}
	}
	return 0, 0, false
}

// start reads field 22 of stat. The command, field 2, may hold spaces and brackets.
func (c processCollector) start(pid int32) (float64, error) {
	text, err := c.fs.Read("proc/" + strconv.Itoa(int(pid)) + "/stat")
	if err != nil {
		return 0, err
	}
	f := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
	if len(f) < 20 {
		return 0, errors.New("stat: too short")
	}
	return strconv.ParseFloat(f[19], 64)
}
