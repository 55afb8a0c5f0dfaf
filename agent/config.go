package agent

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/navcloud/binnacle/agent/aws"
	"github.com/navcloud/binnacle/agent/door"
	"github.com/navcloud/binnacle/agent/login"
	"github.com/navcloud/binnacle/agent/planner"
	"github.com/navcloud/binnacle/agent/query"
	"github.com/navcloud/binnacle/agent/rollup"
	"github.com/navcloud/binnacle/agent/secret"
	"github.com/navcloud/binnacle/agent/store"
	"github.com/navcloud/binnacle/agent/strict"
	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/pagers/pagerduty"
	"github.com/navcloud/binnacle/collectors/exec"
)

// Config is all that an operator sets: one section for each role, and what they share. Default is
// what an empty file means.
type Config struct {
	Data     string        `yaml:"data"`     // directory of store, ledger and spools
	Listen   string        `yaml:"listen"`   // API, intake and board
	Web      WebConfig     `yaml:"web"`      // the pages, and TLS and authentication of all that listens
	Node     NodeConfig    `yaml:"node"`     // who this node is
	Interval time.Duration `yaml:"interval"` // between collections; 1s to 5m
	Deadline time.Duration `yaml:"deadline"` // for one collection; below interval; 0: half of it, at most 5s
	Drain    time.Duration `yaml:"drain"`    // for the last flush after SIGTERM
	Log      LogConfig     `yaml:"log"`

	Capacity planner.Config `yaml:"capacity"` // what can run out, and when

	Collect CollectConfig `yaml:"collect"` // by name of the collector
	Ship    RoleSections  `yaml:"ship"`    // by name of the destination
	Store   StoreConfig   `yaml:"store"`
	Query   query.Config  `yaml:"query"` // what one question to the store may cost
	Rules   RulesConfig   `yaml:"rules"`
	Route   RouteConfig   `yaml:"route"`
	Intake  IntakeConfig  `yaml:"intake"` // what others send to a router, and how it is read
	AWS     aws.Config    `yaml:"aws"`    // who we are there, and what our own questions may cost

	// Notes say what of the configuration was not read, a sentence each.
	Notes []string `yaml:"-"`
	doc   *strict.Document
}

// RoleSections is a role whose parts have names and options of their own.
type RoleSections struct {
	Off bool `yaml:"-"`
	By  strict.Sections
}

// CollectConfig is the role collect. Its parts are as those of RoleSections.
type CollectConfig struct {
	Off      bool `yaml:"-"`
	Discover bool `yaml:"discover"` // look on this machine for the systems that no section names, each once in five minutes
	By       strict.Sections
}

// NodeConfig says who this node is. Tags go on every series.
type NodeConfig struct {
	Name string            `yaml:"name"` // the host's name when empty
	Tags map[string]string `yaml:"tags"` // stack, az, group and the like
}

// LogConfig sets what is logged.
type LogConfig struct {
	Level  string `yaml:"level"`  // debug, info, warn, error
	Format string `yaml:"format"` // text, json
}

// WebConfig is the role web.
type WebConfig struct {
	Off         bool `yaml:"-"`
	door.Config `yaml:",inline"`
	DebugSocket string `yaml:"debug_socket"` // unix socket on which net/http/pprof answers; empty: nowhere
}

// StoreConfig is the role store.
type StoreConfig struct {
	Off           bool          `yaml:"-"`
	Retention     time.Duration `yaml:"retention"`      // 1h to 400d
	RetentionSize int64         `yaml:"retention_size"` // bytes
	LabelLimit    int           `yaml:"label_limit"`    // labels of one series, 16 to 5000; one with more is refused and counted
	Rollups       rollup.Config `yaml:"rollups"`        // what is kept for longer, a sample every five minutes
}

// RulesConfig is the role rules.
type RulesConfig struct {
	Off      bool              `yaml:"-"`
	Interval time.Duration     `yaml:"interval"`        // of evaluation, where a group names none; 1s to 5m
	Packs    []string          `yaml:"packs"`           // of the shipped ones: all, or names
	Files    []string          `yaml:"files"`           // Prometheus rule files, globs allowed
	External map[string]string `yaml:"external_labels"` // what $externalLabels holds in the texts of rules, beside node.tags
	Routers  []string          `yaml:"routers"`         // URLs of the nodes that route; empty: this one
	Login    login.Options     `yaml:"login"`           // at the routers
	CutOff   CutOff            `yaml:"cut_off"`         // what a node does that reaches none of them
}

