// Package exec runs programs: Nagios plugins, and any program that prints figures in a known form.
//
// It runs no shell, bounds what a program may print, take and leave behind, and runs a few of them at a time. What a plugin
// found becomes an event of a check, which the agent hands to the alarms as it does results that are posted to it. A failure
// is soft until it came a number of times in a row; who is woken is not for this package to say.
package exec

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/agent/words"
	"github.com/navcloud/binnacle/collectors"
	"github.com/navcloud/binnacle/collectors/check"
)

// What the collector says of each program. The label check is its name.
var (
	descState   = &metric.Desc{Name: "exec_state", Help: "State of a check that counts: 0 OK, 1 warning, 2 critical, 3 unknown"}
	descSoft    = &metric.Desc{Name: "exec_failed_attempts", Help: "Failures of a check in a row, of which the last ones alone make its state"}
	descTook    = &metric.Desc{Name: "exec_run_seconds", Unit: metric.Seconds, Help: "Duration of the last run"}
	descPerf    = &metric.Desc{Name: "exec_perfdata", Help: "Figure of a plugin's performance data, in base units"}
	descWarn    = &metric.Desc{Name: "exec_perfdata_warn", Help: "Its threshold for a warning"}
	descCrit    = &metric.Desc{Name: "exec_perfdata_crit", Help: "Its threshold for critical"}
	descCounter = &metric.Desc{Name: "exec_perfdata_total", Kind: metric.Counter, Help: "Counter of a plugin's performance data"}
)

// Spec is the collector.
var Spec = collectors.Spec{
	Name: "exec", Options: Options{}, New: newCollector,
	Metrics: []*metric.Desc{descState, descSoft, descTook, descPerf, descWarn, descCrit, descCounter},
}

// atOnce is how many programs run at a time. Most of a plugin's time is waiting for a network: a hundred that take 3 s each are
// through in 10 s.
const atOnce = 32

// repeatAfter is how often a check that fails is told again: its alarm has lost contact after 15 minutes without.
const repeatAfter = 5 * time.Minute

type collector struct {
	env      collectors.Env
	programs []*program
	set      *check.Set
	slots    chan struct{}

	mu     sync.Mutex
	descs  map[string]*metric.Desc
	events []metric.Event
}

// program is a program and what is known of its last run.
type program struct {
	Program
	name  string
	fault error // why it cannot be run, as it was when the collector was made

	ran     bool
	hard    int // the state that counts
	told    int // the state that was last told; -1 while none was
	toldAt  time.Time
	failed  int // in a row
	took    time.Duration
	perf    []perf
	figures []figure
}

func newCollector(e collectors.Env) (collectors.Collector, error) {
	c := &collector{env: e, slots: make(chan struct{}, atOnce), descs: map[string]*metric.Desc{}}
	var checks []*check.Check
	for name, p := range e.Options.(Options) {
		pr := &program{Program: p.withDefaults(), name: name, told: -1}
		if _, err := accountOf(pr.User); err != nil {
			pr.fault = fmt.Errorf("%s.%w", name, err)
		} else if err := Others(pr.Command[0]); err != nil {
			pr.fault = fmt.Errorf("%s.command: %w", name, err)
		}
		c.programs = append(c.programs, pr)
		checks = append(checks, &check.Check{
			Name: name, Every: pr.Interval, Deadline: pr.Interval + pr.Timeout + 10*killWait, Prompt: true,
			Do:   func(ctx context.Context) (func(), error) { return c.do(ctx, pr) },
			Rest: func(time.Duration, error) time.Duration { return pr.rest() },
		})
	}
	slices.SortFunc(c.programs, func(a, b *program) int { return cmp.Compare(a.name, b.name) })
	slices.SortFunc(checks, func(a, b *check.Check) int { return cmp.Compare(a.Name, b.Name) })
	c.set = check.NewSet(&c.mu, e.Now, e.Log, checks...)
	return c, nil
}

// Opened names the programs that cannot be run: one that is missing holds up no other, and its own result is unknown.
func (c *collector) Opened() error {
	var errs []error
	for _, p := range c.programs {
		errs = append(errs, p.fault)
	}
	return errors.Join(errs...)
}

