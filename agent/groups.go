package agent

import (
	"context"
	"fmt"
	"time"

	"github.com/navcloud/binnacle/agent/aws"
	"github.com/navcloud/binnacle/agent/inventory"
	"github.com/navcloud/binnacle/agent/words"
	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/intake"
)

// ruleGroupShort is the alarm of a group that has fewer instances than it wants for too long.
const ruleGroupShort = "AutoScalingGroupShort"

// lives notes what becomes of an instance. What somebody else stopped excuses nothing.
func (r *routeRole) lives(l intake.Life) {
	switch l.What {
	case intake.Leaving:
		why := "its group " + l.Group + " ends it"
		if l.Group == "" {
			why = "AWS takes it back"
		}
		r.cloud.fleet.Leaves(l.Instance, l.Group, why, false, l.At)
	case intake.StackEnds:
		r.cloud.fleet.Retire(l.Stack, true, l.At)
	case intake.StackStays:
		r.cloud.fleet.Retire(l.Stack, false, l.At)
	case intake.Ended:
		r.cloud.fleet.Leaves(l.Instance, l.Group, "its group "+l.Group+" ended it", true, l.At)
	}
}

// watchGroups reads Auto Scaling's groups every minute while this router leads. A list that does not come leaves the last one in
// force.
func (r *routeRole) watchGroups(ctx context.Context) error {
	short := map[string]bool{} // whose alarm was raised or ended here
	for {
		if r.leadsAWS() && r.a.config().asksAWS() {
			groups, err := r.cloud.account.Load().Groups(ctx)
			if err != nil && ctx.Err() == nil {
				return err
			}
			if err == nil {
				now := time.Now()
				r.cloud.fleet.Observe(groups, now)
				if err := r.judgeGroups(ctx, r.dispatch.Put, short, now); err != nil {
					return nil // ctx ended
				}
			}
		}
		select {
		case <-time.After(aws.GroupsEvery):
		case <-ctx.Done():
			return nil
		}
	}
}

// judgeGroups raises and ends the alarms of groups that are short. What an earlier life raised is ended as well.
func (r *routeRole) judgeGroups(ctx context.Context, put func(context.Context, ...alerting.Input) error, short map[string]bool, now time.Time) error {
	there := map[string]bool{}
	for _, s := range r.cloud.fleet.Sizes(now) {
		there[s.Name] = true
		if s.Has >= s.Wants {
			if err := r.intake.GroupIsWhole(ctx, s.Name, now); err != nil {
				return err
			}
		}
		was, known := short[s.Name]
		is := !s.Short.IsZero()
		if known && !is && !was {
			continue
		}
		short[s.Name] = is
		if err := put(ctx, groupShort(s, now, is)); err != nil {
			return err
		}
	}
	for name, was := range short {
		if !there[name] {
			delete(short, name)
			if was {
				if err := put(ctx, groupShort(aws.Size{Name: name}, now, false)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func groupShort(s aws.Size, now time.Time, fires bool) alerting.Input {
	a := alerting.Alarm{
		Labels: map[string]string{
			alerting.LabelRule: ruleGroupShort, alerting.LabelSource: "aws", alerting.LabelSeverity: "critical", alerting.LabelPriority: "P2", alerting.LabelKind: "config",
			alerting.LabelLayer: "service", alerting.LabelEntity: "group:" + s.Name, "AutoScalingGroupName": s.Name,
		},
		Annotations: map[string]string{
			alerting.AnnotationSummary:  fmt.Sprintf("Auto Scaling group %s is short: %s, for %s", s.Name, s, words.Compact(now.Sub(s.Short))),
			alerting.AnnotationGuidance: "Read why nothing replaces what it lost: aws autoscaling describe-scaling-activities --auto-scaling-group-name " + s.Name,
		},
		StartsAt: s.Short,
	}
	if !fires {
		return alerting.Ended{Fingerprint: a.Fingerprint()}
	}
	return alerting.Firing{Alarm: a}
}

// members are what Auto Scaling says of instances, for the graph. An instance that a node tells of and that its group, which is
// known, does not have has left before this router asked.
func (c *cloud) members(rows []inventory.Row, now time.Time) (out []inventory.Member) {
	for _, s := range c.fleet.Standings(now) {
		out = append(out, inventory.Member{Instance: s.ID, Group: s.Group, Excused: s.Excused, Size: s.Size})
	}
	for _, row := range rows {
		if row.Instance != "" && row.Group != "" && c.fleet.Departed(row.Instance, row.Group, now) {
			out = append(out, inventory.Member{Instance: row.Instance, Group: row.Group, Excused: "its group " + row.Group + " does not have it any more"})
		}
	}
	return out
}
