// Package riak watches the local node of a Riak cluster: by its HTTP and protocol-buffer listeners, by what the kernel
// says of its virtual machine, and where options want it by riak admin, its certificates and its logs.
//
// It judges nothing: what figures mean is the rule pack's.
package riak

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/agent/secret"
	"github.com/navcloud/binnacle/collectors"
	"github.com/navcloud/binnacle/collectors/check"
	"github.com/navcloud/binnacle/collectors/host"
)

// Options is the section collect.riak. Riak is looked for on its usual port; the statistics need no password.
type Options struct {
	URL        string        `yaml:"url"`         // of the local node's HTTP listener
	PB         string        `yaml:"pb"`          // address of its protocol-buffer listener; empty: not asked
	CAFile     string        `yaml:"ca_file"`     // PEM, trusted besides the system's authorities: by https, and by protocol buffers with security on
	User       string        `yaml:"user"`        // who logs in by protocol buffers where security is on; needs no permission
	Password   secret.Secret `yaml:"password"`    // sent over TLS alone, to a certificate that is trusted
	Cluster    string        `yaml:"cluster"`     // the label cluster: /stats has no name for it
	DataDir    string        `yaml:"data_dir"`    // whose file system is watched in the node's own list of disks
	StatsEvery time.Duration `yaml:"stats_every"` // between requests of /stats, at least: collections in between only ping
	Unit       []string      `yaml:"unit"`        // what prints ActiveState and Result of its service, to tell a stop in order

	Admin      []string      `yaml:"admin"`       // the command riak admin, to ask for members, ring and transfers; empty: off
	AdminEvery time.Duration `yaml:"admin_every"` // between its runs: each costs the node 2 s of processor time
	Keydir     bool          `yaml:"keydir"`      // ask it for the size of bitcask's keys too, every 15 min
	TLS        []string      `yaml:"tls"`         // listeners whose certificates are watched: https://host:port, pb://host:port
	Logs       []string      `yaml:"logs"`        // files in which events are counted, such as /var/log/riak/console.log
}

// defaults are the usual ports. Each request of /stats makes Riak visit every process and every
// vnode, and its answer is cached for 1 s only: below 10 s is for stand-ins.
var defaults = Options{
	URL: "http://127.0.0.1:8098", PB: "127.0.0.1:8087", Cluster: "riak", DataDir: "/var/lib/riak",
	StatsEvery: 10 * time.Second, AdminEvery: 2 * time.Minute,
	Unit: []string{"systemctl", "show", "--property=LoadState,ActiveState,Result", "riak.service"},
}

// Validate says what is wrong with the options, all at once.
func (o Options) Validate() error {
	var errs []error
	if u, err := url.Parse(o.URL); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		errs = append(errs, fmt.Errorf("url: want http://host:port, have %q", o.URL))
	}
	if o.PB != "" {
		if _, _, err := net.SplitHostPort(o.PB); err != nil {
			errs = append(errs, fmt.Errorf("pb: want host:port, have %q", o.PB))
		}
	}
	if o.User == "" && !o.Password.IsZero() {
		errs = append(errs, errors.New("user: is empty, but there is a password"))
	}
	if o.User != "" && o.PB == "" {
		errs = append(errs, errors.New("user: wants an address in pb"))
	}
	if o.Cluster == "" {
		errs = append(errs, errors.New("cluster: is empty"))
	}
	if !strings.HasPrefix(o.DataDir, "/") {
		errs = append(errs, fmt.Errorf("data_dir: want a path from /, have %q", o.DataDir))
	}
	if o.StatsEvery < time.Second || o.StatsEvery > 5*time.Minute {
		errs = append(errs, fmt.Errorf("stats_every: %s is outside 1s to 5m", o.StatsEvery))
	}
	if o.AdminEvery < time.Minute || o.AdminEvery > time.Hour {
		errs = append(errs, fmt.Errorf("admin_every: %s is outside 1m to 1h", o.AdminEvery))
	}
	if o.Keydir && len(o.Admin) == 0 {
		errs = append(errs, errors.New("keydir: wants the command in admin"))
	}
	for i, l := range o.TLS {
		if u, err := url.Parse(l); err != nil || u.Port() == "" || u.Scheme != "https" && u.Scheme != "pb" {
			errs = append(errs, fmt.Errorf("tls[%d]: want https://host:port or pb://host:port, have %q", i, l))
		}
	}
	for i, l := range o.Logs {
		if !strings.HasPrefix(l, "/") {
			errs = append(errs, fmt.Errorf("logs[%d]: want a path from /, have %q", i, l))
		}
	}
	return errors.Join(errs...)
}

