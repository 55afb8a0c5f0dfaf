package agent

import (
	"context"
	"time"

	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/rules"
)

// settleAfter is how long this node's own rules run before their silence about an alarm of an earlier
// life means that it has ended: the router's listening, and a re-send.
const settleAfter = 4 * time.Minute

// settle ends, after a start, what only the ledger still knows of this node's own rules. Of alarms of
// others the router waits to hear; of its own rules their evaluation is proof. Where alarms of other
// nodes come in under the same rules, their senders speak for themselves.
func (a *Agent) settle(ctx context.Context) error {
	if a.routers.client() != nil && a.route.facts == nil {
		return nil
	}
	for ran, next := time.Duration(0), settleAfter; next > ran; {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(next - ran):
		}
		ran = next
		var over []alerting.Input
		if over, next = a.over(a.route.dispatch.Open(), ran); len(over) == 0 {
			continue
		}
		a.log.Info("alarms of an earlier life do not hold any more", "alarms", len(over))
		if err := a.route.dispatch.Put(ctx, over...); err != nil {
			return err
		}
	}
	return nil
}

// over are the ends of the alarms in recs that only this node could raise and does not: by its rules, and by no rule, ran long after
// the start. What its rule keeps firing for longer ends later: next is when to ask again, 0 never.
func (a *Agent) over(recs []alerting.Record, ran time.Duration) (over []alerting.Input, next time.Duration) {
	m, host := a.rules.get(), "host:"+a.config().nodeName()
	own := map[string]bool{}
	if m != nil {
		for _, r := range m.AlertingRules() {
			own[r.Name()] = true
		}
	}
	for _, rec := range recs {
		for _, al := range rec.Page.Explained {
			if a.routers.client() != nil && !rules.OfFleet(al) {
				continue // what concerns a whole cluster this router judges, all else it hears
			}
			byRule := own[al.Rule()] && !m.Firing(al.Fingerprint()) && !a.censor.shows(al.Fingerprint()) && !m.Blind(al)
			byNone := al.Rule() == ruleHistory && a.history.failing() == nil || al.Rule() == ruleDamaged && len(a.damage.Current(time.Now())) == 0 || a.route.dispatch.Calm(al.Rule())
			keeps := al.Keeps()
			switch {
			case byRule && keeps > ran:
				if next == 0 || keeps < next {
					next = keeps
				}
			case byRule || byNone && al.Labels[alerting.LabelEntity] == host:
				over = append(over, alerting.Ended{Fingerprint: al.Fingerprint()})
			}
		}
	}
	return over, next
}
