package agent

import (
	"context"
	"io"
	"log/slog"
	"reflect"
	"time"

	"github.com/navcloud/binnacle/agent/sinks"
	"github.com/navcloud/binnacle/agent/strict"
	"github.com/navcloud/binnacle/alerting/rules"
	"github.com/navcloud/binnacle/alerting/topology"
	"github.com/navcloud/binnacle/collectors"
)

// CheckOpen says, each with its place, what of a configuration cannot open as things are: what an agent would show as a part
// that does not work. It listens nowhere, calls nobody and leaves nothing behind.
func CheckOpen(_ context.Context, cfg Config) error {
	var faults strict.Faults
	at := func(path string, err error) {
		switch {
		case err == nil:
		case cfg.doc != nil:
			faults = append(faults, cfg.doc.Fault(path, "%v", err))
		default:
			faults = append(faults, strict.Fault{File: "flags and defaults", Text: path + ": " + err.Error()})
		}
	}
	if err := cfg.checkData(); err != nil {
		return err
	}
	log := slog.New(slog.DiscardHandler)
	faults = append(faults, checkShip(cfg, log)...)
	faults = append(faults, checkCollect(cfg, log)...)
	if !cfg.Rules.Off {
		at("rules", rules.Check(rules.Options{Packs: cfg.Rules.Packs, Files: cfg.Rules.Files, ExternalURL: cfg.boardURL()}))
		_, err := openRouters(cfg, log, &ownFacts{})
		at("rules", err)
	}
	if !cfg.Route.Off {
		_, err := cfg.Route.exits(cfg.boardURL(), log, io.Discard, kept{}, nil)
		at("route", err)
		if path := cfg.Route.Topology; path != "" {
			_, err := topology.Load(path)
			at("route.topology", err)
		}
	}
	if !cfg.Web.Off {
		at("web", cfg.Web.Validate())
	}
	if len(faults) == 0 {
		return nil
	}
	faults.Sort()
	return faults
}

// checkShip opens the destinations and closes them again; none of them calls anybody for that.
func checkShip(cfg Config, log *slog.Logger) (faults strict.Faults) {
	plans, err := sinkPlans(cfg)
	faults = asFaults(err)
	for _, p := range plans {
		s, err := p.spec.New(p.options, sinks.Env{Node: cfg.nodeName(), Tags: cfg.Node.Tags, Log: log})
		if err != nil {
			faults = append(faults, p.section.Fault("%v", err))
			continue
		}
		if c, ok := s.(io.Closer); ok {
			_ = c.Close()
		}
	}
	return faults
}

// listens says whether the collector opens sockets that one agent of a machine has.
func (p plan) listens() bool {
	o := reflect.ValueOf(p.options)
	return o.Kind() == reflect.Struct && o.FieldByName("Listen").IsValid()
}

// checkCollect makes the collectors but for those that listen, whose sockets an agent may have open right now.
func checkCollect(cfg Config, log *slog.Logger) (faults strict.Faults) {
	plans, err := collectorPlans(cfg)
	faults = asFaults(err)
	for _, p := range plans {
		if p.listens() {
			continue
		}
		c, err := p.newCollector(env(cfg, "", time.Now, log, nil))
		if err != nil {
			faults = append(faults, p.section.Fault("%v", err))
			continue
		}
		if o, ok := c.(collectors.Opener); ok {
			if err := o.Opened(); err != nil {
				faults = append(faults, p.section.Fault("collector %s: %v", p.spec.Name, err))
			}
		}
		closeCollector(c)
	}
	return faults
}
