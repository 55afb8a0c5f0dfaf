package reading

import (
	"cmp"
	"slices"
	"strings"

	"github.com/navcloud/binnacle/alerting"
)

// The kinds of subjects and owners whose labels are not as they are called.
const (
	KindPod       = "pod"
	KindVolume    = "volume"
	KindDevice    = "device"
	KindTarget    = "target"
	KindRoute     = "route"
	KindQueue     = "queue"
	KindDatabase  = "database"
	KindCheck     = "check"
	KindNode      = "node"
	KindWorkload  = "workload"
	KindJob       = "job"
	KindNamespace = "namespace"
	KindService   = "service"
	KindCluster   = "cluster"
	KindZone      = "zone"

	KindEnvironment = "environment" // never a subject: it holds everything
)

// nearness are the labels that name subjects, the nearest first, as public packs, Kubernetes and the clouds write them.
// Sources: kube-state-metrics' and kubelet's label sets, kubernetes-mixin, awesome-prometheus-alerts, "CloudWatch metrics and
// dimensions" of the AWS services, OpenTelemetry's semantic conventions as Prometheus labels; read November 2026.
var nearness = []struct {
	kind   string
	labels []string
}{
	{"container", []string{"exported_container", "container", "container_name", "k8s_container_name"}},
	{KindPod, []string{"exported_pod", "pod", "pod_name", "kubernetes_pod_name", "k8s_pod_name", "TaskId"}},
	{KindDevice, []string{"mountpoint", "device", "disk", "volume", "path", "ifName", "ifname", "interface_name", "VolumeId", "FileSystemId", "array"}},
	{KindVolume, []string{"persistentvolumeclaim", "exported_persistentvolumeclaim", "pvc", "persistentvolume", "volume", "volume_name"}},
	{KindQueue, []string{"queue", "QueueName", "queue_name", "topic", "Topic", "TopicName", "consumergroup", "consumer_group", "subscription", "subscription_id", "topic_id", "StreamName", "stream_name"}},
	{KindDatabase, []string{
		"datname", "database", "database_id", "DBInstanceIdentifier", "dbinstance_identifier", "DBClusterIdentifier", "dbcluster_identifier", "TableName", "table_name",
		"CacheClusterId", "cache_cluster_id", "ReplicationGroupId", "DomainName", "keyspace", "index",
	}},
	{KindTarget, []string{"target", "url", "probe_target", "endpoint_url", "site", "hostname_checked"}},
	{KindRoute, []string{
		"ingress", "exported_ingress", "route", "backend", "proxy", "upstream", "server", "LoadBalancer", "LoadBalancerName", "load_balancer", "load_balancer_name", "TargetGroup",
		"elb", "ApiName", "api_name", "DistributionId", "distribution_id", "virtual_service", "FunctionName", "function_name", "envoy_cluster_name", "url_map_name", "forwarding_rule_name", "backend_service_name", "gateway", "trunk",
	}},
	{KindWorkload, []string{
		"deployment", "exported_deployment", "statefulset", "daemonset", "replicaset", "replicationcontroller", "horizontalpodautoscaler", "hpa", "poddisruptionbudget",
		"cronjob", "job_name", "exported_job", "dag_id", "pipeline", "scaledObject", "scaledobject", "nodepool", "nodegroup", "workload", "k8s_deployment_name", "created_by_name", "ServiceName", "AutoScalingGroupName", "autoscaling_group",
	}},
	{KindNode, []string{
		"exported_node", "node", "nodename", "kubernetes_node", "kubernetes_io_hostname", "k8s_node_name", "host", "hostname", "host_name", "Host", "Hostname", "vm", "machine", "InstanceId", "instance_id",
	}},
	{KindNamespace, []string{"exported_namespace", "namespace", "kubernetes_namespace", "k8s_namespace_name", "project"}},
	{KindService, []string{"sloth_service", "exported_service", "destination_canonical_service", "destination_service_name", "service", "service_name", "app", "application", "app_kubernetes_io_name", "component", "slo"}},
	{KindJob, []string{"job"}},
	{KindCluster, []string{"cluster_name", "kafka_cluster", "redis_cluster", "cassandra_cluster", "mongodb_cluster", "rabbitmq_cluster", "activemq_cluster", "influxdb_cluster", "couchbase_cluster", "strimzi_io_cluster", "cluster", "k8s_cluster", "kubernetes_cluster", "k8s_cluster_name", "eks_cluster", "ClusterName", "cluster_id"}},
	{KindZone, []string{"zone", "az", "availability_zone", "AvailabilityZone", "topology_kubernetes_io_zone", "failure_domain_beta_kubernetes_io_zone"}},
	{"region", []string{"region", "aws_region", "topology_kubernetes_io_region"}},
}

