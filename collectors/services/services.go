// Package services looks at the systems that stand beside an API: a file and a fixture for each. What a system is asked
// and what its answers mean is in its file; who is asked, when that is not answered, and what state that is, is here.
//
// It judges nothing: rules do. Every system has NAME_up and NAME_state{state}, told apart by the cheapest evidence: does it
// connect, does it answer, and with which words. A refused connection and one that times out are kept apart, since
// that alone tells a process that is gone from a host or a zone that is.
package services

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/agent/secret"
	"github.com/navcloud/binnacle/collectors"
)

// Servers are the section of a system: one server, or a list of them.
type Servers []Server

// Server is where a server answers, and who asks.
type Server struct {
	Name     string        `yaml:"name"` // the label server; host:port where there is none
	URL      string        `yaml:"url"`
	User     string        `yaml:"user"`
	Password secret.Secret `yaml:"password"`
	CAFile   string        `yaml:"ca_file"`  // of the server's certificate; the system's where there is none
	Group    string        `yaml:"group"`    // the servers that replace each other have one, which is a label
	Sentinel string        `yaml:"sentinel"` // redis: URL of a Sentinel beside it
	Instance string        `yaml:"instance"` // varnish: the folder or name that varnishd was given by -n; "default": none
	Kind     string        `yaml:"kind"`     // jolokia: jvm, tomcat, activemq or cassandra
	scheme   string
}

// System is a kind of server: what every file of this package declares.
type system struct {
	name    string
	schemes map[string]string // to the port that is meant without one
	found   string            // URL that is tried where the configuration names no server; empty: none
	missing string            // what to write into the configuration where that one wants credentials
	descs   []*metric.Desc
	check   func(Server) error // what only this system can say of its section; nil: nothing
	look    func(ctx context.Context, t *target, b *batch) error
}

// States of a server. Absent refused and was never seen; down refuses and was seen; frozen connects and says nothing.
const (
	stateOK           = "ok"
	stateAbsent       = "absent"
	stateDown         = "down"
	stateFrozen       = "frozen"
	stateStarting     = "starting"
	stateReadOnly     = "read_only"
	stateNoQuorum     = "no_quorum"
	stateUnauthorised = "unauthorised"
	stateFull         = "full"
	stateError        = "error"
)

// Deadlines of one server: what is on this machine answers sooner.
const (
	nearTimeout = 2 * time.Second
	farTimeout  = 4 * time.Second
)

// tryFound is how often a server that nobody configured is looked for.
const tryFound = 5 * time.Minute

// Specs are the collectors of this package, one for each system.
func Specs() []collectors.Spec {
	return []collectors.Spec{Apache, Connections, Elasticsearch, HAProxy, Jolokia, Memcached, MySQL, Nginx, PostgreSQL, Redis, Varnish, ZooKeeper}
}

// spec makes the collector's Spec of a system.
func (s system) spec() collectors.Spec {
	own := s.own()
	return collectors.Spec{
		Name: s.name, Options: Servers(nil), Interval: 15 * time.Second, Deadline: 6 * time.Second,
		Metrics: append([]*metric.Desc{own.up, own.state, own.unreached, listens, needs}, s.descs...),
		New:     func(e collectors.Env) (collectors.Collector, error) { return s.open(e, own) },
	}
}

// own are what every system has.
type own struct{ up, state, unreached *metric.Desc }

func (s system) own() own {
	return own{
		up:        &metric.Desc{Name: s.name + "_up", Help: "1 while a server answers; 0 while it does not, of one that was seen or is configured"},
		state:     &metric.Desc{Name: s.name + "_state", Help: "1 for the state that a server is in: ok, absent, down, frozen, starting, read_only, no_quorum, unauthorised, full, error"},
		unreached: &metric.Desc{Name: s.name + "_unreached", Help: "1 for how a server that is down or frozen cannot be reached: refused, timeout, unreachable, silent"},
	}
}

// collector asks the servers of one system.
type collector struct {
	system
	own     own
	env     collectors.Env
	targets []*target

	mu       sync.Mutex
	notes    []string
	nextFind time.Time
}

// target is one server, and what is remembered of it between two looks.
type target struct {
	Server
	label   string
	network string // tcp or unix
	address string
	tls     *tls.Config
	known   bool // it was seen in an earlier life
	secured bool // it answered in TLS
	found   bool // nobody configured it
	seen    bool
	env     collectors.Env
	memory  any // of the system's file
	edges   edges
}

