// Package aws collects what AWS alone sees of balancers, queues, databases and the like: by CloudWatch's GetMetricData, within the
// budget of the section aws, and a queue's depth from the queue itself.
//
// It asks through who leads the fleet at AWS, for all nodes; on every other node it has nothing to say. It judges nothing: the rule
// pack aws does. What it reads of a period is what CloudWatch had at least two minutes after its end, and is corrected when more
// comes; what is not read (over the budget) is named, never left as if it were well.
package aws

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/navcloud/binnacle/agent/aws"
	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/collectors"
)

// Asker is what it needs of AWS; *aws.Account has it.
type Asker interface {
	Listed(ctx context.Context, namespace, name string) ([][]aws.Dimension, error)
	Figures(ctx context.Context, qs []aws.Query, from, to time.Time) ([]aws.Answer, error)
	QueueURL(ctx context.Context, name string) (string, error)
	Waiting(ctx context.Context, queue string) (aws.Waiting, error)
	Reserve(what string, dollars float64)
	Room() float64
	Newest(ctx context.Context, bucket, prefix string) (aws.Objects, error)
	List(ctx context.Context, bucket, prefix, after string, folders bool) (found []aws.Object, more bool, err error)
	Object(ctx context.Context, bucket, key string) (io.ReadCloser, error)
	Sizes(now time.Time) []aws.Size
}

const (
	listEvery = time.Hour
	// late is how long after its end a period is read: CloudWatch's values settle within minutes. Source: aws.md 2, cloudwatch_exporter
	// issue 681, read November 2026.
	late    = 2 * time.Minute
	within  = 4 * time.Minute // without a collection after which all of it has ended
	source  = "account"
	checkIs = "aws"
)

// Spec is the collector of what AWS alone sees. It is off until its section names what to read.
var Spec = collectors.Spec{
	Name: "aws", Options: Options{Every: 5 * time.Minute}, Interval: time.Minute, Deadline: 55 * time.Second, Metrics: descs(), New: open,
}

type reader struct {
	env  collectors.Env
	opts Options

	mu     sync.Mutex
	notes  []string
	checks map[string]*collectors.CheckState

	leads   bool
	urls    map[string]string // of queues, by name
	listed  time.Time
	targets []*target
	plan    plan
	backups map[Prefix]backup
	logs    logs
}

func open(e collectors.Env) (collectors.Collector, error) {
	o := e.Options.(Options)
	return &reader{env: e, opts: o, urls: map[string]string{}, backups: map[Prefix]backup{}, checks: map[string]*collectors.CheckState{}}, nil
}

// Collect asks what is due, and tells what is known.
func (c *reader) Collect(ctx context.Context, b *metric.Batch) error {
	if !c.opts.any() {
		return collectors.ErrAbsent
	}
	ask, why := c.asker()
	if ask == nil {
		c.rest(b.Time, why)
		return nil
	}
	c.leads = true
	now := b.Time
	var errs []error
	if c.targets == nil || now.Sub(c.listed) >= listEvery {
		errs = append(errs, c.list(ctx, ask, now))
	}
	c.plan = plans(c.targets, c.opts.Every, ask.Room())
	errs = append(errs, c.read(ctx, ask, now), c.depths(ctx, ask, now), c.ages(ctx, ask, now), c.readLogs(ctx, ask, now))
	c.tell(b, ask.Sizes(now))
	return errors.Join(errs...)
}

func (c *reader) asker() (Asker, string) {
	if c.env.AWS == nil {
		return nil, "nobody here asks AWS"
	}
	who, why := c.env.AWS()
	ask, _ := who.(Asker)
	return ask, why
}

// rest ends what was told while this node led.
func (c *reader) rest(now time.Time, why string) {
	if c.leads && c.env.Deliver != nil {
		c.env.Deliver(source, &metric.Batch{Time: now}, within)
	}
	c.leads, c.targets, c.plan = false, nil, plan{}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.notes, c.checks = []string{"AWS is not asked here: " + why}, map[string]*collectors.CheckState{}
}

// list finds what there is. A kind that cannot be listed stays as it was.
func (c *reader) list(ctx context.Context, ask Asker, now time.Time) error {
	before := map[string]*target{}
	for _, t := range c.targets {
		before[t.key()] = t
	}
	var out []*target
	var errs []error
	pages := 0
	for i := range kinds {
		k := &kinds[i]
		p := k.pick(c.opts)
		if !p.any() {
			continue
		}
		found, n, err := k.find(ctx, ask, p)
		pages += n
		if err != nil {
			errs = append(errs, collectors.Part("list "+k.name, err))
			for _, t := range c.targets {
				if t.kind == k {
					out = append(out, t)
				}
			}
			continue
		}
		for _, t := range found {
			if old := before[t.key()]; old != nil {
				t = old
			}
			out = append(out, t)
		}
	}
	err := errors.Join(errs...)
	c.check("list", listEvery, now, err)
	c.targets, c.listed = sorted(out), now
	if err != nil {
		c.listed = now.Add(-listEvery + 5*time.Minute) // again soon
	}
	ask.Reserve("lists", aws.AMonth(aws.PriceList, pages, listEvery))
	return err
}

