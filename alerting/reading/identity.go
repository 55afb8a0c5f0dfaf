package reading

import (
	"hash/fnv"
	"slices"
	"strings"

	"github.com/navcloud/binnacle/alerting"
)

// ReplicaLabels tell the copies of one sender apart, by convention.
// Sources: prometheus-operator (prometheus_replica), Thanos (replica, rule_replica, receive_replica), Cortex and Mimir HA tracker
// (__replica__), VictoriaMetrics (vmalert replica), kube-prometheus (alertmanager's drop of prometheus_replica); read November 2026.
func ReplicaLabels() []string {
	return []string{
		"prometheus_replica", "replica", "__replica__", "rule_replica", "receive_replica", "thanos_ruler_replica", "thanos_replica", "ruler_replica", "monitor_replica", "ha_replica",
		"vmalert_replica", "prometheus_instance", "vmagent_replica", "agent_replica",
	}
}

// measured labels carry what was measured, so that their value changes while the alarm holds.
var measured = []string{
	"value", "current", "current_value", "currentvalue", "usage", "used", "percent", "percentage", "pct", "actual", "measured", "reading", "observed", "count", "total", "ratio",
	"remaining", "available", "free", "timestamp", "time", "date", "duration", "uptime", "age", "since", "grafana_value", "valuestring", "valuestr",
}

// window labels are those of burn rates and severities: two alarms that differ in nothing else are one.
var window = []string{
	alerting.LabelSeverity, "long", "short", "exhaustion", "sloth_severity", "burn_rate", "long_window", "short_window", "window", "severity_level", "level", "urgency", "state", "output",
}

// Identity is what an alarm is known by over its life. Alarms of one Key are one where Apart is equal too, or where one of them
// follows the other; see Same.
type Identity struct {
	Key   string // of the labels that stay
	Apart string // of the labels that may change: measured values, and addresses of an exporter that speaks for others
}

// Identity finds what an alarm is known by: all labels without those of replicas, of severities and burn-rate windows.
func (r *Reader) Identity(labels map[string]string) Identity {
	how := speaksForOthers(labels)
	names := make([]string, 0, len(labels))
	for n := range labels {
		names = append(names, n)
	}
	slices.Sort(names)
	key, apart := fnv.New64a(), fnv.New64a()
	nodata := about(labels) != ""
	for _, n := range names {
		v := labels[n]
		if slices.Contains(r.set.ReplicaLabels, n) || slices.Contains(window, n) {
			continue
		}
		to := key
		switch {
		case slices.Contains(measured, strings.ToLower(n)):
			to = apart
		case (how == ofOthers || how == ofTarget) && exporters2(n, labels, how):
			to = apart
		case nodata && n == alerting.LabelRule:
			v = labels["rulename"]
		case nodata && (n == "rulename" || n == "datasource_uid" || n == "ref_id"):
			continue
		case !nodata && n == "ref_id":
			continue
		}
		_, _ = to.Write([]byte(n + "\xff" + v + "\xff"))
	}
	return Identity{hex(key.Sum64()), hex(apart.Sum64())}
}

// exporters2 says that a label is that of an exporter that speaks for others, and not of what it speaks of.
func exporters2(name string, labels map[string]string, how speech) bool {
	switch name {
	case "instance":
		return how == ofOthers || labels["target"] != ""
	case "pod", "container", "namespace", "service":
		return own(name, labels, how)
	case "endpoint", "uid":
		return true
	}
	return false
}

func hex(n uint64) string {
	const digits = "0123456789abcdef"
	var b [16]byte
	for i := range b {
		b[15-i] = digits[n&15]
		n >>= 4
	}
	return string(b[:])
}
