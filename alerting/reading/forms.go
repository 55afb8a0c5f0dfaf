package reading

import (
	"strings"

	"github.com/navcloud/binnacle/alerting"
)

// nagios says that an alarm is a check of Nagios or one of its kin.
func nagios(labels map[string]string) bool {
	if labels[alerting.LabelSource] == "nagios" {
		return true
	}
	for _, n := range []string{"monitor", "source", "origin"} {
		switch strings.ToLower(labels[n]) {
		case "nagios", "icinga", "icinga2", "naemon", "checkmk", "check_mk", "centreon", "sensu":
			return true
		}
	}
	switch labels["state"] {
	case "CRITICAL", "WARNING", "UNKNOWN", "DOWN", "UNREACHABLE":
		return labels["host"] != ""
	}
	return false
}

// forms adds the labels that other systems hide in one: Datadog's tags as "a:b,c:d".
func forms(labels map[string]string) map[string]string {
	tags := first(labels["tags"], labels["TAGS"], labels["ddtags"])
	if tags == "" || !strings.Contains(tags, ":") {
		return labels
	}
	out := make(map[string]string, len(labels)+8)
	for _, t := range strings.FieldsFunc(tags, func(c rune) bool { return c == ',' || c == ' ' || c == '|' }) {
		k, v, ok := strings.Cut(t, ":")
		if k = tagNames[k]; ok && k != "" {
			out[k] = v
		}
	}
	for k, v := range labels {
		out[k] = v
	}
	return out
}

// tagNames are Datadog's tags that name places, as labels.
// Source: Datadog, "Getting started with tags" and "Unified service tagging", read November 2026.
var tagNames = map[string]string{
	"host": "host", "service": "service", "env": "env", "pod_name": "pod", "kube_namespace": "namespace", "kube_deployment": "deployment", "kube_stateful_set": "statefulset",
	"kube_daemon_set": "daemonset", "kube_cluster_name": "cluster", "cluster_name": "cluster", "container_name": "container", "availability-zone": "zone", "region": "region",
	"device": "device", "url": "url", "instance-id": "instance_id", "dbinstanceidentifier": "DBInstanceIdentifier", "loadbalancer": "LoadBalancer", "queuename": "QueueName",
	"priority": "alert_priority",
}
