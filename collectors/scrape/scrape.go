// Package scrape collects from exporters: Prometheus' own scrape library and its discovery by static lists, files, DNS and
// HTTP, with the entries of scrape_configs as they are written for Prometheus.
//
// It judges nothing and stores nothing. Each scrape is one batch under a source of its own, so that what a target stops to
// expose ends, and so do all of its series with it. Series keep their names and the labels job and instance; the agent's
// own series have no job, and its rule packs read those alone.
package scrape

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	httpconfig "github.com/prometheus/common/config"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/discovery"
	"github.com/prometheus/prometheus/model/labels"
	prom "github.com/prometheus/prometheus/scrape"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/agent/words"
	"github.com/navcloud/binnacle/collectors"
)

// What the collector says of its targets, beside up and scrape_* of each, which the library makes.
var (
	descTargets = &metric.Desc{Name: "binnacle_scrape_targets", Help: "Targets of a job, by state: up, down, unknown before the first scrape"}
	descDropped = &metric.Desc{Name: "binnacle_scrape_dropped_samples_total", Kind: metric.Counter, Help: "Samples of targets that were left out: duplicate (another value of the same series in one answer), order, bounds (their own time is too old or ahead)"}
	descGone    = &metric.Desc{Name: "binnacle_scrape_target_gone", Help: "1 for an hour after a target that was scraped is not discovered any more"}
)

// dropped are the library's counters of samples that it leaves out, by our reason.
var dropped = map[string]string{
	"prometheus_target_scrapes_sample_duplicate_timestamp_total": "duplicate",
	"prometheus_target_scrapes_sample_out_of_order_total":        "order",
	"prometheus_target_scrapes_sample_out_of_bounds_total":       "bounds",
}

// goneFor is how long a target that is not discovered any more is named.
const goneFor = time.Hour

// Spec is the collector.
var Spec = collectors.Spec{Name: "scrape", Options: Options{}, Metrics: []*metric.Desc{descTargets, descDropped, descGone}, New: newCollector}

type collector struct {
	env     collectors.Env
	options Options
	config  *config.Config
	manager *prom.Manager
	own     *prometheus.Registry // what the library says of itself
	longest time.Duration        // between two scrapes of one target
	begun   time.Time

	mu      sync.Mutex
	targets map[string]*target
	descs   map[string]*metric.Desc
	seen    map[[2]string]*sighting // by job and instance
	ended   bool
}

// sighting is when a target was last discovered, and whether it was ever scraped.
type sighting struct {
	last, gone time.Time
	scraped    bool
}

func newCollector(e collectors.Env) (collectors.Collector, error) {
	c := &collector{
		env: e, options: e.Options.(Options), begun: e.Now(),
		targets: map[string]*target{}, descs: map[string]*metric.Desc{}, seen: map[[2]string]*sighting{},
	}
	if len(c.options.Jobs) == 0 {
		return c, nil
	}
	whole, err := loadConfig(c.options.Jobs...)
	if err != nil {
		return nil, err
	}
	jobs, err := whole.GetScrapeConfigs()
	if err != nil {
		return nil, err
	}
	for _, j := range jobs {
		if _, err := httpconfig.NewClientFromConfig(j.HTTPClientConfig, j.JobName); err != nil {
			return nil, fmt.Errorf("job %s: %w", j.JobName, err)
		}
		c.longest = max(c.longest, time.Duration(j.ScrapeInterval))
	}
	c.config = whole
	o := &prom.Options{
		PassMetadataInContext: true, AppendMetadata: true, DiscoveryReloadInterval: model.Duration(time.Second), DiscoveryReloadOnStartup: true,
		HTTPClientOptions: c.client(),
	}
	c.own = prometheus.NewRegistry()
	c.manager, err = prom.NewManager(o, quietly(e.Log), nil, nil, c, c.own)
	if err != nil {
		return nil, err
	}
	return c, c.manager.ApplyConfig(whole)
}

// client says how targets and lists of targets are asked.
func (c *collector) client() []httpconfig.HTTPClientOption {
	d := &net.Dialer{Timeout: scrapeTimeout, Control: c.control}
	return []httpconfig.HTTPClientOption{httpconfig.WithDialContextFunc(d.DialContext), httpconfig.WithUserAgent("binnacle")}
}

// Run discovers and scrapes until ctx ends.
func (c *collector) Run(ctx context.Context) error {
	if c.manager == nil {
		<-ctx.Done()
		return nil
	}
	reg := prometheus.NewRegistry()
	sd, err := discovery.CreateAndRegisterSDMetrics(reg)
	if err != nil {
		return err
	}
	find, stop := context.WithCancel(ctx)
	defer stop()
	d := discovery.NewManager(find, c.env.Log, reg, sd, discovery.Updatert(time.Second), discovery.HTTPClientOptions(c.client()...))
	if d == nil {
		return errors.New("discovery: no manager")
	}
	by := map[string]discovery.Configs{}
	jobs, err := c.config.GetScrapeConfigs()
	if err != nil {
		return err
	}
	for _, j := range jobs {
		by[j.JobName] = j.ServiceDiscoveryConfigs
	}
	if err := d.ApplyConfig(by); err != nil {
		return err
	}
	var all sync.WaitGroup
	all.Go(func() { _ = d.Run() }) // until find ends
	all.Go(func() { _ = c.manager.Run(d.SyncCh()) })
	<-ctx.Done()
	c.mu.Lock()
	c.ended = true // who comes after us has the series from here on
	c.mu.Unlock()
	stop()
	c.manager.Stop()
	all.Wait()
	return nil
}

