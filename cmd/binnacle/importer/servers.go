package importer

import (
	"fmt"
	"net/url"
	"strings"
)

// servers adds those that a check asks, each with the login of the check.
func (r *Result) servers(f File, at, system string, urls []any, m map[string]any) {
	for _, u := range urls {
		s, err := serverOf(system, env(text(u)))
		if err != nil {
			r.report(f, "%s: left out: %v", at, err)
			continue
		}
		if user := text(m["username"]); user != "" {
			s["user"] = env(user)
		}
		if pw := text(m["password"]); pw != "" {
			s["password"] = env(pw)
		}
		if system == "rabbitmq" || system == "riak" { // one of a node
			if get(r.Config, "collect", system) != nil {
				r.report(f, "%s: %s: left out: binnacle watches the node that it runs on: install it there", at, text(u))
				continue
			}
			if err := fits(map[string]any{"collect": map[string]any{system: s}}); err != nil {
				r.report(f, "%s: left out: %v", at, err)
				continue
			}
			if pw := text(s["password"]); pw != "" {
				s["password"] = r.hide(system+"-password", pw)
			}
			put(r.Config, s, "collect", system)
			continue
		}
		r.server(f, system, at, s)
	}
	if len(urls) == 0 {
		r.report(f, "%s: no server is named: the one on this machine is found by itself", at)
	}
	r.left(f, at, m, "servers", "urls", "url", "unix_sockets", "username", "password")
}

// serverOf is where a server answers, with the login that its address holds taken out.
func serverOf(system, address string) (map[string]any, error) {
	if system == "mysql" && strings.Contains(address, "(") { // user:password@tcp(host:port)/?tls=false
		login, rest, _ := strings.Cut(address, "@")
		if rest == "" {
			login, rest = "", login
		}
		proto, rest, _ := strings.Cut(rest, "(")
		host, _, _ := strings.Cut(rest, ")")
		address = firstText(proto, "tcp") + "://" + host
		if user, pw, ok := strings.Cut(login, ":"); ok {
			return map[string]any{"url": address, "user": user, "password": pw}, nil
		}
		return map[string]any{"url": address}, nil
	}
	if strings.HasPrefix(address, "/") {
		address = "unix://" + address
	}
	if !strings.Contains(address, "://") {
		address = map[string]string{"riak": "http", "rabbitmq": "http", "nginx": "http", "apache": "http", "elasticsearch": "http"}[system] + "://" + address
		if strings.HasPrefix(address, "://") {
			address = "tcp" + address
		}
	}
	u, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("%s: want a URL", system)
	}
	out := map[string]any{}
	if u.User != nil {
		if user := u.User.Username(); user != "" {
			out["user"] = user
		}
		if pw, ok := u.User.Password(); ok {
			out["password"] = pw
		}
		u.User = nil
	}
	out["url"] = strings.Replace(u.String(), "$%7Benv:", "${env:", 1)
	return out, nil
}