var serverName = regexp.MustCompile(`^[A-Za-z0-9_.:/@-]{1,128}$`)

// Validate says what is out of bounds, but for what only a system knows.
func (s Servers) Validate() error {
	var errs []error
	for i, srv := range s {
		if len(s) == 1 && srv == (Server{}) {
			continue // interval or deadline alone
		}
		at := fmt.Sprintf("[%d]", i)
		u, err := url.Parse(srv.URL)
		switch {
		case srv.URL == "" && srv.Instance == "":
			errs = append(errs, fmt.Errorf("url: %s wants one", at))
		case err != nil:
			errs = append(errs, fmt.Errorf("url: %s: want a URL", at)) // the text may hold a password
		case u.User != nil:
			errs = append(errs, fmt.Errorf("url: %s: user and password belong into user and password", at))
		}
		if srv.Name != "" && !serverName.MatchString(srv.Name) {
			errs = append(errs, fmt.Errorf("name: %s: want letters, digits and any of _.:/@-", at))
		}
	}
	return errors.Join(errs...)
}

func (s system) open(e collectors.Env, o own) (collectors.Collector, error) {
	c := &collector{system: s, own: o, env: e}
	servers := e.Options.(Servers)
	if len(servers) == 1 && servers[0] == (Server{}) {
		servers = nil
	}
	found := len(servers) == 0
	if found && s.found != "" && !e.Undiscovered {
		servers = Servers{{URL: s.found}}
	}
	seen := c.readSeen()
	names := map[string]bool{}
	for _, srv := range servers {
		t, err := s.target(srv)
		if err != nil {
			return nil, err
		}
		if names[t.label] {
			return nil, fmt.Errorf("two servers have the name %s", t.label)
		}
		names[t.label] = true
		if err := s.mine(srv); err != nil {
			return nil, err
		}
		if srv.Sentinel != "" {
			if _, err := s.target(Server{URL: srv.Sentinel, CAFile: srv.CAFile}); err != nil {
				return nil, fmt.Errorf("sentinel: %w", err)
			}
		}
		t.found, t.seen, t.env = found, slices.Contains(seen, t.label), e
		t.known = t.seen
		c.targets = append(c.targets, t)
	}
	return c, nil
}

// mine says which keys are not for this system, and what it says of its own.
func (s system) mine(srv Server) error {
	for _, key := range []struct{ name, value, system string }{
		{"sentinel", srv.Sentinel, "redis"}, {"instance", srv.Instance, "varnish"}, {"kind", srv.Kind, "jolokia"},
	} {
		if key.value != "" && key.system != s.name {
			return fmt.Errorf("%s: %s has none", key.name, s.name)
		}
	}
	if s.check == nil {
		return nil
	}
	return s.check(srv)
}

// target reads where a server is.
func (s system) target(srv Server) (*target, error) {
	if srv.Instance != "" {
		srv.URL = "instance:///" + url.PathEscape(srv.Instance)
	}
	u, err := url.Parse(srv.URL)
	if err != nil {
		return nil, errors.New("url: want a URL")
	}
	port, known := s.schemes[u.Scheme]
	if !known {
		var names []string
		for name := range s.schemes {
			names = append(names, name+"://")
		}
		slices.Sort(names)
		return nil, fmt.Errorf("url: %s: want %s", secret.Redact(srv.URL), strings.Join(names, " or "))
	}
	t := &target{Server: srv, network: "tcp", label: srv.Name}
	t.scheme = u.Scheme
	if u.Scheme == "instance" {
		t.network, t.address = "unix", strings.TrimPrefix(u.Path, "/")
	} else if u.Scheme == "unix" {
		if t.network, t.address = "unix", u.Path; !filepath.IsAbs(u.Path) {
			return nil, fmt.Errorf("url: %s: want unix:///PATH", srv.URL)
		}
	} else {
		t.address = net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), port))
	}
	t.label = cmp.Or(t.label, t.address)
	if srv.CAFile != "" || slices.Contains([]string{"https", "tcps", "rediss"}, u.Scheme) {
		t.tls = &tls.Config{ServerName: u.Hostname(), MinVersion: tls.VersionTLS12}
	}
	if srv.CAFile != "" {
		pem, err := os.ReadFile(srv.CAFile)
		if err != nil {
			return nil, fmt.Errorf("ca_file: %w", err)
		}
		t.tls.RootCAs = x509.NewCertPool()
		if !t.tls.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("ca_file: %s holds no certificate", srv.CAFile)
		}
	}
	return t, nil
}

