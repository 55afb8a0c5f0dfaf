package riak

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"
)

// tlsEvery is how often certificates are read: each check is a handshake.
const tlsEvery = 5 * time.Minute

// askTLS shakes hands with each listener of the option tls and tells when its certificate ends.
func (r *collector) askTLS(ctx context.Context) (func(output), error) {
	until := map[string]time.Time{}
	var errs []error
	for _, address := range r.opt.TLS {
		t, err := r.notAfter(ctx, address)
		if err != nil {
			errs = append(errs, fmt.Errorf("tls: %s: %w", address, err))
			continue
		}
		until[address] = t
	}
	if len(until) == 0 {
		return nil, errors.Join(errs...)
	}
	return func(o output) {
		for address, t := range until {
			o.add(descTLSNotAfter, float64(t.Unix()), "listener", address)
		}
	}, errors.Join(errs...)
}

// notAfter returns when the first certificate of a listener's chain to end does so. Nothing is sent over the connection,
// so whom it belongs to does not matter here: clients check that.
func (r *collector) notAfter(ctx context.Context, address string) (first time.Time, err error) {
	u, err := url.Parse(address)
	if err != nil {
		return first, err
	}
	raw, err := r.env.Dial(ctx, "tcp", u.Host)
	if err != nil {
		return first, err
	}
	defer func() { _ = raw.Close() }()
	defer context.AfterFunc(ctx, func() { _ = raw.SetDeadline(time.Unix(0, 0)) })()
	if u.Scheme == "pb" {
		if err := startTLS(raw); err != nil {
			return first, err
		}
	}
	c := tls.Client(raw, &tls.Config{InsecureSkipVerify: true, ServerName: u.Hostname()})
	if err := c.HandshakeContext(ctx); err != nil {
		return first, err
	}
	for _, cert := range c.ConnectionState().PeerCertificates {
		if first.IsZero() || cert.NotAfter.Before(first) {
			first = cert.NotAfter
		}
	}
	if first.IsZero() {
		return first, errors.New("it has no certificate")
	}
	return first, nil
}

// startTLS asks a protocol-buffer listener for TLS.
func startTLS(c net.Conn) error {
	code, text, err := pbExchange(c, pbStartTLS, nil)
	if err == nil && code != pbStartTLS {
		err = fmt.Errorf("asked for TLS, it answers code %d %.80q", code, text)
	}
	return err
}
