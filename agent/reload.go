package agent

import (
	"fmt"
	"reflect"
	"strings"
)

// reloadable refuses what only a restart changes, by name: what is silently not in force is found out at night.
func reloadable(old, cfg Config) error {
	var changed []string
	for _, c := range []struct {
		name     string
		old, cfg any
	}{
		{"data", old.Data, cfg.Data},
		{"log.format", old.Log.Format, cfg.Log.Format},
		{"store", old.Store, cfg.Store},
		{"query", old.Query, cfg.Query},
		{"capacity", old.Capacity, cfg.Capacity},
		{"aws", old.AWS, cfg.AWS},
		{"route", restartOnly(old.Route), restartOnly(cfg.Route)},
		{"intake", old.Intake, cfg.Intake},
		{"rules.routers", len(old.Rules.Routers) > 0, len(cfg.Rules.Routers) > 0}, // where alarms go to at all
		{"rules.cut_off", returnsOf(old), returnsOf(cfg)},
	} {
		if !reflect.DeepEqual(c.old, c.cfg) {
			changed = append(changed, c.name)
		}
	}
	if len(changed) > 0 {
		return fmt.Errorf("only a restart changes %s", strings.Join(changed, ", "))
	}
	return nil
}

// restartOnly is what of the role route only a restart changes: how it decides, where its ledger is, and which ways out it has. Keys,
// tokens and addresses of those are read anew.
func restartOnly(c RouteConfig) any {
	p := c.PagerDuty
	return []any{
		c.Off, c.Delivery, c.Order, c.Ledger, c.configured(), c.hasSecond(),
		p.Low.Webhook.IsZero(), p.Low.P4,
	}
}

// returnsOf is what a router watches of nodes that page by themselves; nil where it watches none.
func returnsOf(c Config) any {
	if c.Route.Off || !c.Rules.CutOff.PagerDuty.Configured() {
		return nil
	}
	return c.Rules.CutOff
}
