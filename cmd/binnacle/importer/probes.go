package importer

import (
	"maps"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// probe adds one that asks an endpoint.
func (r *Result) probe(f File, at, name string, p map[string]any) {
	name = r.free("probe", name, "probe")
	maps.DeleteFunc(p, func(_ string, v any) bool { return v == nil || v == "" })
	loginOut(p, "http", "user")
	if err := fits(map[string]any{"collect": map[string]any{"probe": map[string]any{name: p}}}); err != nil {
		r.report(f, "%s: left out: %v", at, err)
		return
	}
	if why := missing(p); why != "" {
		r.report(f, "%s: left out: %s", at, why)
		return
	}
	if pw := text(p["password"]); pw != "" {
		p["password"] = r.hide("probe-"+name+"-password", pw)
	}
	if h := section(p, "headers"); h != nil {
		for k, v := range h {
			h[k] = r.hide("probe-"+name+"-"+k, text(v))
		}
	}
	put(r.Config, p, "collect", "probe", name)
}

// textOf is a header's or option's map with its variables as binnacle has them; nil where there is none.
func textOf(m map[string]any) any {
	if len(m) == 0 {
		return nil
	}
	out := map[string]any{}
	for k, v := range m {
		out[k] = env(text(v))
	}
	return out
}

// withPort is host:port, where an address may lack its port.
func withPort(address, port string) string {
	if _, _, err := net.SplitHostPort(address); err == nil || address == "" {
		return address
	}
	return net.JoinHostPort(strings.Trim(address, "[]"), port)
}

// telegrafProbe takes an input that asks an endpoint; false: it is none.
// Source: github.com/influxdata/telegraf, README of http_response, net_response, ping, dns_query and x509_cert, read 30 November 2026.
func (r *Result) telegrafProbe(f File, name string, m map[string]any) bool {
	at := "inputs." + name
	with := func(p map[string]any) map[string]any {
		p["interval"], p["timeout"] = m["interval"], firstText(text(m["response_timeout"]), text(m["timeout"]))
		if _, err := strconv.ParseFloat(text(p["timeout"]), 64); err == nil { // ping has seconds
			p["timeout"] = text(p["timeout"]) + "s"
		}
		return p
	}
	taken := []string{"interval", "response_timeout", "timeout"}
	switch name {
	case "http_response":
		taken = append(taken, "urls", "address", "method", "headers", "username", "password", "response_string_match", "response_status_code", "tls_ca", "follow_redirects")
		for _, u := range append(many(m["urls"]), many(m["address"])...) {
			p := with(map[string]any{
				"http": env(text(u)), "method": m["method"], "headers": textOf(section(m, "headers")), "user": env(text(m["username"])), "password": env(text(m["password"])),
				"body": m["response_string_match"], "ca_file": m["tls_ca"],
			})
			if code := m["response_status_code"]; code != nil && text(code) != "0" {
				p["status"] = []any{code}
			}
			if m["follow_redirects"] != true { // Telegraf follows none by default
				p["redirects"] = 0
			}
			r.probe(f, at, hostOf(text(u)), p)
		}
	case "net_response":
		taken = append(taken, "protocol", "address", "read_timeout")
		if m["address"] == nil {
			break
		}
		if text(m["protocol"]) == "udp" {
			r.report(f, "%s: left out: %s: a probe asks by TCP, TLS, HTTP, DNS or ICMP", at, text(m["address"]))
			return true
		}
		r.probe(f, at, text(m["address"]), with(map[string]any{"tcp": env(text(m["address"]))}))
	case "ping":
		taken = append(taken, "urls", "method", "count", "ping_interval", "deadline", "binary", "ipv6")
		for _, u := range many(m["urls"]) {
			r.probe(f, at, text(u), with(map[string]any{"icmp": env(text(u))}))
		}
	case "dns_query":
		taken = append(taken, "servers", "domains", "port", "record_type", "network")
		for _, d := range many(m["domains"]) {
			for _, s := range many(m["servers"]) {
				p := with(map[string]any{"dns": env(text(d)), "server": withPort(env(text(s)), firstText(text(m["port"]), "53")), "type": m["record_type"]})
				r.probe(f, at, text(d)+" at "+text(s), p)
			}
		}
	default:
		return false
	}
	if asks := map[string]string{"http_response": "urls", "net_response": "address", "ping": "urls", "dns_query": "domains"}[name]; len(many(m[asks])) == 0 && m["address"] == nil {
		r.report(f, "%s: left out: it has no %s", at, asks)
	}
	r.left(f, at, m, taken...)
	return true
}

// hostOf is host and port of a URL, for a name.
func hostOf(address string) string {
	if u, err := url.Parse(address); err == nil && u.Host != "" {
		return u.Host + strings.TrimSuffix(u.Path, "/")
	}
	return address
}

// certificate takes a certificate that a server shows.
func (r *Result) certificate(f File, at, source string) bool {
	u, err := url.Parse(source)
	if err != nil || !slices.Contains([]string{"https", "tcp", "tcp4", "tcp6", "tls"}, u.Scheme) {
		return false
	}
	r.probe(f, at, u.Host, map[string]any{"tls": withPort(u.Host, "443")})
	return true
}

// datadogProbe takes a check that asks an endpoint; false: it is none.
// Source: github.com/DataDog/integrations-core, conf.yaml.example of http_check, tcp_check, tls and dns_check, read 30 November 2026.
func (r *Result) datadogProbe(f File, check, at string, m map[string]any) bool {
	p := map[string]any{}
	if t := text(m["timeout"]); t != "" {
		p["timeout"] = t + "s"
	}
	if t := text(m["min_collection_interval"]); t != "" {
		p["interval"] = t + "s"
	}
	taken := []string{"name", "timeout", "min_collection_interval"}
	name := ""
	switch check {
	case "http_check":
		taken = append(taken, "url", "method", "headers", "username", "password", "content_match", "tls_ca_cert", "http_response_status_code", "allow_redirects", "check_certificate_expiration")
		p["http"], p["method"], p["headers"], p["user"], p["password"], p["body"], p["ca_file"] = text(m["url"]), strings.ToUpper(text(m["method"])), textOf(section(m, "headers")), m["username"], m["password"], m["content_match"], m["tls_ca_cert"]
		name = hostOf(text(m["url"]))
		if code, ok := m["http_response_status_code"].(int); ok {
			p["status"] = []any{code}
		} else if code := text(m["http_response_status_code"]); code != "" {
			r.report(f, "%s: http_response_status_code %s: no counterpart: status wants numbers; 200 to 399 are well", at, code)
		}
		if m["allow_redirects"] == false {
			p["redirects"] = 0
		}
	case "tcp_check":
		taken = append(taken, "host", "port", "collect_response_time")
		p["tcp"] = net.JoinHostPort(text(m["host"]), text(m["port"]))
		name = text(p["tcp"])
	case "tls":
		taken = append(taken, "server", "port")
		server := text(m["server"])
		if server == "" { // local_cert_path
			return false
		}
		p["tls"] = withPort(server, firstText(text(m["port"]), "443"))
		name = server
	case "dns_check":
		taken = append(taken, "hostname", "nameserver", "nameserver_port", "record_type")
		p["dns"], p["type"] = m["hostname"], m["record_type"]
		p["server"] = withPort(text(m["nameserver"]), firstText(text(m["nameserver_port"]), "53"))
		name = text(m["hostname"])
	default:
		return false
	}
	r.probe(f, at, firstText(text(m["name"]), name), p)
	r.left(f, at, m, taken...)
	return true
}