// Deadlines of the requests. Riak itself gives a figure 5 s and then answers 500 with the reason: who asks for less
// takes a slow figure for a dead node.
// Source: a recorded 500 after 5.00 s (Riak KV 3.2.3, November 2026); basho/riak_kv issue 1556.
const (
	statsDeadline = 8 * time.Second
	pingDeadline  = 2 * time.Second
)

// interval is how often the collector pings.
const interval = 15 * time.Second

// Spec is the collector for the catalogue.
var Spec = collectors.Spec{
	Name: "riak", Options: defaults, Interval: interval, Deadline: 9 * time.Second,
	Metrics: metrics(), New: newCollector, Service: true,
}

// collector watches the local node of a cluster. It pings at each collection and asks for /stats when StatsEvery has
// passed since it last did; one request of each is in flight at most. Run looks at what is slow.
type collector struct {
	opt     Options
	env     collectors.Env
	port    uint16 // of the HTTP listener
	extras  []*extra
	process *extra // of them, the one that always runs
	set     *check.Set
	log     *eventLog
	seen    chan struct{} // closed when Riak was found
	trust   *tls.Config   // of the protocol-buffer listener
	near    bool          // the node is on this machine, so that /proc speaks of it
	node    stateSeen
	kept    keptMemory // as it is on disk

	mu         sync.Mutex
	away       bool      // nobody listens: known, and no blindness of ours
	statsSince time.Time // since when /stats gives no figures; zero while it does
	statsErr   response  // its last failure
	ran        bool      // Run was called
	name       string    // the node's own, once told

	found    bool // seen at least once
	asked    time.Time
	totals   map[string]float64 // as last told
	restarts float64            // guarded by mu
	failures map[string]float64 // of /stats, by reason
	owners   string             // the ring's owners as last seen, and when they were others
	changed  time.Time
}

func newCollector(env collectors.Env) (collectors.Collector, error) {
	opt, ok := env.Options.(Options)
	if !ok {
		return nil, fmt.Errorf("riak: options are a %T", env.Options)
	}
	if err := opt.Validate(); err != nil {
		return nil, fmt.Errorf("riak: %w", err)
	}
	if env.HTTP == nil { // no proxy: the local node is asked and nobody else
		env.HTTP = &http.Transport{MaxIdleConnsPerHost: 2, IdleConnTimeout: time.Minute}
	}
	if env.Dial == nil {
		env.Dial = (&net.Dialer{}).DialContext
	}
	opt.URL = strings.TrimSuffix(opt.URL, "/")
	var err error
	if env.HTTP, err = collectors.Trusting(env.HTTP, opt.CAFile); err != nil {
		return nil, fmt.Errorf("riak: %w", err)
	}
	r := &collector{opt: opt, env: env, failures: map[string]float64{}, totals: map[string]float64{}, seen: make(chan struct{})}
	r.log = &eventLog{root: env.Root, paths: opt.Logs, offset: map[string]int64{}, count: map[string]float64{}}
	if u, err := url.Parse(opt.URL); err == nil {
		ip := net.ParseIP(u.Hostname())
		r.near = ip != nil && ip.IsLoopback() || u.Hostname() == "localhost"
		if n, err := strconv.ParseUint(cmp.Or(u.Port(), map[string]string{"http": "80", "https": "443"}[u.Scheme]), 10, 16); err == nil {
			r.port = uint16(n)
		}
	}
	if opt.PB != "" {
		if r.trust, err = collectors.TrustAt(opt.PB, opt.CAFile); err != nil {
			return nil, fmt.Errorf("riak: %w", err)
		}
	}
	r.node.refused = -1
	r.setExtras(r.allExtras())
	r.recall()
	return r, nil
}

