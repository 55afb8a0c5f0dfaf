// Package graphite receives what Diamond, collectd and others send to a Carbon: lines of a path, a value and a time.
//
// It keeps no history and answers nobody, as Carbon does not. A value is a gauge at the time that it came; one whose own time is far
// from it is counted and left out, since it would be drawn where it is not.
package graphite

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/collectors"
)

// Config is the section collect.graphite.
type Config struct {
	Listen    []string      `yaml:"listen"`     // tcp://host:port, udp://host:port and pickle://host:port; host 127.0.0.1 where it is left out, nothing: off
	Templates []string      `yaml:"templates"`  // "[FILTER] TEMPLATE [label=value,...]"; the first that fits makes name and labels of a path
	MaxSeries int           `yaml:"max_series"` // 1 to 1000000
	Keep      time.Duration `yaml:"keep"`       // 1s to 1h; after its last line a value is repeated, this long
	Skew      time.Duration `yaml:"skew"`       // 1s to 24h; a line whose own time is further away is left out
}

func defaults() Config {
	return Config{MaxSeries: 10_000, Keep: 90 * time.Second, Skew: 5 * time.Minute}
}

// Bounds of what is received.
const (
	maxLine   = 4 << 10 // bytes
	maxPath   = 512     // Carbon takes more, and fails to write it
	maxConns  = 256
	idleEnd   = 10 * time.Minute
	maxPacket = 64 << 10
)

var (
	labelForm = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)
	pathForm  = regexp.MustCompile(`^[!-:<-~]+$`)
)

var (
	descLines    = &metric.Desc{Name: "graphite_lines_total", Kind: metric.Delta, Help: "Lines that were taken"}
	descRejected = &metric.Desc{Name: "graphite_rejected_total", Kind: metric.Delta, Help: "Lines that were left out: form, value, time, path, reserved, series, long, pickle (a whole message)"}
	descSeries   = &metric.Desc{Name: "graphite_series", Help: "Series that are kept"}
	descConns    = &metric.Desc{Name: "graphite_connections", Help: "Connections of senders"}
)

// Spec is the collector.
var Spec = collectors.Spec{
	Name: "graphite", Options: defaults(), New: newCollector,
	Metrics: []*metric.Desc{descLines, descRejected, descSeries, descConns},
}

// Validate says what is out of bounds.
func (c Config) Validate() error {
	var errs []error
	for _, l := range c.Listen {
		if _, err := listener(l); err != nil {
			errs = append(errs, fmt.Errorf("listen: %w", err))
		}
	}
	for _, t := range c.Templates {
		if _, err := parseTemplate(t); err != nil {
			errs = append(errs, fmt.Errorf("templates: %w", err))
		}
	}
	if c.MaxSeries < 1 || c.MaxSeries > 1_000_000 {
		errs = append(errs, fmt.Errorf("max_series: %d is outside 1 to 1000000", c.MaxSeries))
	}
	if c.Keep < time.Second || c.Keep > time.Hour {
		errs = append(errs, fmt.Errorf("keep: %v is outside 1s to 1h", c.Keep))
	}
	if c.Skew < time.Second || c.Skew > 24*time.Hour {
		errs = append(errs, fmt.Errorf("skew: %v is outside 1s to 24h", c.Skew))
	}
	return errors.Join(errs...)
}

type collector struct {
	Config
	env       collectors.Env
	templates []template

	mu       sync.Mutex
	series   map[string]*series
	descs    map[string]*metric.Desc
	lines    float64
	rejected map[string]float64
	conns    int
	slots    []*slot
	ended    bool // its sockets are closed, for good
}

type series struct {
	desc   *metric.Desc
	labels metric.Labels
	value  float64
	at     time.Time
}

