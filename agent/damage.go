package agent

import (
	"context"
	"strings"
	"time"

	"github.com/navcloud/binnacle/agent/damage"
	"github.com/navcloud/binnacle/alerting"
)

// ruleDamaged names the alarm about data that was set aside. No rule can raise it: the history may be what is damaged.
const ruleDamaged = "BinnacleDataDamaged"

const (
	damageLook  = 5 * time.Second
	damageAgain = time.Minute // an alarm that fires is repeated this often
)

// damaged takes the report of a store.
func (a *Agent) damaged(r damage.Report) {
	a.log.Error("stored data is damaged", "store", r.Store, "what", r.What, "aside", r.Aside, "kept", r.Kept, "lost", r.Lost)
	a.damage.Note(r)
}

// tellDamage raises an alarm while there are reports that nobody has dealt with, until ctx ends.
func (a *Agent) tellDamage(ctx context.Context) error {
	ticker := time.NewTicker(damageLook)
	defer ticker.Stop()
	var raised alerting.Alarm
	var told time.Time
	for {
		now := time.Now()
		reports := a.damage.Current(now)
		switch {
		case len(reports) > 0 && now.Sub(told) >= damageAgain:
			if told.IsZero() {
				raised.StartsAt = reports[0].At
			}
			raised = a.damageAlarm(reports, raised.StartsAt)
			told = now
			a.put([]alerting.Input{alerting.Firing{Alarm: raised}})
		case len(reports) == 0 && !told.IsZero():
			told = time.Time{}
			a.put([]alerting.Input{alerting.Ended{Fingerprint: raised.Fingerprint()}})
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}
}

func (a *Agent) damageAlarm(reports []damage.Report, since time.Time) alerting.Alarm {
	node := a.config().nodeName()
	var lines []string
	for _, r := range reports {
		lines = append(lines, r.String())
	}
	return alerting.Alarm{
		Labels: map[string]string{
			alerting.LabelRule: ruleDamaged, alerting.LabelSeverity: "warning", alerting.LabelPriority: "P3", alerting.LabelKind: "config",
			alerting.LabelLayer: "host", alerting.LabelEntity: "host:" + node, alerting.LabelService: "binnacle", alerting.LabelSource: "agent",
		},
		Annotations: map[string]string{
			alerting.AnnotationRunbook:  a.config().runbooks() + ruleDamaged,
			alerting.AnnotationSummary:  "Stored data of the agent on " + node + " was damaged; it goes on with what could be read: " + lines[0],
			alerting.AnnotationGuidance: "Look for the cause: `dmesg -T | grep -i -e error -e ext4 -e xfs -e nvme | tail`. Remove what was set aside once nobody needs it: the alarm ends then, or after a day.",
			"damage":                    strings.Join(lines, "\n"),
		},
		StartsAt: since,
	}
}
