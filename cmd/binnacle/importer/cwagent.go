package importer

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/navcloud/binnacle/agent/secret"
)

func isCloudWatchAgent(_ File, top map[string]any) bool {
	m := section(top, "metrics")
	if m["metrics_collected"] != nil || m["append_dimensions"] != nil || m["aggregation_dimensions"] != nil {
		return true
	}
	return section(section(top, "logs"), "logs_collected")["files"] != nil || section(section(top, "logs"), "metrics_collected") != nil ||
		section(section(top, "traces"), "traces_collected") != nil
}

// byHost are inputs of other agents that binnacle's own collectors of the host read, by their names there.
var byHost = []string{
	"cpu", "disk", "diskio", "io", "mem", "memory", "swap", "net", "network", "netstat", "processes", "system", "load", "uptime", "file_handle", "ntp", "ntpq", "chrony",
	"conntrack", "kernel", "nstat", "linux_sysctl_fs", "systemd_units", "systemd", "temp", "sensors", "mdstat", "procstat_lookup", "wireless", "interrupts", "kernel_vmstat",
}

// cloudWatchAgent takes the namespace, StatsD, watched processes and Prometheus jobs of the CloudWatch agent.
// Source: amazon-cloudwatch-agent's configuration reference, read 30 November 2026.
func (r *Result) cloudWatchAgent(f File, top map[string]any) error {
	agent, metrics := section(top, "agent"), section(top, "metrics")
	ship := map[string]any{}
	for _, key := range sorted(agent) {
		switch key {
		case "region":
			ship["region"] = agent[key]
		case "metrics_collection_interval":
			r.interval(f, agent[key])
		default:
			r.report(f, "agent.%s: no counterpart", key)
		}
	}
	for _, key := range sorted(metrics) {
		switch key {
		case "namespace":
			ship["namespace"] = metrics[key]
		case "endpoint_override":
			ship["endpoint"] = metrics[key]
		case "force_flush_interval":
			if v, ok := number(metrics[key]); ok && v >= 46 && v <= 600 {
				ship["queue"] = map[string]any{"every": fmt.Sprintf("%gs", v)}
			} else {
				r.report(f, "metrics.force_flush_interval: %v: binnacle flushes once a minute: a call more costs", metrics[key])
			}
		case "metrics_collected":
		case "append_dimensions":
			r.report(f, "metrics.append_dimensions %s: ship.cloudwatch.scope says which series carry InstanceId, and dimensions which tags of the node", strings.Join(sorted(section(metrics, key)), ", "))
		case "aggregation_dimensions":
			r.report(f, "metrics.aggregation_dimensions: no counterpart: scope group is the sum over the fleet")
		case "credentials":
			r.report(f, "metrics.credentials: no counterpart: binnacle takes the AWS SDK's own chain, or ship.cloudwatch.access_key_id")
		default:
			r.report(f, "metrics.%s: no counterpart", key)
		}
	}
	if len(metrics) > 0 {
		if ship["namespace"] == nil {
			ship["namespace"] = "CWAgent"
		}
		r.ship(f, "cloudwatch", "cloudwatch", ship)
		if ship["region"] == nil && os.Getenv("AWS_REGION") == "" {
			r.report(f, "agent.region: it has none, since that agent asks EC2 for it: set ship.cloudwatch.region, or AWS_REGION where binnacle runs")
		}
		r.report(f, "ship.cloudwatch: metrics have binnacle's names (`binnacle cost` says what they cost): alarms and dashboards on the agent's names need the new ones")
	}
	for _, name := range sorted(section(metrics, "metrics_collected")) {
		r.cwInput(f, name, section(metrics, "metrics_collected")[name])
	}
	r.cwLogs(f, section(top, "logs"))
	for _, key := range sorted(top) {
		if !slices.Contains([]string{"agent", "metrics", "logs"}, key) && !strings.HasPrefix(key, "//") {
			r.report(f, "%s: no counterpart", key)
		}
	}
	return nil
}

