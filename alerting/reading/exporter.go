package reading

import (
	"slices"
	"strings"
)

// speech is in which way an exporter speaks: of itself or its host, or for others.
type speech uint8

const (
	ofItself speech = iota // of what it stands beside
	ofHost                 // of its whole host
	ofNode                 // of pods and volumes on its node (kubelet)
	ofOthers               // its own address says nothing of the subject
	ofTarget               // of the target that it was asked about
)

// exporters that do not speak of themselves, by a part of the job or of the instance's host.
// Sources: the README of each exporter; Prometheus' "multi-target exporter pattern", read November 2026.
var exporters = []struct {
	part string
	how  speech
}{
	{"kube-state-metrics", ofOthers},
	{"openshift-state-metrics", ofOthers},
	{"karma", ofOthers},
	{"blackbox", ofTarget},
	{"probe", ofTarget},
	{"synthetic", ofTarget},
	{"uptime", ofTarget},
	{"ssl-exporter", ofTarget},
	{"ssl_exporter", ofTarget},
	{"smokeping", ofTarget},
	{"domain-exporter", ofTarget},
	{"snmp", ofTarget},
	{"ipmi", ofTarget},
	{"redfish", ofTarget},
	{"pve", ofOthers},
	{"vmware", ofOthers},
	{"unifi", ofOthers},
	{"cloudwatch", ofOthers},
	{"yace", ofOthers},
	{"stackdriver", ofOthers},
	{"azure", ofOthers},
	{"cloudflare", ofOthers},
	{"digitalocean", ofOthers},
	{"openstack", ofOthers},
	{"pushgateway", ofOthers},
	{"json-exporter", ofTarget},
	{"json_exporter", ofTarget},
	{"statsd-exporter", ofOthers},
	{"statsd_exporter", ofOthers},
	{"graphite", ofOthers},
	{"kafka-exporter", ofOthers},
	{"kafka_exporter", ofOthers},
	{"burrow", ofOthers},
	{"es-exporter", ofOthers},
	{"elasticsearch-exporter", ofOthers},
	{"elasticsearch_exporter", ofOthers},
	{"sql-exporter", ofOthers},
	{"sql_exporter", ofOthers},
	{"github", ofOthers},
	{"gitlab-exporter", ofOthers},
	{"thanos-rule", ofOthers},
	{"cert-exporter", ofOthers},
	{"node-exporter", ofHost},
	{"node_exporter", ofHost},
	{"nodeexporter", ofHost},
	{"windows-exporter", ofHost},
	{"windows_exporter", ofHost},
	{"wmi", ofHost},
	{"smartctl", ofHost},
	{"process-exporter", ofHost},
	{"telegraf", ofHost},
	{"kubelet", ofNode},
	{"cadvisor", ofNode},
}

// speaksForOthers reads an exporter's way from its job and its address.
func speaksForOthers(labels map[string]string) speech {
	job := strings.ToLower(labels["job"])
	if i := strings.LastIndexByte(job, '/'); i >= 0 {
		job = job[i+1:]
	}
	host := ""
	if a := ParseAddress(labels["instance"]); a.Kind == "host" {
		host = strings.ToLower(a.Host)
	}
	service := strings.ToLower(labels["service"])
	for _, e := range exporters {
		if strings.Contains(job, e.part) || host != "" && strings.HasPrefix(host, e.part) || (e.how == ofNode || e.how == ofOthers) && strings.HasSuffix(service, e.part) {
			return e.how
		}
	}
	if job == "node" || job == "nodes" || job == "windows" {
		return ofHost
	}
	return ofItself
}

// sidecars are containers of the exporter's own pod that stand before it.
var sidecars = []string{"kube-rbac-proxy", "oauth-proxy", "istio-proxy", "linkerd-proxy", "POD"}

// own says whether the value of a label is the exporter's and not the subject's.
func own(name string, labels map[string]string, how speech) bool {
	job := labels["job"]
	if i := strings.LastIndexByte(job, '/'); i >= 0 {
		job = job[i+1:]
	}
	v := labels[name]
	switch name {
	case "container", "container_name":
		if slices.ContainsFunc(sidecars, func(s string) bool { return strings.HasPrefix(v, s) }) {
			return true
		}
		return how == ofHost || how != ofItself && how != ofNode && (v == job || ownPod(labels, job))
	case "pod", "pod_name", "kubernetes_pod_name":
		return how == ofHost || how != ofItself && ownPod(labels, job)
	case "service", "service_name":
		return how == ofHost || how == ofNode || how != ofItself && how != ofTarget || strings.EqualFold(v, job)
	case "namespace", "kubernetes_namespace":
		if strings.HasPrefix(v, "AWS/") || how == ofHost {
			return true
		}
		return how == ofOthers && ownPod(labels, job) && !namespaced(labels)
	case "device":
		return v == "rootfs"
	case "zone": // a zone of DNS is no place
		return strings.Contains(v, ".")
	case "server": // where a name server listens is nothing in front of others
		return strings.HasPrefix(v, "dns://")
	case "node", "host":
		return v == ""
	}
	return false
}

func ownPod(labels map[string]string, job string) bool {
	return job != "" && strings.HasPrefix(labels["pod"], job+"-")
}

// namespaced says that labels name an object that lives in a namespace, so that the namespace is the object's.
func namespaced(labels map[string]string) bool {
	for _, n := range []string{
		"deployment", "statefulset", "daemonset", "replicaset", "job_name", "cronjob", "horizontalpodautoscaler", "poddisruptionbudget", "persistentvolumeclaim",
		"exported_pod", "ingress", "resourcequota", "resource",
	} {
		if labels[n] != "" {
			return true
		}
	}
	return false
}
