package importer

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/navcloud/binnacle/agent/secret"
	"github.com/navcloud/binnacle/alerting/pagers/receivers"
)

// am is one alertmanager.yml on its way.
type am struct {
	*Result
	file    File
	global  map[string]any
	names   map[string][]string // pagers by receiver
	pagers  map[string]any
	routes  []any
	windows map[string]any
	quiet   []any // maintenance
}

// defaults are settings of global, by the kind and the field whose place they take.
var defaults = map[string]struct{ kind, field string }{
	"smtp_from": {"email", "from"}, "smtp_smarthost": {"email", "smarthost"}, "smtp_hello": {"email", "hello"},
	"smtp_auth_username": {"email", "auth_username"}, "smtp_auth_password": {"email", "auth_password"}, "smtp_auth_password_file": {"email", "auth_password_file"},
	"smtp_auth_secret": {"email", "auth_secret"}, "smtp_auth_secret_file": {"email", "auth_secret_file"}, "smtp_auth_identity": {"email", "auth_identity"},
	"smtp_require_tls": {"email", "require_tls"}, "smtp_tls_config": {"email", "tls_config"}, "smtp_force_implicit_tls": {"email", "force_implicit_tls"},
	"slack_api_url": {"slack", "api_url"}, "slack_api_url_file": {"slack", "api_url_file"}, "slack_app_token": {"slack", "app_token"}, "slack_app_token_file": {"slack", "app_token_file"},
	"slack_app_url": {"slack", "app_url"}, "opsgenie_api_key": {"opsgenie", "api_key"}, "opsgenie_api_key_file": {"opsgenie", "api_key_file"}, "opsgenie_api_url": {"opsgenie", "api_url"},
	"victorops_api_key": {"victorops", "api_key"}, "victorops_api_key_file": {"victorops", "api_key_file"}, "victorops_api_url": {"victorops", "api_url"},
	"telegram_api_url": {"telegram", "api_url"}, "telegram_bot_token": {"telegram", "bot_token"}, "telegram_bot_token_file": {"telegram", "bot_token_file"},
	"webex_api_url": {"webex", "api_url"}, "wechat_api_url": {"wechat", "api_url"}, "wechat_api_secret": {"wechat", "api_secret"}, "wechat_api_corp_id": {"wechat", "corp_id"},
	"wechat_api_secret_file": {"wechat", "api_secret_file"}, "jira_api_url": {"jira", "api_url"}, "pagerduty_url": {"pagerduty", "url"},
	"mattermost_webhook_url": {"mattermost", "webhook_url"}, "mattermost_webhook_url_file": {"mattermost", "webhook_url_file"},
	"rocketchat_api_url": {"rocketchat", "api_url"}, "rocketchat_token": {"rocketchat", "token"}, "rocketchat_token_file": {"rocketchat", "token_file"},
	"rocketchat_token_id": {"rocketchat", "token_id"}, "rocketchat_token_id_file": {"rocketchat", "token_id_file"},
}

func (a *am) globals() {
	for _, key := range sorted(a.global) {
		if _, ok := defaults[key]; !ok && key != "http_config" {
			a.report(a.file, "global.%s: no counterpart", key)
		}
	}
}

// receivers makes a pager of each receiver's configurations.
func (a *am) receivers(all []any) {
	for _, one := range all {
		m, _ := one.(map[string]any)
		name := text(m["name"])
		a.names[name] = nil
		for _, key := range sorted(m) {
			kind, ok := strings.CutSuffix(key, "_configs")
			if !ok {
				if key != "name" {
					a.report(a.file, "receiver %s: %s: no counterpart", name, key)
				}
				continue
			}
			if kind != "pagerduty" && !slices.Contains(receivers.Kinds(), kind) {
				a.report(a.file, "receiver %s: %s: no counterpart: binnacle has no such receiver", name, key)
				continue
			}
			for i, c := range list(m[key]) {
				fields, _ := c.(map[string]any)
				a.pager(name, kind, i, fields)
			}
		}
		if len(a.names[name]) == 0 {
			a.report(a.file, "receiver %s: sends to nobody: its routes are left out, and the next route that matches gets the page", name)
		}
	}
}

var unnameable = regexp.MustCompile(`[^A-Za-z0-9._-]+`)

