// Package healthtest answers the questions of package health as a small fleet would.
package healthtest

import (
	"strings"
	"time"

	"github.com/navcloud/binnacle/agent/health"
	"github.com/navcloud/binnacle/agent/query"
)

// Answer is what a store answers to a question of health.Fleet, and false to another: of a node that is well, one that lost its way to CloudWatch, and one that fell silent.
func Answer(promql string, now time.Time) (out []query.Series, ok bool) {
	name := ""
	for n, q := range health.Queries {
		if q == promql {
			name = n
		}
	}
	add := func(v float64, node, k, l string) {
		labels := map[string]string{"node": node}
		if k != "" {
			labels[k] = l
		}
		out = append(out, query.Series{Labels: labels, Points: []query.Point{{T: now, V: v}}})
	}
	if strings.Contains(promql, `{node=~"c-gone"}`) {
		add(140, "c-gone", "", "")
		return out, true
	}
	switch name {
	case "info":
		for _, n := range []string{"a-well", "b-ill", "c-gone"} {
			add(1, n, "az", "eu-west-1a")
		}
	case "age":
		add(4, "a-well", "", "")
		add(9, "b-ill", "", "")
	case "version":
		add(1, "a-well", "version", "1.0.0")
		add(1, "b-ill", "version", "0.9.0")
	case "rabbitmq":
		add(1, "b-ill", "version", "3.10.8")
	case "up":
		add(1, "a-well", "collector", "host_load")
		add(1, "b-ill", "collector", "host_load")
		out = append(out, query.Series{Labels: map[string]string{"node": "b-ill", "collector": "riak", "reason": "timeout"}, Points: []query.Point{{T: now, V: 0}}})
	case "streams":
		add(1234, "a-well", "", "")
	case "sink up":
		add(1, "a-well", "sink", "cloudwatch")
		add(0, "b-ill", "sink", "cloudwatch")
	case "success":
		add(3600, "b-ill", "sink", "cloudwatch")
	case "waiting":
		add(12, "a-well", "sink", "cloudwatch")
		add(40000, "b-ill", "sink", "cloudwatch")
	case "bytes":
		add(3<<20, "b-ill", "sink", "cloudwatch")
	case "spooled":
		add(3590, "b-ill", "sink", "cloudwatch")
	case "lost":
		add(7, "b-ill", "sink", "cloudwatch")
	}
	return out, name != ""
}
