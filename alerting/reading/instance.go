package reading

import (
	"net"
	"net/netip"
	"net/url"
	"strings"
)

// Address is what the value of an instance or target label is.
type Address struct {
	Kind string // url, host, socket, arn, mac, name
	Host string // without port and brackets; empty where there is none
	Port string
	Path string // of a URL, or a socket's
}

// ParseAddress reads an instance as exporters and probes write it: a URL, host:port, an IPv6 address with or without brackets
// and port, a socket, an ARN.
func ParseAddress(text string) Address {
	text = strings.TrimSpace(text)
	switch {
	case text == "":
		return Address{}
	case strings.HasPrefix(text, "arn:"):
		return Address{Kind: "arn", Path: text}
	case strings.HasPrefix(text, "/") || strings.HasPrefix(text, "unix:") || strings.HasPrefix(text, "unix@"):
		return Address{Kind: "socket", Path: strings.TrimPrefix(strings.TrimPrefix(text, "unix://"), "unix:")}
	case strings.Contains(text, "://"):
		if u, err := url.Parse(text); err == nil && u.Host != "" {
			return Address{Kind: "url", Host: u.Hostname(), Port: u.Port(), Path: u.RequestURI()}
		}
	}
	if ip, err := netip.ParseAddr(strings.Trim(text, "[]")); err == nil {
		return Address{Kind: "host", Host: ip.String()}
	}
	if _, err := net.ParseMAC(text); err == nil {
		return Address{Kind: "mac", Host: text}
	}
	if h, p, err := net.SplitHostPort(text); err == nil && h != "" && digits(p) {
		return Address{Kind: "host", Host: h, Port: p}
	}
	if h, path, ok := strings.Cut(text, "/"); ok && strings.Contains(h, ".") && !strings.Contains(h, " ") { // a site without a scheme
		a := ParseAddress(h)
		a.Kind, a.Path = "url", "/"+path
		return a
	}
	if strings.ContainsAny(text, " \t") {
		return Address{Kind: "name", Path: text}
	}
	return Address{Kind: "host", Host: strings.TrimSuffix(text, ".")}
}

func digits(s string) bool {
	for _, c := range s {
		if c < '0' || c > '9' {
			return false
		}
	}
	return s != ""
}

// site is what a URL's host has in common with others of one site: its last two labels, three where the second is short, as
// in example.co.uk. An address is a site of its own.
func site(host string) string {
	if _, err := netip.ParseAddr(host); err == nil {
		return host
	}
	parts := strings.Split(host, ".")
	n := 2
	if len(parts) > 2 && len(parts[len(parts)-2]) <= 3 && len(parts[len(parts)-1]) <= 2 {
		n = 3
	}
	if len(parts) <= n {
		return host
	}
	return strings.Join(parts[len(parts)-n:], ".")
}
