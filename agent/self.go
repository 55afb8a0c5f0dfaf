package agent

import (
	"context"
	"time"

	"github.com/navcloud/binnacle/agent/health"
	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/agent/series"
	"github.com/navcloud/binnacle/agent/sinks"
	"github.com/navcloud/binnacle/collectors"
)

// The agent's own figures that no part of it publishes.
var (
	descMember    = &metric.Desc{Name: "binnacle_autoscaling_member", Help: "1 for each instance that Auto Scaling has, by group and state, as the router knows that asks AWS"}
	descLacking   = &metric.Desc{Name: "binnacle_autoscaling_lacking", Help: "Instances that a group wants and does not have in service"}
	descBeat      = &metric.Desc{Name: sinks.Beat, Help: "1 while this router sends pages and they arrive; 0 while one does not"}
	descStart     = &metric.Desc{Name: "binnacle_start_time_seconds", Unit: metric.Seconds, Help: "When the agent started, since 1970"}
	descFault     = &metric.Desc{Name: "binnacle_fault", Help: "1 while this is wrong with the agent, as binnacle status says it; of what, and how bad"}
	descPartUp    = &metric.Desc{Name: "binnacle_part_up", Help: "1 while a part of the agent that works by itself does, by part"}
	descPartFails = &metric.Desc{Name: "binnacle_part_failures_total", Kind: metric.Counter, Help: "Times that a part of the agent ended or could not open, by part"}
	descReload    = &metric.Desc{Name: "binnacle_reload_success", Help: "0 after a reload was refused"}
	descNodeInfo  = &metric.Desc{Name: "binnacle_node_info", Help: "1; the labels say where the node stands"}
	descData      = &metric.Desc{Name: "binnacle_data_writable", Help: "0 while the data folder cannot be written"}
	descRuleSlow  = &metric.Desc{Name: "binnacle_rule_group_over_interval_seconds", Unit: metric.Seconds, Help: "How long the last evaluation of a group of rules took, where that is more than its interval and 5 s; rule is the one that took longest"}
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
	cfg, fault, on := a.cfg, a.fault, a.instance
	a.mu.Unlock()
	b.Add(descStart, float64(a.begun.UnixMilli())/1000)
	b.Bool(descReload, fault == nil)
	b.Bool(descData, a.folder.fault() == nil)
	b.Add(descNodeInfo, 1, "az", cfg.Node.Tags["az"], "group", cfg.Node.Tags["group"], "service", cfg.Node.Tags["service"], "cluster", cfg.Node.Tags["cluster"], "instance_id", on.ID, "instance_type", on.Type)
	for of, level := range a.faultsOf() {
		b.Add(descFault, 1, "of", of, "level", [...]string{"ok", "warning", "critical"}[level])
	}
	for _, p := range a.roster.list() {
		b.Bool(descPartUp, p.Error == "", "part", p.Name)
		b.Add(descPartFails, float64(p.Failures), "part", p.Name)
	}
	a.collect.report(b)
	a.ship.report(b)
	if m := a.rules.get(); m != nil {
		s := m.Stats(time.Now())
		b.Add(descRuleLate, max(s.Late.Seconds(), 0))
		b.Add(descRuleTook, s.Slowest.Seconds())
		for _, slow := range s.Slow[:min(len(s.Slow), maxSlow)] {
			b.Add(descRuleSlow, slow.Takes.Seconds(), "rule_group", slow.Group, "rule", slow.Rule)
		}
		b.Add(descRuleFails, float64(len(s.Failing)))
	}
	open := a.store.get()
	if open.main != nil {
		s := open.main.Stats()
		b.Add(descSeries, float64(s.Series))
		b.Add(descStored, float64(s.Bytes))
		for _, reason := range refusals {
			b.Add(descRefused, s.Refused[reason], "reason", reason)
		}
	}
	a.selfRollup(b, a.store.rollupStatus(open))
	a.selfRoute(b)
	a.route.beat(b)
	a.route.cloud.report(b, time.Now())
}

// beat says whether this router pages. One that stands by says nothing.
func (r *routeRole) beat(b *metric.Batch) {
	if r.dispatch == nil || !r.dispatch.Sends() {
		return
	}
	b.Bool(descBeat, r.dispatch.Status().Undelivered <= health.DeliverWithin)
}

// report says which instances Auto Scaling has, so that who is missing can be found.
func (c *cloud) report(b *metric.Batch, now time.Time) {
	for _, s := range c.fleet.Standings(now) {
		if !s.Gone && s.State != "" {
			b.Add(descMember, 1, "instance_id", s.ID, "autoscaling_group", s.Group, "state", s.State, "excused", s.Excused)
		}
	}
	for _, s := range c.fleet.Sizes(now) {
		b.Add(descLacking, float64(max(s.Wants-s.Has, 0)), "autoscaling_group", s.Name)
	}
}

// faultsOf are the faults of this node by what they are of, each at its worst level: the same that command and pages show.
func (a *Agent) faultsOf() map[string]int {
	out := map[string]int{}
	for _, f := range a.Status().Faults() {
		out[f.Of] = max(out[f.Of], f.Level)
	}
	return out
}

// maxSlow bounds the groups of rules that are told as slow.
const maxSlow = 10

// refusals are the reasons of the store; each is published from the start, so that its first loss shows.
var refusals = append([]string{"too_old", "too_many_labels", "too_many_buckets", "out_of_bounds", "duplicate_label", "not_convertible", "commit", "other"}, series.Reasons...)

// selfRoute appends what the parts that route say of themselves.
func (a *Agent) selfRoute(b *metric.Batch) {
	var parts []collectors.Collector
	if a.route.dispatch != nil {
		parts = append(parts, a.route.dispatch, a.route.intake)
	}
	if c := a.routers.client(); c != nil {
		parts = append(parts, c)
		b.Add(descNoRouter, c.Unreachable().Seconds())
	}
	for _, p := range parts {
		if err := p.Collect(context.Background(), b); err != nil {
			a.log.Debug("own figures are incomplete", "err", err)
		}
	}
}

var (
	descRollups     = &metric.Desc{Name: "binnacle_rollup_series", Help: "Series of which a sample every five minutes is kept for longer"}
	descRollupLeft  = &metric.Desc{Name: "binnacle_rollup_series_left_out", Help: "Series that were not kept for longer, since there were too many"}
	descRollupBytes = &metric.Desc{Name: "binnacle_rollup_bytes", Unit: metric.Bytes, Help: "Size on disk of what is kept for longer"}
	descRollupUntil = &metric.Desc{Name: "binnacle_rollup_until_timestamp_seconds", Unit: metric.Seconds, Help: "Up to when samples were copied, since 1970"}
)

// selfRollup appends what the agent says of what is kept for longer.
func (a *Agent) selfRollup(b *metric.Batch, s *health.Rollups) {
	if s == nil || s.Until.IsZero() {
		return
	}
	b.Add(descRollups, float64(s.Series))
	b.Add(descRollupLeft, float64(s.LeftOut))
	b.Add(descRollupBytes, float64(s.Bytes))
	b.Add(descRollupUntil, float64(s.Until.Unix()))
}
