package probe

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/navcloud/binnacle/agent/secret"
	"github.com/navcloud/binnacle/collectors"
)

// Options are the section collect.probe: probes by name.
type Options map[string]Probe

// Probe asks one endpoint, as its users do.
type Probe struct {
	HTTP     string        `yaml:"http"`     // URL, or one of the next four
	TCP      string        `yaml:"tcp"`      // host:port that accepts connections
	TLS      string        `yaml:"tls"`      // host:port with a certificate
	DNS      string        `yaml:"dns"`      // name that is looked up
	ICMP     string        `yaml:"icmp"`     // host that answers echo requests
	From     string        `yaml:"from"`     // zone or outside: where this agent stands; zone
	Service  string        `yaml:"service"`  // whose users it speaks for: the label service
	Interval time.Duration `yaml:"interval"` // 5s to 24h; 15s
	Timeout  time.Duration `yaml:"timeout"`  // 100ms to 1m, at most interval; 5s

	Method    string                   `yaml:"method"`    // http: GET, HEAD or POST; GET
	Headers   map[string]secret.Secret `yaml:"headers"`   // http
	User      string                   `yaml:"user"`      // http: of its login
	Password  secret.Secret            `yaml:"password"`  // http
	Status    []int                    `yaml:"status"`    // http: those that are well; 200 to 399
	Body      string                   `yaml:"body"`      // http: RE2 that the first 256 kB of the answer match
	Redirects *int                     `yaml:"redirects"` // http: how many are followed; 0 to 10; 5
	CAFile    string                   `yaml:"ca_file"`   // http, tls: of the certificate; the system's where there is none

	Server string `yaml:"server"` // dns: host:port that is asked; the system's where there is none
	Type   string `yaml:"type"`   // dns: A, AAAA, CNAME, MX, NS or TXT; A
	Answer string `yaml:"answer"` // dns: RE2 that one of the answers matches
}

// Kinds of a probe.
const (
	kindHTTP = "http"
	kindTCP  = "tcp"
	kindTLS  = "tls"
	kindDNS  = "dns"
	kindICMP = "icmp"
)

var types = []string{"A", "AAAA", "CNAME", "MX", "NS", "TXT"}

func (p Probe) withDefaults() Probe {
	if p.From == "" {
		p.From = "zone"
	}
	if p.Interval == 0 {
		p.Interval = 15 * time.Second
	}
	if p.Timeout == 0 {
		p.Timeout = min(5*time.Second, p.Interval)
	}
	if p.Method == "" {
		p.Method = "GET"
	}
	if p.Type == "" {
		p.Type = "A"
	}
	if p.Redirects == nil {
		five := 5
		p.Redirects = &five
	}
	return p
}

// what is the kind of a probe and its target; the kind is empty where there is none, or more than one.
func (p Probe) what() (kind, target string) {
	for _, k := range [][2]string{{kindHTTP, p.HTTP}, {kindTCP, p.TCP}, {kindTLS, p.TLS}, {kindDNS, p.DNS}, {kindICMP, p.ICMP}} {
		if k[1] == "" {
			continue
		}
		if kind != "" {
			return "", ""
		}
		kind, target = k[0], k[1]
	}
	return kind, target
}

// Validate says what is out of bounds.
func (o Options) Validate() error {
	return collectors.Named(o, func(p Probe) []error { return p.withDefaults().faults() })
}

func (p Probe) faults() (out []error) {
	bad := func(format string, args ...any) { out = append(out, fmt.Errorf(format, args...)) }
	kind, target := p.what()
	switch kind {
	case "":
		bad("http: want one of http, tcp, tls, dns, icmp")
	case kindHTTP:
		u, err := url.Parse(target)
		switch {
		case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
			bad("http: want http:// or https:// and a host") // the text may hold a password
		case u.User != nil:
			bad("http: user and password belong into user and password")
		}
	case kindTCP, kindTLS:
		if _, port, err := net.SplitHostPort(target); err != nil || port == "" {
			bad("%s: want host:port, have %q", kind, target)
		}
	}
	if p.Server != "" {
		if _, port, err := net.SplitHostPort(p.Server); err != nil || port == "" {
			bad("server: want host:port, have %q", p.Server)
		}
	}
	if p.From != "zone" && p.From != "outside" {
		bad("from: %q is neither zone nor outside", p.From)
	}
	if p.Interval < 5*time.Second || p.Interval > 24*time.Hour {
		bad("interval: %v is outside 5s to 24h", p.Interval)
	}
	if p.Timeout < 100*time.Millisecond || p.Timeout > min(time.Minute, p.Interval) {
		bad("timeout: %v is outside 100ms to 1m and interval (%v)", p.Timeout, p.Interval)
	}
	if !slices.Contains([]string{"GET", "HEAD", "POST"}, p.Method) {
		bad("method: %q is none of GET, HEAD, POST", p.Method)
	}
	if !slices.Contains(types, p.Type) {
		bad("type: %q is none of %s", p.Type, strings.Join(types, ", "))
	}
	if *p.Redirects < 0 || *p.Redirects > 10 {
		bad("redirects: %d is outside 0 to 10", *p.Redirects)
	}
	for _, s := range p.Status {
		if s < 100 || s > 599 {
			bad("status: %d is outside 100 to 599", s)
		}
	}
	for key, text := range map[string]string{"body": p.Body, "answer": p.Answer} {
		if _, err := regexp.Compile(text); err != nil {
			bad("%s: %v", key, err)
		}
	}
	if p.CAFile != "" {
		if _, err := os.Stat(p.CAFile); err != nil {
			bad("ca_file: %v", err)
		}
	}
	return out
}
