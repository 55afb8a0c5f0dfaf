package agent

import (
	"context"
	"time"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/agent/series"
	"github.com/navcloud/binnacle/collectors"
)

// The agent's own figures that no part of it publishes.
var (
	descStart     = &metric.Desc{Name: "binnacle_start_time_seconds", Unit: metric.Seconds, Help: "When the agent started, since 1970"}
	descReload    = &metric.Desc{Name: "binnacle_reload_success", Help: "0 after a reload was refused"}
	descNodeInfo  = &metric.Desc{Name: "binnacle_node_info", Help: "1; the labels say where the node stands"}
	descData      = &metric.Desc{Name: "binnacle_data_writable", Help: "0 while the data folder cannot be written"}
	descRuleLate  = &metric.Desc{Name: "binnacle_rule_evaluation_late_seconds", Unit: metric.Seconds, Help: "How far the evaluation of rules is behind its interval"}
	descRuleTook  = &metric.Desc{Name: "binnacle_rule_evaluation_seconds", Unit: metric.Seconds, Help: "Longest last evaluation of a group"}
	descRuleFails = &metric.Desc{Name: "binnacle_rules_failing", Help: "Rules whose last evaluation failed"}
	descSeries    = &metric.Desc{Name: "binnacle_store_series", Help: "Series in the head of the store"}
	descStored    = &metric.Desc{Name: "binnacle_store_bytes", Unit: metric.Bytes, Help: "Size of the store on disk"}
	descRefused   = &metric.Desc{Name: "binnacle_store_refused_samples_total", Kind: metric.Counter, Help: "Samples that the store refused or that lost their series, by reason"}
	descNoRouter  = &metric.Desc{Name: "binnacle_routers_unreachable_seconds", Unit: metric.Seconds, Help: "Since when no router took alarms; 0 while one does"}
)

// self appends the agent's own figures; the collector self calls it.
func (a *Agent) self(b *metric.Batch) {
	a.mu.Lock()
	cfg, g, m, fault, on := a.cfg, a.gather, a.rules, a.fault, a.instance
	a.mu.Unlock()
	b.Add(descStart, float64(a.begun.UnixMilli())/1000)
	b.Bool(descReload, fault == nil)
	b.Bool(descData, a.dataErr == nil)
	b.Add(descNodeInfo, 1, "az", cfg.Node.Tags["az"], "group", cfg.Node.Tags["group"], "service", cfg.Node.Tags["service"], "cluster", cfg.Node.Tags["cluster"], "instance_id", on.ID, "instance_type", on.Type)
	if g != nil {
		g.report(b)
	}
	if m != nil {
		s := m.Stats(time.Now())
		b.Add(descRuleLate, max(s.Late.Seconds(), 0))
		b.Add(descRuleTook, s.Slowest.Seconds())
		b.Add(descRuleFails, float64(len(s.Failing)))
	}
	if a.store != nil {
		s := a.store.Stats()
		b.Add(descSeries, float64(s.Series))
		b.Add(descStored, float64(s.Bytes))
		for _, reason := range refusals {
			b.Add(descRefused, s.Refused[reason], "reason", reason)
		}
	}
	a.selfRollup(b)
	a.selfRoute(b)
}

// refusals are the reasons of the store; each is published from the start, so that its first loss shows.
var refusals = append([]string{"too_old", "out_of_bounds", "duplicate_label", "commit", "other"}, series.Reasons...)

// selfRoute appends what the parts that route say of themselves.
func (a *Agent) selfRoute(b *metric.Batch) {
	var parts []collectors.Collector
	if a.dispatch != nil {
		parts = append(parts, a.dispatch, a.intake)
	}
	if a.client != nil {
		parts = append(parts, a.client)
		b.Add(descNoRouter, a.client.Unreachable().Seconds())
	}
	for _, p := range parts {
		if err := p.Collect(context.Background(), b); err != nil {
			a.log.Debug("own figures are incomplete", "err", err)
		}
	}
}