// deliver hands a scrape on.
func (c *collector) deliver(t *target, b *metric.Batch) {
	c.mu.Lock()
	ended := c.ended
	c.mu.Unlock()
	if !ended && c.env.Deliver != nil && t.source != "" {
		c.env.Deliver(t.source, b, 3*c.longest+time.Minute)
	}
}

// target returns what is known of a target.
func (c *collector) target(t *prom.Target) *target {
	var key strings.Builder
	t.LabelsRange(func(l labels.Label) { key.WriteString(l.Name + "=" + l.Value + "\xff") })
	c.mu.Lock()
	defer c.mu.Unlock()
	known := c.targets[key.String()]
	if known == nil {
		known = &target{source: key.String()}
		if host := t.URL().Hostname(); host == "localhost" || isLoopback(host) {
			known.base = metric.L("node", c.env.Node)
		}
		c.targets[key.String()] = known
	}
	return known
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// Settle waits until each target was scraped once.
func (c *collector) Settle(ctx context.Context) {
	for c.manager != nil && ctx.Err() == nil {
		unknown, all := 0, 0
		for _, ts := range c.manager.TargetsActive() {
			for _, t := range ts {
				all++
				if t.Health() == prom.HealthUnknown {
					unknown++
				}
			}
		}
		if all > 0 && unknown == 0 {
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// Collect says how the targets are: their samples are delivered as they come.
func (c *collector) Collect(_ context.Context, b *metric.Batch) error {
	if c.manager == nil {
		return fmt.Errorf("%w: no jobs in collect.scrape", collectors.ErrAbsent)
	}
	active := c.manager.TargetsActive()
	for _, j := range c.options.Jobs {
		states := map[string]float64{"up": 0, "down": 0, "unknown": 0}
		for _, t := range active[j.Name] {
			states[strings.ToLower(string(t.Health()))]++
			c.sight(j.Name, t, b.Time)
		}
		for state, n := range states {
			b.Add(descTargets, n, "scrape_job", j.Name, "state", state)
		}
	}
	c.forget(active)
	c.reportGone(b)
	return c.addDropped(b)
}

func (c *collector) addDropped(b *metric.Batch) error {
	families, err := c.own.Gather()
	for _, f := range families {
		if reason := dropped[f.GetName()]; reason != "" && len(f.GetMetric()) == 1 {
			b.Add(descDropped, f.GetMetric()[0].GetCounter().GetValue(), "reason", reason)
		}
	}
	return err
}

func (c *collector) sight(job string, t *prom.Target, at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := [2]string{job, t.GetValue(model.InstanceLabel)}
	s := c.seen[key]
	if s == nil {
		s = &sighting{}
		c.seen[key] = s
	}
	s.last, s.gone, s.scraped = at, time.Time{}, s.scraped || t.Health() == prom.HealthGood
}

// forget leaves what is remembered of the series of targets that are gone.
func (c *collector) forget(active map[string][]*prom.Target) {
	n := 0
	for _, ts := range active {
		n += len(ts)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.targets) <= 2*n+100 {
		return
	}
	c.targets = map[string]*target{} // the library asks anew for those that are left
}

// reportGone names the targets that were scraped and are not discovered any more.
func (c *collector) reportGone(b *metric.Batch) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for key, s := range c.seen {
		switch {
		case s.last.Equal(b.Time):
			continue
		case s.gone.IsZero():
			s.gone = b.Time
		}
		if !s.scraped || b.Time.Sub(s.gone) > goneFor {
			delete(c.seen, key)
			continue
		}
		b.Add(descGone, 1, "scrape_job", key[0], "target", key[1])
	}
}

// maxNotes is how many targets are named.
const maxNotes = 10

// Notes names the targets that do not answer, and why.
func (c *collector) Notes() []string {
	if c.manager == nil {
		return nil
	}
	var out []string
	for job, ts := range c.manager.TargetsActive() {
		for _, t := range ts {
			if err := t.LastError(); err != nil {
				out = append(out, fmt.Sprintf("%s of job %s: %v", t.GetValue(model.InstanceLabel), job, err))
			}
		}
	}
	slices.SortFunc(out, func(a, b string) int { return cmp.Compare(a, b) })
	if more := len(out) - maxNotes; more > 0 {
		out = append(out[:maxNotes], fmt.Sprintf("%s more", words.Plural(more, "target")))
	}
	return out
}
