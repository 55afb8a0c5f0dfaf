// Package probe asks endpoints as their users do: over HTTP, TCP, TLS, DNS and ICMP.
//
// It says how far each came, and how it failed: refused, timed out, unreachable and reset are four causes. Whether
// users notice is for rules to say, which compare the places that probes stand at.
package probe

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/collectors"
	"github.com/navcloud/binnacle/collectors/check"
)

// What a probe says. The label probe is its name, target what it asks.
var (
	descUp       = &metric.Desc{Name: "probe_up", Help: "1 while a probe gets the answer that it wants; from says where it stands: zone, outside"}
	descHow      = &metric.Desc{Name: "probe_failed", Help: "1 for how a probe fails: refused, timeout, unreachable, reset, resolve, certificate, status, body, answer, protocol"}
	descSeconds  = &metric.Desc{Name: "probe_seconds", Unit: metric.Seconds, Help: "Duration by phase: resolve, connect, tls, first_byte, and all of it (total)"}
	descStatus   = &metric.Desc{Name: "probe_http_status", Help: "Status of the last answer, after redirects"}
	descExpires  = &metric.Desc{Name: "probe_certificate_expires_seconds", Unit: metric.Seconds, Help: "When a certificate ends, as seconds since 1970: leaf, and chain for the first of the verified chain to end; leaf also where it is not trusted"}
	descLost     = &metric.Desc{Name: "probe_icmp_lost_ratio", Unit: metric.Ratio, Help: "Echo requests of ten that were not answered"}
	descAnswers  = &metric.Desc{Name: "probe_dns_answers", Help: "Answers to a look-up"}
	descDuration = []*metric.Desc{descUp, descHow, descSeconds, descStatus, descExpires, descLost, descAnswers}
)

// Spec is the collector.
var Spec = collectors.Spec{Name: "probe", Options: Options{}, New: newCollector, Metrics: descDuration}

// atOnce is how many probes are under way at a time.
const atOnce = 16

type collector struct {
	env    collectors.Env
	probes []*one
	set    *check.Set
	slots  chan struct{}
	mu     sync.Mutex
}

// one is a probe with what it last found.
type one struct {
	Probe
	name, kind, target string
	roots              *x509.CertPool
	body, answer       *regexp.Regexp
	found              *finding
}

// finding is what became of one run. net/http may go on with a connection after the request was given up: what such a one still
// tells is for nobody.
type finding struct {
	mu      sync.Mutex
	over    bool   // nothing is noted any more
	how     string // it failed; empty: it is well
	phases  map[string]time.Duration
	total   time.Duration
	status  int
	leaf    time.Time
	chain   time.Time
	lost    float64
	answers int
}

func newCollector(e collectors.Env) (collectors.Collector, error) {
	c := &collector{env: e, slots: make(chan struct{}, atOnce)}
	var errs []error
	for name, p := range e.Options.(Options) {
		o := &one{Probe: p.withDefaults(), name: name, body: regexp.MustCompile(p.Body), answer: regexp.MustCompile(p.Answer)} // they were checked
		o.kind, o.target = o.what()
		if p.CAFile != "" {
			pem, err := os.ReadFile(p.CAFile)
			o.roots = x509.NewCertPool()
			if err == nil && !o.roots.AppendCertsFromPEM(pem) {
				err = fmt.Errorf("%s holds no certificate", p.CAFile)
			}
			if err != nil {
				errs = append(errs, fmt.Errorf("%s.ca_file: %w", name, err))
			}
		}
		c.probes = append(c.probes, o)
	}
	slices.SortFunc(c.probes, func(a, b *one) int { return cmp.Compare(a.name, b.name) })
	var checks []*check.Check
	for _, o := range c.probes {
		checks = append(checks, &check.Check{
			Name: o.name, Every: o.Interval, Deadline: o.Timeout + time.Second, Prompt: true,
			Do: func(ctx context.Context) (func(), error) { return c.do(ctx, o) },
		})
	}
	c.set = check.NewSet(&c.mu, e.Now, e.Log, checks...)
	return c, errors.Join(errs...)
}

