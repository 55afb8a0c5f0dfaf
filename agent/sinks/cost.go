package sinks

import (
	"cmp"
	"math"
	"slices"
)

// PricesRead is the month in which the price table was read: the list of us-east-1, in US dollars. Three
// independent summaries of the pricing page agree on it (api-evangelist/cloudwatch plans, c3x.dev, aws-rough
// issue 37); other regions are up to a third dearer.
const PricesRead = "November 2026"

// metricTiers are the prices of a custom metric a month, prorated by the hour, by how many there are.
var metricTiers = []struct{ upTo, price float64 }{
	{10_000, 0.30}, {250_000, 0.10}, {1_000_000, 0.05}, {math.Inf(1), 0.02},
}

const (
	freeMetrics   = 10        // a month, for an account that has no others
	freeCalls     = 1_000_000 // a month, likewise
	priceOfCalls  = 0.01 / 1000
	minutesAMonth = 730 * 60
)

// Published is a metric as a node publishes it: its name, and how many series one node has of it.
type Published struct {
	Metric string
	Series int
}

// Bill is what CloudWatch asks for a month.
type Bill struct {
	Lines     []BillLine // by metric, the dearest first
	Series    int        // billed
	Calls     float64    // of PutMetricData
	CallsCost float64    // US dollars
	Total     float64    // US dollars
	Capped    int        // series of one node that max_series keeps back
}

// BillLine is one metric's part of the bill.
type BillLine struct {
	Metric  string
	Scope   string // group, instance or both
	Series  int    // billed, over all nodes
	Dollars float64
}

// Cost returns the monthly bill of a fleet in which each of nodes, in so many groups, publishes what
// is listed. A series of scope group is billed once for each group, one of scope instance once for
// each node. The tiers' discount is shared by all. It assumes that nodes run all month and that the
// account has no other custom metrics.
func Cost(o CloudWatch, nodes, groups int, published []Published) Bill {
	var b Bill
	datums := 0
	for _, p := range published {
		l := BillLine{Metric: p.Metric, Scope: o.ScopeOf(p.Metric)}
		each := 1 // that a node is billed for, as its cap counts them
		if l.Scope == scopeBoth {
			each = 2
		}
		if room := (o.MaxSeries - datums) / each; p.Series > room {
			b.Capped += (p.Series - room) * each
			p.Series = room
		}
		if l.Scope != scopeInstance {
			l.Series += p.Series * min(groups, nodes)
			datums += p.Series
		}
		if l.Scope != scopeGroup {
			l.Series += p.Series * nodes
			datums += p.Series
		}
		b.Series += l.Series
		b.Lines = append(b.Lines, l)
	}
	metrics := metricsCost(b.Series)
	for i := range b.Lines {
		if b.Series > 0 {
			b.Lines[i].Dollars = metrics * float64(b.Lines[i].Series) / float64(b.Series)
		}
	}
	slices.SortStableFunc(b.Lines, func(a, c BillLine) int { return cmp.Compare(c.Dollars, a.Dollars) })
	flushes := 1.0
	if len(o.HighResolution) > 0 {
		flushes = 6
	}
	b.Calls = float64(nodes) * flushes * math.Ceil(float64(datums)/maxDatums) * minutesAMonth
	b.CallsCost = max(b.Calls-freeCalls, 0) * priceOfCalls
	b.Total = metrics + b.CallsCost
	return b
}

// Prices of alarms, and how large a point is at the OTLP endpoint, before gzip: which of the two is paid is
// not written down. Source: as above for alarms (standard resolution, ten free); our own exporter measured in November 2026 for points.
const (
	priceOfAlarm  = 0.10
	freeAlarms    = 10
	bytesOfAPoint = 179
)

// AlarmsCost is the price of n alarms of one metric each a month, at standard resolution.
func AlarmsCost(n int) float64 { return float64(max(n-freeAlarms, 0)) * priceOfAlarm }

// OTLPVolume is about how many GB a month a fleet sends to CloudWatch's OTLP endpoint, a point of each series a minute: every node
// has series of its own there, and nothing is merged.
func OTLPVolume(nodes, series int) float64 {
	return float64(nodes) * float64(series) * minutesAMonth * bytesOfAPoint / 1e9
}

// metricsCost is the price of n custom metrics a month.
func metricsCost(n int) float64 {
	left, from, sum := max(float64(n-freeMetrics), 0), 0.0, 0.0
	for _, t := range metricTiers {
		in := min(left, t.upTo-from)
		sum += in * t.price
		left, from = left-in, t.upTo
		if left <= 0 {
			break
		}
	}
	return sum
}
