package pagerduty

import (
	"context"
	"fmt"

	pd "github.com/PagerDuty/go-pagerduty"

	"github.com/navcloud/binnacle/alerting"
)

// Escalate hands the open incident of a key to a level of its escalation policy, 1 being who was paged first. It
// needs the REST API. PagerDuty refuses a level that the policy does not have.
// Source: REST API v2, PUT /incidents, escalation_level, read November 2026.
func (c *Client) Escalate(ctx context.Context, key string, level int) alerting.Result {
	if c.cfg.Token.IsZero() {
		return alerting.Result{Outcome: alerting.Refused, Detail: "escalating needs the REST API, and no token is set (route.pagerduty.token)"}
	}
	id, r := c.incident(ctx, key)
	if id == "" {
		return r
	}
	change := pd.ManageIncidentsOptions{ID: id, EscalationLevel: uint(max(level, 1))}
	r = track(ctx, c.timeout, func(ctx context.Context) error {
		_, err := c.api.ManageIncidentsWithContext(ctx, c.cfg.From, []pd.ManageIncidentsOptions{change})
		return err
	}).result()
	if r.Outcome == alerting.Refused {
		c.forget(DedupKey(key))
	}
	return r
}

// Escalate implements what the board asks for; there is nobody but who reads the output.
func (l *Log) Escalate(_ context.Context, key string, level int) alerting.Result {
	l.log.Warn("escalated", "key", key, "level", level)
	if l.out != nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		_, _ = fmt.Fprintf(l.out, "\nESCALATED to level %d: %s\n", level, key)
	}
	return alerting.Result{Outcome: alerting.Accepted}
}
