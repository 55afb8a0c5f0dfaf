package importer

import (
	"fmt"
	"net"
	"net/url"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/BurntSushi/toml"
)

func isTelegraf(f File, top map[string]any) bool {
	if top != nil || isStatsdJS(f, top) {
		return false
	}
	t, err := tomlOf(f.Text)
	return err == nil && (t["inputs"] != nil || t["outputs"] != nil || t["global_tags"] != nil || t["agent"] != nil)
}

// tomlOf reads TOML. Telegraf puts variables of the environment into the text before, also where there are no quotes.
func tomlOf(b []byte) (map[string]any, error) {
	var top map[string]any
	_, err := toml.Decode(bareVariable.ReplaceAllString(string(b), `$1"$2"`), &top)
	return top, err
}

var bareVariable = regexp.MustCompile(`(?m)(^\s*[A-Za-z0-9_]+\s*=\s*)(\$\{?[A-Za-z0-9_]+\}?)\s*$`)

var variable = regexp.MustCompile(`\$\{?([A-Za-z_][A-Za-z0-9_]*)\}?`)

// env says variables of the environment as binnacle's configuration does.
func env(s string) string { return variable.ReplaceAllString(s, "$${env:$1}") }

// telegraf takes inputs that have a collector, and outputs that have a destination.
// Source: github.com/influxdata/telegraf plugins, README of each, read 30 November 2026.
func (r *Result) telegraf(f File, _ map[string]any) error {
	top, err := tomlOf(f.Text)
	if err != nil {
		return fmt.Errorf("%s: %w", f.Path, err)
	}
	for _, key := range sorted(top) {
		switch key {
		case "global_tags":
			for k, v := range section(top, key) {
				put(r.Config, env(text(v)), "node", "tags", k)
			}
		case "agent":
			r.telegrafAgent(f, section(top, key))
		case "inputs", "outputs":
			for _, name := range sorted(section(top, key)) {
				for _, m := range tables(section(top, key)[name]) {
					if key == "inputs" {
						r.telegrafInput(f, name, m)
					} else {
						r.telegrafOutput(f, name, m)
					}
				}
			}
		case "processors", "aggregators", "secretstores":
			for _, name := range sorted(section(top, key)) {
				r.report(f, "%s.%s: no counterpart", key, name)
			}
		default:
			r.report(f, "%s: no counterpart", key)
		}
	}
	return nil
}

// tables are the tables of an array of tables, or the one table.
func tables(v any) (out []map[string]any) {
	switch v := v.(type) {
	case []map[string]any:
		return v
	case map[string]any:
		return []map[string]any{v}
	}
	for _, x := range many(v) {
		if m, ok := x.(map[string]any); ok {
			out = append(out, m)
		}
	}
	return out
}

func (r *Result) telegrafAgent(f File, m map[string]any) {
	for _, key := range sorted(m) {
		v := text(m[key])
		switch {
		case key == "interval":
			if d, err := time.ParseDuration(v); err == nil && d >= time.Second && d <= 5*time.Minute {
				put(r.Config, v, "interval")
			} else {
				r.report(f, "agent.interval: %s is outside 1s to 5m: collections stay at 10s", v)
			}
		case key == "hostname":
			if v != "" {
				put(r.Config, env(v), "node", "name")
			}
		case v == "" || v == "0s" || v == "false":
		default:
			r.report(f, "agent.%s: no counterpart", key)
		}
	}
}

// filters of Telegraf, which every input and output may have.
var telegrafFilters = []string{
	"namepass", "namedrop", "fieldpass", "fielddrop", "fieldinclude", "fieldexclude", "tagpass", "tagdrop", "taginclude", "tagexclude", "metricpass",
	"name_override", "name_prefix", "name_suffix", "tags", "alias", "interval", "collection_jitter", "collection_offset", "precision", "startup_error_behavior",
}

// left reports what of a plugin was not carried over.
func (r *Result) left(f File, at string, m map[string]any, taken ...string) {
	for _, key := range sorted(m) {
		if slices.Contains(taken, key) || key == "alias" {
			continue
		}
		if slices.Contains(telegrafFilters, key) {
			r.report(f, "%s.%s: not carried over: view of a destination chooses series by name", at, key)
			continue
		}
		r.report(f, "%s.%s: no counterpart", at, key)
	}
}

