package planner

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/navcloud/binnacle/agent/capacity"
	"github.com/navcloud/binnacle/agent/store"
)

// Config is the section capacity.
type Config struct {
	Off bool `yaml:"-"`
	// LeadTime is how long it takes to make room: to order, to approve, to hand data over. A ticket is written when a
	// limit may be reached sooner.
	LeadTime time.Duration         `yaml:"lead_time"` // 1h to 365d
	History  time.Duration         `yaml:"history"`   // 30d to 1100d: how long the figures of pools are kept, one for 5 minutes
	Note     string                `yaml:"note"`      // shown on the page
	Limits   map[string]float64    `yaml:"limits"`    // by pool: in place of what metrics tell, or where none tells; of one node where the pool grows by nodes
	Pools    map[string]PoolConfig `yaml:"pools"`     // further ones, or a built-in one in another way
}

// PoolConfig is a pool that an operator declares. Use, Limit and Nodes are PromQL; Limit may be a number.
type PoolConfig struct {
	Title    string        `yaml:"title"`
	Unit     string        `yaml:"unit"`
	Kind     capacity.Kind `yaml:"kind"` // demand, which comes and goes, or fills, which only grows
	Use      string        `yaml:"use"`
	Limit    string        `yaml:"limit"`
	Nodes    string        `yaml:"nodes"`     // that share it; the limit is then of one node
	Zoned    bool          `yaml:"zoned"`     // the loss of a zone (label az) takes its part of the limit
	Floor    bool          `yaml:"floor"`     // use has to stay above limit
	Action   string        `yaml:"action"`    // what gives room
	LeadTime time.Duration `yaml:"lead_time"` // 0: as for all
}

// Default is what an empty section means. 762 days are 25 months: a year, the same time of the year before, and
// what it takes to look at it.
func Default() Config {
	return Config{LeadTime: 14 * 24 * time.Hour, History: 762 * 24 * time.Hour}
}

// Validate says what is out of bounds.
func (c Config) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if c.LeadTime < time.Hour || c.LeadTime > 365*24*time.Hour {
		bad("lead_time: %v is outside 1h to 365d", c.LeadTime)
	}
	if c.History < 30*24*time.Hour || c.History > 1100*24*time.Hour {
		bad("history: %v is outside 30d to 1100d", c.History)
	}
	known := map[string]bool{}
	for _, p := range capacity.Pools() {
		known[p.Name] = true
	}
	for _, name := range slices.Sorted(maps.Keys(c.Pools)) {
		known[name] = true
		for _, err := range c.Pools[name].faults() {
			bad("pools: %s.%w", name, err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Limits)) {
		if !known[name] {
			bad("limits: there is no pool %q; there are %v", name, slices.Sorted(maps.Keys(known)))
		}
		if !(c.Limits[name] > 0) {
			bad("limits: %s: want a number above 0, have %v", name, c.Limits[name])
		}
	}
	return errors.Join(errs...)
}

// faults are what is out of bounds.
func (c PoolConfig) faults() (errs []error) {
	if c.Use == "" {
		errs = append(errs, errors.New("use: want PromQL"))
	}
	for _, q := range []struct{ key, text string }{{"use", c.Use}, {"limit", c.Limit}, {"nodes", c.Nodes}} {
		if q.text == "" {
			continue
		}
		if _, err := store.Parser().ParseExpr(q.text); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", q.key, err))
		}
	}
	if c.Kind != "" && c.Kind != capacity.Demand && c.Kind != capacity.Fills {
		errs = append(errs, fmt.Errorf("kind: %q is none of demand, fills", c.Kind))
	}
	if c.LeadTime < 0 || c.LeadTime > 365*24*time.Hour {
		errs = append(errs, fmt.Errorf("lead_time: %v is outside 0s to 365d", c.LeadTime))
	}
	return errs
}

// pools are the built-in ones and the declared, in order.
func (c Config) pools() []capacity.Pool {
	all := capacity.Pools()
	for _, name := range slices.Sorted(maps.Keys(c.Pools)) {
		p := c.Pools[name].pool(name)
		if i := slices.IndexFunc(all, func(b capacity.Pool) bool { return b.Name == name }); i >= 0 {
			all[i] = p
		} else {
			all = append(all, p)
		}
	}
	for i, p := range all {
		if v, ok := c.Limits[p.Name]; ok {
			all[i].Declared = v
		}
	}
	return all
}

// Words name the pools that are looked for, and those that are not judged until their limit is declared.
func (c Config) Words() string {
	var with, without []string
	for _, p := range c.pools() {
		if p.Limit == "" && p.Declared == 0 {
			without = append(without, p.Name)
		} else {
			with = append(with, p.Name)
		}
	}
	text := "pools: " + strings.Join(with, ", ")
	if len(without) > 0 {
		text += "; without a limit until capacity.limits has one: " + strings.Join(without, ", ")
	}
	return text
}

func (c PoolConfig) pool(name string) capacity.Pool {
	p := capacity.Pool{
		Name: name, Title: c.Title, Unit: c.Unit, Kind: c.Kind, Use: c.Use, Limit: c.Limit, Nodes: c.Nodes, PerNode: c.Nodes != "",
		Zoned: c.Zoned, Floor: c.Floor, Action: c.Action, LeadTime: c.LeadTime,
	}
	if p.Title == "" {
		p.Title = name
	}
	if p.Kind == "" {
		p.Kind = capacity.Demand
	}
	if p.Action == "" {
		p.Action = "make room"
	}
	if v, err := strconv.ParseFloat(c.Limit, 64); err == nil {
		p.Declared, p.Limit = v, ""
	}
	return p
}