// Run runs the programs at their paces until ctx ends.
func (c *collector) Run(ctx context.Context) error {
	if len(c.programs) == 0 {
		<-ctx.Done()
		return nil
	}
	c.set.Run(ctx)
	return nil
}

// Settle waits for the first run of each program.
func (c *collector) Settle(ctx context.Context) {
	if len(c.programs) == 0 {
		return
	}
	select {
	case <-ctx.Done():
	case <-c.set.First():
	}
}

// rest is how long to wait after a run; the lock is held.
func (p *program) rest() time.Duration {
	if p.failed > 0 && p.failed < p.Attempts {
		return p.RetryInterval
	}
	return p.Interval
}

// do runs a program once. Its error says that the program could not be run or read, not that what it looks at is bad.
func (c *collector) do(ctx context.Context, p *program) (keep func(), err error) {
	turn, cancel := context.WithTimeout(ctx, p.Interval)
	defer cancel()
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-turn.Done():
		return nil, collectors.Blind("busy", fmt.Errorf("it had no turn within %v: %d other programs run at a time, and they take too long", p.Interval, atOnce))
	}
	begin := c.env.Now()
	r := p.run(ctx)
	took := c.env.Now().Sub(begin)
	if p.Format == formatNagios {
		return func() { p.took = took; c.judge(p, r) }, nil // one that cannot be run is a result: unknown
	}
	figures, err := c.read(p, r)
	return func() { p.ran, p.took, p.figures = true, took, figures }, err
}

// judge keeps what a plugin found. A change among the kinds of failure does not begin the count anew.
func (c *collector) judge(p *program, r result) {
	exit, text := r.exit, strings.TrimSpace(words.Printed(string(r.output)))
	if exit < 0 || exit > 3 {
		exit = 3
		why := fmt.Errorf("%s ended with %d, which is no state%s", p.Command[0], r.exit, meaning(r.exit))
		if r.err != nil {
			why = r.err
		}
		text = strings.TrimSpace(fmt.Sprintf("UNKNOWN - %v\n%s", why, text))
	}
	said, data := splitOutput(text)
	if r.cut { // the last figure may be half of one
		c.env.Reject("cut", p.name)
		data = data[:max(strings.LastIndexByte(strings.TrimRight(data, " "), ' '), 0)]
	}
	p.perf = nil
	if r.err == nil {
		var bad int
		if p.perf, bad = parsePerf(data); bad > 0 {
			c.env.Reject("perfdata", data)
		}
	}
	if exit == 0 {
		p.failed, p.hard = 0, 0
	} else if p.failed++; p.failed >= p.Attempts {
		p.hard = exit
	}
	p.ran = true
	if p.Evidence != nil && !*p.Evidence {
		said = strings.SplitN(states[exit]+" (what it prints is not shown)", "\n", 2)[0]
	}
	c.tell(p, exit, said+"|"+strings.TrimSpace(data))
}

// meaning says what a shell means by an exit code.
// Source: POSIX.1-2017, Shell Command Language, 2.8.2.
func meaning(exit int) string {
	switch {
	case exit == 126:
		return " (what it calls cannot be executed)"
	case exit == 127:
		return " (what it calls is not there)"
	case exit > 128 && exit < 128+32:
		return fmt.Sprintf(" (what it calls was ended by signal %d, %v)", exit-128, syscall.Signal(exit-128))
	}
	return ""
}

var states = [...]string{"OK", "WARNING", "CRITICAL", "UNKNOWN"}

// tell appends the event of a state that counts when it is news, and again while it is bad.
func (c *collector) tell(p *program, exit int, text string) {
	now := c.env.Now()
	soft := exit != 0 && p.failed < p.Attempts
	if soft || p.hard == p.told && (p.hard == 0 || now.Sub(p.toldAt) < repeatAfter) {
		return
	}
	p.told, p.toldAt = p.hard, now
	ls := metric.L("runbook_url", p.Runbook)
	for k, v := range p.Labels {
		ls = ls.With(k, v)
	}
	c.events = append(c.events, metric.Event{Time: now, Title: p.name, Text: text, Level: metric.Level(p.hard), Check: true, Labels: ls})
}

