package door

import (
	"net"
	"net/netip"
	"net/url"
	"os"
	"strings"
)

// hosts are the names under which this agent answers. A browser that was led here under another name, by a DNS entry
// that its owner changed, takes that owner's page and the agent for one site (DNS rebinding); the name gives it away.
type hosts map[string]bool

func newHosts(c Config) hosts {
	h := hosts{"localhost": true}
	add := func(name string) {
		if name = canonical(name); name != "" {
			h[name] = true
			if short, _, ok := strings.Cut(name, "."); ok && !isAddress(name) {
				h[short] = true
			}
		}
	}
	if name, err := os.Hostname(); err == nil {
		add(name)
		// The resolver's own files alone: a name server that is away must not delay the start.
		if text, err := os.ReadFile("/etc/hosts"); err == nil {
			for _, alias := range aliases(string(text), canonical(name)) {
				add(alias)
			}
		}
	}
	if u, err := url.Parse(c.ExternalURL); err == nil && u.Host != "" {
		h[canonical(u.Hostname())] = true
	}
	for _, name := range c.Hosts {
		h[canonical(name)] = true
	}
	return h
}

// aliases are the names that /etc/hosts has on the lines of name.
func aliases(text, name string) (out []string) {
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		fields := strings.Fields(line)
		for _, f := range fields[min(1, len(fields)):] {
			if canonical(f) == name {
				out = append(out, fields[1:]...)
				break
			}
		}
	}
	return out
}

func canonical(name string) string {
	return strings.ToLower(strings.TrimSuffix(strings.Trim(name, "[]"), "."))
}

func isAddress(name string) bool {
	_, err := netip.ParseAddr(strings.Trim(name, "[]"))
	return err == nil
}

// knows says whether the agent answers under the host of a request, with or without a port. certified says whether
// the agent's certificate holds a name: who could lead a browser here under it would own the name.
func (h hosts) knows(host string, certified func(name string) bool) bool {
	if host == "" {
		return true // HTTP/1.0, which no browser speaks
	}
	name := host
	if n, _, err := net.SplitHostPort(host); err == nil {
		name = n
	}
	name = canonical(name)
	return isAddress(name) || h[name] || strings.HasSuffix(name, ".localhost") || certified != nil && certified(name)
}
