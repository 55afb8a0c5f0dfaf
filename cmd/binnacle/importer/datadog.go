package importer

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

func isDatadog(f File, top map[string]any) bool {
	base := filepath.Base(f.Path)
	if base == "datadog.yaml" || base == "datadog.yml" {
		return true
	}
	if top["api_key"] == nil {
		return false
	}
	for _, key := range []string{"site", "dd_url", "use_dogstatsd", "dogstatsd_port", "apm_config", "logs_enabled", "process_config", "hostname", "tags"} {
		if _, ok := top[key]; ok {
			return true
		}
	}
	return false
}

func isDatadogCheck(_ File, top map[string]any) bool {
	_, init := top["init_config"]
	return init || top["instances"] != nil || top["logs"] != nil && top["metrics"] == nil && len(list(top["logs"])) > 0
}

// datadog takes StatsD, names and tags of a Datadog agent, and the checks in conf.d beside it.
// Source: github.com/DataDog/datadog-agent pkg/config/config_template.yaml, read 30 November 2026.
func (r *Result) datadog(f File, top map[string]any) error {
	for _, key := range sorted(top) {
		v := top[key]
		switch key {
		case "hostname":
			put(r.Config, v, "node", "name")
		case "tags", "extra_tags":
			if line, ok := v.(string); ok { // the old form: one text
				v = nil
				for _, t := range strings.FieldsFunc(line, func(r rune) bool { return r == ',' || r == ' ' }) {
					v = append(list(v), t)
				}
			}
			for _, t := range many(v) {
				k, val, ok := strings.Cut(text(t), ":")
				if !ok {
					r.report(f, "%s: %s: left out: a tag wants a name and a value", key, text(t))
					continue
				}
				put(r.Config, val, "node", "tags", strings.Trim(strings.ReplaceAll(unnameable.ReplaceAllString(k, "_"), ".", "_"), "-"))
			}
		case "env":
			put(r.Config, v, "node", "tags", "env")
		case "use_dogstatsd", "dogstatsd_port", "bind_host", "dogstatsd_non_local_traffic", "dogstatsd_socket", "statsd_forward_host", "statsd_forward_port", "confd_path", "min_collection_interval":
		case "dogstatsd_mapper_profiles":
			r.report(f, "%s: no counterpart: view.rename of a destination renames whole names", key)
		case "api_key", "dd_url", "site", "additional_endpoints", "app_key":
			r.once(f, "api_key, site and the like: binnacle does not ship to Datadog: keep its agent for what is wanted there")
		case "apm_config", "otlp_config":
			r.report(f, "%s: no counterpart: binnacle takes no traces; OTLP metrics come in at /v1/metrics", key)
		case "logs_enabled", "logs_config":
			r.report(f, "%s: no counterpart: binnacle ships no log lines", key)
		default:
			r.report(f, "%s: no counterpart", key)
		}
	}
	r.dogstatsd(f, top)
	dir := firstText(text(top["confd_path"]), filepath.Join(filepath.Dir(f.Path), "conf.d"))
	for _, pattern := range []string{"*.yaml", "*.d/*.yaml"} {
		paths, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			return fmt.Errorf("%s: %w", dir, err)
		}
		for _, path := range paths {
			more := r.included(f, path)
			if more == nil {
				continue
			}
			var check map[string]any
			if err := yaml.Unmarshal(more.Text, &check); err != nil {
				r.report(f, "%s: not read: %v", path, err)
				continue
			}
			if err := r.datadogCheck(*more, check); err != nil {
				return err
			}
		}
	}
	if _, err := os.Stat(dir); err != nil {
		r.report(f, "conf.d: there is none beside it: name the files of checks as well, where they are elsewhere")
	}
	return nil
}

func (r *Result) dogstatsd(f File, top map[string]any) {
	if top["use_dogstatsd"] != false {
		host := firstText(text(top["bind_host"]), "127.0.0.1")
		switch strings.ToLower(text(top["dogstatsd_non_local_traffic"])) {
		case "true", "yes", "on", "1": // that agent reads YAML 1.1
			host = "0.0.0.0"
		}
		if port := firstText(text(top["dogstatsd_port"]), "8125"); port != "0" {
			r.listen(f, "udp://"+net.JoinHostPort(host, port))
		}
		if s := text(top["dogstatsd_socket"]); s != "" {
			r.listen(f, "unixgram://"+s)
		}
	}
	if h := text(top["statsd_forward_host"]); h != "" {
		r.ship(f, "statsd", "statsd_forward_host", map[string]any{"address": net.JoinHostPort(h, firstText(text(top["statsd_forward_port"]), "8125")), "flavor": "datadog"})
		r.report(f, "statsd_forward_host: what was aggregated is sent on, in place of each packet")
	}
}

