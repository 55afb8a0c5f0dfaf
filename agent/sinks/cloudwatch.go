package sinks

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/agent/secret"
)

// Limits of one PutMetricData request and of what is in it.
// Source: CloudWatch API Reference, PutMetricData and MetricDatum, read November 2026. Whether the megabyte
// is meant before or after gzip is not said there; before is safe.
const (
	maxDatums         = 1000
	maxRequestBytes   = 990_000 // of 1 MB, by our own estimate of the CBOR
	maxDatumValues    = 150
	maxDimensions     = 30
	maxNameLen        = 255 // namespace, metric and dimension names
	maxDimensionValue = 1024
)

// maxMagnitude is the largest value that CloudWatch takes, and least its negative. Source: as above.
var maxMagnitude = math.Exp2(360)

// CloudWatch are the options of the destination cloudwatch. CloudWatch bills by series, a name and its
// dimensions, not by calls or values: hence the scopes and the cap.
type CloudWatch struct {
	Namespace string `yaml:"namespace"` // of all metrics; a second one would double the calls
	Region    string `yaml:"region"`    // the environment's (AWS_REGION, profile) when empty
	Endpoint  string `yaml:"endpoint"`  // URL in place of the region's; for tests and private links

	AccessKeyID     string        `yaml:"access_key_id"` // with the secret key; the SDK's own chain when empty
	SecretAccessKey secret.Secret `yaml:"secret_access_key"`

	// Scope is what a metric gets that no list below names: group, one series for all nodes that CloudWatch
	// merges; instance, one for each node; or both.
	Scope    string   `yaml:"scope"`
	Group    []string `yaml:"group"` // globs of metric names
	Instance []string `yaml:"instance"`
	Both     []string `yaml:"both"`

	// Dimensions are put on every series; the node's tags stack and group when nil.
	Dimensions map[string]string `yaml:"dimensions"`
	// InstanceDimension names the node in series of scope instance. As InstanceId, which AWS's own metrics and alarms have, its value
	// is the ID of the EC2 instance where there is one.
	InstanceDimension string `yaml:"instance_dimension"`

	HighResolution []string `yaml:"high_resolution"` // globs of metrics kept by the second; flushes come each 10 s then
	MaxSeries      int      `yaml:"max_series"`      // of this node; new ones over it are not sent, loudly; 1 to 100,000

	Alarms Alarms `yaml:"alarms"` // rules that are kept there as alarms, too
}

// DefaultCloudWatch returns the defaults. About 300 series a node at group scope cost what the README says.
func DefaultCloudWatch() CloudWatch {
	return CloudWatch{Namespace: "NavCloud", Scope: scopeGroup, InstanceDimension: instanceID, MaxSeries: 300, Alarms: defaultAlarms()}
}

// instanceID is the dimension by which AWS's own metrics name an instance.
const instanceID = "InstanceId"

const (
	scopeGroup    = "group"
	scopeInstance = "instance"
	scopeBoth     = "both"
)

// Validate says all that is wrong.
func (c CloudWatch) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	switch {
	case c.Namespace == "" || len(c.Namespace) > maxNameLen || !printable(c.Namespace) || strings.Contains(c.Namespace, ":"):
		bad("namespace: want 1 to %d printable ASCII characters without a colon, have %q", maxNameLen, c.Namespace)
	case strings.HasPrefix(c.Namespace, "AWS/"):
		bad("namespace: %q begins with AWS/, which is Amazon's own", c.Namespace)
	}
	if c.Scope != scopeGroup && c.Scope != scopeInstance && c.Scope != scopeBoth {
		bad("scope: %q is none of group, instance, both", c.Scope)
	}
	if (c.AccessKeyID == "") != c.SecretAccessKey.IsZero() {
		bad("access_key_id: want secret_access_key with it, or neither")
	}
	if c.MaxSeries < 1 || c.MaxSeries > 100_000 {
		bad("max_series: %d is outside 1 to 100000", c.MaxSeries)
	}
	if c.InstanceDimension == "" || !printable(c.InstanceDimension) || len(c.InstanceDimension) > maxNameLen {
		bad("instance_dimension: want a printable ASCII name, have %q", c.InstanceDimension)
	}
	if len(c.Dimensions) > maxDimensions/2 {
		bad("dimensions: %d are more than %d", len(c.Dimensions), maxDimensions/2)
	}
	for k, v := range c.Dimensions {
		if !validDimension(k, v) {
			bad("dimensions: %s=%q: want a name and a value of printable ASCII", k, v)
		}
	}
	c.Alarms.validate(bad)
	for key, globs := range map[string][]string{
		"group": c.Group, "instance": c.Instance, "both": c.Both, "high_resolution": c.HighResolution,
	} {
		for _, g := range globs {
			if _, err := path.Match(g, ""); err != nil {
				bad("%s: %q: %w", key, g, err)
			}
		}
	}
	return errors.Join(errs...)
}

// ScopeOf returns the scope of a metric by its name: group, instance or both. The lists rule in the
// order both, instance, group.
func (c CloudWatch) ScopeOf(name string) string {
	switch {
	case name == Beat: // several routers' is one
		return scopeGroup
	case matchAny(c.Both, name):
		return scopeBoth
	case matchAny(c.Instance, name):
		return scopeInstance
	case matchAny(c.Group, name):
		return scopeGroup
	}
	return c.Scope
}

func matchAny(globs []string, name string) bool {
	for _, g := range globs {
		if ok, _ := path.Match(g, name); ok { // Validate saw bad globs
			return true
		}
	}
	return false
}

