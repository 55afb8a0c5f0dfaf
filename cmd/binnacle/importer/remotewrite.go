package importer

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// remoteWrite takes one destination of samples. One whose login cannot be carried over is left out: it would be refused.
func (r *Result) remoteWrite(f File, name string, m map[string]any) {
	at := "remote_write " + name
	absolute(filepath.Dir(f.Path), m)
	out := map[string]any{"url": m["url"]}
	for _, key := range sorted(m) {
		switch key {
		case "url", "name":
		case "headers":
			out["headers"] = m[key]
		case "protobuf_message":
			if strings.Contains(text(m[key]), "v2") {
				out["version"] = 2
			} else {
				out["version"] = 1
			}
		case "remote_timeout":
			r.report(f, "%s.%s: no counterpart: a flush has a deadline, queue.deadline", at, key)
		case "write_relabel_configs":
			r.view(f, at, out, list(m[key]))
		case "queue_config", "metadata_config", "send_exemplars", "send_native_histograms", "follow_redirects", "enable_http2", "round_robin_dns":
			r.report(f, "%s.%s: no counterpart: binnacle's queue, spool and connections have settings of their own", at, key)
		default:
			if why := r.login(out, key, m[key]); why != "" {
				r.report(f, "%s: left out: %s: %s", at, key, why)
				return
			}
		}
	}
	loginOut(out, "url", "username")
	// What an agent refuses is said of the values, which the files of secrets do not hold yet.
	if err := fits(map[string]any{"ship": map[string]any{"remote_write": out}}); err != nil {
		r.report(f, "%s: left out: %v", at, err)
		return
	}
	if why := missing(out); why != "" {
		r.report(f, "%s: left out: %s", at, why)
		return
	}
	for _, k := range []string{"password", "bearer"} {
		if v, ok := out[k].(string); ok {
			out[k] = r.hide("ship-"+name+"-"+k, v)
		}
	}
	for _, at := range [][2]string{{"oauth2", "client_secret"}, {"sigv4", "secret_access_key"}} {
		if m := section(out, at[0]); m[at[1]] != nil {
			m[at[1]] = r.hide("ship-"+name+"-"+at[1], text(m[at[1]]))
		}
	}
	if headers := section(out, "headers"); headers != nil {
		hidden := map[string]any{}
		for k, v := range headers {
			hidden[k] = r.hide("ship-"+name+"-"+k, text(v))
		}
		out["headers"] = hidden
	}
	r.shipAs(f, "remote_write", name, out)
	r.once(f, "remote_write: binnacle sends what it collects from its first start on, beside Prometheus: comment these destinations out until you switch, where samples cost")
}

// login puts what shows who sends into options; why says what cannot be carried over.
func (r *Result) login(out map[string]any, key string, v any) (why string) {
	m, _ := v.(map[string]any)
	switch key {
	case "basic_auth":
		out["username"] = m["username"]
		for _, k := range sorted(m) {
			switch k {
			case "username":
			case "username_file":
				out["username"] = "${file:" + text(m[k]) + "}"
			case "password":
				out["password"] = m[k]
			case "password_file":
				out["password"] = "${file:" + text(m[k]) + "}"
			}
		}
	case "authorization":
		if t := text(m["type"]); t != "" && !strings.EqualFold(t, "Bearer") {
			return "type " + t + " has no counterpart"
		}
		out["bearer"] = m["credentials"]
		if p := text(m["credentials_file"]); p != "" {
			out["bearer"] = "${file:" + p + "}"
		}
	case "bearer_token":
		out["bearer"] = v
	case "bearer_token_file":
		out["bearer"] = "${file:" + text(v) + "}"
	case "tls_config":
		for _, k := range sorted(m) {
			switch k {
			case "ca_file", "cert_file", "key_file":
				out[k] = m[k]
			default:
				return k + " has no counterpart: binnacle verifies the server's certificate against ca_file"
			}
		}
	case "oauth2":
		for _, k := range sorted(m) {
			if !slices.Contains([]string{"client_id", "client_secret", "client_secret_file", "token_url", "scopes", "endpoint_params"}, k) {
				return k + " has no counterpart"
			}
		}
		if p := text(m["client_secret_file"]); p != "" {
			delete(m, "client_secret_file")
			m["client_secret"] = "${file:" + p + "}"
		}
		out[key] = m
	case "sigv4":
		to := map[string]string{"region": "region", "access_key": "access_key_id", "secret_key": "secret_access_key", "profile": "profile", "role_arn": "role_arn", "external_id": "external_id"}
		sign := map[string]any{"enabled": true, "service": "aps"}
		for _, k := range sorted(m) {
			if to[k] == "" {
				return k + " has no counterpart"
			}
			sign[to[k]] = m[k]
		}
		out[key] = sign
	case "google_iam":
		out[key] = map[string]any{"scope": "https://www.googleapis.com/auth/monitoring.write"}
		if p := text(m["credentials_file"]); p != "" {
			put(out, p, key, "credentials_file")
		}
	default:
		return "no counterpart"
	}
	return ""
}

// plainNames is an expression that names metrics: names, and beginnings of names.
var plainNames = regexp.MustCompile(`^\(?\^?[A-Za-z_:][A-Za-z0-9_:]*(\.\*|\.\+)?(\|[A-Za-z_:][A-Za-z0-9_:]*(\.\*|\.\+)?)*\$?\)?$`)

// view takes relabelling that keeps or drops metrics by name, or drops labels.
func (r *Result) view(f File, at string, out map[string]any, all []any) {
	for i, one := range all {
		m, _ := one.(map[string]any)
		action, expr := firstText(text(m["action"]), "replace"), text(m["regex"])
		from := list(m["source_labels"])
		byName := len(from) == 1 && text(from[0]) == "__name__" && plainNames.MatchString(expr)
		switch {
		case action == "drop" && byName:
			out["view"] = added(out["view"], "exclude", globs(expr))
		case action == "keep" && byName && (section(out, "view") == nil || section(out, "view")["include"] == nil):
			out["view"] = added(out["view"], "include", globs(expr))
		case action == "labeldrop" && regexp.MustCompile(`^[A-Za-z0-9_]+(\|[A-Za-z0-9_]+)*$`).MatchString(expr):
			var names []any
			for _, n := range strings.Split(expr, "|") {
				names = append(names, n)
			}
			out["view"] = added(out["view"], "drop_labels", names)
		default:
			r.report(f, "%s.write_relabel_configs[%d]: %s: no counterpart: view.include, exclude, rename and drop_labels choose by name", at, i, action)
		}
	}
}

func globs(expr string) (out []any) {
	expr = strings.Trim(expr, "()^$")
	for _, n := range strings.Split(expr, "|") {
		out = append(out, strings.NewReplacer(".*", "*", ".+", "?*").Replace(n))
	}
	return out
}

func added(view any, key string, values []any) map[string]any {
	m, _ := view.(map[string]any)
	if m == nil {
		m = map[string]any{}
	}
	have, _ := m[key].([]any)
	m[key] = append(have, values...)
	return m
}