func (a *am) pager(receiver, kind string, i int, fields map[string]any) {
	base := strings.Trim(unnameable.ReplaceAllString(receiver, "-"), "-._")
	if base == "" || base == "default" || base == "low" || base == "pagerduty" {
		base = "to-" + base
	}
	name := base
	if len(a.names[receiver]) > 0 || i > 0 || a.pagers[name] != nil {
		name = base + "-" + kind
	}
	for n := 2; a.pagers[name] != nil; n++ {
		name = fmt.Sprintf("%s-%s-%d", base, kind, n)
	}
	fields, _ = a.filledIn(name, kind, a.filled(kind, fields)).(map[string]any)
	if kind == "pagerduty" {
		if fields = a.pagerduty(receiver, fields); fields == nil {
			return
		}
	}
	if why := unfit(kind, fields); why != "" {
		a.report(a.file, "receiver %s: %s_configs: left out: %s", receiver, kind, why)
		return
	}
	a.pagers[name] = map[string]any{kind: a.hidden(name, fields)}
	a.names[receiver] = append(a.names[receiver], name)
}

// filled are fields with what global has for those that are not there.
func (a *am) filled(kind string, fields map[string]any) map[string]any {
	out := maps.Clone(fields)
	if out == nil {
		out = map[string]any{}
	}
	for _, key := range sorted(a.global) {
		d, ok := defaults[key]
		if !ok || d.kind != kind {
			continue
		}
		base := strings.TrimSuffix(d.field, "_file")
		if out[base] == nil && out[base+"_file"] == nil {
			out[d.field] = a.global[key]
		}
	}
	if h := a.global["http_config"]; h != nil && out["http_config"] == nil && kind != "email" && kind != "pagerduty" {
		out["http_config"] = h
	}
	return out
}

// What a deployment fills in before Alertmanager reads the file.
var (
	wholly = regexp.MustCompile(`^\$(?:\{([A-Za-z_][A-Za-z0-9_]*)(?::?-[^}]*)?\}|([A-Z_][A-Z0-9_]*))$`)
	within = regexp.MustCompile(`\$\{([A-Za-z_][A-Za-z0-9_]*)(?::?-([^}]*))?\}`)
)

// filledIn is a value whose variables are taken from the environment, where they are all of it. In the middle of a text there is
// no such thing here: the text stays, with the names of its variables, and is reported.
func (a *am) filledIn(at, key string, v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for _, k := range sorted(v) {
			out[k] = a.filledIn(at+"."+k, k, v[k])
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = a.filledIn(at, key, x)
		}
		return out
	case string:
		if m := wholly.FindStringSubmatch(v); m != nil {
			return "${env:" + firstText(m[1], m[2]) + "}"
		}
		if within.MatchString(v) && !strings.Contains(v, "{{") && !strings.Contains(v, "${env:") && !strings.Contains(v, "${file:") {
			a.report(a.file, "route.pagers.%s: it has variables in the middle of a text: put their values in", at)
			v = within.ReplaceAllString(v, "$1")
		}
		if key == "smarthost" && v != "" && !strings.Contains(v, ":") {
			a.report(a.file, "route.pagers.%s: it has no port: 587 is assumed", at)
			v += ":587"
		}
		return v
	}
	return v
}

// unfit says what an agent would refuse of a pager. What is taken from elsewhere is assumed to be right.
func unfit(kind string, fields map[string]any) string {
	if kind == "pagerduty" {
		return "" // its key was looked at
	}
	part := map[string]any{"route": map[string]any{"default": "x", "pagers": map[string]any{"x": map[string]any{kind: standIns(fields)}}}}
	if err := fits(part); err != nil {
		return strings.TrimPrefix(err.Error(), "route.pagers.x: ")
	}
	return ""
}

// standIns are values with something in the place of what is taken from elsewhere.
func standIns(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for k, x := range v {
			if !strings.HasSuffix(k, "_file") {
				out[k] = standIn(k, x)
				continue
			}
			if base := strings.TrimSuffix(k, "_file"); v[base] == nil && base != "ca" && base != "cert" && base != "key" {
				out[base] = "http://x.example:1/"
			}
		}
		return out
	case string:
		if reference.FindString(v) == v && v != "" {
			return "http://x.example:1/"
		}
	}
	return v
}

// standIn is the text that stands in for a field's value, in the form that the field wants.
func standIn(key string, v any) any {
	if s, ok := v.(string); ok && key == "smarthost" && reference.FindString(s) == s && s != "" {
		return "x.example:25"
	}
	return standIns(v)
}