func (r *Result) telegrafInput(f File, name string, m map[string]any) {
	at := "inputs." + name
	switch name {
	case "statsd":
		network := strings.TrimRight(firstText(text(m["protocol"]), "udp"), "46")
		host, port, err := net.SplitHostPort(firstText(text(m["service_address"]), ":8125"))
		if err != nil {
			r.report(f, "%s: left out: service_address: %v", at, err)
			return
		}
		r.listen(f, network+"://"+net.JoinHostPort(firstText(host, "0.0.0.0"), port))
		r.left(f, at, m, "protocol", "service_address", "datadog_extensions", "datadog_distributions")
	case "prometheus":
		r.telegrafScrape(f, m)
	case "exec":
		r.telegrafExec(f, m)
	case "procstat":
		r.watch(f, at, text(m["exe"]), text(m["pattern"]), firstText(text(m["pid_file"]), text(m["systemd_unit"])))
		r.left(f, at, m, "exe", "pattern", "pid_file", "systemd_unit")
	case "x509_cert":
		for _, s := range many(m["sources"]) {
			path, isFile := strings.CutPrefix(text(s), "file://")
			if !isFile && !filepath.IsAbs(text(s)) {
				if !r.certificate(f, at, env(text(s))) {
					r.report(f, "%s: %s: no counterpart: a certificate is read from a file, or by TLS from a server", at, text(s))
				}
				continue
			}
			have, _ := get(r.Config, "collect", "host_tls", "paths").([]any)
			put(r.Config, append(have, path), "collect", "host_tls", "paths")
		}
		r.left(f, at, m, "sources")
	case "varnish":
		r.report(f, "%s: the one on this machine is found by itself", at)
	case "socket_listener":
		r.telegrafListener(f, at, m)
	case "tail", "logparser":
		r.report(f, "%s: no counterpart: collect.logs counts the lines that match patterns of yours", at)
	default:
		if r.telegrafProbe(f, name, m) {
			return
		}
		if urls, system := telegrafServers(name, m); system != "" {
			r.servers(f, at, system, urls, m)
			return
		}
		if slices.Contains(byHost, name) {
			r.report(f, "%s: collected by default, under binnacle's names (host_…); its own settings are not carried over", at)
			return
		}
		r.report(f, "%s: no counterpart: binnacle has no such collector; a program of collect.exec may read it (format influx)", at)
	}
}

// telegrafListener takes one for lines that come in here too.
func (r *Result) telegrafListener(f File, at string, m map[string]any) {
	network, address, ok := strings.Cut(text(m["service_address"]), "://")
	network = strings.TrimRight(network, "46")
	host, port, err := net.SplitHostPort(address)
	if kind := text(m["data_format"]); kind != "graphite" || !ok || err != nil {
		r.report(f, "%s: left out: data_format %s at %s: binnacle takes lines of StatsD and Graphite", at, firstText(kind, "influx"), text(m["service_address"]))
		return
	}
	address = network + "://" + net.JoinHostPort(firstText(host, "0.0.0.0"), port)
	have, _ := get(r.Config, "collect", "graphite", "listen").([]any)
	if err := fits(map[string]any{"collect": map[string]any{"graphite": map[string]any{"listen": []any{address}}}}); err != nil {
		r.report(f, "%s: left out: %v", at, err)
		return
	}
	put(r.Config, append(have, address), "collect", "graphite", "listen")
	r.left(f, at, m, "service_address", "data_format")
}

// telegrafServers are the servers that an input asks, and the collector that asks them here.
func telegrafServers(name string, m map[string]any) (urls []any, system string) {
	by := map[string][2]string{ // collector, and where the servers stand
		"redis": {"redis", "servers"}, "mysql": {"mysql", "servers"}, "haproxy": {"haproxy", "servers"}, "nginx": {"nginx", "urls"}, "apache": {"apache", "urls"},
		"memcached": {"memcached", "servers"}, "elasticsearch": {"elasticsearch", "servers"}, "zookeeper": {"zookeeper", "servers"},
		"jolokia2_agent": {"jolokia", "urls"}, "rabbitmq": {"rabbitmq", "url"}, "riak": {"riak", "servers"},
	}
	k, ok := by[name]
	if !ok {
		return nil, ""
	}
	urls = many(m[k[1]])
	if name == "memcached" {
		for _, s := range many(m["unix_sockets"]) {
			urls = append(urls, "unix://"+text(s))
		}
	}
	return urls, k[0]
}

func (r *Result) telegrafScrape(f File, m map[string]any) {
	byScheme := map[string][]*url.URL{}
	for _, s := range many(m["urls"]) {
		u, err := url.Parse(env(text(s)))
		if err != nil || u.Host == "" {
			r.report(f, "inputs.prometheus: %s: left out: want a URL", text(s))
			continue
		}
		key := strings.Join([]string{u.Scheme, firstText(u.Path, "/metrics"), u.RawQuery, u.User.String()}, " ")
		byScheme[key] = append(byScheme[key], u)
	}
	for _, key := range sorted(byScheme) {
		job := jobOf("telegraf", byScheme[key]...)
		if u := text(m["username"]); u != "" {
			job["basic_auth"] = map[string]any{"username": env(u), "password": env(text(m["password"]))}
		}
		for from, to := range map[string]string{"bearer_token": "credentials_file", "bearer_token_string": "credentials"} {
			if v := text(m[from]); v != "" {
				job["authorization"] = map[string]any{to: env(v)}
			}
		}
		tls := map[string]any{}
		for from, to := range map[string]string{"tls_ca": "ca_file", "tls_cert": "cert_file", "tls_key": "key_file", "insecure_skip_verify": "insecure_skip_verify"} {
			if m[from] != nil {
				tls[to] = m[from]
			}
		}
		if len(tls) > 0 {
			job["tls_config"] = tls
		}
		r.job(f, job)
	}
	r.left(f, "inputs.prometheus", m, "urls", "username", "password", "bearer_token", "bearer_token_string", "tls_ca", "tls_cert", "tls_key", "insecure_skip_verify", "metric_version")
}

