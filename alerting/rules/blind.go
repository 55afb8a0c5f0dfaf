package rules

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	promrules "github.com/prometheus/prometheus/rules"

	"github.com/navcloud/binnacle/alerting"
)

// An alarm ends in two ways that a rule can't tell apart: its condition holds no more, or nobody sees it any more. eyes looks
// at what the rule was judged from: where the series that the alarm began with are gone, and a check that should tell
// them does not answer, the alarm is frozen.

// blindSeries is what every agent says of its checks; see package collectors.
const blindSeries = "binnacle_check_blind_seconds"

// Windows of looking. A collector tells its series at least each minute; what was there at a moment is found 5 min later.
const (
	seenWithin   = time.Minute
	anchorWithin = 5 * time.Minute
	lookDeadline = 5 * time.Second
	maxNames     = 40 // of series in one expression, recorded ones resolved
	recordDepth  = 5  // of rules that read what rules record
)

// eyes ask the store what can be seen.
type eyes struct {
	query promrules.QueryFunc
	list  func() []promrules.Rule
}

// sight is what can be seen of an alarm's subject.
type sight struct {
	missing bool      // series that it was judged from are not there
	blind   string    // the checks that should tell them and don't, for people; empty: none
	since   time.Time // when they last answered
}

// blindCheck is one check that does not answer.
type blindCheck struct {
	node, collector, name string
	since                 time.Time
}

// blind returns the checks that do not answer now.
func (e *eyes) blind(ctx context.Context, now time.Time) ([]blindCheck, error) {
	v, err := e.query(ctx, fmt.Sprintf("max by (node, collector, check) (last_over_time(%s[%s])) > 0", blindSeries, brief(seenWithin)), now)
	if err != nil {
		return nil, err
	}
	var out []blindCheck
	for _, s := range v {
		since := now.Add(-time.Duration(s.F * float64(time.Second)))
		out = append(out, blindCheck{s.Metric.Get("node"), s.Metric.Get("collector"), s.Metric.Get("check"), since})
	}
	return out, nil
}

// look says whether the series are there that made the alarm, and if not, who should tell them.
func (e *eyes) look(ctx context.Context, a alerting.Alarm, expr string, now time.Time, blind []blindCheck) (sight, error) {
	ctx, cancel := context.WithTimeout(ctx, lookDeadline)
	defer cancel()
	names, static := e.names(expr, a.Rule())
	var out sight
	var silent []string
	for _, name := range names {
		gone, err := e.gone(ctx, name, a, static, now, blind)
		if err != nil {
			return sight{}, err
		}
		for _, node := range gone {
			out.missing = true
			for _, c := range blind {
				if !c.tells(name, node) {
					continue
				}
				if out.since.IsZero() || c.since.Before(out.since) {
					out.since = c.since
				}
				silent = append(silent, c.String())
			}
		}
	}
	slices.Sort(silent)
	if silent = slices.Compact(silent); len(silent) > 0 {
		out.blind = some(silent)
	}
	return out, nil
}

// freely are the collectors whose series have any name.
var freely = []string{"statsd", "scrape", "exec", "logs", "probe", "services", "graphite", "heartbeat"}

// tells says whether the check should tell series of this name on the node.
func (c blindCheck) tells(name, node string) bool {
	if node != "" && c.node != node {
		return false
	}
	return strings.HasPrefix(name, c.collector) || slices.Contains(freely, c.collector)
}

func (c blindCheck) String() string {
	if c.name == "" {
		return c.collector + " on " + c.node
	}
	return c.name + " of " + c.collector + " on " + c.node
}

// names are the series that an expression reads, those that rules record replaced by what those are made of, and the labels
// that the rule itself puts on its alarms.
func (e *eyes) names(expr, rule string) (names []string, static map[string]bool) {
	static = map[string]bool{alerting.LabelRule: true}
	records := map[string][]parser.Expr{}
	for _, r := range e.list() {
		switch r := r.(type) {
		case *promrules.RecordingRule:
			records[r.Name()] = append(records[r.Name()], r.Query())
		case *promrules.AlertingRule:
			if r.Name() == rule {
				r.Labels().Range(func(l labels.Label) { static[l.Name] = true })
			}
		}
	}
	found := map[string]bool{}
	var walk func(parser.Expr, int)
	walk = func(x parser.Expr, depth int) {
		for _, name := range selected(x) {
			switch made := records[name]; {
			case strings.HasPrefix(name, "ALERTS") || len(found) >= maxNames:
			case made == nil:
				found[name] = true
			case depth < recordDepth:
				for _, m := range made {
					walk(m, depth+1)
				}
			}
		}
	}
	if x, err := promParser.ParseExpr(expr); err == nil {
		walk(x, 0)
	}
	return slices.Sorted(maps.Keys(found)), static
}