// pagerduty are the fields of PagerDuty that there are here; nil: there is no key.
func (a *am) pagerduty(receiver string, fields map[string]any) map[string]any {
	out := map[string]any{}
	for _, key := range sorted(fields) {
		switch key {
		case "routing_key":
			out["routing_key"] = fields[key]
		case "routing_key_file":
			out["routing_key"] = "${file:" + text(fields[key]) + "}"
		case "url":
			out["events_url"] = strings.TrimSuffix(text(fields[key]), "/v2/enqueue")
		case "service_key", "service_key_file": // said below
		default:
			a.report(a.file, "receiver %s: pagerduty_configs.%s: no counterpart: the page has fields of its own", receiver, key)
		}
	}
	old := fields["service_key"] != nil || fields["service_key_file"] != nil
	if out["routing_key"] == nil && old {
		a.report(a.file, "receiver %s: pagerduty_configs: left out: its service_key is of Events API v1: add an integration of the type Events API v2 to that service in PagerDuty, set its key here as routing_key, and import again", receiver)
		return nil
	}
	if out["routing_key"] == nil {
		a.report(a.file, "receiver %s: pagerduty_configs: left out: it has no routing_key of an Events API v2 integration", receiver)
		return nil
	}
	if key := text(out["routing_key"]); len(key) != keyLength && !strings.HasPrefix(key, "${") {
		a.report(a.file, "receiver %s: pagerduty_configs: left out: its routing_key has %d characters, and those of an Events API v2 integration have %d", receiver, len(key), keyLength)
		return nil
	}
	return out
}

// keyLength is how long PagerDuty's integration keys are. Source: PagerDuty Events API v2, read 30 November 2026.
const keyLength = 32

var secretField = regexp.MustCompile(`(^|_)(api_url|webhook_url|key|token|password|secret|credentials|user_key|client_secret)$`)

// hidden is a value with its secrets in files of their own: by the names of fields, and whatever the one redactor would hide.
func (r *Result) hidden(name string, v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for _, k := range sorted(v) {
			switch x := v[k].(type) {
			case string:
				web := k == "url" && strings.Contains(x, "://") && (strings.Contains(x, "@") || !strings.HasPrefix(name, "scrape-"))
				out[k] = r.hiddenText(name+"-"+k, x, web || secretField.MatchString(k) || strings.HasSuffix(name, "-headers") && secretVariable.MatchString(k))
			case []any:
				ofHeader := k == "values" && secretVariable.MatchString(name)
				if k == "secrets" || ofHeader || strings.HasSuffix(name, "-params") && secretVariable.MatchString(k) { // http_headers.NAME.secrets
					out[k] = r.hiddenAll(name+"-"+k, x)
				} else {
					out[k] = r.hidden(name+"-"+k, x)
				}
			default:
				if out[k] = x; k != "labels" && !strings.HasSuffix(k, "relabel_configs") { // names of others, which say nothing of secrets
					out[k] = r.hidden(name+"-"+k, x)
				}
			}
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = r.hidden(name, x)
		}
		return out
	case string:
		return r.hiddenText(name, v, false)
	}
	return v
}

// hiddenAll hides each text of a list.
func (r *Result) hiddenAll(name string, all []any) []any {
	out := make([]any, len(all))
	for i, x := range all {
		out[i] = r.hiddenText(name, text(x), true)
	}
	return out
}

// hiddenText hides a text that is a secret, or looks like one. A template is none.
func (r *Result) hiddenText(name, value string, is bool) string {
	if (is || secret.Redact(value) != value) && !strings.Contains(value, "{{") {
		return r.hide(name, value)
	}
	return value
}

func (a *am) intervals(all []any) {
	for _, one := range all {
		m, _ := one.(map[string]any)
		a.windows[text(m["name"])] = map[string]any{"time_intervals": m["time_intervals"]}
	}
}

// unlike reports what a route says that has no counterpart.
func (a *am) unlike(m map[string]any, at string) {
	for _, key := range sorted(m) {
		switch key {
		case "receiver", "routes", "match", "match_re", "matchers", "active_time_intervals", "mute_time_intervals", "continue":
		default:
			a.report(a.file, "%s.%s: no counterpart: binnacle groups by root cause and has its own waits", at, key)
		}
	}
}

// matchers are those of all three forms.
func matchers(m map[string]any) (out []string) {
	for _, x := range list(m["matchers"]) {
		out = append(out, text(x))
	}
	for _, form := range []struct{ key, op string }{{"match", "="}, {"match_re", "=~"}} {
		s := section(m, form.key)
		for _, k := range sorted(s) {
			out = append(out, fmt.Sprintf("%s%s%q", k, form.op, text(s[k])))
		}
	}
	return out
}
