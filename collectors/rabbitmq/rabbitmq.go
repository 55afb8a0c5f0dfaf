// Package rabbitmq watches the local node of a RabbitMQ cluster, and how that sees the others: by its management API,
// its prometheus plugin, its ports and its process. It tells a node's state from outside, with what that rests on.
//
// It rings nothing and asks the broker for nothing that costs it more than a glance; the active probe is off by default.
package rabbitmq

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/agent/secret"
	"github.com/navcloud/binnacle/collectors"
	"github.com/navcloud/binnacle/collectors/check"
)

// Options is the section collect.rabbitmq. Without a user the broker is looked for on the usual
// ports; what is found is said to be found and not watched, and no password is ever guessed.
type Options struct {
	URL        string        `yaml:"url"`         // of the management API of the local node
	MetricsURL string        `yaml:"metrics_url"` // of its prometheus plugin
	User       string        `yaml:"user"`        // with the tag monitoring and the right to read, no more
	Password   secret.Secret `yaml:"password"`
	CAFile     string        `yaml:"ca_file"` // PEM, trusted besides the system's authorities where these are https

	Name    string   `yaml:"name"`    // Erlang name of the local node; learnt when empty
	Cluster string   `yaml:"cluster"` // the label cluster; learnt when empty
	AMQP    string   `yaml:"amqp"`    // address of the local AMQP listener
	Dist    string   `yaml:"dist"`    // address of the local distribution port
	Epmd    string   `yaml:"epmd"`    // address of the local port mapper; empty: not asked
	Unit    []string `yaml:"unit"`    // what prints ActiveState and Result of its service, to tell a stop in order
	Config  []string `yaml:"config"`  // files of its configuration, to compare what nodes do in a partition
	Peers   []string `yaml:"peers"`   // the other nodes: rabbit@b or rabbit@b=10.0.0.2:25672; learnt when empty

	Exchanges []exchangeOption `yaml:"exchanges"`  // to account for, event by event
	Queues    []queueOption    `yaml:"queues"`     // that always have series of their own
	TopQueues int              `yaml:"top_queues"` // and so have this many with the most ready messages

	Probe probeOptions `yaml:"probe"`

	LocalEvery   time.Duration `yaml:"local_every"`   // between checks of the local node and its peers' ports
	ClusterEvery time.Duration `yaml:"cluster_every"` // between checks of who sees whom
	SlowEvery    time.Duration `yaml:"slow_every"`    // between checks of everything else
}

type exchangeOption struct {
	VHost     string `yaml:"vhost"` // "/" when empty
	Name      string `yaml:"name"`
	Consumers int    `yaml:"consumers"` // queues that should be bound: one for each API node; 0: not known
}

// label names an exchange in few words: with its vhost where that is not the usual one.
func (x exchangeOption) label() string {
	if x.VHost == "" || x.VHost == "/" {
		return x.Name
	}
	return x.VHost + "/" + x.Name
}

// labels tell two exchanges of one name apart by their vhost; in the usual one it is left out.
func (x exchangeOption) labels() []string {
	if x.VHost == "" || x.VHost == "/" {
		return []string{"exchange", x.Name}
	}
	return []string{"exchange", x.Name, "vhost", x.VHost}
}

type queueOption struct {
	VHost string `yaml:"vhost"` // "/" when empty
	Name  string `yaml:"name"`
}

// Validate says what is wrong with the options, all at once.
func (o Options) Validate() error {
	var errs []error
	for key, text := range map[string]string{"url": o.URL, "metrics_url": o.MetricsURL} {
		if u, err := url.Parse(text); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			errs = append(errs, fmt.Errorf("%s: want http://host:port, have %q", key, text))
		}
	}
	if o.User == "" && !o.Password.IsZero() {
		errs = append(errs, errors.New("user: is empty, but there is a password"))
	}
	for i, x := range o.Exchanges {
		if x.Name == "" || x.Consumers < 0 {
			errs = append(errs, fmt.Errorf("exchanges[%d]: want a name, and consumers of 0 or more", i))
		}
		if slices.ContainsFunc(o.Exchanges[:i], func(y exchangeOption) bool { return y.label() == x.label() }) {
			errs = append(errs, fmt.Errorf("exchanges[%d]: %s stands there twice", i, x.label()))
		}
	}
	for i, q := range o.Queues {
		if q.Name == "" {
			errs = append(errs, fmt.Errorf("queues[%d]: want a name", i))
		}
	}
	for key, d := range map[string]time.Duration{"local_every": o.LocalEvery, "cluster_every": o.ClusterEvery, "slow_every": o.SlowEvery} {
		if d < time.Second || d > 5*time.Minute {
			errs = append(errs, fmt.Errorf("%s: %s is outside 1s to 5m", key, d))
		}
	}
	if o.TopQueues < 0 || o.TopQueues > 1000 {
		errs = append(errs, fmt.Errorf("top_queues: %d is outside 0 to 1000", o.TopQueues))
	}
	return errors.Join(append(errs, o.Probe.validate())...)
}