// environments are the labels that tell production from what is beside it. stage is not: many call the steps of a pipeline so.
// Sources: OpenTelemetry, "Deployment attributes"; Datadog, "Unified service tagging"; public rule files' external_labels; read November 2026.
var environments = []string{"environment", "env", "deployment_environment", "deployment_environment_name"}

// locate finds the subject and its owners, the nearest first.
func locate(labels map[string]string, entry *Entry, how speech) (alerting.Subject, []alerting.Owner) {
	var found []alerting.Owner
	from := map[string]string{}
	add := func(kind, name, label string, ev alerting.Trust) {
		o := owner(kind, name, ev)
		if name == "" || slices.ContainsFunc(found, func(x alerting.Owner) bool { return x.Kind == kind && x.Name == name }) {
			return
		}
		found = append(found, o)
		from[o.ID()] = label
	}
	for _, n := range nearness {
		for _, label := range entry.first(n.labels) {
			v := labels[label]
			if v == "" || own(label, labels, how) || label == "volume" && (n.kind == KindDevice) != ofHosts(v, how) {
				continue
			}
			if n.kind == KindJob && how != ofItself && how != ofHost && !entry.names(label) {
				continue
			}
			if n.kind == KindTarget || how == ofTarget && n.kind == KindNode && strings.Contains(v, "://") {
				add(KindTarget, canonical(v), label, alerting.Certain)
				break
			}
			add(n.kind, named(n.kind, label, v, labels), label, alerting.Certain)
			if n.kind != KindDevice && n.kind != KindNode && n.kind != KindWorkload {
				break
			}
		}
		if v := labels["name"]; n.kind == KindWorkload && v != "" && entry.names("name") { // too general to mean something where no rule says so
			add(KindWorkload, named(KindWorkload, "name", v, labels), "name", alerting.Certain)
		}
		if n.kind == KindTarget {
			if v := labels["instance"]; v != "" && !has(found, KindTarget) && (how == ofTarget && !strings.Contains(strings.ToLower(v), "exporter") || ParseAddress(v).Kind == "url") {
				add(KindTarget, canonical(v), "instance", alerting.Certain)
			}
		}
		if n.kind == KindNode {
			host(labels, how, has(found, KindNode), has(found, KindPod), add)
		}
	}
	if nagios(labels) && labels["service"] != "" && labels["host"] != "" && !probed(found, from) {
		s := subjectOf(KindCheck, labels["host"]+"/"+labels["service"], "host, service", alerting.Certain)
		return s, slices.DeleteFunc(found, func(o alerting.Owner) bool { return o.Kind == KindService })
	}
	subject := alerting.Subject{}
	if o, ok := entry.subject(found, from); ok {
		subject = subjectOf(o.Kind, o.Name, from[o.ID()], o.Trust)
	} else if len(found) > 0 {
		o := found[0]
		subject = subjectOf(o.Kind, o.Name, from[o.ID()], o.Trust)
	}
	if subject.Kind == "container" && has(found, KindPod) { // containers of one pod are one thing to a person
		for _, o := range found {
			if o.Kind == KindPod {
				subject = subjectOf(o.Kind, o.Name, from[o.ID()], o.Trust)
			}
		}
	}
	if w := workloadOf(labels, found); w != "" {
		add(KindWorkload, w, "pod", alerting.Guessed)
	}
	if z := sitesOf(found); z != "" {
		add("site", z, "host", alerting.Guessed)
	}
	for _, label := range environments {
		if v := labels[label]; v != "" {
			add(KindEnvironment, strings.ToLower(v), label, alerting.Certain)
			break
		}
	}
	return subject, found
}

// probed says that a check has the address that it asks in a label of its own: it is about that.
func probed(found []alerting.Owner, from map[string]string) bool {
	return slices.ContainsFunc(found, func(o alerting.Owner) bool {
		return o.Kind == KindTarget && (from[o.ID()] == "instance" || from[o.ID()] == "url")
	})
}

// ofHosts says that a volume is a disk of a host, as Windows has it, and not one that a storage system keeps.
func ofHosts(volume string, how speech) bool {
	return how == ofHost || len(volume) >= 2 && len(volume) <= 3 && volume[1] == ':' || strings.HasPrefix(volume, "HarddiskVolume")
}

func has(found []alerting.Owner, kind string) bool {
	return slices.ContainsFunc(found, func(o alerting.Owner) bool { return o.Kind == kind })
}

// host adds the machine that an instance's address names, where it is the subject's.
func host(labels map[string]string, how speech, node, pod bool, add func(kind, name, label string, ev alerting.Trust)) {
	a := ParseAddress(labels["instance"])
	switch {
	case a.Host == "" || a.Kind == "mac" || how == ofOthers || how == ofTarget:
	case node: // the address is that of the node that another label names
	case a.Kind == "url":
	case pod && how == ofItself: // the pod's own address
	default:
		add(KindNode, short(a.Host), "instance", alerting.Certain)
	}
}

