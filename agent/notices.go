package agent

import (
	"context"
	"time"

	"github.com/navcloud/binnacle/agent/inventory"
	"github.com/navcloud/binnacle/agent/words"
	"github.com/navcloud/binnacle/alerting"
)

// The alarms about what an instance is told of its own future.
const (
	ruleLeaves = "NodeLeaves" // its death is expected
	ruleNotice = "AWSNotice"
)

const (
	noticesEvery = 5 * time.Second
	noticesAgain = time.Minute
)

// watchNotices asks this instance's metadata what becomes of it, and tells the routers, until ctx ends. Elsewhere it asks nobody.
func (a *Agent) watchNotices(ctx context.Context) error {
	m := inventory.NewMetadata(a.where.metadata, nil)
	told := map[string]alerting.Alarm{} // by fingerprint
	var last time.Time
	ticker := time.NewTicker(noticesEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		if a.instanceID() == "" {
			continue
		}
		notices, err := m.Notices(ctx)
		if ctx.Err() != nil {
			return nil
		}
		now := time.Now()
		in := a.noticed(notices, told, now, err == nil, now.Sub(last) >= noticesAgain)
		if len(in) > 0 {
			last = now
			a.put(in)
		}
		if err != nil {
			return err
		}
	}
}

// noticed are the inputs for what stands now: what is new, what is over, and all of it where it is time to say it again. Nothing is
// over where not all was answered.
func (a *Agent) noticed(notices []inventory.Notice, told map[string]alerting.Alarm, now time.Time, whole, again bool) (in []alerting.Input) {
	standing := map[string]bool{}
	leaving := ""
	for _, n := range notices {
		alarm := a.noticeAlarm(n, now)
		fp := alarm.Fingerprint()
		standing[fp] = true
		if n.Leaves {
			leaving = alarm.Annotations[alerting.AnnotationSummary]
		}
		was, known := told[fp]
		if known {
			alarm.StartsAt = was.StartsAt
		} else {
			a.log.Warn("AWS told this instance of its future", "kind", n.Kind, "what", n.Text, "at", n.At)
		}
		if told[fp] = alarm; !known || again {
			in = append(in, alerting.Firing{Alarm: alarm})
		}
	}
	a.mu.Lock()
	if whole || leaving != "" {
		a.leaving = leaving
	}
	a.mu.Unlock()
	if !whole {
		return in
	}
	for fp := range told {
		if !standing[fp] {
			delete(told, fp)
			in = append(in, alerting.Ended{Fingerprint: fp})
		}
	}
	return in
}

func (a *Agent) noticeAlarm(n inventory.Notice, now time.Time) alerting.Alarm {
	cfg, id := a.config(), a.instanceID()
	node := cfg.nodeName()
	rule, priority, text := ruleNotice, "P4", node+": "+n.Text
	switch {
	case n.Leaves:
		rule, priority, text = ruleLeaves, "P5", node+" leaves: "+n.Text
	case n.Kind == "rebalance":
		priority = "P5"
	}
	if !n.At.IsZero() {
		text += ", at " + words.Minute(n.At) + " UTC"
	}
	return alerting.Alarm{
		Labels: map[string]string{
			alerting.LabelRule: rule, alerting.LabelSeverity: "info", alerting.LabelPriority: priority, alerting.LabelKind: "change", alerting.LabelLayer: "host",
			alerting.LabelEntity: "host:" + node, alerting.LabelSource: "agent", "node": node, "instance_id": id, "group": cfg.Node.Tags["group"], "notice": n.Kind,
		},
		Annotations: map[string]string{
			alerting.AnnotationSummary: text, "why": n.Text,
			alerting.AnnotationGuidance: "Nothing, where its group replaces it. Else start what takes over its work.",
		},
		StartsAt: now,
	}
}

// leaving notes the nodes that said that they leave: their death is expected. It returns what makes them known to the graph.
func (r *routeRole) leaving() (rows []inventory.Row) {
	note := func(al alerting.Alarm) {
		if al.Rule() != ruleLeaves || al.Labels["instance_id"] == "" {
			return
		}
		id, group := al.Labels["instance_id"], al.Labels["group"]
		r.cloud.fleet.Leaves(id, group, al.Annotations["why"], false, al.StartsAt)
		rows = append(rows, inventory.Row{Node: al.Labels["node"], Group: group, Instance: id})
	}
	if r.dispatch == nil {
		return nil
	}
	for _, p := range r.dispatch.View().Problems {
		note(p.Root)
		for _, e := range p.Explained {
			note(e.Alarm)
		}
	}
	return rows
}