// selected are the names of the series whose absence can end what an expression finds: not those behind "unless", which keep it
// from being found.
func selected(x parser.Expr) (out []string) {
	parser.Inspect(x, func(n parser.Node, path []parser.Node) error {
		s, ok := n.(*parser.VectorSelector)
		if !ok || behindUnless(n, path) {
			return nil
		}
		for _, m := range s.LabelMatchers {
			if m.Name == model.MetricNameLabel && m.Type == labels.MatchEqual {
				out = append(out, m.Value)
			}
		}
		return nil
	})
	return out
}

// behindUnless says that the way from the root to n leads over the right side of an "unless".
func behindUnless(n parser.Node, path []parser.Node) bool {
	for i, on := range path {
		next := n
		if i+1 < len(path) {
			next = path[i+1]
		}
		if b, ok := on.(*parser.BinaryExpr); ok && b.Op == parser.LUNLESS && next == parser.Node(b.RHS) {
			return true
		}
	}
	return false
}

// gone are the nodes that told series of this name about the alarm's subject when the alarm began, or when they were last
// seen, and tell none now.
func (e *eyes) gone(ctx context.Context, name string, a alerting.Alarm, static map[string]bool, now time.Time, blind []blindCheck) ([]string, error) {
	own := map[string]string{}
	for k, v := range a.Labels {
		if !static[k] {
			own[k] = v
		}
	}
	wide := map[string]string{}
	for _, k := range []string{"node", "cluster"} {
		if v := own[k]; v != "" {
			wide[k] = v
		}
	}
	for _, match := range []map[string]string{own, wide} {
		had := map[string]bool{}
		for _, at := range anchors(a, name, now, blind) {
			nodes, err := e.nodes(ctx, selector(name, match), anchorWithin, at, false)
			if err != nil {
				return nil, err
			}
			maps.Copy(had, nodes)
		}
		if len(had) == 0 {
			continue // the alarm has labels that these series have not
		}
		has, err := e.nodes(ctx, selector(name, match), seenWithin, now, true)
		if err != nil {
			return nil, err
		}
		maps.DeleteFunc(had, func(node string, _ bool) bool { return has[node] })
		return slices.Sorted(maps.Keys(had)), nil
	}
	return nil, nil
}

// anchors are the moments at which the series of an alarm were there: its begin, and the last answers of the checks.
func anchors(a alerting.Alarm, name string, now time.Time, blind []blindCheck) []time.Time {
	out := []time.Time{now.Add(-seenWithin)}
	if !a.StartsAt.IsZero() && a.StartsAt.Before(now) {
		out = append(out, a.StartsAt)
	}
	for _, c := range blind {
		if c.tells(name, a.Labels["node"]) && len(out) < 8 {
			out = append(out, c.since)
		}
	}
	return out
}

// nodes are those that have such series; current: and did not end them.
func (e *eyes) nodes(ctx context.Context, sel string, within time.Duration, at time.Time, current bool) (map[string]bool, error) {
	q := fmt.Sprintf("last_over_time(%s[%s])", sel, brief(within))
	if current {
		q += " and " + sel
	}
	v, err := e.query(ctx, "count by (node) ("+q+")", at)
	if err != nil {
		return nil, err
	}
	out := map[string]bool{}
	for _, s := range v {
		out[s.Metric.Get("node")] = true
	}
	return out, nil
}

func selector(name string, match map[string]string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "{__name__=%q", name)
	for _, k := range slices.Sorted(maps.Keys(match)) {
		fmt.Fprintf(&b, ",%q=%q", k, match[k])
	}
	return b.String() + "}"
}

// brief writes a duration as PromQL has it.
func brief(d time.Duration) string { return fmt.Sprintf("%ds", int(d.Seconds())) }