// CutOff is off until its pager has a routing key, which is not that of the routers, so that nodes take nothing of their
// rate. Nodes and routers have the same section: nodes open the incident of their zone, routers resolve it.
type CutOff struct {
	Fleet     string           `yaml:"fleet"`  // first part of the dedup key
	After     time.Duration    `yaml:"after"`  // without a router; 30s to 1h
	Spread    time.Duration    `yaml:"spread"` // and a random time below it; 0 to 10m
	PagerDuty pagerduty.Config `yaml:"pagerduty"`
}

// Validate says what is out of bounds.
func (c CutOff) Validate() error {
	var errs []error
	if c.After < 30*time.Second || c.After > time.Hour {
		errs = append(errs, fmt.Errorf("after: %v is outside 30s to 1h", c.After))
	}
	if c.Spread < 0 || c.Spread > 10*time.Minute {
		errs = append(errs, fmt.Errorf("spread: %v is outside 0s to 10m", c.Spread))
	}
	if c.Fleet == "" || len(c.Fleet) > 64 {
		errs = append(errs, errors.New("fleet: want 1 to 64 characters"))
	}
	return errors.Join(errs...)
}

// Default returns what an empty file means.
func Default() Config {
	return Config{
		Data:     defaultData(),
		Listen:   "127.0.0.1:9600",
		Interval: 10 * time.Second,
		Drain:    10 * time.Second,
		Log:      LogConfig{Level: "info", Format: "text"},
		Collect:  CollectConfig{Discover: true},
		Store:    StoreConfig{Retention: 15 * 24 * time.Hour, RetentionSize: 2 << 30, LabelLimit: store.LabelLimit, Rollups: rollup.Default()},
		Query:    query.Default(),
		Rules:    RulesConfig{Interval: 15 * time.Second, Packs: []string{"all"}, CutOff: defaultCutOff()},
		Route:    defaultRoute(),
		Capacity: planner.Default(),
		AWS:      aws.Default(),
		Intake:   defaultIntake(),
	}
}

func defaultCutOff() CutOff {
	return CutOff{Fleet: alerting.DefaultSettings().Fleet, After: time.Minute, Spread: time.Minute, PagerDuty: pagerduty.DefaultConfig()}
}

// checkData says that nobody said where data are.
func (c Config) checkData() error {
	if c.Data == "" {
		return errors.New("data: want a directory (--data, or data in the file): this user has no home folder to keep it in")
	}
	return nil
}

// LoadConfig reads the file at path and its conf.d; an empty path means the defaults. Its error tells
// every fault that can be seen without starting anything.
func LoadConfig(path string) (Config, error) {
	cfg := Default()
	if path == "" {
		return cfg, nil
	}
	doc, err := strict.Load(path)
	if err != nil {
		return cfg, err
	}
	if cfg, err = decodeConfig(doc); err == nil {
		err = cfg.checkPrograms(path)
	}
	return cfg, err
}

// checkPrograms refuses programs that a file names which others may write: who writes it says what is run.
func (c Config) checkPrograms(path string) error {
	if c.Collect.Off || c.Collect.By["exec"].Off() {
		return nil
	}
	if _, set := c.Collect.By["exec"]; !set {
		return nil
	}
	files, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "conf.d", "*.yaml")) // the pattern is right
	var faults strict.Faults
	for _, f := range append([]string{path}, files...) {
		if err := exec.Others(f); err != nil {
			faults = append(faults, strict.Fault{File: f, Text: "collect.exec: no program of it is run: " + err.Error()})
		}
	}
	if len(faults) == 0 {
		return nil
	}
	return faults
}

// ParseConfig is LoadConfig for a text.
func ParseConfig(name string, text []byte) (Config, error) {
	doc, err := strict.Parse(name, text)
	if err != nil {
		return Default(), err
	}
	return decodeConfig(doc)
}

func decodeConfig(doc *strict.Document) (Config, error) {
	cfg := Default()
	cfg.Notes, cfg.doc = doc.Notes, doc
	var faults strict.Faults
	note := func(err error) { faults = append(faults, asFaults(err)...) }
	note(doc.Decode(&cfg))
	plans, err := collectorPlans(cfg)
	note(err)
	for _, p := range plans {
		if o, ok := p.options.(interface{ Notes() []string }); ok {
			cfg.Notes = append(cfg.Notes, o.Notes()...)
		}
	}
	_, err = sinkPlans(cfg)
	note(err)
	for _, k := range scrapedLabels {
		if _, set := cfg.Node.Tags[k]; set {
			cfg.Notes = append(cfg.Notes, "node.tags."+k+" is not put on series: it marks what was scraped")
		}
	}
	if cfg.Intake.AWS.Queue != "" && len(cfg.Rules.Routers) > 1 && !cfg.Route.Ledger.NATS.Configured() {
		cfg.Notes = append(cfg.Notes, "intake.aws.queue: there are several routers and no ledger that they share, so that each message of the queue reaches one of them: "+
			"share a ledger (route.ledger.nats), or give each router a queue of its own")
	}
	if len(faults) > 0 {
		faults.Sort()
		return cfg, faults
	}
	return cfg, nil
}