// named is the name of an owner among all of its kind: what lives in a namespace or on a host says in which.
func named(kind, label, v string, labels map[string]string) string {
	ns := labels["namespace"]
	if strings.HasPrefix(ns, "AWS/") {
		ns = ""
	}
	if e := labels["exported_namespace"]; e != "" {
		ns = e
	}
	switch kind {
	case KindNode:
		return short(v)
	case "container":
		return join(ns, labels["pod"], v)
	case KindPod, KindVolume, KindWorkload:
		return join(ns, v)
	case KindDevice:
		if h := ParseAddress(labels["instance"]); labels["node"] != "" || labels["host"] != "" || h.Host != "" {
			return join(short(cmp.Or(labels["node"], labels["host"], h.Host)), v)
		}
		return join(ns, v)
	case KindRoute, KindService:
		if label == "ingress" || label == "exported_ingress" {
			return join(ns, v)
		}
	case KindQueue:
		return join(labels["vhost"], v)
	case KindDatabase:
		if label == "datname" || label == "database" || label == "index" || label == "keyspace" {
			return join(cmp.Or(labels["server"], short(ParseAddress(labels["instance"]).Host)), v)
		}
	}
	return v
}

func join(parts ...string) string {
	parts = slices.DeleteFunc(slices.Clone(parts), func(p string) bool { return p == "" })
	return strings.Join(parts, "/")
}

// short is a host's name without its port and domain: packs write both forms of one machine. Addresses stay whole.
func short(v string) string {
	a := ParseAddress(v)
	h := strings.ToLower(cmp.Or(a.Host, v))
	if strings.Contains(h, ":") || strings.Trim(h, "0123456789.") == "" {
		return h
	}
	name, _, _ := strings.Cut(h, ".")
	if generic(name) {
		return h
	}
	return name
}

// generic first labels name a role and not a machine: www.a.example and www.b.example are two.
func generic(name string) bool {
	switch name {
	case "www", "api", "app", "mail", "web", "db", "cdn", "static", "login", "auth", "admin", "m", "localhost":
		return true
	}
	return false
}

// canonical is the address of a target: URLs without a trailing slash and the default port.
func canonical(v string) string {
	a := ParseAddress(v)
	if a.Kind != "url" {
		return v
	}
	port := ""
	if a.Port != "" && a.Port != "443" && a.Port != "80" {
		port = ":" + a.Port
	}
	return strings.ToLower(a.Host) + port + strings.TrimSuffix(a.Path, "/")
}

// workloadOf guesses the deployment or stateful set of a pod from its name.
// Source: Kubernetes, how ReplicaSet (name-hash-suffix) and StatefulSet (name-ordinal) name pods, read November 2026.
func workloadOf(labels map[string]string, found []alerting.Owner) string {
	if has(found, KindWorkload) || !has(found, KindPod) {
		return ""
	}
	for _, o := range found {
		if o.Kind != KindPod {
			continue
		}
		parts := strings.Split(o.Name, "-")
		n := len(parts)
		switch {
		case n >= 3 && len(parts[n-1]) == 5 && hashed(parts[n-2]):
			return strings.Join(parts[:n-2], "-")
		case n >= 2 && (digits(parts[n-1]) || len(parts[n-1]) == 5):
			return strings.Join(parts[:n-1], "-")
		}
	}
	return ""
}

func hashed(s string) bool {
	return len(s) >= 4 && len(s) <= 10 && strings.ContainsAny(s, "0123456789")
}

// sitesOf is the site that a target's or a host's name is in.
func sitesOf(found []alerting.Owner) string {
	for _, o := range found {
		if o.Kind == KindTarget {
			h, _, _ := strings.Cut(o.Name, "/")
			if host := ParseAddress(h).Host; strings.Contains(host, ".") && strings.Trim(host, "0123456789.") != "" {
				return site(host)
			}
		}
	}
	return ""
}

// scope is the widest place that labels name.
func scope(labels map[string]string) string {
	for _, n := range []string{"cluster", "k8s_cluster", "kubernetes_cluster", "k8s_cluster_name", "eks_cluster", "ClusterName", "dc", "datacenter"} {
		if v := labels[n]; v != "" {
			return "cluster:" + v
		}
	}
	if v := labels["cluster_name"]; v != "" && labels["namespace"] != "" { // as Google Cloud and Datadog call a cluster of Kubernetes
		return "cluster:" + v
	}
	if v := cmp.Or(labels["aws_account"], labels["account_id"], labels["account"], labels["project_id"], labels["subscription_id"]); v != "" {
		return "account:" + v + "/" + cmp.Or(labels["region"], labels["aws_region"])
	}
	return ""
}

func owner(kind, name string, t alerting.Trust) alerting.Owner {
	return alerting.Owner{Kind: kind, Name: name, Trust: t}
}

func subjectOf(kind, name, from string, t alerting.Trust) alerting.Subject {
	return alerting.Subject{Kind: kind, Name: name, From: from, Trust: t}
}