// read asks for the figures that are due.
func (c *reader) read(ctx context.Context, ask Asker, now time.Time) error {
	due := c.plan.due(now)
	if len(due) == 0 {
		return nil
	}
	end := now.Add(-late).Truncate(time.Minute)
	longest := time.Duration(0)
	qs := make([]aws.Query, len(due))
	for i, f := range due {
		qs[i] = f.query()
		longest = max(longest, c.plan.every(f.fig))
	}
	from := end.Add(-longest - settles)
	answers, err := ask.Figures(ctx, qs, from, end)
	bad, first := 0, error(nil)
	for i, a := range answers {
		if i >= len(due) {
			break
		}
		if a.Err != nil && !errors.Is(a.Err, aws.ErrPartial) {
			if bad++; first == nil {
				first = fmt.Errorf("%s %s: %w", due[i].of.name, due[i].fig.metric, a.Err)
			}
			continue
		}
		due[i].take(a.Points, c.plan.every(due[i].fig), now, a.Err == nil)
	}
	switch {
	case err == nil && bad > 0:
		err = fmt.Errorf("%d of %d metrics could not be read: %w", bad, len(due), first)
	case err != nil && errors.Is(err, aws.ErrBudget):
		err = fmt.Errorf("nothing more is read this month: %w", err)
	}
	c.check("figures", c.plan.interval, now, err)
	return collectors.Part("figures", err)
}

// depths asks each queue how it stands: a minute's question of a queue costs a hundredth of its metrics.
func (c *reader) depths(ctx context.Context, ask Asker, now time.Time) error {
	var errs []error
	n := 0
	for _, t := range c.targets {
		if !t.kind.queue || c.plan.left[t] {
			continue
		}
		n++
		url := c.urls[t.name]
		if url == "" {
			var err error
			if url, err = ask.QueueURL(ctx, t.name); err != nil {
				errs = append(errs, collectors.Part("queue "+t.name, err))
				continue
			}
			c.urls[t.name] = url
		}
		w, err := ask.Waiting(ctx, url)
		if err != nil {
			delete(c.urls, t.name) // it may have been made anew
			errs = append(errs, collectors.Part("queue "+t.name, err))
			continue
		}
		t.depth, t.asked = w, now
	}
	err := errors.Join(errs...)
	if n > 0 {
		c.check("queues", time.Minute, now, err)
	}
	return err
}

// tell adds what is known: of AWS's resources under no node's name, of the reading itself under this one's.
func (c *reader) tell(b *metric.Batch, groups []aws.Size) {
	out := &metric.Batch{Time: b.Time}
	if c.env.Deliver == nil {
		out = b
	}
	counts := map[string][3]float64{}
	for _, t := range c.targets {
		n := counts[t.kind.name]
		if c.plan.left[t] {
			n[1]++
		} else {
			n[0]++
			if c.plan.brief[t] {
				n[2]++
			}
			t.tell(out, c.plan, b.Time)
		}
		counts[t.kind.name] = n
	}
	for _, g := range groups {
		for state, n := range map[string]int{"wanted": g.Wants, "in_service": g.Has, "starting": g.Starting, "leaving": g.Leaving, "most": g.Max} {
			out.Add(instances, float64(n), "autoscaling_group", g.Name, "state", state)
		}
	}
	c.tellAges(out)
	c.tellLogs(out)
	for kind, n := range counts {
		b.Add(resources, n[0], "kind", kind, "read", "true")
		b.Add(resources, n[1], "kind", kind, "read", "false")
		b.Add(inPart, n[2], "kind", kind)
	}
	if c.plan.interval > 0 {
		b.Add(readEvery, c.plan.interval.Seconds())
	}
	if c.env.Deliver != nil {
		c.env.Deliver(source, out, within)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.notes = c.plan.notes(c.opts.Every)
}

// check notes how a part went.
func (c *reader) check(name string, every time.Duration, now time.Time, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.checks[name]
	if s == nil {
		s = &collectors.CheckState{Name: name}
		c.checks[name] = s
	}
	s.Every, s.Err, s.Reason = every, err, ""
	switch {
	case err == nil:
		s.Since = time.Time{}
	case s.Since.IsZero():
		s.Since = now
	}
	if err != nil {
		s.Reason = checkIs
	}
}

// Checks implements collectors.Checker.
func (c *reader) Checks() (out []collectors.CheckState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, name := range []string{"list", "figures", "queues", "s3", "elb_logs"} {
		if s := c.checks[name]; s != nil {
			out = append(out, *s)
		}
	}
	return out
}

// Notes implements collectors.Noter: what is read less often than asked for, or not at all.
func (c *reader) Notes() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.notes
}
