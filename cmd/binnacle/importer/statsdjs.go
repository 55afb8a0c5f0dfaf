package importer

import (
	"fmt"
	"net"
	"path/filepath"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/navcloud/binnacle/agent/words"
)

var statsdKey = regexp.MustCompile(`["']?(graphiteHost|graphitePort|backends|flushInterval|mgmt_port|percentThreshold|port)["']?\s*:`)

var statsdOwn = regexp.MustCompile(`["']?(graphiteHost|graphitePort|backends|flushInterval|percentThreshold)["']?\s*:`)

func isStatsdJS(f File, top map[string]any) bool {
	if filepath.Ext(f.Path) == ".js" {
		return statsdKey.Match(f.Text)
	}
	return top["metrics"] == nil && strings.HasPrefix(strings.TrimSpace(object(string(f.Text))), "{") && statsdOwn.Match(f.Text)
}

// object is a JavaScript object literal as YAML: without comments, and with a space after each colon of a key. What is not a
// literal, such as a call, stays as text.
func object(js string) string {
	var out strings.Builder
	for i := 0; i < len(js); i++ {
		c := js[i]
		switch {
		case c == '\'' || c == '"' || c == '`':
			end := i + 1
			for end < len(js) && js[end] != c {
				if js[end] == '\\' {
					end++
				}
				end++
			}
			end = min(end, len(js)-1)
			out.WriteString(quote(js[i+1 : end]))
			i = end
		case strings.HasPrefix(js[i:], "//"):
			for i < len(js) && js[i] != '\n' {
				i++
			}
			out.WriteByte('\n')
		case strings.HasPrefix(js[i:], "/*"):
			if n := strings.Index(js[i:], "*/"); n >= 0 {
				i += n + 1
			} else {
				i = len(js)
			}
			out.WriteByte(' ')
		case c == ':':
			out.WriteString(": ")
		case c == '\t':
			out.WriteByte(' ')
		default:
			out.WriteByte(c)
		}
	}
	return strings.TrimRight(strings.TrimSpace(out.String()), ";")
}

func quote(s string) string {
	return `"` + strings.ReplaceAll(strings.ReplaceAll(s, `\'`, `'`), `"`, `\"`) + `"`
}

// statsdJS takes listeners, backends and times of etsy's statsd.
// Source: github.com/statsd/statsd exampleConfig.js and docs, read 30 November 2026.
func (r *Result) statsdJS(f File, _ map[string]any) error {
	var top map[string]any
	source := valuesOnly(ofObject(object(string(f.Text))), func(key, expression, instead string) {
		r.report(f, "%s: %s is an expression: %s here", key, words.Clip(strings.Join(strings.Fields(expression), " "), 80), instead)
	})
	if err := yaml.Unmarshal([]byte(source), &top); err != nil {
		return fmt.Errorf("%s: it is read as an object of plain values: %w", f.Path, err)
	}
	host, port := firstText(text(top["address"]), "0.0.0.0"), firstText(text(top["port"]), "8125")
	if servers := list(top["servers"]); len(servers) > 0 {
		for _, s := range servers {
			m, _ := s.(map[string]any)
			network := "udp"
			if strings.Contains(text(m["server"]), "tcp") {
				network = "tcp"
			}
			r.listen(f, network+"://"+net.JoinHostPort(firstText(text(m["address"]), host), firstText(text(m["port"]), port)))
		}
	} else {
		network := "udp"
		if strings.Contains(text(top["server"]), "tcp") {
			network = "tcp"
		}
		r.listen(f, network+"://"+net.JoinHostPort(host, port))
	}
	r.statsdBackends(f, top)
	for _, key := range sorted(top) {
		switch key {
		case "port", "address", "servers", "server", "backends", "graphiteHost", "graphitePort", "repeater", "repeaterProtocol", "flushInterval":
		case "graphite":
			r.report(f, "graphite: names differ: binnacle writes NAME_total for counters and quantiles for timers, without stats. and stats.timers.; ship.graphite.prefix and view.rename set names")
		case "percentThreshold", "histogram", "timers":
			r.report(f, "%s: no counterpart: distributions keep all quantiles within about 2 %%", key)
		case "deleteIdleStats", "deleteGauges", "deleteTimers", "deleteSets", "deleteCounters":
			r.report(f, "%s: no counterpart: collect.statsd.keep and expire say when idle series end", key)
		case "mgmt_port", "mgmt_address":
			r.report(f, "%s: no counterpart: `binnacle status` and the pages show what the management interface tells", key)
		default:
			r.report(f, "%s: no counterpart", key)
		}
	}
	return nil
}

func (r *Result) statsdBackends(f File, top map[string]any) {
	backends := list(top["backends"])
	if len(backends) == 0 {
		backends = []any{"./backends/graphite"}
	}
	every := ""
	if v, ok := number(top["flushInterval"]); ok && v >= 1000 && v <= 600_000 {
		every = fmt.Sprintf("%gs", v/1000)
	} else if top["flushInterval"] != nil {
		r.report(f, "flushInterval: %v ms is outside 1 s to 10 min", top["flushInterval"])
	}
	for _, b := range backends {
		switch name := text(b); filepath.Base(name) {
		case "graphite":
			h := text(top["graphiteHost"])
			if h == "" {
				r.report(f, "backend graphite: left out: graphiteHost is not set")
				continue
			}
			o := map[string]any{"address": net.JoinHostPort(h, firstText(text(top["graphitePort"]), "2003"))}
			if every != "" {
				o["queue"] = map[string]any{"every": every}
				if every == "1s" {
					o["queue"] = map[string]any{"every": every, "deadline": every}
				}
			}
			if v, ok := number(top["flushInterval"]); ok && v < 9000 {
				o["queue"] = map[string]any{"every": every, "deadline": every}
			}
			r.ship(f, "graphite", name, o)
		case "repeater":
			for i, one := range list(top["repeater"]) {
				m, _ := one.(map[string]any)
				if strings.Contains(text(top["repeaterProtocol"]), "tcp") {
					r.report(f, "repeater[%d]: left out: ship.statsd sends by UDP", i)
					continue
				}
				r.ship(f, "statsd", fmt.Sprintf("repeater-%d", i+1), map[string]any{"address": net.JoinHostPort(text(m["host"]), firstText(text(m["port"]), "8125")), "flavor": "datadog"})
				r.once(f, "repeater: what was aggregated is sent on, in place of each packet")
			}
		default:
			r.report(f, "backend %s: no counterpart", name)
		}
	}
}

func number(v any) (float64, bool) {
	switch v := v.(type) {
	case int:
		return float64(v), true
	case int64:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}
