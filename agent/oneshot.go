package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/navcloud/binnacle/agent/aws"
	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/agent/secret"
	"github.com/navcloud/binnacle/agent/sinks"
	"github.com/navcloud/binnacle/agent/strict"
	"github.com/navcloud/binnacle/collectors"
)

// rateWait is how long a collector that wants two looks gets between them.
const rateWait = 200 * time.Millisecond

// settleWait is how long one that asks others gets for its first answers: targets of scrape are spread over their interval.
const settleWait = 30 * time.Second

// CollectOnce runs collectors once and hands each result to show; without names all but those that listen, on sockets that an
// agent may have, and aws, whose questions cost money. version is the program's.
func CollectOnce(ctx context.Context, cfg Config, names []string, version string, log *slog.Logger, show func(string, *metric.Batch, error)) error {
	plans, err := collectorPlans(cfg)
	if err != nil {
		return err
	}
	var all []string
	for _, p := range plans {
		all = append(all, p.spec.Name)
	}
	for _, n := range names {
		if !slices.Contains(all, n) {
			return fmt.Errorf("no collector %q%s", n, strict.Suggest(n, all))
		}
	}
	for _, p := range plans {
		if len(names) > 0 && !slices.Contains(names, p.spec.Name) || len(names) == 0 && (p.listens() || p.spec.Name == "aws") {
			continue
		}
		b, err := p.once(ctx, onceEnv(ctx, cfg, version, log))
		show(p.spec.Name, b, err)
	}
	return nil
}

// onceEnv is the world of one look, in which this process asks AWS for itself.
func onceEnv(ctx context.Context, cfg Config, version string, log *slog.Logger) collectors.Env {
	e := env(cfg, "", time.Now, log, nil)
	e.Version = version
	e.AWS = func() (any, string) {
		account, err := aws.Open(ctx, cfg.AWS, aws.Options{Region: aws.RegionOf(cfg.Intake.AWS.Queue)})
		if err != nil {
			return nil, err.Error()
		}
		return asker{account, &aws.Fleet{}}, ""
	}
	return e
}

// once looks twice, a moment apart, for what needs two looks, and returns the second.
func (p plan) once(ctx context.Context, e collectors.Env) (*metric.Batch, error) {
	var mu sync.Mutex
	var delivered []metric.Sample
	e.Deliver = func(_ string, b *metric.Batch, _ time.Duration) {
		mu.Lock()
		defer mu.Unlock()
		delivered = append(delivered, b.Samples...)
	}
	e.Rejected = newRejects(e.Log.With("collector", p.spec.Name)).count
	c, err := p.newCollector(e)
	if err != nil {
		return &metric.Batch{}, err
	}
	running, stop := context.WithCancel(ctx)
	defer stop()
	if r, ok := c.(collectors.Runner); ok {
		go func() { _ = r.Run(running) }() // it only ends with the context
		time.Sleep(rateWait)
	}
	if s, ok := c.(collectors.Settler); ok {
		first, cancel := context.WithTimeout(ctx, settleWait)
		s.Settle(first)
		cancel()
	}
	var b *metric.Batch
	for range 2 {
		b = &metric.Batch{Time: time.Now()}
		look, cancel := context.WithTimeout(ctx, p.deadline)
		err = guard(func() error { return c.Collect(look, b) })
		cancel()
		time.Sleep(rateWait)
	}
	if errors.Is(err, collectors.ErrAbsent) {
		err = collectors.ErrAbsent
	}
	mu.Lock()
	defer mu.Unlock()
	b.Samples = append(b.Samples, delivered...)
	return b, err
}

// Published looks once and says what this node would publish to CloudWatch.
func Published(ctx context.Context, cfg Config, log *slog.Logger) ([]sinks.Published, error) {
	_, view, err := cloudWatch(cfg)
	if err != nil {
		return nil, err
	}
	series := map[string]map[string]bool{}
	err = CollectOnce(ctx, cfg, nil, "", log, func(_ string, b *metric.Batch, _ error) {
		for _, s := range b.Samples {
			if !view.Shows(s.Desc.Name) {
				continue
			}
			if series[s.Desc.Name] == nil {
				series[s.Desc.Name] = map[string]bool{}
			}
			series[s.Desc.Name][s.Labels.Key()] = true
		}
	})
	var out []sinks.Published
	for name, keys := range series {
		out = append(out, sinks.Published{Metric: name, Series: len(keys)})
	}
	slices.SortFunc(out, func(a, b sinks.Published) int { return strings.Compare(a.Metric, b.Metric) })
	return out, err
}