// deadline is what one collection may take where its own section says nothing.
func (c Config) deadline() time.Duration {
	if c.Deadline > 0 {
		return c.Deadline
	}
	return min(c.Interval/2, 5*time.Second)
}

// Validate says what is out of bounds.
func (c Config) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if c.Interval < time.Second || c.Interval > 5*time.Minute {
		bad("interval: %v is outside 1s to 5m", c.Interval)
	}
	if c.Deadline < 0 || c.Deadline >= c.Interval {
		bad("deadline: %v is not between 0s and interval (%v)", c.Deadline, c.Interval)
	}
	if c.Drain < 0 || c.Drain > 5*time.Minute {
		bad("drain: %v is outside 0s to 5m", c.Drain)
	}
	if err := c.Web.checkSocket(); err != nil {
		errs = append(errs, err)
	}
	if err := c.checkListen(); err != nil {
		errs = append(errs, err)
	}
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, c.Log.Level) {
		bad("log.level: %q is none of debug, info, warn, error", c.Log.Level)
	}
	if !slices.Contains([]string{"text", "json"}, c.Log.Format) {
		bad("log.format: %q is none of text, json", c.Log.Format)
	}
	if c.Route.ChartLinks && !strings.HasPrefix(c.Web.ExternalURL, "https://") {
		bad("route.chart_links: want web.external_url with https, where pagers and chats fetch the charts")
	}
	if c.Intake.AWS.Queue != "" && c.Route.Off {
		bad("intake.aws.queue: only a router reads it, and route is off")
	}
	if !c.Rules.Off && c.Store.Off {
		if len(c.Rules.Files) > 0 {
			bad("rules: rules need the store, which is off")
		}
	}
	return errors.Join(errs...)
}

// Validate says what is out of bounds.
func (c StoreConfig) Validate() error {
	var errs []error
	if c.Retention < time.Hour || c.Retention > 400*24*time.Hour {
		errs = append(errs, fmt.Errorf("retention: %v is outside 1h to 400d", c.Retention))
	}
	if c.RetentionSize < 64<<20 {
		errs = append(errs, fmt.Errorf("retention_size: %d is below 64 MiB (%d)", c.RetentionSize, 64<<20))
	}
	if c.LabelLimit < 16 || c.LabelLimit > 5000 {
		errs = append(errs, fmt.Errorf("label_limit: %d is outside 16 to 5000", c.LabelLimit))
	}
	return errors.Join(errs...)
}

// Validate says what is out of bounds.
func (c RulesConfig) Validate() error {
	var errs []error
	if c.Interval < time.Second || c.Interval > 5*time.Minute {
		errs = append(errs, fmt.Errorf("interval: %v is outside 1s to 5m", c.Interval))
	}
	if c.CutOff.PagerDuty.Configured() && len(c.Routers) == 0 {
		errs = append(errs, errors.New("cut_off: want routers, of which a node can be cut off"))
	}
	for _, r := range c.Routers {
		errs = append(errs, checkRouter(r))
	}
	if c.Login != (login.Options{}) && len(c.Routers) == 0 {
		errs = append(errs, errors.New("login: want routers, at which to use it"))
	}
	return errors.Join(errs...)
}

// checkRouter wants a URL that can be shown.
func checkRouter(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil: // which has the text in it, and a password may be in the text
		return errors.New("routers: want http:// or https:// and a host")
	case u.User != nil:
		return fmt.Errorf("routers: %s: name and password belong into login", secret.Redact(text))
	case u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return fmt.Errorf("routers: want http:// or https:// and a host, have %q", secret.Redact(text))
	}
	return nil
}

// checkListen refuses to let passwords cross a network in the clear. Who may do what is the door's to say.
func (c Config) checkListen() error {
	host, _, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return fmt.Errorf("listen: want host:port, with brackets around an address of IPv6 ([::1]:9600), have %q", c.Listen)
	}
	if isLoopback(host) {
		return nil
	}
	if err := c.Web.Clear(); err != nil {
		return fmt.Errorf("listen: %s is reachable from other machines: %w", c.Listen, err)
	}
	return nil
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// nodeName returns the configured name or the host's.
func (c Config) nodeName() string {
	if c.Node.Name != "" {
		return c.Node.Name
	}
	if h, err := os.Hostname(); err == nil {
		return h
	}
	return "localhost"
}