// dial connects to the server, in TLS where its URL says so.
func (t *target) dial(ctx context.Context) (net.Conn, error) {
	conn, err := t.env.Dial(ctx, t.network, t.address)
	if err != nil {
		return nil, err
	}
	if end, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(end); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
	}
	if t.tls == nil {
		return conn, nil
	}
	secure := tls.Client(conn, t.tls)
	if err := secure.HandshakeContext(ctx); err != nil {
		return nil, errors.Join(t.noTLS(err), conn.Close())
	}
	t.secured = true
	return secure, nil
}

// near says whether the server is on this machine.
func (t *target) near() bool {
	if t.network == "unix" {
		return true
	}
	host, _, _ := net.SplitHostPort(t.address)
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// batch appends what a server says, with the labels that name it.
type batch struct {
	*metric.Batch
	base []string
}

func (b *batch) add(d *metric.Desc, v float64, kv ...string) {
	b.Add(d, v, append(slices.Clone(b.base), kv...)...)
}

func (b *batch) bool(d *metric.Desc, v bool, kv ...string) {
	b.Bool(d, v, append(slices.Clone(b.base), kv...)...)
}

// Collect asks all servers side by side.
func (c *collector) Collect(ctx context.Context, b *metric.Batch) error {
	if len(c.targets) == 0 || c.waits(b.Time) || !c.mayLook(b.Time) {
		return fmt.Errorf("%w: no %s in collect.%s", collectors.ErrAbsent, c.name, c.name)
	}
	parts := make([]metric.Batch, len(c.targets))
	errs := make([]error, len(c.targets))
	seen := len(c.seenServers())
	var all sync.WaitGroup
	for i, t := range c.targets {
		parts[i].Time = b.Time
		all.Go(func() { errs[i] = c.one(ctx, t, &parts[i]) })
	}
	all.Wait()
	if names := c.seenServers(); len(names) > seen {
		c.keepSeen(names)
	}
	for i := range parts {
		b.Samples = append(b.Samples, parts[i].Samples...)
	}
	return errors.Join(errs...)
}

// waits says whether a server that nobody configured and that is not there is left alone for now.
func (c *collector) waits(now time.Time) bool {
	return c.targets[0].found && !c.targets[0].seen && now.Before(c.nextFind)
}

// one looks at one server. The error is for what cannot be seen; that a server is down is seen.
func (c *collector) one(ctx context.Context, t *target, b *metric.Batch) error {
	timeout := farTimeout
	if t.near() {
		timeout = nearTimeout
	}
	look, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	labels := []string{"server", t.label, "group", t.Group}
	if t.found {
		labels = append(labels, "found", "1")
	}
	out := &batch{b, labels}
	err := c.look(look, t, out)
	state, how := t.verdict(err)
	reached := state != stateAbsent && state != stateDown && state != stateFrozen
	if t.found && !t.seen && (!reached || state == stateUnauthorised || state == stateError) {
		b.Samples = nil
		c.nextFind = b.Time.Add(tryFound)
		if closed(err, state) && c.missing != "" {
			c.note(fmt.Sprintf("%s is found at %s and not watched: %s", c.name, t.address, c.missing))
		}
		return fmt.Errorf("%w: %v", collectors.ErrAbsent, err)
	}
	t.seen = t.seen || reached
	t.edges.tell(t, c.name, out)
	out.add(c.own.state, 1, "state", state)
	if how != "" {
		out.add(c.own.unreached, 1, "how", how)
	}
	switch {
	case state == stateUnauthorised:
		return collectors.Part(t.label, collectors.Blind("auth", err))
	case state == stateError:
		return collectors.Part(t.label, collectors.Blind("parse", err))
	}
	out.bool(c.own.up, reached)
	return nil
}

func (c *collector) note(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !slices.Contains(c.notes, text) {
		c.notes = append(c.notes, text)
	}
}

// Notes name what was found and is not watched.
func (c *collector) Notes() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.notes)
}