// CloudWatchOptions returns the options of the destination cloudwatch, the defaults when it is not configured.
func CloudWatchOptions(cfg Config) (sinks.CloudWatch, error) {
	o, _, err := cloudWatch(cfg)
	return o, err
}

func cloudWatch(cfg Config) (sinks.CloudWatch, sinks.View, error) {
	plans, err := sinkPlans(cfg)
	if err != nil {
		return sinks.CloudWatch{}, sinks.View{}, err
	}
	for _, p := range plans {
		if o, ok := p.options.(sinks.CloudWatch); ok {
			return o, p.common.View, nil
		}
	}
	spec, _ := sinks.Lookup("cloudwatch")
	return spec.Options.(sinks.CloudWatch), spec.Common.View, nil
}

// AtCloudWatch says under which name CloudWatch gets a metric; the empty name: not at all.
func AtCloudWatch(cfg Config) (ships func(metric string) string, err error) {
	_, view, err := cloudWatch(cfg)
	if err != nil {
		return nil, err
	}
	return func(metric string) string {
		if !view.Shows(metric) {
			return ""
		}
		return cmp.Or(view.Rename[metric], metric)
	}, nil
}

// Describe writes the configuration in force as YAML, every default among it, and no secret.
func Describe(cfg Config) (string, error) {
	plans, err := collectorPlans(cfg)
	if err != nil {
		return "", err
	}
	ships, err := sinkPlans(cfg)
	if err != nil {
		return "", err
	}
	collect, ship := map[string]any{"discover": cfg.Collect.Discover}, map[string]any{}
	for _, p := range plans {
		collect[p.spec.Name] = merged(common{p.interval, p.deadline}, p.options)
		if o := reflect.ValueOf(p.options); o.Kind() == reflect.Slice && o.Len() > 0 {
			collect[p.spec.Name] = p.options // a list of servers has no place for more
		}
	}
	for _, p := range ships {
		of := merged(p.common, p.options)
		if p.spec.Kind != "" {
			of["kind"] = p.spec.Kind
		}
		ship[p.spec.Name] = of
	}
	sections := []struct {
		name string
		off  bool
		v    any
	}{
		{"data", false, cfg.Data},
		{"listen", false, cfg.Listen},
		{"interval", false, cfg.Interval.String()},
		{"deadline", false, cfg.deadline().String()},
		{"drain", false, cfg.Drain.String()},
		{"node", false, NodeConfig{cfg.nodeName(), cfg.Node.Tags}},
		{"log", false, cfg.Log},
		{"web", cfg.Web.Off, cfg.Web},
		{"collect", cfg.Collect.Off, collect},
		{"ship", cfg.Ship.Off, ship},
		{"store", cfg.Store.Off, cfg.Store},
		{"query", false, cfg.Query},
		{"capacity", cfg.Capacity.Off, cfg.Capacity},
		{"rules", cfg.Rules.Off, cfg.Rules},
		{"route", cfg.Route.Off, cfg.Route},
		{"intake", false, cfg.Intake},
		{"aws", false, cfg.AWS},
	}
	var out strings.Builder
	for _, s := range sections {
		if s.off {
			fmt.Fprintf(&out, "%s: off\n", s.name)
			continue
		}
		b, err := shown(s.name, s.v)
		if err != nil {
			return "", fmt.Errorf("%s: %w", s.name, err)
		}
		out.Write(b)
	}
	return out.String(), nil
}

// shown is a section as YAML, with no secret in its values: a URL may hold one.
func shown(name string, section any) ([]byte, error) {
	var n yaml.Node
	if err := n.Encode(map[string]any{name: section}); err != nil {
		return nil, err
	}
	hide(&n)
	return yaml.Marshal(&n)
}

func hide(n *yaml.Node) {
	if n.Kind == yaml.ScalarNode {
		n.Value = secret.Redact(n.Value)
	}
	for i, c := range n.Content {
		if n.Kind != yaml.MappingNode || i%2 == 1 { // names are ours
			hide(c)
		}
	}
}

// merged puts the values of structs side by side, as they stand in one section.
func merged(parts ...any) map[string]any {
	out := map[string]any{}
	for _, p := range parts {
		b, err := yaml.Marshal(p)
		if err != nil {
			continue // what cannot be shown is not shown
		}
		var m map[string]any
		if yaml.Unmarshal(b, &m) == nil {
			for k, v := range m {
				out[k] = v
			}
		}
	}
	return out
}