// read makes figures of what a program printed.
func (c *collector) read(p *program, r result) ([]figure, error) {
	switch {
	case r.err != nil:
		return nil, collectors.Blind("program", r.err)
	case r.exit != 0:
		return nil, collectors.Blind("program", fmt.Errorf("exit code %d: %.200s", r.exit, strings.TrimSpace(string(r.output))))
	case r.cut:
		return nil, collectors.Blind("parse", fmt.Errorf("it prints more than %d bytes", maxFigures))
	}
	var list []figure
	var bad int
	var err error
	switch p.Format {
	case formatOpenMetrics:
		list, bad, err = parseOpenMetrics(r.output)
	case formatInflux:
		list, bad, err = parseInflux(r.output)
	case formatJSON:
		list, bad, err = parseJSON(r.output, p.Metrics)
	}
	if bad > 0 {
		c.env.Reject("line", fmt.Sprintf("%s: %d of what it printed", p.name, bad))
	}
	if err != nil {
		return nil, collectors.Blind("parse", err)
	}
	return list, nil
}

// Collect tells what the programs last said.
func (c *collector) Collect(_ context.Context, b *metric.Batch) error {
	if len(c.programs) == 0 {
		return fmt.Errorf("%w: no programs in collect.exec", collectors.ErrAbsent)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	b.Events = append(b.Events, c.events...)
	c.events = nil
	seen := map[string]bool{}
	for i, p := range c.programs {
		if !p.ran {
			continue
		}
		b.Add(descTook, p.took.Seconds(), "check", p.name)
		if p.Format == formatNagios {
			b.Add(descState, float64(p.hard), "check", p.name)
			b.Add(descSoft, float64(p.failed), "check", p.name)
			p.addPerf(b)
			continue
		}
		if !c.set.All()[i].Fresh(b.Time) {
			continue // what a run before said is not so any more
		}
		c.addFigures(b, p, seen)
	}
	return nil
}

func (p *program) addPerf(b *metric.Batch) {
	seen := map[string]bool{}
	for _, f := range p.perf {
		if seen[f.label] {
			continue
		}
		seen[f.label] = true
		kv := []string{"check", p.name, "label", f.label, "unit", f.unit}
		if f.counter {
			if f.value >= 0 {
				b.Add(descCounter, f.value, "check", p.name, "label", f.label)
			}
			continue
		}
		b.Add(descPerf, f.value, kv...)
		if !math.IsNaN(f.warn) {
			b.Add(descWarn, f.warn, kv...)
		}
		if !math.IsNaN(f.crit) {
			b.Add(descCrit, f.crit, kv...)
		}
	}
}

// addFigures adds what a program printed, under the names that it gave.
func (c *collector) addFigures(b *metric.Batch, p *program, seen map[string]bool) {
	for _, f := range p.figures {
		if c.env.Reserved != nil && c.env.Reserved(f.name) {
			c.env.Reject("reserved", f.name)
			continue
		}
		ls := f.labels
		for k, v := range p.Labels {
			ls = ls.Merge(metric.L(k, v))
		}
		ls = ls.With("check", p.name).With("job", "").With("instance", "")
		key := f.name + ls.Key()
		if seen[key] {
			c.env.Reject("duplicate", f.name)
			continue
		}
		seen[key] = true
		b.Samples = append(b.Samples, metric.Sample{Desc: c.describe(f), Labels: ls, Time: b.Time, Value: f.value})
	}
}

func (c *collector) describe(f figure) *metric.Desc {
	d := c.descs[f.name]
	if d == nil {
		d = &metric.Desc{Name: f.name, Exact: true}
		if f.counter {
			d.Kind = metric.Counter
		}
		c.descs[f.name] = d
	}
	return d
}

// Checks says how the runs of the programs stand.
func (c *collector) Checks() []collectors.CheckState {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.set.States(func(err error) string {
		var blind *collectors.BlindError
		if errors.As(err, &blind) {
			return blind.Reason
		}
		return "program"
	})
}

// Notes are what an operator should know of the programs.
func (c *collector) Notes() []string { return c.env.Options.(Options).Notes() }
