package views

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/navcloud/binnacle/agent/query"
	"github.com/navcloud/binnacle/agent/words"
	"github.com/navcloud/binnacle/dashboards"
	"github.com/navcloud/binnacle/dashboards/charts"
)

// Bounds of the page of streams.
const (
	maxNodes     = 100              // rows of the table, the fullest first
	queryTime    = 3 * time.Second  // for all queries of one page
	sparkWindow  = 30 * time.Minute // that the small lines show
	sparkStep    = 15 * time.Second // of the line over all
	nodeStep     = 30 * time.Second // of the line of one node
	lookback     = 5 * time.Minute  // for how long PromQL takes a sample for the present one
	staleStreams = time.Minute      // age of a node's last count from which the page says so
)

// balancerLimit is how many connections one balancer holds where the nodes do not tell the limit they were
// given (navcloud_streams_limit). Source: the alarm list of this project, November 2026.
const balancerLimit = 10000

// answers are the results of the page's queries by their name.
type answers struct {
	mu     sync.Mutex
	by     map[string][]query.Series
	failed map[string]bool
	errs   []string // sorted, each once
}

func (a *answers) put(name string, s []query.Series, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err != nil {
		a.failed[name] = true
		a.errs = append(a.errs, err.Error())
		return
	}
	a.by[name] = s
}

// one is the value of an answer that has one series, and whether there is any.
func (a *answers) one(name string) (float64, bool) {
	s := a.by[name]
	if len(s) == 0 || len(s[0].Points) == 0 {
		return 0, false
	}
	return s[0].Points[len(s[0].Points)-1].V, true
}

// Instants are the queries whose value now is shown; %s is the window of rates.
var Instants = map[string]string{
	"open":      `sum by (stack, az, node) (navcloud_streams_open)`,
	"age":       `time() - max by (stack, az, node) (timestamp(navcloud_streams_open))`,
	"limit":     `max by (stack) (navcloud_streams_limit > 0)`,
	"opened":    `sum(rate(navcloud_streams_opened_total[%s]))`,
	"closed":    `sum by (reason) (rate(navcloud_streams_closed_total[%s]))`,
	"beats":     `sum(rate(navcloud_heartbeats_sent_total[%s]))`,
	"late":      `sum(rate(navcloud_heartbeats_late_total[%s]))`,
	"published": `sum(rate(navcloud_events_published_total[%s]))`,
	"delivered": `sum(rate(navcloud_events_delivered_total[%s]))`,
	"expected":  `sum(rate(navcloud_events_expected_total[%s]))`,
	"dropped":   `sum by (reason) (rate(navcloud_events_dropped_total[%s]))`,
	"p50":       `histogram_quantile(0.5, sum(rate(navcloud_fanout_latency_seconds[%s])))`,
	"p99":       `histogram_quantile(0.99, sum(rate(navcloud_fanout_latency_seconds[%s])))`,
}

// ranges are the queries that are drawn.
var ranges = map[string]struct {
	promql string
	step   time.Duration
}{
	"open line": {`sum(navcloud_streams_open)`, sparkStep},
	"p99 line":  {`histogram_quantile(0.99, sum(rate(navcloud_fanout_latency_seconds[%s])))`, sparkStep},
	"node line": {`sum by (stack, az, node) (navcloud_streams_open)`, nodeStep},
}

// ask sends all queries at once. Those that fail are missing and told. What was just asked is not asked again.
func (p *Pages) ask(ctx context.Context, now time.Time) *answers {
	return p.answers.Get(ctx, "streams", now, dashboards.LookEvery, queryTime, func(ctx context.Context) any { return p.askAll(ctx, now) }).(*answers)
}

func (p *Pages) askAll(ctx context.Context, now time.Time) *answers {
	a := &answers{by: map[string][]query.Series{}, failed: map[string]bool{}}
	window := short60(max(time.Minute, 4*p.opts.Interval))
	var wg sync.WaitGroup
	for name, q := range Instants {
		wg.Go(func() {
			s, err := p.opts.Query(ctx, strings.ReplaceAll(q, "%s", window), now)
			a.put(name, s, err)
		})
	}
	if p.opts.Range != nil {
		end := now.Truncate(sparkStep) // so that a line changes with its step and not with each look
		for name, q := range ranges {
			wg.Go(func() {
				s, err := p.opts.Range(ctx, strings.ReplaceAll(q.promql, "%s", window), end.Add(-sparkWindow), end, q.step)
				a.put(name, s, err)
			})
		}
	}
	wg.Wait()
	slices.Sort(a.errs)
	a.errs = slices.Compact(a.errs)
	return a
}

// short60 writes whole seconds as PromQL does.
func short60(d time.Duration) string { return fmt.Sprintf("%ds", int64(d/time.Second)) }

// gauge is a share of a limit as a bar, with its line of the last half hour.
type gauge struct {
	Stack, AZ, Node string
	Open            float64
	Limit           float64
	Share           float64 // of the limit, 0 to 1 and above
	Line            charts.Spark
	Age             time.Duration
	Stale           bool
	Calm            bool // no level is a fault
}

// Width is the bar's, of 100.
func (g gauge) Width() string { return fmt.Sprintf("%.1f", 100*min(max(g.Share, 0), 1)) }

// Level says how near the limit is: the alarms' own thresholds are 80 and 95 %.
func (g gauge) Level() string {
	switch {
	case g.Calm:
	case g.Share > 0.95:
		return "full"
	case g.Share > 0.8:
		return "high"
	}
	return "fine"
}

// Left is how many streams fit until the limit.
func (g gauge) Left() float64 { return max(g.Limit-g.Open, 0) }