// defaultOptions are the usual ports, and cadences by which a cut shows within 10 s.
var defaultOptions = Options{
	URL: "http://127.0.0.1:15672", MetricsURL: "http://127.0.0.1:15692",
	AMQP: "127.0.0.1:5672", Dist: "127.0.0.1:25672", Epmd: "127.0.0.1:4369", TopQueues: 50,
	Unit:       []string{"systemctl", "show", "--property=LoadState,ActiveState,Result", "rabbitmq-server.service"},
	Config:     []string{"/etc/rabbitmq/rabbitmq.conf", "/etc/rabbitmq/conf.d/*.conf", "/etc/rabbitmq/advanced.config"},
	Probe:      probeDefaults,
	LocalEvery: 2 * time.Second, ClusterEvery: 2 * time.Second, SlowEvery: 15 * time.Second,
}

// Spec is the collector for the catalogue.
var Spec = collectors.Spec{
	Name: "rabbitmq", Options: defaultOptions, Interval: 2 * time.Second, Deadline: 8 * time.Second,
	Metrics: metrics(), New: newCollector, Service: true,
}

// collector watches the local node of a cluster. While Run runs, each check has a goroutine of its own
// and Collect reports what they know; without Run, Collect runs every check once.
type collector struct {
	opt    Options
	env    collectors.Env
	checks checks
	set    *check.Set
	trips  *roundtrip // nil: no active probe

	metricsLogin atomic.Bool // the prometheus plugin wants the login

	wake chan struct{} // tells Run that the broker was found

	mu      sync.Mutex
	running bool // Run runs
	found   bool // seen at least once
	seen    brokerSeen
	kept    keptMemory // memory as it is on disk
}

func newCollector(env collectors.Env) (collectors.Collector, error) {
	opt, ok := env.Options.(Options)
	if !ok {
		return nil, fmt.Errorf("rabbitmq: options are a %T", env.Options)
	}
	if err := opt.Validate(); err != nil {
		return nil, fmt.Errorf("rabbitmq: %w", err)
	}
	if env.HTTP == nil { // no proxy: the local node is asked and nobody else
		env.HTTP = &http.Transport{MaxIdleConnsPerHost: 4, IdleConnTimeout: time.Minute}
	}
	if env.Dial == nil {
		env.Dial = (&net.Dialer{}).DialContext
	}
	var err error
	if env.HTTP, err = collectors.Trusting(env.HTTP, opt.CAFile); err != nil {
		return nil, fmt.Errorf("rabbitmq: %w", err)
	}
	opt.URL, opt.MetricsURL = strings.TrimSuffix(opt.URL, "/"), strings.TrimSuffix(opt.MetricsURL, "/")
	r := &collector{opt: opt, env: env, wake: make(chan struct{}, 1)}
	r.seen.init(opt)
	r.seen.watching = env.Now()
	r.recall()
	r.found = opt.User != ""
	if opt.Probe.User != "" {
		r.trips = newRoundtrip(opt.Probe.Every, r.connectTrip, r.brokerName, env.Now, env.Log)
	}
	if r.watched() {
		r.checks = r.allChecks()
	} else {
		r.checks = r.unwatchedChecks()
	}
	r.set = check.NewSet(&r.mu, env.Now, env.Log, r.checks.order()...)
	return r, nil
}

// watched says whether there are credentials, so that states can be told and alarms rung.
func (r *collector) watched() bool { return r.opt.User != "" }

// Collect reports what the checks know now. ErrAbsent means that no broker was ever found.
func (r *collector) Collect(ctx context.Context, b *metric.Batch) error {
	if err := r.find(ctx); err != nil {
		return err
	}
	r.mu.Lock()
	running := r.running
	r.mu.Unlock()
	if running {
		select {
		case <-r.set.First():
		case <-ctx.Done():
		}
	} else {
		r.set.Once(ctx)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.keep()
	return r.report(b)
}

// find looks for a broker that was never seen, by what only RabbitMQ answers. It knows no passwords.
func (r *collector) find(ctx context.Context) error {
	r.mu.Lock()
	found := r.found
	r.mu.Unlock()
	if found {
		return nil
	}
	if !r.env.Expected && !r.answersLikeRabbitmq(ctx) {
		return fmt.Errorf("rabbitmq at %s and %s: %w", r.opt.MetricsURL, r.opt.URL, collectors.ErrAbsent)
	}
	r.mu.Lock()
	r.found = true
	r.mu.Unlock()
	select {
	case r.wake <- struct{}{}:
	default:
	}
	return nil
}

// brokerName is that of the local node; the agent's while the broker never told its own.
func (r *collector) brokerName() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return cmp.Or(r.seen.name, r.env.Node)
}

// Run runs each check at its own pace until ctx ends, from when the broker was found.
func (r *collector) Run(ctx context.Context) error {
	r.mu.Lock()
	r.running = true
	found := r.found
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		r.running = false
		r.mu.Unlock()
	}()
	for !found {
		select {
		case <-r.wake:
			found = true
		case <-ctx.Done():
			return nil
		}
	}
	var wg sync.WaitGroup
	wg.Go(func() { r.set.Run(ctx) })
	if r.trips != nil {
		wg.Go(func() { r.trips.run(ctx) })
	}
	wg.Wait()
	return nil
}

// localHost says whether the node watched is on this machine, so that /proc speaks of it.
func (r *collector) localHost() bool {
	u, err := url.Parse(r.opt.URL)
	if err != nil {
		return false
	}
	host := u.Hostname()
	if ip := net.ParseIP(host); ip != nil && ip.IsLoopback() || host == "localhost" {
		return r.env.Root.Exists("proc/self")
	}
	return false
}