// jobOf is one that scrapes addresses, which differ in their host alone.
func jobOf(name string, at ...*url.URL) map[string]any {
	var targets []any
	for _, u := range at {
		targets = append(targets, u.Host)
	}
	u := at[0]
	job := map[string]any{"job_name": name, "scheme": u.Scheme, "metrics_path": firstText(u.Path, "/metrics"), "static_configs": []any{map[string]any{"targets": targets}}}
	if u.User != nil { // the address would show them
		pw, _ := u.User.Password()
		job["basic_auth"] = map[string]any{"username": u.User.Username(), "password": pw}
	}
	if params := u.Query(); len(params) > 0 {
		all := map[string]any{}
		for k, values := range params {
			for _, v := range values {
				all[k] = append(list(all[k]), v)
			}
		}
		job["params"] = all
	}
	return job
}

func (r *Result) telegrafExec(f File, m map[string]any) {
	formats := map[string]string{"influx": "influx", "": "influx", "nagios": "nagios", "prometheus": "openmetrics"}
	kind := text(m["data_format"])
	format, ok := formats[kind]
	for _, c := range append(many(m["commands"]), many(m["command"])...) {
		if !ok {
			r.report(f, "inputs.exec %s: left out: data_format %s: collect.exec reads nagios, openmetrics, influx, and json with the values named", text(c), kind)
			continue
		}
		words, why := shellWords(env(text(c)))
		if why != "" {
			words = []string{"/bin/sh", "-c", text(c)}
		}
		if path, err := exec.LookPath(firstText(append(words, "")[0], "/")); err == nil { // Telegraf looks along PATH, an agent here does not
			words[0] = path
		}
		p := map[string]any{"command": words, "format": format}
		if t := text(m["timeout"]); t != "" {
			p["timeout"] = t
		}
		if t := text(m["interval"]); t != "" {
			p["interval"] = t
		}
		if vars := many(m["environment"]); len(vars) > 0 {
			p["env"] = r.variables(vars)
		}
		r.program(f, "inputs.exec "+text(c), filepath.Base(strings.Fields(text(c) + " x")[0]), p)
	}
	r.left(f, "inputs.exec", m, "commands", "command", "data_format", "timeout", "interval", "environment")
}

func (r *Result) telegrafOutput(f File, name string, m map[string]any) {
	at := "outputs." + name
	switch name {
	case "prometheus_client":
		r.report(f, "%s: /metrics of binnacle itself, at listen, has all series", at)
	case "graphite":
		for _, s := range many(m["servers"]) {
			o := map[string]any{"address": env(text(s))}
			if p := text(m["prefix"]); p != "" {
				o["prefix"] = strings.TrimSuffix(p, ".") + "."
			}
			if m["graphite_tag_support"] == true {
				o["format"] = "tags"
			}
			r.ship(f, "graphite", text(s), o)
		}
		r.left(f, at, m, "servers", "prefix", "graphite_tag_support", "timeout")
	case "cloudwatch":
		o := map[string]any{}
		for from, to := range map[string]string{"region": "region", "namespace": "namespace", "endpoint_url": "endpoint", "access_key": "access_key_id", "secret_key": "secret_access_key"} {
			if v := text(m[from]); v != "" {
				o[to] = env(v)
			}
		}
		if pw := text(o["secret_access_key"]); pw != "" {
			o["secret_access_key"] = r.hide("cloudwatch-secret-key", pw)
		}
		r.ship(f, "cloudwatch", name, o)
		r.left(f, at, m, "region", "namespace", "endpoint_url", "access_key", "secret_key")
	case "http":
		if text(m["data_format"]) != "prometheusremotewrite" {
			r.report(f, "%s: left out: data_format %s: binnacle posts by remote-write and OTLP", at, text(m["data_format"]))
			return
		}
		o := map[string]any{"url": env(text(m["url"]))}
		if u := text(m["username"]); u != "" {
			o["username"], o["password"] = env(u), env(text(m["password"]))
		}
		loginOut(o, "url", "username")
		if pw := text(o["password"]); pw != "" {
			o["password"] = r.hide("remote-write-password", pw)
		}
		if h := section(m, "headers"); h != nil {
			kept := map[string]any{}
			for k, v := range h {
				if !slices.Contains([]string{"content-type", "content-encoding", "x-prometheus-remote-write-version"}, strings.ToLower(k)) {
					kept[k] = r.hide("remote-write-"+k, env(text(v)))
				}
			}
			if len(kept) > 0 {
				o["headers"] = kept
			}
		}
		r.ship(f, "remote_write", text(o["url"]), o)
		r.left(f, at, m, "url", "data_format", "username", "password", "headers", "method", "timeout", "use_batch_format")
	default:
		r.report(f, "%s: no counterpart: binnacle ships to CloudWatch, StatsD, remote-write, OTLP and Graphite", at)
	}
}
