// Package export writes dashboards as code for who has Grafana or CloudWatch: generated files that need no rewriting
// when nodes come and go.
//
// It draws nothing and calls nobody. All functions are pure.
package export

import (
	"cmp"
	"slices"
	"strings"

	"github.com/navcloud/binnacle/agent/metric"
)

// Pack is a subject with a dashboard of its own: the packs of the rules.
type Pack struct {
	Name, Title string
	Panels      []Panel
	Metrics     []*metric.Desc // all that there is, in order of name
}

// Panel is one chart that is worth a look every day.
type Panel struct {
	Title, Help string
	Unit        metric.Unit
	Rate        bool // per second
	Lines       []Line
	Metric      string // the one that stands for it in CloudWatch, where names are as they were sent; empty: none does
	Stat        string // of it: Average, Sum, Maximum, p99
}

// Line is one query of a panel. NODE stands for the choice of nodes, WINDOW for the window of rates.
type Line struct{ Query, Legend string }

// Packs returns the packs with the metrics of all, which each finds by its prefix.
func Packs(all []*metric.Desc) []Pack {
	out := slices.Clone(packs)
	for i := range out {
		prefix := out[i].Name + "_"
		if out[i].Name == "self" {
			prefix = "binnacle_"
		}
		seen := map[string]bool{}
		for _, d := range all {
			if strings.HasPrefix(d.Name, prefix) && !seen[d.Name] {
				seen[d.Name] = true
				out[i].Metrics = append(out[i].Metrics, d)
			}
		}
		slices.SortFunc(out[i].Metrics, func(a, b *metric.Desc) int { return cmp.Compare(a.Name, b.Name) })
	}
	return out
}

const node = `node=~"NODE"`

func rateOf(name, by string) string {
	return `sum by (` + by + `) (rate(` + name + `{` + node + `}[WINDOW]))`
}