func (r *Result) interval(f File, v any) {
	n, ok := number(v)
	if !ok || n < 1 || n > 300 {
		r.report(f, "metrics_collection_interval: %v s is outside 1 s to 5 min: collections stay at 10 s", v)
		return
	}
	put(r.Config, fmt.Sprintf("%gs", n), "interval")
}

func (r *Result) cwInput(f File, name string, v any) {
	m, _ := v.(map[string]any)
	switch {
	case name == "statsd":
		host, port, err := net.SplitHostPort(firstText(text(m["service_address"]), ":8125"))
		if err != nil {
			r.report(f, "metrics_collected.statsd: left out: service_address: %v", err)
			return
		}
		r.listen(f, "udp://"+net.JoinHostPort(firstText(host, "0.0.0.0"), port))
		for _, key := range sorted(m) {
			if key != "service_address" {
				r.report(f, "metrics_collected.statsd.%s: no counterpart: series are whole, and each destination has its own time of flush", key)
			}
		}
	case name == "procstat":
		for i, p := range list(v) {
			of, _ := p.(map[string]any)
			r.watch(f, fmt.Sprintf("metrics_collected.procstat[%d]", i), text(of["exe"]), text(of["pattern"]), text(of["pid_file"]))
		}
	case slices.Contains(byHost, name):
		r.report(f, "metrics_collected.%s: collected by default, under binnacle's names (host_…); the choice of measurements and resources is not carried over", name)
	default:
		r.report(f, "metrics_collected.%s: no counterpart", name)
	}
}

// watch adds a process to those that are watched, by the name of its program or a pattern of its command line.
func (r *Result) watch(f File, at, exe, pattern, pidFile string) {
	expr := firstText(pattern, exe)
	if expr == "" {
		r.report(f, "%s: left out: %s: processes are watched by an expression that their command line matches", at, firstText(pidFile, "no pattern"))
		return
	}
	if secret.Redact(expr) != expr {
		r.report(f, "%s: left out: its pattern holds a secret, which the name of a process would show", at)
		return
	}
	name := strings.Trim(unnameable.ReplaceAllString(expr, "-"), "-._")
	if err := fits(map[string]any{"collect": map[string]any{"host_process": map[string]any{"watch": map[string]any{name: expr}}}}); err != nil {
		r.report(f, "%s: left out: %v", at, err)
		return
	}
	put(r.Config, expr, "collect", "host_process", "watch", name)
}

func (r *Result) cwLogs(f File, logs map[string]any) {
	for _, key := range sorted(logs) {
		switch key {
		case "metrics_collected":
			for _, name := range sorted(section(logs, key)) {
				p := section(section(logs, key), name)
				if name == "prometheus" && text(p["prometheus_config_path"]) != "" {
					r.cwPrometheus(f, strings.TrimPrefix(text(p["prometheus_config_path"]), "env:"))
					continue
				}
				r.report(f, "logs.metrics_collected.%s: no counterpart", name)
			}
		case "logs_collected":
			for _, file := range list(section(section(logs, key), "files")["collect_list"]) {
				m, _ := file.(map[string]any)
				r.report(f, "logs %s: no counterpart: binnacle ships no log lines: keep the CloudWatch agent for them", text(m["file_path"]))
			}
			for _, other := range sorted(section(logs, key)) {
				if other != "files" {
					r.report(f, "logs.logs_collected.%s: no counterpart", other)
				}
			}
		default:
			r.report(f, "logs.%s: no counterpart: binnacle ships no log lines", key)
		}
	}
}

func (r *Result) cwPrometheus(f File, path string) {
	more := r.included(f, path)
	if more == nil {
		r.once(f, "logs.metrics_collected.prometheus: %s: its jobs are not imported", filepath.Base(path))
		return
	}
	var top map[string]any
	if err := yaml.Unmarshal(more.Text, &top); err != nil {
		r.report(f, "%s: not read: %v", path, err)
		return
	}
	if err := r.prometheus(*more, top); err != nil {
		r.report(f, "%s: left out: %v", path, err)
	}
}
