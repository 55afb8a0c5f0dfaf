package agent

import (
	"context"
	"time"

	"github.com/navcloud/binnacle/agent/health"
	"github.com/navcloud/binnacle/alerting"
)

// rulePart names the alarm about a part that does not work. No rule raises it: what does not work may be the rules.
const rulePart = "BinnaclePartDown"

const (
	partLook  = 10 * time.Second
	partGrace = 2 * time.Minute // a part that is back by then is no alarm
	partAgain = time.Minute     // an alarm that holds is told again this often
)

// watchParts raises an alarm for each part that does not work for a while, and ends it when it does again.
func (a *Agent) watchParts(ctx context.Context) error {
	told := map[string]time.Time{}
	look := time.NewTicker(partLook)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-look.C:
			if in := a.partAlarms(now, a.roster.list(), told); len(in) > 0 {
				a.put(in)
			}
		}
	}
}

// partAlarms are the inputs for the router as of now. told is when each alarm was last told, by the name of its part.
func (a *Agent) partAlarms(now time.Time, parts []health.Part, told map[string]time.Time) (in []alerting.Input) {
	down := map[string]bool{}
	for _, p := range parts {
		if p.Error == "" || now.Sub(p.Since) < partGrace {
			continue
		}
		down[p.Name] = true
		if now.Sub(told[p.Name]) >= partAgain {
			told[p.Name] = now
			in = append(in, alerting.Firing{Alarm: a.partAlarm(p)})
		}
	}
	for name := range told {
		if !down[name] {
			delete(told, name)
			alarm := a.partAlarm(health.Part{Name: name})
			in = append(in, alerting.Ended{Fingerprint: alarm.Fingerprint()})
		}
	}
	return in
}

func (a *Agent) partAlarm(p health.Part) alerting.Alarm {
	cfg := a.config()
	node := cfg.nodeName()
	alarm := alerting.Alarm{
		Labels: map[string]string{
			alerting.LabelRule: rulePart, alerting.LabelSeverity: "warning", alerting.LabelPriority: "P4",
			alerting.LabelKind: "config", alerting.LabelLayer: "host", alerting.LabelEntity: "host:" + node,
			alerting.LabelService: "binnacle", alerting.LabelSource: "agent", "part": p.Name,
		},
		Annotations: map[string]string{
			alerting.AnnotationRunbook:  cfg.runbooks() + rulePart,
			alerting.AnnotationSummary:  "The part " + p.Name + " of the agent on " + node + " does not work",
			alerting.AnnotationGuidance: "Read why with `binnacle status`, mend it, and check with `binnacle check`; the agent tries again by itself, at the latest each minute",
		},
		StartsAt: p.Since,
	}
	if health.Blinds(p.Name) {
		alarm.Labels[alerting.LabelSeverity], alarm.Labels[alerting.LabelPriority], alarm.Labels[alerting.LabelPage] = "critical", "P2", "always"
		alarm.Labels[alerting.LabelKind] = "down"
		alarm.Annotations[alerting.AnnotationSummary] = "The agent on " + node + " is blind: its " + p.Name + " does not work, so its rules see nothing"
	}
	if p.Error != "" {
		alarm.Annotations["error"] = p.Error
	}
	return alarm
}