// ddServers are checks that have a collector: which, and how an instance names its server.
var ddServers = map[string]struct {
	system string
	url    func(m map[string]any) string
}{
	"redisdb": {"redis", hostPort("tcp", "6379")},
	"mysql":   {"mysql", hostPort("tcp", "3306")},
	"haproxy": {"haproxy", field("url")},
	"nginx":   {"nginx", field("nginx_status_url")},
	"apache":  {"apache", field("apache_status_url")},
	"elastic": {"elasticsearch", field("url")},
	"zk":      {"zookeeper", hostPort("tcp", "2181")},
	"mcache":  {"memcached", hostPort("tcp", "11211")},
	"rabbitmq": {"rabbitmq", func(m map[string]any) string {
		return strings.TrimSuffix(strings.TrimSuffix(text(m["rabbitmq_api_url"]), "/"), "/api")
	}},
	"riak":    {"riak", func(m map[string]any) string { return strings.TrimSuffix(text(m["url"]), "/stats") }},
	"varnish": {"varnish", func(map[string]any) string { return "" }},
}

func field(key string) func(map[string]any) string {
	return func(m map[string]any) string { return text(m[key]) }
}

func hostPort(scheme, port string) func(map[string]any) string {
	return func(m map[string]any) string {
		if s := firstText(text(m["unix_socket_path"]), text(m["sock"])); s != "" {
			return "unix://" + s
		}
		host := firstText(text(m["host"]), text(m["server"]), text(m["url"]))
		if host == "" {
			return ""
		}
		return scheme + "://" + net.JoinHostPort(host, firstText(text(m["port"]), port))
	}
}

// datadogCheck takes the instances of one check.
func (r *Result) datadogCheck(f File, top map[string]any) error {
	name := strings.TrimSuffix(strings.TrimSuffix(filepath.Base(f.Path), ".yaml"), ".yml")
	if d := filepath.Base(filepath.Dir(f.Path)); strings.HasSuffix(d, ".d") && d != "conf.d" {
		name = strings.TrimSuffix(d, ".d")
	}
	f.Path = filepath.Join(filepath.Dir(f.Path), name+".d") // which the report names
	for _, key := range sorted(top) {
		switch key {
		case "instances", "ad_identifiers":
		case "init_config":
			for _, k := range sorted(section(top, key)) {
				r.report(f, "init_config.%s: no counterpart", k)
			}
		case "logs":
			for _, l := range list(top[key]) {
				m, _ := l.(map[string]any)
				r.report(f, "logs %s: no counterpart: binnacle ships no log lines", firstText(text(m["path"]), text(m["type"])))
			}
		default:
			r.report(f, "%s: no counterpart", key)
		}
	}
	if top["ad_identifiers"] != nil {
		r.report(f, "ad_identifiers: no counterpart: containers are not discovered: its instances are left out")
		return nil
	}
	for i, one := range list(top["instances"]) {
		m, _ := one.(map[string]any)
		r.datadogInstance(f, name, fmt.Sprintf("instances[%d]", i), m)
	}
	return nil
}

func (r *Result) datadogInstance(f File, name, at string, m map[string]any) {
	by, known := ddServers[name]
	switch {
	case firstText(text(m["openmetrics_endpoint"]), text(m["prometheus_url"])) != "":
		r.datadogScrape(f, name, at, m)
	case name == "process":
		for _, s := range many(m["search_string"]) {
			r.watch(f, at, text(s), "", "")
		}
		r.left(f, at, m, "name", "search_string", "exact_match")
	case known:
		address := by.url(m)
		if address == "" {
			r.report(f, "%s: no server is named: the one on this machine is found by itself", at)
			return
		}
		with := map[string]any{"username": firstText(text(m["username"]), text(m["user"]), text(m["rabbitmq_user"])), "password": firstText(text(m["password"]), text(m["pass"]), text(m["rabbitmq_pass"]))}
		r.servers(f, at, by.system, []any{address}, with)
		r.left(f, at, m, "host", "port", "server", "sock", "unix_socket_path", "url", "username", "user", "password", "pass", "nginx_status_url", "apache_status_url", "rabbitmq_api_url", "rabbitmq_user", "rabbitmq_pass")
	case slices.Contains(byHost, name):
		r.report(f, "%s: collected by default, under binnacle's names (host_…); its own settings are not carried over", at)
	case r.datadogProbe(f, name, at, m):
	default:
		r.report(f, "%s: left out: the check %s has no counterpart: a program of collect.exec may do it", at, name)
	}
}

func (r *Result) datadogScrape(f File, name, at string, m map[string]any) {
	u, err := url.Parse(firstText(text(m["openmetrics_endpoint"]), text(m["prometheus_url"])))
	if err != nil || u.Host == "" || strings.Contains(u.Host, "%%") {
		r.report(f, "%s: left out: want a URL of one target", at)
		return
	}
	job := jobOf(name, u)
	if user := text(m["username"]); user != "" {
		job["basic_auth"] = map[string]any{"username": user, "password": text(m["password"])}
	}
	labels := map[string]any{}
	for _, t := range many(m["tags"]) {
		if k, v, ok := strings.Cut(text(t), ":"); ok {
			labels[strings.ReplaceAll(unnameable.ReplaceAllString(k, "_"), ".", "_")] = v
		}
	}
	if len(labels) > 0 {
		job["static_configs"] = []any{map[string]any{"targets": []any{u.Host}, "labels": labels}}
	}
	if m["tls_verify"] == false {
		job["tls_config"] = map[string]any{"insecure_skip_verify": true}
	}
	r.job(f, job)
	r.left(f, at, m, "openmetrics_endpoint", "prometheus_url", "username", "password", "tags", "tls_verify")
}
