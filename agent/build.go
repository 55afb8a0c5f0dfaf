package agent

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"time"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/agent/sinks"
	"github.com/navcloud/binnacle/agent/strict"
	"github.com/navcloud/binnacle/collectors"
	"github.com/navcloud/binnacle/collectors/catalogue"
)

// common are the settings that every collector has beside its own.
type common struct {
	Interval time.Duration `yaml:"interval"`
	Deadline time.Duration `yaml:"deadline"`
}

// plan is a collector that is to run.
type plan struct {
	spec     collectors.Spec
	section  strict.Section
	options  any
	interval time.Duration
	deadline time.Duration
	unasked  bool // nothing is looked for that the file does not name
}

// options decodes a section into a copy of the default options.
func options(defaults any, s strict.Section) (any, error) {
	if defaults == nil {
		defaults = struct{}{}
	}
	v := reflect.New(reflect.TypeOf(defaults))
	v.Elem().Set(reflect.ValueOf(defaults))
	if err := s.Decode(v.Interface()); err != nil {
		return nil, err
	}
	return v.Elem().Interface(), nil
}

// collectorPlans says which collectors run and how: all of the catalogue that are not off. Its error
// tells every fault.
func collectorPlans(cfg Config) ([]plan, error) {
	var faults strict.Faults
	note := func(err error) { faults = append(faults, asFaults(err)...) }
	var plans []plan
	var names []string
	for _, spec := range catalogue.All() {
		names = append(names, spec.Name)
		section := cfg.Collect.By[spec.Name]
		if cfg.Collect.Off || section.Off() {
			continue
		}
		p := plan{spec: spec, section: section, interval: cfg.Interval, deadline: cfg.deadline(), unasked: !cfg.Collect.Discover}
		if spec.Interval > 0 {
			p.interval = spec.Interval
			if spec.Interval >= Default().Interval { // what is quicker is so for its alarms' sake
				p.interval = max(spec.Interval, cfg.Interval)
			}
		}
		if spec.Deadline > 0 {
			p.deadline = spec.Deadline
		}
		shared, own := section.Split("interval", "deadline")
		c := common{p.interval, p.deadline}
		note(shared.Decode(&c))
		if c.Interval < time.Second || c.Interval > time.Hour {
			note(shared.Fault("interval: %v is outside 1s to 1h", c.Interval))
		}
		if c.Deadline <= 0 || c.Deadline > c.Interval {
			c.Deadline = c.Interval
		}
		p.interval, p.deadline = c.Interval, c.Deadline
		var err error
		p.options, err = options(spec.Options, own)
		note(err)
		plans = append(plans, p)
	}
	note(unknown(cfg.Collect.By, names, "no such collector"))
	if len(faults) > 0 {
		return nil, faults
	}
	return plans, nil
}

// sinkPlan is a destination that is to be fed.
type sinkPlan struct {
	spec    sinks.Spec
	section strict.Section
	options any
	common  sinks.Common
}

// sinkName is what a destination of a kind of its own can be called: it names a folder.
var sinkName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// sinkPlans says which destinations are fed. Its error tells every fault.
func sinkPlans(cfg Config) ([]sinkPlan, error) {
	var faults strict.Faults
	note := func(err error) { faults = append(faults, asFaults(err)...) }
	var plans []sinkPlan
	var names []string
	for _, spec := range sinks.All() {
		names = append(names, spec.Name)
	}
	for _, name := range slices.Sorted(maps.Keys(cfg.Ship.By)) {
		section := cfg.Ship.By[name]
		spec, known := sinks.Lookup(name)
		if cfg.Ship.Off || section.Off() {
			names = append(names, name)
			continue
		}
		kind, section := section.Split("kind")
		var k struct {
			Kind string `yaml:"kind"`
		}
		note(kind.Decode(&k))
		if k.Kind != "" {
			if spec, known = sinks.Lookup(k.Kind); !known {
				note(kind.Fault("kind: %q is no destination%s", k.Kind, strict.Suggest(k.Kind, names)))
				names = append(names, name)
				continue
			}
			if !sinkName.MatchString(name) {
				note(kind.Fault("%q: want a name of letters, digits, - and _", name))
			}
			names = append(names, name)
			spec.Name, spec.Kind = name, k.Kind // the name is what its queue, spool and figures have
		}
		if !known {
			continue // told below
		}
		p := sinkPlan{spec: spec, section: section, common: spec.Common}
		shared, own := section.Split(sinks.CommonKeys...)
		note(shared.Decode(&p.common))
		var err error
		p.options, err = options(spec.Options, own)
		note(err)
		if o, ok := p.options.(sinks.CloudWatch); ok && o.Alarms.On() {
			p.common.View = p.common.View.Keeping(sinks.Beat)
		}
		plans = append(plans, p)
	}
	note(unknown(cfg.Ship.By, names, "no such destination"))
	if len(faults) > 0 {
		return nil, faults
	}
	return plans, nil
}

func unknown(have strict.Sections, names []string, what string) error {
	var faults strict.Faults
	for name, s := range have {
		if !slices.Contains(names, name) {
			faults = append(faults, s.Fault("%s%s", what, strict.Suggest(name, names)))
		}
	}
	if len(faults) == 0 {
		return nil
	}
	return faults
}

func asFaults(err error) strict.Faults {
	var fs strict.Faults
	var f strict.Fault
	switch {
	case err == nil:
		return nil
	case errors.As(err, &fs):
		return fs
	case errors.As(err, &f):
		return strict.Faults{f}
	}
	return strict.Faults{{Text: err.Error()}}
}

// env is the world as collectors see it in production; what they keep is in the folder data.
func env(cfg Config, data string, now func() time.Time, log *slog.Logger, self func(*metric.Batch)) collectors.Env {
	return collectors.Env{
		Root: "/", State: stateDir(data), Node: cfg.nodeName(), Now: now, Log: log, Self: self, Reserved: catalogue.Reserved,
		HTTP: &http.Transport{
			// What is watched is near: no proxy stands between, and none is asked.
			DialContext:         (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
			MaxIdleConnsPerHost: 4, IdleConnTimeout: 90 * time.Second, ResponseHeaderTimeout: 30 * time.Second,
		},
		Dial: (&net.Dialer{}).DialContext,
	}
}

func stateDir(data string) string {
	if data == "" {
		return ""
	}
	return filepath.Join(data, "collectors")
}

// newCollector builds the collector of a plan.
func (p plan) newCollector(e collectors.Env) (collectors.Collector, error) {
	e.Options, e.Undiscovered = p.options, p.unasked
	e.Log = e.Log.With("collector", p.spec.Name)
	c, err := p.spec.New(e)
	if err != nil {
		return nil, fmt.Errorf("collector %s: %w", p.spec.Name, err)
	}
	return c, nil
}
