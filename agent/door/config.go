package door

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
)

// Config says who may come in. The zero Config is a door without logins: this machine may do all, others read and send.
type Config struct {
	// ConfigFile is the exporter-toolkit web-config file: TLS, client certificates and passwords.
	ConfigFile string `yaml:"config_file"`
	// ExternalURL is how people reach the board, for the links in pages.
	ExternalURL string `yaml:"external_url"`
	// RoutePrefix is the path under which a proxy serves the agent, such as /binnacle; the path of external_url when empty.
	RoutePrefix string `yaml:"route_prefix"`
	// Act names who may acknowledge, silence and escalate; the others read. Empty: all who can log in.
	Act []string `yaml:"act"`
	// Agents names the logins that only send: alarms, samples, results. They read and do not act.
	Agents []string `yaml:"agents"`
	// Hosts are further names under which the agent is reached. Its addresses, localhost, this machine's names, those
	// of its certificate and of external_url are known.
	Hosts []string `yaml:"hosts"`
	// TokensFile holds what `binnacle token` makes; empty: tokens.yaml in the data folder.
	TokensFile string `yaml:"tokens_file"`
	Proxy      Proxy  `yaml:"proxy"`
	CORS       CORS   `yaml:"cors"`
}

// Proxy is one that logs people in and passes their names on in a header.
type Proxy struct {
	From   []string `yaml:"from"`   // its addresses, as 10.0.0.5 or 10.0.0.0/24; nobody else is believed
	Header string   `yaml:"header"` // that holds the login; X-Forwarded-User when empty
}

// defaultHeader is what oauth2-proxy and most others set.
const defaultHeader = "X-Forwarded-User"

func (p Proxy) header() string {
	if p.Header == "" {
		return defaultHeader
	}
	return http.CanonicalHeaderKey(p.Header)
}

func (p Proxy) prefixes() ([]netip.Prefix, error) {
	var out []netip.Prefix
	var errs []error
	for _, text := range p.From {
		if a, err := netip.ParseAddr(text); err == nil {
			out = append(out, netip.PrefixFrom(a, a.BitLen()))
			continue
		}
		pre, err := netip.ParsePrefix(text)
		if err != nil {
			errs = append(errs, fmt.Errorf("from: want an address or a network like 10.0.0.0/24, have %q", text))
			continue
		}
		out = append(out, pre.Masked())
	}
	return out, errors.Join(errs...)
}

// Validate reports all that is wrong, the files that Config names included.
func (c Config) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if c.ConfigFile != "" {
		if _, err := readWebFile(c.ConfigFile); err != nil {
			bad("config_file: %w", err)
		}
	}
	if c.TokensFile != "" {
		if _, err := readTokens(c.TokensFile); err != nil {
			bad("tokens_file: %w", err)
		}
	}
	if u, err := url.Parse(c.ExternalURL); c.ExternalURL != "" && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
		bad("external_url: want http:// or https:// and a host")
	}
	if err := checkPrefix(c.RoutePrefix); err != nil {
		errs = append(errs, err)
	}
	if _, err := c.Proxy.prefixes(); err != nil {
		bad("proxy.%w", err)
	}
	if c.Proxy.Header != "" && len(c.Proxy.From) == 0 {
		bad("proxy.header: want from, the proxy's addresses: a header alone proves nothing")
	}
	if len(c.Act) > 0 && c.ConfigFile == "" && c.TokensFile == "" && len(c.Proxy.From) == 0 {
		bad("act: nobody is known by name: set web.config_file with basic_auth_users or client certificates, tokens_file or proxy (web.act)")
	}
	for _, name := range c.Agents {
		if slices.Contains(c.Act, name) {
			bad("agents: %q is in act as well, which includes it", name)
		}
	}
	for _, h := range c.Hosts {
		if h == "" || strings.ContainsAny(h, "/: ") && net.ParseIP(strings.Trim(h, "[]")) == nil {
			bad("hosts: want a name without scheme and port, have %q", h)
		}
	}
	return errors.Join(errs...)
}

// Clear errs where passwords would cross the network in the clear.
func (c Config) Clear() error {
	if c.ConfigFile == "" {
		return nil
	}
	f, err := readWebFile(c.ConfigFile)
	if err != nil {
		return nil // which Validate says
	}
	if len(f.users) > 0 && f.config == nil {
		return fmt.Errorf("web.config_file: %s has no tls_server_config: passwords would cross the network in the clear", c.ConfigFile)
	}
	return nil
}

// Secure says whether the agent serves TLS.
func (c Config) Secure() bool {
	if c.ConfigFile == "" {
		return false
	}
	f, err := readWebFile(c.ConfigFile)
	return err == nil && f.config != nil
}

// Advice is what an operator may want to know of a configuration that is good.
func (c Config) Advice() (out []string) {
	if c.ConfigFile != "" {
		if f, err := readWebFile(c.ConfigFile); err == nil && f.weak != "" {
			out = append(out, fmt.Sprintf("web.config_file: client_auth_type %s verifies nothing elsewhere; binnacle verifies certificates against client_ca_file all the same", f.weak))
		}
	}
	if len(c.Act) > 0 && len(c.Agents) == 0 {
		out = append(out, "web.agents is empty: besides those in web.act only tokens (`binnacle token`) may send alarms and samples; name the logins of the fleet's nodes")
	}
	return out
}

// origin is scheme and host of the external URL; "" without one.
func (c Config) origin() string {
	u, err := url.Parse(c.ExternalURL)
	if err != nil || u.Host == "" {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

// tokens is the file of the tokens for an agent whose data are in the folder data.
func (c Config) tokens(data string) string {
	if c.TokensFile != "" || data == "" {
		return c.TokensFile
	}
	return filepath.Join(data, "tokens.yaml")
}