// newCollector opens the listeners, so that whoever replaces it makes the new one first, and a reload onto a port in use is
// refused. At a start a port in use keeps nothing from starting: it is logged, Collect says so, and Run tries again.
func newCollector(e collectors.Env) (collectors.Collector, error) {
	c := &collector{
		Config: e.Options.(Config), env: e, series: map[string]*series{}, descs: map[string]*metric.Desc{}, rejected: map[string]float64{},
	}
	for _, text := range c.Templates {
		t, err := parseTemplate(text)
		if err != nil {
			return nil, err
		}
		c.templates = append(c.templates, t)
	}
	for _, text := range c.Listen {
		place, err := listener(text)
		if err != nil {
			return nil, err
		}
		c.slots = append(c.slots, &slot{name: text, place: place, pickle: strings.HasPrefix(text, schemePickle+":")})
	}
	for _, s := range c.slots {
		if err := c.open(s); err != nil {
			e.Log.Error("graphite cannot listen", "err", err)
		}
	}
	return c, nil
}

func (c *collector) reject(reason string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rejected[reason]++
}

// take takes a line.
func (c *collector) take(line []byte) {
	if len(bytes.TrimSpace(line)) == 0 {
		return
	}
	p, reason := parse(line)
	now := c.env.Now()
	if away := time.Duration((p.at - float64(now.Unix())) * float64(time.Second)).Abs(); reason == "" && p.at != -1 && (math.Abs(p.at-float64(now.Unix())) > 1e6 || away > c.Skew) {
		reason = "time"
	}
	if reason != "" {
		c.reject(reason)
		return
	}
	name, kv := c.named(p)
	c.mu.Lock()
	defer c.mu.Unlock()
	key := name + "\x00" + strings.Join(kv, "\x00")
	s := c.series[key]
	if s == nil {
		if s, reason = c.add(name, kv); reason != "" {
			c.rejected[reason]++
			return
		}
		c.series[key] = s
	}
	s.value, s.at = p.value, now
	c.lines++
}

// named makes a name and labels of a path: by the first template that fits, else all of it is the name.
func (c *collector) named(p point) (name string, kv []string) {
	name = p.path
	parts := strings.Split(p.path, ".")
	for _, t := range c.templates {
		if t.fits(parts) {
			name, kv = t.apply(parts)
			break
		}
	}
	return name, append(kv, p.tags...)
}

// add makes a series; the lock is held.
func (c *collector) add(name string, kv []string) (*series, string) {
	if len(c.series) >= c.MaxSeries {
		return nil, "series"
	}
	d := c.descs[name]
	if d == nil {
		d = &metric.Desc{Name: name}
		if c.env.Reserved != nil && c.env.Reserved(metric.PromName(d)) {
			return nil, "reserved"
		}
		c.descs[name] = d
	}
	labels := metric.Labels{}
	for i := 0; i+1 < len(kv); i += 2 {
		labels = labels.With(collectors.Label(kv[i]), collectors.Label(kv[i+1]))
	}
	return &series{desc: d, labels: labels.With("job", "").With("instance", "")}, ""
}

// Collect tells what came last, and what is due to be forgotten no more.
func (c *collector) Collect(_ context.Context, b *metric.Batch) error {
	if len(c.Listen) == 0 {
		return fmt.Errorf("%w: no listener in collect.graphite", collectors.ErrAbsent)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	used := map[string]bool{}
	for key, s := range c.series {
		if b.Time.Sub(s.at) > c.Keep {
			delete(c.series, key)
			continue
		}
		used[s.desc.Name] = true
		b.Samples = append(b.Samples, metric.Sample{Desc: s.desc, Labels: s.labels, Time: b.Time, Value: s.value})
	}
	for name := range c.descs {
		if !used[name] {
			delete(c.descs, name)
		}
	}
	b.Add(descLines, c.lines)
	for _, reason := range [...]string{"form", "value", "time", "path", "reserved", "series", "long", "pickle"} {
		b.Add(descRejected, c.rejected[reason], "reason", reason)
	}
	c.lines, c.rejected = 0, map[string]float64{}
	b.Add(descSeries, float64(len(c.series)))
	b.Add(descConns, float64(c.conns))
	var errs []error
	for _, s := range c.slots {
		if s.fault != nil {
			errs = append(errs, collectors.Part(s.name, collectors.Blind("listen", s.fault)))
		}
	}
	return errors.Join(errs...)
}