var packs = []Pack{
	{Name: "navcloud", Title: "NavCloud", Panels: []Panel{
		{Title: "Open streams", Help: "What a balancer holds", Metric: "navcloud.streams.open", Stat: "Average", Lines: []Line{{`sum by (node) (navcloud_streams_open{` + node + `})`, "{{node}}"}}},
		{Title: "Nearness to the balancer's limit", Unit: metric.Ratio, Lines: []Line{{`sum by (stack, node) (navcloud_streams_open{` + node + `}) / on (stack) group_left () max by (stack) (navcloud_streams_limit > 0)`, "{{node}}"}}},
		{Title: "Streams opened", Rate: true, Metric: "navcloud.streams.opened", Stat: "Sum", Lines: []Line{{rateOf("navcloud_streams_opened_total", "node"), "{{node}}"}}},
		{Title: "Streams closed by reason", Rate: true, Metric: "navcloud.streams.closed", Stat: "Sum", Lines: []Line{{rateOf("navcloud_streams_closed_total", "reason"), "{{reason}}"}}},
		{Title: "Heartbeats late", Rate: true, Metric: "navcloud.heartbeats.late", Stat: "Sum", Lines: []Line{{rateOf("navcloud_heartbeats_late_total", "node"), "{{node}}"}}},
		{Title: "Fan-out latency", Help: "From publish to the last stream of a node", Unit: metric.Seconds, Metric: "navcloud.fanout.latency", Stat: "p99", Lines: []Line{
			{`histogram_quantile(0.5, sum(rate(navcloud_fanout_latency_seconds{` + node + `}[WINDOW])))`, "median"},
			{`histogram_quantile(0.99, sum(rate(navcloud_fanout_latency_seconds{` + node + `}[WINDOW])))`, "p99"},
			{`histogram_quantile(0.999, sum(rate(navcloud_fanout_latency_seconds{` + node + `}[WINDOW])))`, "p99.9"},
		}},
		{Title: "Events published and delivered", Rate: true, Metric: "navcloud.events.delivered", Stat: "Sum", Lines: []Line{
			{`sum(rate(navcloud_events_published_total{` + node + `}[WINDOW]))`, "published"}, {`sum(rate(navcloud_events_delivered_total{` + node + `}[WINDOW]))`, "delivered to streams"},
		}},
		{Title: "Events lost by reason", Rate: true, Metric: "navcloud.events.dropped", Stat: "Sum", Lines: []Line{{rateOf("navcloud_events_dropped_total", "reason"), "{{reason}}"}}},
	}},
	{Name: "host", Title: "Hosts", Panels: []Panel{
		{Title: "Load", Metric: "host_load1", Stat: "Average", Lines: []Line{{`host_load1{` + node + `}`, "{{node}}"}}},
		{Title: "Processor by mode", Help: "Cores", Rate: true, Metric: "host_cpu_seconds_total", Stat: "Sum", Lines: []Line{{rateOf("host_cpu_seconds_total", "node, mode"), "{{node}} {{mode}}"}}},
		{Title: "Memory left", Unit: metric.Bytes, Metric: "host_memory_available_bytes", Stat: "Minimum", Lines: []Line{{`host_memory_available_bytes{` + node + `}`, "{{node}}"}}},
		{Title: "Disk left", Unit: metric.Bytes, Metric: "host_filesystem_available_bytes", Stat: "Minimum", Lines: []Line{{`host_filesystem_available_bytes{` + node + `}`, "{{node}} {{mountpoint}}"}}},
		{Title: "Pressure", Help: "Share of time in which something waited", Unit: metric.Ratio, Metric: "host_pressure_seconds_total", Stat: "Sum", Lines: []Line{{`rate(host_pressure_seconds_total{` + node + `}[WINDOW])`, "{{node}} {{resource}}"}}},
		{Title: "Network errors and drops", Rate: true, Metric: "host_network_drops_total", Stat: "Sum", Lines: []Line{{rateOf("host_network_errors_total", "node"), "{{node}} errors"}, {rateOf("host_network_drops_total", "node"), "{{node}} drops"}}},
	}},
	{Name: "rabbitmq", Title: "RabbitMQ", Panels: []Panel{
		{Title: "Up", Metric: "rabbitmq_up", Stat: "Minimum", Lines: []Line{{`rabbitmq_up{` + node + `}`, "{{node}}"}}},
		{Title: "Nodes seen running", Help: "Less than expected: somebody does not see somebody", Metric: "rabbitmq_cluster_nodes_running", Stat: "Minimum", Lines: []Line{{`rabbitmq_cluster_nodes_running{` + node + `}`, "{{node}}"}, {`max by (cluster) (rabbitmq_cluster_nodes_expected)`, "expected in {{cluster}}"}}},
		{Title: "Messages ready", Metric: "rabbitmq_queue_messages_ready", Stat: "Average", Lines: []Line{{`sum by (cluster, queue) (rabbitmq_queue_messages_ready{` + node + `})`, "{{queue}}"}}},
		{Title: "Messages received and delivered", Rate: true, Metric: "rabbitmq_global_messages_received_total", Stat: "Sum", Lines: []Line{{rateOf("rabbitmq_global_messages_received_total", "cluster"), "received"}, {rateOf("rabbitmq_global_messages_delivered_total", "cluster"), "delivered"}}},
		{Title: "Connections", Metric: "rabbitmq_connections", Stat: "Average", Lines: []Line{{`rabbitmq_connections{` + node + `}`, "{{node}}"}}},
		{Title: "Memory against the watermark", Unit: metric.Ratio, Lines: []Line{{`rabbitmq_process_resident_memory_bytes{` + node + `} / rabbitmq_resident_memory_limit_bytes`, "{{node}}"}}},
		{Title: "Disk left", Unit: metric.Bytes, Metric: "rabbitmq_disk_space_available_bytes", Stat: "Minimum", Lines: []Line{{`rabbitmq_disk_space_available_bytes{` + node + `}`, "{{node}}"}}},
	}},
	{Name: "riak", Title: "Riak", Panels: []Panel{
		{Title: "Up", Metric: "riak_up", Stat: "Minimum", Lines: []Line{{`riak_up{` + node + `}`, "{{node}}"}}},
		{Title: "Connected members", Metric: "riak_connected_members", Stat: "Minimum", Lines: []Line{{`riak_connected_members{` + node + `}`, "{{node}}"}, {`max by (cluster) (riak_ring_members)`, "of the ring of {{cluster}}"}}},
		{Title: "Requests", Rate: true, Metric: "riak_node_ops_total", Stat: "Sum", Lines: []Line{{rateOf("riak_node_ops_total", "node, op"), "{{node}} {{op}}"}}},
		{Title: "Time of requests, p99", Unit: metric.Seconds, Metric: "riak_fsm_time_seconds", Stat: "Maximum", Lines: []Line{{`riak_fsm_time_seconds{` + node + `,stat="p99"}`, "{{node}} {{op}}"}}},
		{Title: "Disk in use", Unit: metric.Ratio, Metric: "riak_disk_used_ratio", Stat: "Maximum", Lines: []Line{{`riak_disk_used_ratio{` + node + `}`, "{{node}}"}}},
		{Title: "Transfers that wait", Metric: "riak_pending_transfers", Stat: "Maximum", Lines: []Line{{`riak_pending_transfers{` + node + `}`, "{{node}} {{member}}"}}},
	}},
	{Name: "capacity", Title: "Capacity", Panels: []Panel{
		{Title: "Time until full, 1 time in 10 sooner", Unit: metric.Seconds, Metric: "binnacle_runway_seconds", Stat: "Minimum", Lines: []Line{{`min by (pool) (binnacle_runway_seconds{` + node + `,quantile="0.1"})`, "{{pool}}"}}},
		{Title: "How many times the use a limit is, without the largest zone", Metric: "binnacle_capacity_buffer", Stat: "Minimum", Lines: []Line{{`min by (pool) (binnacle_capacity_buffer{` + node + `,when="zone_lost"})`, "{{pool}}"}}},
		{Title: "Largest use of an hour in a week, forecast", Lines: []Line{{`binnacle_forecast_value{` + node + `,ahead="7d"}`, "{{pool}} {{quantile}}"}}},
		{Title: "How often the forecast held", Help: "Of the hours whose use it said a day before would lie in its 80 % interval", Unit: metric.Ratio, Lines: []Line{{`binnacle_forecast_held_ratio{` + node + `}`, "{{pool}}"}}},
	}},
	{Name: "self", Title: "The agents", Panels: []Panel{
		{Title: "Collectors that do not see", Metric: "binnacle_collector_up", Stat: "Minimum", Lines: []Line{{`binnacle_collector_up{` + node + `} == 0`, "{{node}} {{collector}}: {{reason}}"}}},
		{Title: "Samples lost by reason", Rate: true, Metric: "binnacle_sink_dropped_samples_total", Stat: "Sum", Lines: []Line{{rateOf("binnacle_sink_dropped_samples_total", "node, sink, reason"), "{{node}} {{sink}} {{reason}}"}}},
		{Title: "Samples that wait", Metric: "binnacle_sink_queue_samples", Stat: "Maximum", Lines: []Line{{`binnacle_sink_queue_samples{` + node + `}`, "{{node}} {{sink}} in memory"}, {`binnacle_sink_spool_samples{` + node + `}`, "{{node}} {{sink}} on disk"}}},
		{Title: "Pages", Rate: true, Metric: "binnacle_pages_total", Stat: "Sum", Lines: []Line{{`sum by (node) (rate(binnacle_pages_total{` + node + `}[WINDOW]))`, "{{node}}"}}},
		{Title: "Pages not delivered", Unit: metric.Seconds, Metric: "binnacle_page_undelivered_seconds", Stat: "Maximum", Lines: []Line{{`binnacle_page_undelivered_seconds{` + node + `}`, "{{node}}"}}},
		{Title: "Memory of the agent", Unit: metric.Bytes, Metric: "binnacle_resident_bytes", Stat: "Maximum", Lines: []Line{{`binnacle_resident_bytes{` + node + `}`, "{{node}}"}}},
	}},
}
