package reading

import (
	"cmp"
	"maps"
	"slices"
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

// forms adds the labels that other systems hide in one (Datadog's tags as "a:b,c:d") or call otherwise, where the usual one is not
// there. as is what those are called in the alarm.
func forms(labels map[string]string) (out, as map[string]string) {
	out = labels
	add := func(name, value, from string) {
		if value == "" || out[name] != "" {
			return
		}
		if as == nil {
			out, as = maps.Clone(labels), map[string]string{}
		}
		out[name], as[name] = value, from
	}
	if tags := cmp.Or(labels["tags"], labels["TAGS"], labels["ddtags"]); strings.Contains(tags, ":") {
		for _, t := range strings.FieldsFunc(tags, func(c rune) bool { return c == ',' || c == ' ' || c == '|' }) {
			if k, v, ok := strings.Cut(t, ":"); ok && tagNames[k] != "" {
				add(tagNames[k], v, "tags")
			}
		}
	}
	if labels["resource_type"] == "uptime_url" || labels["check_id"] != "" { // an uptime check of Google Cloud asks a host
		add("url", labels["host"], "host")
	}
	kind, name := azure(labels)
	add(kind, name, "a resource ID")
	var called []string
	for name := range labels {
		if aliases[name] != "" {
			called = append(called, name)
		}
	}
	slices.Sort(called)
	for _, name := range called {
		add(aliases[name], labels[name], name)
	}
	return out, as
}

// azure is the kind and name of what a resource ID of Azure names last: /subscriptions/ID/resourceGroups/G/providers/microsoft.web/sites/shop.
// Source: Azure Monitor, "Common alert schema" (alertTargetIDs) and Azure Resource Manager, "Resource provider operations"; read 30
// November 2026.
func azure(labels map[string]string) (label, name string) {
	for _, from := range []string{"alertTargetIDs", "resourceId", "resource_id", "resourceID", "ResourceId"} {
		_, id, ok := strings.Cut(strings.ToLower(labels[from]), "/providers/microsoft.")
		parts := strings.Split(strings.TrimRight(id, "]\" "), "/")
		if n := len(parts); ok && n >= 3 {
			return cmp.Or(azureTypes[parts[n-2]], "component"), parts[n-1]
		}
	}
	return "", ""
}

// azureTypes are types of resources, as the label that has the same in other systems. Others are parts of a service.
var azureTypes = map[string]string{
	"databases": "database", "databaseaccounts": "database", "flexibleservers": "database", "redis": "database", "applicationgateways": "LoadBalancer", "loadbalancers": "LoadBalancer",
	"frontdoors": "LoadBalancer", "virtualmachines": "host", "virtualmachinescalesets": "nodepool", "managedclusters": "cluster", "webtests": "url", "queues": "queue", "topics": "topic",
	"disks": "volume", "storageaccounts": "volume", "sites": "service", "vaults": "service", "containerapps": "service",
}

// told adds the address that only the texts of an alarm name: awesome-prometheus-alerts says "(instance X)" in each summary and lists all
// labels in the description, also where a sum or somebody's relabelling took the label away.
// Source: awesome-prometheus-alerts, dist/rules; read 30 November 2026.
func told(labels, as, annotations map[string]string) (_, _ map[string]string) {
	if labels["instance"] != "" || nagios(labels) {
		return labels, as
	}
	for _, t := range []struct{ text, before, after string }{
		{annotations[alerting.AnnotationSummary], "(instance ", ")"}, {annotations["description"], "(instance ", ")"}, {annotations["description"], " instance:", " "},
	} {
		_, rest, ok := strings.Cut(t.text, t.before)
		if t.after == " " && !strings.Contains(t.text, "LABELS = map[") {
			continue
		}
		v, _, _ := strings.Cut(rest, t.after)
		if v = strings.Trim(v, "[] "); !ok || v == "" || v == "<no value>" || strings.ContainsAny(v, " {") || len(v) > 200 {
			continue
		}
		labels, as = maps.Clone(labels), maps.Clone(as)
		if as == nil {
			as = map[string]string{}
		}
		labels["instance"], as["instance"] = v, "(instance ...) of its text"
		break
	}
	return labels, as
}

// tagNames are Datadog's tags that name places, as labels.
// Source: Datadog, "Getting started with tags" and "Unified service tagging", read November 2026.
var tagNames = map[string]string{
	"host": "host", "service": "service", "env": "env", "pod_name": "pod", "kube_namespace": "namespace", "kube_deployment": "deployment", "kube_stateful_set": "statefulset",
	"kube_daemon_set": "daemonset", "kube_cluster_name": "cluster", "cluster_name": "cluster", "container_name": "container", "availability-zone": "zone", "region": "region",
	"device": "device", "url": "url", "instance-id": "instance_id", "dbinstanceidentifier": "DBInstanceIdentifier", "loadbalancer": "LoadBalancer", "queuename": "QueueName",
	"priority": "alert_priority",
}

// aliases are names of labels that say what a usual one says.
// Sources: OpenTelemetry, "Semantic conventions" (k8s, host, cloud, db, messaging, url) with dots as Prometheus translates them; Datadog,
// "Getting started with tags"; Elastic Common Schema (kubernetes, host); Google Cloud, "Monitored resource types"; fluent-bit's kubernetes
// filter; Nomad's and Consul's labels; the rest are the same nouns in other languages; read 30 November 2026.
var aliases = lists(map[string]string{
	"pod":                   "k8s_pod_name kubernetes_pod_name kubernetes_pod k8s_pod kube_pod pod_name alloc_id",
	"namespace":             "k8s_namespace_name k8s_namespace kubernetes_namespace kubernetes_namespace_name kube_namespace namespace_name k8s_ns nomad_namespace",
	"node":                  "k8s_node_name k8s_node kubernetes_node kubernetes_node_name kube_node node_name kubernetes_host",
	"container":             "k8s_container_name kubernetes_container_name kubernetes_container kube_container container_name",
	"deployment":            "k8s_deployment_name k8s_deployment kubernetes_deployment_name kubernetes_deployment kube_deployment deployment_name",
	"statefulset":           "k8s_statefulset_name k8s_statefulset kubernetes_statefulset_name kubernetes_statefulset kube_stateful_set stateful_set statefulset_name",
	"daemonset":             "k8s_daemonset_name k8s_daemonset kubernetes_daemonset_name kubernetes_daemonset kube_daemon_set daemon_set daemonset_name",
	"replicaset":            "k8s_replicaset_name kubernetes_replicaset_name kube_replica_set",
	"cronjob":               "k8s_cronjob_name kubernetes_cronjob_name kube_cronjob",
	"job_name":              "k8s_job_name kubernetes_job_name kube_job nomad_job",
	"persistentvolumeclaim": "k8s_persistentvolumeclaim_name persistent_volume_claim volume_claim pvc_name",
	"cluster":               "k8s_cluster_name kubernetes_cluster_name kube_cluster_name kube_cluster",
	"host":                  "server_name servername fqdn host_fqdn computer computername computer_name vm_name vmname sysName sysname esxhost rechner serveur hote servidor maquina maskin",
	"service":               "service_display_name consul_service nomad_task dienst anwendung servicio servico aplicacion aplicacao servizio applicazione tjanst",
	"zone":                  "cloud_availability_zone availability_domain zona",
	"region":                "cloud_region cloud_provider_region",
	"account_id":            "cloud_account_id cloud_project_id",
	"queue":                 "messaging_destination_name messaging_destination rabbitmq_queue warteschlange cola fila",
	"consumergroup":         "messaging_consumer_group_name messaging_kafka_consumer_group kafka_consumer_group",
	"database":              "db_namespace db_name datenbank base_datos base_de_datos banco_de_dados base_donnees",
	"url":                   "url_full http_url monitor_url page_url adresse_url",
	"mountpoint":            "mount_point mount filesystem_mountpoint system_filesystem_mountpoint laufwerk einhaengepunkt",
	"severity":              "schweregrad dringlichkeit gravite gravedad gravidade gravita severidad severidade severite criticidad criticidade kritikalitaet ernst alvorlighet allvarlighet onem vaznost",
})

// lists turns lists of names into what each stands for.
func lists(by map[string]string) map[string]string {
	out := map[string]string{}
	for usual, names := range by {
		for _, n := range strings.Fields(names) {
			out[n] = usual
		}
	}
	return out
}