// putter sends datums; the SDK's client is behind it.
type putter interface {
	put(ctx context.Context, namespace string, ds []datum) error
}

// datum is one MetricDatum.
type datum struct {
	name           string
	dims           metric.Labels
	at             time.Time
	value          float64 // where stats is nil
	stats          *metric.Histogram
	values, counts []float64
	unit           metric.Unit
	kind           metric.Kind
	seconds        int32 // of resolution: 1 or 60
}

// cloudwatch is the Sink. Check and Write may run at the same time.
type cloudwatch struct {
	opts   CloudWatch
	node   string
	group  metric.Labels // on every series
	tags   map[string]string
	delay  time.Duration
	client putter
	log    *slog.Logger

	mu     sync.Mutex // guards what follows
	series map[seriesKey]*billed
	kinds  map[string]metric.Kind // by name: it has no kinds itself, and would add them up
	billed int
	capped bool // whether the cap was told
}

// billed is a series as the bill sees it: one or two.
type billed struct {
	last time.Time
	n    int
}

// NewCloudWatch returns the Sink of CloudWatch. It asks nobody: a missing region or credential shows
// itself in the first Write, but for what can be seen in the options and the environment.
func NewCloudWatch(o CloudWatch, env Env) (Sink, error) {
	client, err := newPutter(o, env)
	if err != nil {
		return nil, fmt.Errorf("cloudwatch: %w", err)
	}
	group := metric.Labels{}
	dims := o.Dimensions
	if dims == nil {
		dims = map[string]string{"Stack": env.Tags["stack"], "Group": env.Tags["group"]}
	}
	for k, v := range dims {
		if v != "" {
			group = append(group, metric.Label{Name: k, Value: v})
		}
	}
	node := env.Node
	if o.InstanceDimension == instanceID && env.Instance != "" {
		node = env.Instance
	}
	return &cloudwatch{
		opts: o, node: node, tags: env.Tags, group: metric.Normalize(group), delay: phase(env.Node), client: client, log: env.Log,
		series: map[seriesKey]*billed{}, kinds: map[string]metric.Kind{},
	}, nil
}

// shaper folds into minutes, ready at this node's own second of the next.
func (c *cloudwatch) shaper() shaper {
	return newFolder(func(d *metric.Desc) time.Duration {
		if matchAny(c.opts.HighResolution, d.Name) {
			return time.Second
		}
		return time.Minute
	}, c.delay)
}

// Check implements Checker: what CloudWatch would refuse, and what is over the cap of series.
func (c *cloudwatch) Check(s metric.Sample) string {
	values := []float64{s.Value}
	if h := s.Hist; h != nil {
		values = []float64{h.Count, h.Sum, h.Min, h.Max}
	}
	for _, v := range values {
		if math.IsNaN(v) || math.Abs(v) > maxMagnitude {
			return "not_finite"
		}
	}
	now := time.Now()
	if s.Time.After(now.Add(2 * time.Hour)) {
		return "future" // the service's own limit. Source: as above
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	key := seriesKey{s.Desc, s.Labels.Key()}
	if b := c.series[key]; b != nil {
		b.last = now
		return ""
	}
	if reason := c.refuse(s); reason != "" {
		return reason
	}
	n := 1
	if c.opts.ScopeOf(s.Desc.Name) == scopeBoth {
		n = 2
	}
	if c.billed+n > c.opts.MaxSeries && !c.makeRoom(now, n) {
		if !c.capped {
			c.capped = true
			c.log.Error("cloudwatch: cap of series reached; new ones are not sent",
				"max_series", c.opts.MaxSeries, "metric", s.Desc.Name, "labels", s.Labels.String())
		}
		return "series_cap"
	}
	c.billed += n
	c.series[key] = &billed{now, n}
	return ""
}

// makeRoom forgets idle series and says whether n more fit.
func (c *cloudwatch) makeRoom(now time.Time, n int) bool {
	for k, b := range c.series {
		if now.Sub(b.last) > idleSeries {
			c.billed -= b.n
			delete(c.series, k)
		}
	}
	clear(c.kinds)
	for k := range c.series {
		c.kinds[k.desc.Name] = k.desc.Kind
	}
	return c.billed+n <= c.opts.MaxSeries
}

// refuse checks names and dimensions of a new series.
func (c *cloudwatch) refuse(s metric.Sample) string {
	if n := s.Desc.Name; n == "" || len(n) > maxNameLen || !printable(n) {
		return "bad_name"
	}
	kind := s.Desc.Kind
	if kind == metric.Counter {
		kind = metric.Delta
	}
	if was, known := c.kinds[s.Desc.Name]; known && was != kind {
		return "kind" // as a counter and a timer of one name are: each has a name of its own elsewhere
	}
	c.kinds[s.Desc.Name] = kind
	if len(s.Labels)+len(c.group)+1 > maxDimensions {
		return "too_many_dimensions"
	}
	for _, l := range s.Labels {
		if !validDimension(l.Name, l.Value) {
			return "bad_dimension"
		}
	}
	return ""
}

// validDimension says whether CloudWatch takes a dimension. Source: API Reference, Dimension, read November 2026.
func validDimension(name, value string) bool {
	return name != "" && len(name) <= maxNameLen && printable(name) && name[0] != ':' &&
		strings.TrimSpace(value) != "" && len(value) <= maxDimensionValue && printable(value)
}

func printable(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] > 0x7e {
			return false
		}
	}
	return true
}
