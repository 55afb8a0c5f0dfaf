package door

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync"

	"github.com/prometheus/exporter-toolkit/web"
	"go.yaml.in/yaml/v3"
	"golang.org/x/time/rate"

	"github.com/navcloud/binnacle/agent/strict"
)

// webConfig is a web-config file in force. The zero webConfig is no file.
type webConfig struct {
	users   map[string]string // bcrypt hashes
	headers map[string]string
	limit   *rate.Limiter
	config  *tls.Config // nil without TLS
	http2   bool
	certs   bool   // clients' certificates are verified
	weak    string // the policy of the file, where it asks for certificates and verifies none
	names   func(name string) bool
}

// guards says whether the file gives anybody a way to log in.
func (c webConfig) guards() bool { return len(c.users) > 0 || c.certs }

func (c webConfig) allow() bool { return c.limit == nil || c.limit.Allow() }

// readWebFile reads a web-config file with all that it names. The toolkit's own check comes first, so that a file is
// good here where it is good for every other exporter.
// Source: github.com/prometheus/exporter-toolkit docs/web-configuration.md, v0.20, read 30 November 2026.
func readWebFile(path string) (webConfig, error) {
	var none webConfig
	text, err := os.ReadFile(path)
	if err != nil {
		return none, err
	}
	if err := checkHashes(path, text); err != nil {
		return none, err
	}
	if err := web.Validate(path); err != nil {
		return none, fmt.Errorf("%s: %w", path, err)
	}
	c := web.Config{
		TLSConfig:  web.TLSConfig{MinVersion: tls.VersionTLS12, MaxVersion: tls.VersionTLS13},
		HTTPConfig: web.HTTPConfig{HTTP2: true},
	}
	if err := strict.Decode(text, &c); err != nil {
		return none, fmt.Errorf("%s: %w", path, err)
	}
	c.TLSConfig.SetDirectory(filepath.Dir(path))
	out := webConfig{users: map[string]string{}, headers: c.HTTPConfig.Header, http2: c.HTTPConfig.HTTP2}
	for name, hash := range c.Users {
		out.users[name] = string(hash)
	}
	if i := c.RateLimiterConfig.Interval; i > 0 {
		out.limit = rate.NewLimiter(rate.Every(i), c.RateLimiterConfig.Burst)
	}
	if !c.TLSConfig.IsEnabled() {
		return out, nil
	}
	if err := out.secure(&c.TLSConfig); err != nil {
		return none, fmt.Errorf("%s: %w", path, err)
	}
	return out, nil
}

// secure takes the TLS part. Policies that ask for a certificate and believe any are made to verify it: else a
// certificate that its holder signed would be a login.
func (c *webConfig) secure(t *web.TLSConfig) error {
	conf, err := web.ConfigToTLSConfig(t)
	if err != nil {
		return err
	}
	if conf.ClientAuth != tls.NoClientCert && conf.ClientCAs == nil {
		return fmt.Errorf("tls_server_config: client_auth_type %s without client_ca_file verifies nothing: name the authority", t.ClientAuth)
	}
	switch conf.ClientAuth {
	case tls.RequestClientCert:
		conf.ClientAuth, c.weak = tls.VerifyClientCertIfGiven, t.ClientAuth
	case tls.RequireAnyClientCert:
		conf.ClientAuth, c.weak = tls.RequireAndVerifyClientCert, t.ClientAuth
	}
	// The certificate is read once and not at each handshake, which a shortage of descriptors would fail.
	cert, err := conf.GetCertificate(nil)
	if err != nil {
		return err
	}
	if conf.GetCertificate, conf.Certificates = nil, []tls.Certificate{*cert}; cert.Leaf == nil {
		if cert.Leaf, err = x509.ParseCertificate(cert.Certificate[0]); err != nil {
			return err
		}
	}
	c.config, c.certs = conf, conf.ClientAuth != tls.NoClientCert
	c.names = func(name string) bool { return cert.Leaf.VerifyHostname(name) == nil }
	return nil
}

// webFile is the file as it was last read well.
type webFile struct{ *watched[webConfig] }

func openWebFile(path string, log *slog.Logger) (*webFile, error) {
	w, err := watch(path, log, func(path string) (webConfig, []string, error) {
		c, err := readWebFile(path)
		return c, named(path), err
	})
	return &webFile{w}, err
}

// named are the files that a web-config file names.
func named(path string) (out []string) {
	var y struct {
		TLS struct {
			Cert string `yaml:"cert_file"`
			Key  string `yaml:"key_file"`
			CA   string `yaml:"client_ca_file"`
		} `yaml:"tls_server_config"`
	}
	text, err := os.ReadFile(path)
	if err != nil || yaml.Unmarshal(text, &y) != nil {
		return nil
	}
	for _, f := range []string{y.TLS.Cert, y.TLS.Key, y.TLS.CA} {
		if f != "" && !filepath.IsAbs(f) {
			f = filepath.Join(filepath.Dir(path), f)
		}
		if f != "" {
			out = append(out, f)
		}
	}
	return out
}

// tls is what srv serves TLS with; nil where the file has none. A file that changes is in force for the next connection.
func (f *webFile) tls(srv *http.Server) *tls.Config {
	first := f.now()
	if first.config == nil {
		return nil
	}
	if !first.http2 {
		srv.TLSNextProto = map[string]func(*http.Server, *tls.Conn, http.Handler){}
	}
	var mu sync.Mutex
	var from, made *tls.Config
	return &tls.Config{MinVersion: tls.VersionTLS12, GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		mu.Lock()
		defer mu.Unlock()
		// One configuration for as long as the file is the same: its session tickets live that long.
		if c := f.now(); c.config != nil && c.config != from {
			from, made = c.config, c.config.Clone()
			made.NextProtos = []string{"http/1.1"}
			if first.http2 && srv.TLSNextProto["h2"] != nil {
				made.NextProtos = []string{"h2", "http/1.1"}
			}
		}
		return made, nil
	}}
}
