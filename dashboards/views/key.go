package views

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/navcloud/binnacle/agent/health"
	"github.com/navcloud/binnacle/agent/query"
	"github.com/navcloud/binnacle/dashboards"
	"github.com/navcloud/binnacle/dashboards/charts"
)

// keyFigure is what one looks at first of a service: a query by node, and how nodes make one figure of all.
type keyFigure struct {
	name, each string
	fold       string // sum, max
	unit       charts.Unit
}

// keyFigures are those of each collector's service, what it does before what it needs. What has no series is left out.
var keyFigures = map[string][]keyFigure{
	"riak": {
		{"Requests", `sum by (node) (rate(riak_node_ops_total[2m]))`, "sum", charts.InRate},
		{"Get, p99", `max by (node) (riak_fsm_time_seconds{op="get",stat="p99"})`, "max", charts.InSeconds},
		{"Put, p99", `max by (node) (riak_fsm_time_seconds{op="put",stat="p99"})`, "max", charts.InSeconds},
		{"Disk of Riak", `max by (node) (riak_disk_used_ratio)`, "max", charts.InPercent},
	},
	"rabbitmq": {
		{"Messages in", `sum by (node) (rate(rabbitmq_global_messages_received_total[2m]))`, "sum", charts.InRate},
		{"Messages ready", `sum by (node) (rabbitmq_queue_messages_ready)`, "sum", charts.InNumber},
		{"Consumers", `sum by (node) (rabbitmq_consumers)`, "sum", charts.InNumber},
		{"Memory of RabbitMQ", `max by (node) (rabbitmq_process_resident_memory_bytes)`, "max", charts.InBytes},
	},
	"haproxy":       {{"Requests", `sum by (node) (rate(haproxy_requests_total{side="frontend"}[2m]))`, "sum", charts.InRate}, {"Connections", `sum by (node) (haproxy_connections)`, "sum", charts.InNumber}},
	"nginx":         {{"Requests", `sum by (node) (rate(nginx_requests_total[2m]))`, "sum", charts.InRate}, {"Connections", `sum by (node) (nginx_connections{state="active"})`, "sum", charts.InNumber}},
	"apache":        {{"Requests", `sum by (node) (rate(apache_requests_total[2m]))`, "sum", charts.InRate}, {"Workers at work", `sum by (node) (apache_workers{state!="idle"})`, "sum", charts.InNumber}},
	"varnish":       {{"Requests", `sum by (node) (rate(varnish_requests_total[2m]))`, "sum", charts.InRate}, {"Threads", `sum by (node) (varnish_threads)`, "sum", charts.InNumber}},
	"redis":         {{"Commands", `sum by (node) (rate(redis_commands_total[2m]))`, "sum", charts.InRate}, {"Memory of Redis", `max by (node) (redis_memory_bytes)`, "max", charts.InBytes}},
	"memcached":     {{"Lookups", `sum by (node) (rate(memcached_lookups_total[2m]))`, "sum", charts.InRate}, {"Items", `sum by (node) (memcached_items)`, "sum", charts.InNumber}},
	"mysql":         {{"Statements", `sum by (node) (rate(mysql_questions_total[2m]))`, "sum", charts.InRate}, {"Clients", `sum by (node) (mysql_connections)`, "sum", charts.InNumber}, {"Replica behind", `max by (node) (mysql_replica_lag_seconds)`, "max", charts.InSeconds}},
	"elasticsearch": {{"Operations", `sum by (node) (rate(elasticsearch_operations_total[2m]))`, "sum", charts.InRate}, {"Documents", `sum by (node) (elasticsearch_documents)`, "max", charts.InNumber}},
	"zookeeper":     {{"Requests", `sum by (node) (rate(zookeeper_requests_total[2m]))`, "sum", charts.InRate}, {"Outstanding", `max by (node) (zookeeper_outstanding_requests)`, "max", charts.InNumber}},
	"jolokia":       {{"Threads", `sum by (node) (jvm_threads)`, "sum", charts.InNumber}, {"Processor time", `sum by (node) (rate(jvm_cpu_seconds_total[2m]))`, "sum", charts.InExact}},
	"statsd":        {{"Samples in", `sum by (node) (rate(binnacle_statsd_aggregated_total[2m]))`, "sum", charts.InRate}},
}

// keysOf are the key figures of what a node's agent sees there.
func keysOf(n health.Node) (out []keyFigure) {
	for _, s := range n.Seen {
		if s.Up {
			out = append(out, keyFigures[s.Collector]...)
		}
	}
	return out
}

// onNode is a query by node for one of them.
func onNode(each, name string) string {
	return fmt.Sprintf("(%s) and on (node) (binnacle_start_time_seconds{node=%q} or host_load1{node=%q} or binnacle_collector_up{node=%q})", each, name, name, name)
}

// ofServices are the key figures of services over all nodes, by the collector's name: the first of each that there is.
func (p *Pages) ofServices(ctx context.Context, collectors []string, now time.Time) map[string]bigFigure {
	span := keptSpan(p.status(), homeSpan, now)
	step := charts.SparkStep(span)
	end := now.Truncate(step)
	slices.Sort(collectors)
	key := strings.Join([]string{"services", strings.Join(collectors, " "), span.String(), end.String()}, "\xff")
	return p.answers.Get(ctx, key, now, p.opts.Interval, queryTime, func(ctx context.Context) any {
		out := map[string]bigFigure{}
		for _, c := range collectors {
			for _, k := range keyFigures[c] {
				s, err := p.opts.Range(ctx, k.fold+"("+k.each+")", end.Add(-span), end, step)
				if err != nil || len(s) == 0 || len(s[0].Points) == 0 {
					continue
				}
				out[c] = bigFigure{Name: k.name, Value: k.unit.Say(query.Last(s[0])), Line: charts.DrawSpark(s[0].Points, end, step, k.unit.Say)}
				break
			}
		}
		return out
	}).(map[string]bigFigure)
}

// figuresOfNode are the large figures of one node: those of its machine, and those of its services.
func (p *Pages) figuresOfNode(ctx context.Context, n health.Node, of dashboards.Period) []bigFigure {
	span := of.To.Sub(of.From)
	step := charts.SparkStep(span)
	end := of.To.Truncate(step)
	keys := keysOf(n)
	key := strings.Join([]string{"node figures", n.Node, span.String(), end.String(), fmt.Sprint(len(keys))}, "\xff")
	return p.answers.Get(ctx, key, p.opts.Now(), min(step, p.opts.Interval), queryTime, func(ctx context.Context) any {
		var out []bigFigure
		put := func(name, each string, say func(float64) string) {
			s, err := p.opts.Range(ctx, onNode(each, n.Node), end.Add(-span), end, step)
			if err != nil || len(s) == 0 || len(s[0].Points) == 0 {
				return
			}
			b := bigFigure{Name: name, Value: say(query.Last(s[0])), Line: charts.DrawSpark(s[0].Points, end, step, say), Link: "/explore?q=" + escape(each)}
			if b.Note = say(b.Line.Min) + " to " + say(b.Line.Max); say(b.Line.Min) == say(b.Line.Max) {
				b.Note = "steady"
			}
			out = append(out, b)
		}
		for _, f := range fleetFigures {
			put(f.name, f.each, f.say)
		}
		for _, k := range keys {
			put(k.name, k.each, k.unit.Say)
		}
		return out
	}).([]bigFigure)
}
