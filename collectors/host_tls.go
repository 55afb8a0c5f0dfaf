package collectors

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/navcloud/binnacle/agent/metric"
)

// Source: RFC 7468 (the text form), RFC 5280 section 4.1.2.5 (validity).
var hostTLSNotAfter = &metric.Desc{
	Name: "host_tls_not_after_timestamp_seconds", Unit: metric.Seconds,
	Help: "When the first certificate in the file to expire does so, since 1970",
}

// hostTLSOptions is the section of the configuration.
type hostTLSOptions struct {
	Paths []string `yaml:"paths"` // PEM files, with * and ? as in a shell
}

func init() {
	register(Spec{
		Name:     "host_tls",
		Options:  hostTLSOptions{},
		Interval: time.Minute,
		Metrics:  []*metric.Desc{hostTLSNotAfter},
		New: func(e Env) (Collector, error) {
			return hostTLS{hostFS(e.Root), e.Options.(hostTLSOptions).Paths}, nil
		},
	})
}

type hostTLS struct {
	fs    hostFS
	paths []string
}

// Collect reads the files that the configuration names, some 100 µs a certificate; without any it does nothing.
func (c hostTLS) Collect(_ context.Context, b *metric.Batch) error {
	var errs []error
	for _, pattern := range c.paths {
		names := c.fs.glob(pattern)
		if len(names) == 0 {
			errs = append(errs, Blind("missing", fmt.Errorf("%s: %w", pattern, fs.ErrNotExist)))
		}
		for _, name := range names {
			until, err := c.notAfter(name)
			if err != nil {
				errs = append(errs, err)
				continue
			}
			b.Add(hostTLSNotAfter, float64(until.Unix()), "path", "/"+name)
		}
	}
	return errors.Join(errs...)
}

func (c hostTLS) notAfter(name string) (first time.Time, err error) {
	text, err := c.fs.read(name)
	if errors.Is(err, fs.ErrPermission) {
		return first, Blind("permission", err)
	}
	if err != nil {
		return first, err
	}
	for rest := []byte(text); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return first, Blind("parse", fmt.Errorf("/%s: %w", name, err))
		}
		if first.IsZero() || cert.NotAfter.Before(first) {
			first = cert.NotAfter
		}
	}
	if first.IsZero() {
		return first, Blind("parse", fmt.Errorf("/%s: want a PEM certificate, found none", name))
	}
	return first, nil
}
