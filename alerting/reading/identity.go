package reading

import (
	"hash/fnv"
	"slices"
	"strconv"
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

// identity is what an alarm is known by: a hash of its labels without those of replicas, of severities and burn-rate windows, of
// measured values, and of an exporter that speaks for others. Two alarms of one identity that fire together stay two; one that
// follows the other goes on with it.
func (r *Reader) identity(labels map[string]string) string {
	how := speaksForOthers(labels)
	names := make([]string, 0, len(labels))
	for n := range labels {
		names = append(names, n)
	}
	slices.Sort(names)
	key := fnv.New64a()
	nodata := about(labels) != ""
	for _, n := range names {
		v := labels[n]
		if slices.Contains(r.set.ReplicaLabels, n) || slices.Contains(window, n) || aliases[n] == alerting.LabelSeverity {
			continue
		}
		switch {
		case slices.Contains(measured, strings.ToLower(n)), (how == ofOthers || how == ofTarget) && ofExporter(n, labels, how):
			continue
		case nodata && n == alerting.LabelRule:
			v = labels["rulename"]
		case n == "ref_id" || nodata && (n == "rulename" || n == "datasource_uid"):
			continue
		}
		_, _ = key.Write([]byte(n + "\xff" + v + "\xff"))
	}
	return strconv.FormatUint(key.Sum64(), 16)
}

// ofExporter says that a label is that of an exporter that speaks for others, and not of what it speaks of.
func ofExporter(name string, labels map[string]string, how speech) bool {
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