// figure is one number with a name.
type figure struct {
	Name, Value, Note string
	Bad               bool
	Line              *charts.Spark
}

type streamsNow struct {
	Total   float64
	Nodes   int
	Zones   int
	Line    charts.Spark
	Oldest  time.Duration
	Stale   bool
	Failed  int // queries
	Errors  []string
	Missing bool // no node reported
	Since   time.Duration
}

type streamsTable struct {
	Label string
	Rows  []gauge
	More  int
	Whose string // node, zone, stack
}

func (p *Pages) streams(r *http.Request) dashboards.Page {
	pg := dashboards.Page{Name: "streams", Title: "Streams", Crumb: "Streams", Live: dashboards.LivePath("streams", r.URL.Query())}
	if p.opts.Query == nil {
		pg.Live = ""
		return dashboards.NoStore(pg)
	}
	now := p.opts.Now()
	a := p.ask(r.Context(), now)
	if len(a.errs) > 0 {
		p.opts.Log.Debug("queries of the streams page failed", "failed", len(a.failed), "first", a.errs[0])
	}
	nodes := perNode(a, now)
	head := streamsNow{Nodes: len(nodes), Failed: len(a.failed), Errors: a.errs, Missing: len(nodes) == 0, Since: lookback}
	zones := map[string]bool{}
	for _, n := range nodes {
		head.Total += n.Open
		head.Oldest = max(head.Oldest, n.Age)
		zones[n.AZ] = true
	}
	head.Zones, head.Stale = len(zones), head.Oldest > staleStreams
	if line := a.by["open line"]; len(line) > 0 {
		points, end := charts.UpTo(line[0].Points, now, sparkStep, head.Total)
		head.Line = charts.DrawSpark(points, end, sparkStep, words.Number)
	}
	pg.Sections = []dashboards.Section{{ID: "summary", Parts: []dashboards.Part{{ID: "streams-now", Template: "streams-now", Data: head}}}}
	if head.Missing {
		return pg
	}
	pg.Title = "Streams: " + words.Number(head.Total)
	stacks, azs := fold(nodes, func(g gauge) gauge { return gauge{Stack: g.Stack} }), fold(nodes, func(g gauge) gauge { return gauge{Stack: g.Stack, AZ: g.AZ} })
	pg.Sections = append(pg.Sections,
		dashboards.Section{ID: "stacks", Hush: true, Parts: []dashboards.Part{{ID: "stacks-table", Template: "streams-table", Data: table("By stack: what the balancer holds", "stack", stacks)}}},
		dashboards.Section{ID: "figures", Hush: true, Parts: []dashboards.Part{{ID: "figures-list", Template: "figures", Data: p.figures(a, now)}}},
		dashboards.Section{ID: "zones", Hush: true, Parts: []dashboards.Part{{ID: "zones-table", Template: "streams-table", Data: table("By zone", "zone", azs)}}},
		dashboards.Section{ID: "nodes", Hush: true, Parts: []dashboards.Part{{ID: "nodes-table", Template: "streams-table", Data: table("By node", "node", nodes)}}})
	return pg
}

// perNode joins the answers that are by node, in order of stack, zone and node.
func perNode(a *answers, now time.Time) []gauge {
	key := func(s query.Series) string {
		return s.Labels["stack"] + "\xff" + s.Labels["az"] + "\xff" + s.Labels["node"]
	}
	limits, ages, lines := map[string]float64{}, map[string]time.Duration{}, map[string][]query.Point{}
	for _, s := range a.by["limit"] {
		limits[s.Labels["stack"]] = query.Last(s)
	}
	for _, s := range a.by["age"] {
		ages[key(s)] = time.Duration(query.Last(s) * float64(time.Second))
	}
	for _, s := range a.by["node line"] {
		lines[key(s)] = s.Points
	}
	var out []gauge
	for _, s := range a.by["open"] {
		g := gauge{Stack: s.Labels["stack"], AZ: s.Labels["az"], Node: s.Labels["node"], Open: query.Last(s), Limit: limits[s.Labels["stack"]], Age: ages[key(s)]}
		if g.Limit <= 0 {
			g.Limit = balancerLimit
		}
		g.Share, g.Stale = g.Open/g.Limit, g.Age > staleStreams
		if line := lines[key(s)]; len(line) > 0 {
			points, end := charts.UpTo(line, now, nodeStep, g.Open)
			g.Line = charts.DrawSpark(points, end, nodeStep, words.Number)
		}
		out = append(out, g)
	}
	slices.SortFunc(out, func(x, y gauge) int {
		return cmp.Or(cmp.Compare(x.Stack, y.Stack), cmp.Compare(x.AZ, y.AZ), cmp.Compare(x.Node, y.Node))
	})
	return out
}

// fold adds gauges up that have the same key, in order of first appearance.
func fold(in []gauge, by func(gauge) gauge) []gauge {
	var out []gauge
	at := map[gauge]int{}
	for _, g := range in {
		k := by(g)
		i, ok := at[k]
		if !ok {
			i = len(out)
			at[k] = i
			k.Limit = g.Limit
			out = append(out, k)
		}
		out[i].Open += g.Open
		out[i].Age = max(out[i].Age, g.Age)
	}
	for i := range out {
		out[i].Share, out[i].Stale = out[i].Open/out[i].Limit, out[i].Age > staleStreams
	}
	return out
}

func table(label, whose string, rows []gauge) streamsTable {
	t := streamsTable{Label: label, Whose: whose, Rows: rows}
	if len(rows) > maxNodes {
		slices.SortStableFunc(rows, func(x, y gauge) int { return cmp.Compare(y.Open, x.Open) })
		t.Rows, t.More = rows[:maxNodes], len(rows)-maxNodes
	}
	return t
}