// Run asks at the pace of each probe until ctx ends.
func (c *collector) Run(ctx context.Context) error {
	if len(c.probes) == 0 {
		<-ctx.Done()
		return nil
	}
	c.set.Run(ctx)
	return nil
}

// Settle waits for the first run of each probe.
func (c *collector) Settle(ctx context.Context) {
	if len(c.probes) == 0 {
		return
	}
	select {
	case <-ctx.Done():
	case <-c.set.First():
	}
}

// do runs a probe once. A failure of what it asks is what it found; an error says that it could not ask.
func (c *collector) do(ctx context.Context, o *one) (keep func(), err error) {
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	f := &finding{phases: map[string]time.Duration{}, lost: -1, answers: -1}
	begin := c.env.Now()
	switch o.kind {
	case kindHTTP:
		err = o.http(ctx, c.env, f)
	case kindTCP:
		var conn net.Conn
		if conn, err = o.connect(ctx, c.env, f); err == nil {
			err = conn.Close()
		}
	case kindTLS:
		err = o.tls(ctx, c.env, f)
	case kindDNS:
		err = o.dns(ctx, f)
	case kindICMP:
		err = o.icmp(ctx, f)
	}
	f.total = c.env.Now().Sub(begin)
	f.note(func() { f.over = true })
	if errors.Is(err, errNotAllowed) {
		return nil, collectors.Blind("permission", err)
	}
	if err != nil && f.how == "" {
		f.how = howOf(ctx, err)
	}
	return func() { o.found = f }, nil
}

// note does what writes to f, unless the run is over.
func (f *finding) note(do func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.over {
		do()
	}
}

// howOf says in one word how an endpoint failed.
func howOf(ctx context.Context, err error) string {
	dns, isDNS := errors.AsType[*net.DNSError](err)
	var timeout net.Error
	switch {
	case isDNS && !dns.IsTimeout:
		return "resolve"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return "unreachable"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "reset"
	case ctx.Err() != nil, errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "timeout"
	case untrusted(err):
		return "certificate"
	}
	return "protocol"
}

// Collect tells what the probes last found.
func (c *collector) Collect(_ context.Context, b *metric.Batch) error {
	if len(c.probes) == 0 {
		return fmt.Errorf("%w: no probes in collect.probe", collectors.ErrAbsent)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, o := range c.probes {
		if o.found != nil && c.set.All()[i].Fresh(b.Time) {
			o.add(b)
		}
	}
	return nil
}

func (o *one) add(b *metric.Batch) {
	f, kv := o.found, []string{"probe", o.name, "service", o.Service, "from", o.From, "kind", o.kind, "target", collectors.Label(o.target)}
	with := func(more ...string) []string { return append(slices.Clone(kv), more...) }
	b.Bool(descUp, f.how == "", kv...)
	if f.how != "" {
		b.Add(descHow, 1, with("how", f.how)...)
	}
	b.Add(descSeconds, f.total.Seconds(), with("phase", "total")...)
	for phase, d := range f.phases {
		b.Add(descSeconds, d.Seconds(), with("phase", phase)...)
	}
	if f.status != 0 {
		b.Add(descStatus, float64(f.status), kv...)
	}
	if !f.leaf.IsZero() {
		b.Add(descExpires, float64(f.leaf.Unix()), with("certificate", "leaf")...)
	}
	if !f.chain.IsZero() {
		b.Add(descExpires, float64(f.chain.Unix()), with("certificate", "chain")...)
	}
	if f.lost >= 0 {
		b.Add(descLost, f.lost, kv...)
	}
	if f.answers >= 0 {
		b.Add(descAnswers, float64(f.answers), kv...)
	}
}

// Checks says how the probes stand that could not ask.
func (c *collector) Checks() []collectors.CheckState {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.set.States(func(err error) string {
		if blind, ok := errors.AsType[*collectors.BlindError](err); ok {
			return blind.Reason
		}
		return "probe"
	})
}
