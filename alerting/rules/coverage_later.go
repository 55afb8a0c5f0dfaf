package rules

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

// later says that a counter which does not exist comes with the first thing that it counts, as far as its name and labels tell;
// empty: it does not look like that. Many clients publish a counter, or one value of its labels, only once it has counted
// something: on a good day there is no series, and the rule can fire all the same.
func (c *cover) later(ctx context.Context, s *parser.VectorSelector, counts bool) string {
	if !counts || s.Name == "" {
		return ""
	}
	named, err := labels.NewMatcher(labels.MatchEqual, model.MetricNameLabel, s.Name)
	if err != nil {
		return ""
	}
	if !c.ever(ctx, []*labels.Matcher{named}) {
		return c.laterMetric(ctx, s)
	}
	if len(c.values(ctx, model.MetricNameLabel, c.Now.Add(-lookHosts), named)) == 0 {
		return "" // all of it is gone, and so may be what counts
	}
	for _, m := range s.LabelMatchers {
		if m.Name == model.MetricNameLabel || len(c.matching(ctx, named, m)) > 0 {
			continue
		}
		if slices.Contains(ofTargets, m.Name) {
			return "" // where it is counted, and not what: that should be there
		}
		values := c.values(ctx, m.Name, c.Oldest, named)
		if len(values) == 0 {
			return ""
		}
		return fmt.Sprintf("%s has %s %s, and none yet that fits %s: such a series comes with the first that is counted", s.Name, m.Name, some(values[:min(len(values), someNames)]), m)
	}
	return ""
}

// matching are the values of a matcher's label among the series of a metric that it fits, in all that is stored.
func (c *cover) matching(ctx context.Context, named, m *labels.Matcher) []string {
	if m.Matches("") {
		return []string{""}
	}
	return c.values(ctx, m.Name, c.Oldest, named, m)
}

// laterMetric is later for a metric that was never stored: it counts what goes wrong, others of its family are here, and none has
// almost its name.
func (c *cover) laterMetric(ctx context.Context, s *parser.VectorSelector) string {
	if c.nearest(ctx, s.Name) != "" || !slices.ContainsFunc(strings.Split(s.Name, "_"), wrong) {
		return ""
	}
	parts := strings.SplitN(s.Name, "_", 3)
	if len(parts) < 3 {
		return ""
	}
	for _, family := range []string{parts[0] + "_" + parts[1] + "_", parts[0] + "_"} {
		for _, n := range c.names {
			if strings.HasPrefix(n, family) {
				return s.Name + " was never stored, others such as " + n + " are: a counter of what goes wrong comes with the first that is counted"
			}
		}
	}
	return ""
}

// ofTargets are labels that say where something is counted.
var ofTargets = []string{
	"job", "instance", "node", "host", "hostname", "nodename", "cluster", "env", "environment", "region", "zone", "az", "dc", "datacenter", "namespace", "pod", "container", "service",
	"app", "application", "deployment", "statefulset", "team", "endpoint", "metrics_path", "device", "mountpoint", "vhost", "queue", "database", "datname",
}

// wrong says that a word of a metric's name is about what goes wrong.
func wrong(word string) bool {
	return slices.ContainsFunc([]string{
		"error", "fail", "reject", "drop", "timeout", "exception", "panic", "retr", "abort", "invalid", "denied", "refused", "lost", "corrupt", "missed", "evict", "oom",
		"restart", "unavailable", "conflict", "deadlock", "overflow", "discard", "cancel", "unhandled", "crash", "throttl",
	}, func(w string) bool { return strings.HasPrefix(word, w) })
}

// counted are the selectors of an expression that are counters: their rate or increase is asked for, or their name says so.
func counted(e parser.Expr) map[*parser.VectorSelector]bool {
	out := map[*parser.VectorSelector]bool{}
	parser.Inspect(e, func(n parser.Node, path []parser.Node) error {
		s, ok := n.(*parser.VectorSelector)
		if !ok {
			return nil
		}
		out[s] = strings.HasSuffix(s.Name, "_total") || slices.ContainsFunc(path, func(p parser.Node) bool {
			call, ok := p.(*parser.Call)
			return ok && slices.Contains([]string{"rate", "increase", "irate"}, call.Func.Name)
		})
		return nil
	})
	return out
}
