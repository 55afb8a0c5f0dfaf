package collectors

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"

	"github.com/navcloud/binnacle/agent/login"
)

// Trusting returns rt as it is where caFile is empty. Else its connections trust the authorities of that PEM file besides
// the system's; its error is a file that cannot be used. What is no transport of net/http, such as a fixture, stays.
func Trusting(rt http.RoundTripper, caFile string) (http.RoundTripper, error) {
	if caFile == "" {
		return rt, nil
	}
	c, err := Trust(caFile)
	if err != nil {
		return nil, err
	}
	t, ok := rt.(*http.Transport)
	if !ok {
		return rt, nil
	}
	t = t.Clone()
	t.TLSClientConfig = c
	return t, nil
}

// Trust returns the settings of a connection that trusts the authorities of caFile besides the system's.
func Trust(caFile string) (*tls.Config, error) {
	c, err := login.Options{CAFile: caFile}.TLS()
	if c == nil && err == nil {
		c = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	return c, err
}

// TrustAt returns how the certificate of a listener at an address is checked. Its name is not, where that is of this machine: it
// is made for the names that clients use. The chain is.
func TrustAt(address, caFile string) (*tls.Config, error) {
	c, err := Trust(caFile)
	if err != nil {
		return nil, err
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	c.ServerName = host
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return c, nil
	}
	roots := c.RootCAs
	c.InsecureSkipVerify = true // by itself: VerifyConnection checks the chain
	c.VerifyConnection = func(s tls.ConnectionState) error {
		if len(s.PeerCertificates) == 0 {
			return errors.New("it has no certificate")
		}
		between := x509.NewCertPool()
		for _, cert := range s.PeerCertificates[1:] {
			between.AddCert(cert)
		}
		_, err := s.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: between})
		return err
	}
	return c, nil
}

// IsTLS reports whether err is of the handshake: a certificate that is not trusted, of another name or expired, or a server
// that speaks no TLS. Somebody listens there, and we may not talk to them.
func IsTLS(err error) bool {
	var cert *tls.CertificateVerificationError
	var unknown x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	var record tls.RecordHeaderError
	var alert tls.AlertError
	return errors.As(err, &cert) || errors.As(err, &unknown) || errors.As(err, &host) || errors.As(err, &invalid) ||
		errors.As(err, &record) || errors.As(err, &alert)
}