// Collect asks the node how it is. ErrAbsent means that there never was one; a BlindError that /stats
// gave no figures this time, which alone says nothing of whether the node serves.
func (r *collector) Collect(ctx context.Context, b *metric.Batch) error {
	ping := r.ping(ctx)
	if !r.found {
		if !ping.isRiak() && !r.env.Expected {
			return fmt.Errorf("riak at %s: %w", r.opt.URL, collectors.ErrAbsent)
		}
		r.found = true
		close(r.seen)
	}
	now := r.env.Now()
	r.mu.Lock()
	r.away = ping.unreachable()
	r.mu.Unlock()
	due := r.asked.IsZero() || now.Sub(r.asked) >= r.opt.StatsEvery-statsEarly
	var stats response
	var pb pbSeen
	var both sync.WaitGroup
	if due {
		r.mu.Lock()
		r.asked = now
		r.mu.Unlock()
		both.Go(func() { stats = r.statsOr(ctx, ping) })
	}
	if r.opt.PB != "" {
		both.Go(func() { pb = r.pbPing(ctx) })
	}
	both.Wait()

	o := output{b, r.opt.Cluster}
	o.bool(descPingUp, ping.err == nil)
	o.bool(descListening, !ping.unreachable())
	if r.opt.PB != "" {
		o.bool(descPBUp, pb.answers())
	}
	defer r.tellExtras(ctx, o)
	defer func() { r.tellState(o, r.facts(now, ping, pb)) }() // with what /stats says now
	if ping.unreachable() {
		stopped, err := host.StoppedInOrder(ctx, r.env.Root, r.opt.Unit)
		o.bool(descInOrder, stopped && err == nil)
	}
	if !due {
		if ping.unreachable() || ping.reason == reasonTLS {
			return collectors.Blind(ping.reason, ping.err)
		}
		return nil
	}
	return r.report(o, stats)
}

// statsEarly is how much before its time /stats may be asked: schedules do not tick exactly.
const statsEarly = 200 * time.Millisecond

// report appends what one request of /stats told.
func (r *collector) report(o output, s response) error {
	if s.err != nil {
		r.failures[s.reason]++
	}
	r.noteStats(s)
	for _, reason := range reasons {
		o.add(descStatsFailures, r.failures[reason], "reason", reason)
	}
	o.bool(descUp, s.err == nil)
	if s.reason != reasonConnect {
		o.add(descStatsTime, s.took.Seconds())
	}
	if s.err != nil {
		return collectors.Blind(s.reason, s.err)
	}
	r.figures(o, s.stats)
	return nil
}

// noteStats keeps since when /stats gives no figures.
func (r *collector) noteStats(s response) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case s.err == nil:
		r.statsSince = time.Time{}
	case r.statsSince.IsZero():
		r.statsSince = r.asked
	}
	r.statsErr = s
}

// Checks says which checks should answer and do not. Of a node where nobody listens none should.
func (r *collector) Checks() []collectors.CheckState {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := r.set.States(extraReason)
	if !r.asked.IsZero() {
		out = append(out, collectors.CheckState{
			Name: "stats", Every: max(r.opt.StatsEvery, interval), Since: r.statsSince, Reason: r.statsErr.reason, Err: r.statsErr.err,
		})
	}
	for i := range out {
		if r.away {
			out[i].Since = time.Time{}
		}
	}
	return out
}

// output appends samples of one cluster.
type output struct {
	b       *metric.Batch
	cluster string
}

func (o output) add(d *metric.Desc, v float64, kv ...string) {
	o.b.Add(d, v, append([]string{"cluster", o.cluster}, kv...)...)
}

func (o output) bool(d *metric.Desc, v bool) { o.b.Bool(d, v, "cluster", o.cluster) }
