// Package login is how one of our HTTP clients shows a server who it is, and knows whom it talks to.
package login

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"os"

	"github.com/navcloud/binnacle/agent/secret"
)

// Options are part of the configuration of whatever calls a server. The zero Options show nothing, and trust the system's
// authorities.
type Options struct {
	Username string        `yaml:"username"` // basic authentication, with the password
	Password secret.Secret `yaml:"password"`
	Bearer   secret.Secret `yaml:"bearer"`    // token, in place of basic authentication
	CAFile   string        `yaml:"ca_file"`   // PEM, trusted besides the system's authorities
	CertFile string        `yaml:"cert_file"` // PEM, a client's certificate, with the key; read anew with each connection
	KeyFile  string        `yaml:"key_file"`
}

// Validate says all that is wrong.
func (o Options) Validate() error {
	var errs []error
	if (o.Username == "") != o.Password.IsZero() {
		errs = append(errs, errors.New("username: want it with password, or neither"))
	}
	if o.Username != "" && !o.Bearer.IsZero() {
		errs = append(errs, errors.New("bearer: want it or username, not both"))
	}
	if (o.CertFile == "") != (o.KeyFile == "") {
		errs = append(errs, errors.New("cert_file: want it with key_file, or neither"))
	}
	return errors.Join(errs...)
}

// Header returns what to put on a request, as net/http takes away itself where another host redirects it to.
func (o Options) Header() http.Header {
	h := http.Header{}
	switch {
	case o.Username != "":
		h.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(o.Username+":"+o.Password.Reveal())))
	case !o.Bearer.IsZero():
		h.Set("Authorization", "Bearer "+o.Bearer.Reveal())
	}
	return h
}

// TLS returns the settings of a connection, nil where the system's do. A file that can't be used is an error.
func (o Options) TLS() (*tls.Config, error) {
	if o.CAFile == "" && o.CertFile == "" {
		return nil, nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if o.CAFile != "" {
		pem, err := os.ReadFile(o.CAFile)
		if err != nil {
			return nil, fmt.Errorf("ca_file: %w", err)
		}
		if c.RootCAs, err = x509.SystemCertPool(); err != nil {
			c.RootCAs = x509.NewCertPool()
		}
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("ca_file: %s holds no certificate", o.CAFile)
		}
	}
	if o.CertFile != "" {
		if _, err := tls.LoadX509KeyPair(o.CertFile, o.KeyFile); err != nil {
			return nil, fmt.Errorf("cert_file: %w", err)
		}
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			cert, err := tls.LoadX509KeyPair(o.CertFile, o.KeyFile)
			return &cert, err
		}
	}
	return c, nil
}

// Transport returns one of its own that uses TLS.
func (o Options) Transport() (*http.Transport, error) {
	c, err := o.TLS()
	if err != nil {
		return nil, err
	}
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.TLSClientConfig = c
	return t, nil
}
