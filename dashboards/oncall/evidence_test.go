package oncall

import (
	"testing"

	"github.com/navcloud/binnacle/alerting"
)

func TestSubjectOf(t *testing.T) {
	for name, tc := range map[string]struct {
		labels        map[string]string
		node, cluster string
	}{
		"its own node":              {map[string]string{"node": "a", "instance": "b:9100"}, "a", ""},
		"the entity's":              {map[string]string{"entity": "host:a"}, "a", ""},
		"a cluster":                 {map[string]string{"entity": "cluster:c"}, "", "c"},
		"as an exporter names it":   {map[string]string{"instance": "web1:9100"}, "web1", ""},
		"as Nagios names it":        {map[string]string{"host": "db-1"}, "db-1", ""},
		"nothing that is a machine": {map[string]string{"queue": "q"}, "", ""},
	} {
		got := subjectOf(alerting.Alarm{Labels: tc.labels})
		if got["node"] != tc.node || got["cluster"] != tc.cluster {
			t.Errorf("%s: %v, want node %q and cluster %q", name, got, tc.node, tc.cluster)
		}
	}
}

func TestNounOf(t *testing.T) {
	for expr, want := range map[string]string{
		`rabbitmq:sides:count`:                                                         "RabbitMQ sides",
		`increase(haproxy_server_downs_total{found=""}[10m])`:                          "HAProxy server downs in 10 min",
		`sum by (node) (rate(http_requests_total{code=~"5.."}[5m]))`:                   "HTTP requests per second",
		`host_memory_available_bytes / host_memory_total_bytes`:                        "Memory available of total",
		`1 - node_filesystem_avail_bytes{mountpoint="/"} / node_filesystem_size_bytes`: "Node filesystem used of size",
		`max by (cluster, node) (last_over_time(riak_erlang_ports[60s]))`:              "Riak erlang ports",
		`count by (cluster) (ALERTS{alertname="RiakVnodeStuck"})`:                      "Alarms firing",
		`aws_ec2_cpu_credits`:           "AWS EC2 CPU credits",
		`disk_used{path="a{b}(c)"}`:     "Disk used",
		`up`:                            "Up",
		`a_total and on (node) b_total`: "",
		`a / (b + c)`:                   "",
		`host_memory_available_bytes / (host_memory_total_bytes > 0)`: "Memory available of total",
		`(size_bytes - free_bytes) / size_bytes`:                      "",
		`1 - up`:                                                      "",
		`count(riak_up == 0)`:                                         "",
		`count by (cluster) (rabbitmq_node_info)`:                     "Count of RabbitMQ node info",
		`absent(up{job="x"})`:                                         "",
		`time() - backup_timestamp_seconds`:                           "",
		`histogram_quantile(0.99, sum by (le) (rate(http_request_duration_seconds_bucket[5m])))`: "P99 of HTTP request duration",
		`histogram_quantile(0.5, rate(x_bucket[5m]))`:                                            "P50 of x",
		`rate(x_seconds_sum[5m]) / rate(x_seconds_count[5m])`:                                    "Mean x",
		`rate(errors_total[5m]) / rate(requests_total[5m])`:                                      "Errors of requests",
		`rate(errors_total[5m]) * 60`:                                                            "",
		`changes(process_start_time_seconds[15m])`:                                               "Changes of process start time in 15 min",
		`sum(queue_length) by (queue)`:                                                           "Queue length",
		`vector(1)`:                                                                              "",
		``:                                                                                       "",
		`größe`:                                                                                  "",
		`{__name__="x"}`:                                                                         "",
	} {
		if got := nounOf(expr); got != want {
			t.Errorf("nounOf(%s) = %q, want %q", expr, got, want)
		}
	}
}
