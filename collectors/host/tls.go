package host

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/collectors"
)

// Source: RFC 7468 (the text form), RFC 5280 section 4.1.2.5 (validity).
var descTLSNotAfter = &metric.Desc{
	Name: "host_tls_not_after_timestamp_seconds", Unit: metric.Seconds,
	Help: "When the first certificate in the file to expire does so, since 1970",
}

// tlsOptions is the section of the configuration.
type tlsOptions struct {
	Paths []string `yaml:"paths"` // PEM files, with * and ? as in a shell
}

var tlsSpec = collectors.Spec{
	Name:     "host_tls",
	Options:  tlsOptions{},
	Interval: time.Minute,
	Metrics:  []*metric.Desc{descTLSNotAfter},
	New: func(e collectors.Env) (collectors.Collector, error) {
		return tlsCollector{e.Root, e.Options.(tlsOptions).Paths}, nil
	},
}

type tlsCollector struct {
	fs    collectors.Root
	paths []string
}

// Collect reads the files that the configuration names, some 100 µs a certificate; without any it does nothing.
func (c tlsCollector) Collect(_ context.Context, b *metric.Batch) error {
	var errs []error
	for _, pattern := range c.paths {
		names := c.fs.Glob(pattern)
		if len(names) == 0 {
			errs = append(errs, collectors.Part(pattern, collectors.Blind("missing", fmt.Errorf("%s: %w", pattern, fs.ErrNotExist))))
		}
		for _, name := range names {
			until, err := c.notAfter(name)
			if err != nil {
				errs = append(errs, collectors.Part("/"+name, err))
				continue
			}
			b.Add(descTLSNotAfter, float64(until.Unix()), "path", "/"+name)
		}
	}
	return errors.Join(errs...)
}

func (c tlsCollector) notAfter(name string) (first time.Time, err error) {
	text, err := c.fs.Read(name)
	if errors.Is(err, fs.ErrPermission) {
		return first, collectors.Blind("permission", err)
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
			return first, collectors.Blind("parse", fmt.Errorf("/%s: %w", name, err))
		}
		if first.IsZero() || cert.NotAfter.Before(first) {
			first = cert.NotAfter
		}
	}
	if first.IsZero() {
		return first, collectors.Blind("parse", fmt.Errorf("/%s: want a PEM certificate, found none", name))
	}
	return first, nil
}
