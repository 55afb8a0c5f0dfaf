package pagerduty

import (
	"context"
	"slices"
	"time"

	pd "github.com/PagerDuty/go-pagerduty"

	"github.com/navcloud/binnacle/alerting"
)

// maxPolled bounds the calls of one round: 20 in 10 s are 120 of the 960 that a token has in a minute.
const maxPolled = 20

// Put hands inputs to the router; it blocks while there is no room.
type Put func(ctx context.Context, in ...alerting.Input) error

// Poll asks for acknowledgements and resolves of the open incidents, for fleets that no webhook reaches,
// and hands what changed to put. It blocks until ctx ends, and returns at once where there is no token
// or polling is off. open returns the records of the incidents as they stand.
func (c *Client) Poll(ctx context.Context, open func() []alerting.Record, put Put) error {
	if c.cfg.Token.IsZero() || c.cfg.AckPoll == 0 {
		return nil
	}
	tick := time.NewTicker(c.cfg.AckPoll)
	defer tick.Stop()
	last := map[string]polled{}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		c.round(ctx, open(), last, put)
	}
}

// polled is what was told last of an incident.
type polled struct {
	status string
	until  time.Time // when an acknowledgement ends by itself, as after a snooze; zero: it does not
}

func (c *Client) round(ctx context.Context, open []alerting.Record, last map[string]polled, put Put) {
	var due []alerting.Record
	for _, r := range open {
		if r.Open && r.Pending == "" && r.Route != LowRoute {
			due = append(due, r)
		}
	}
	// What nobody took goes first, and of it the worst: those acknowledgements release other pages.
	slices.SortStableFunc(due, func(a, b alerting.Record) int {
		if (a.AckedBy == "") != (b.AckedBy == "") {
			if a.AckedBy == "" {
				return -1
			}
			return 1
		}
		return int(a.Page.Priority) - int(b.Page.Priority)
	})
	if len(due) > maxPolled {
		due = due[:maxPolled]
	}
	keys := map[string]bool{}
	for _, r := range due {
		keys[r.Key] = true
		found, res := c.list(ctx, DedupKey(r.Key))
		if res.Outcome == alerting.Throttled {
			return
		}
		if res.Outcome != alerting.Accepted || len(found) == 0 {
			continue
		}
		in := newest(found)
		was, seen := last[r.Key]
		now := polled{in.Status, ends(in)}
		if now == was {
			continue
		}
		if input := change(r, in); now.status != was.status && input != nil && put(ctx, input) != nil {
			return
		}
		// What was snoozed before the agent started was told then, as far as it knows.
		if !now.until.IsZero() && !now.until.Equal(was.until) && (seen || r.AckedBy == "") {
			note := alerting.Noted{Key: r.Key, By: acker(in), Text: "acknowledged until " + now.until.UTC().Format("2006-01-02 15:04 UTC") + ": PagerDuty rings again then"}
			if put(ctx, note) != nil {
				return
			}
		}
		last[r.Key] = now
	}
	for k := range last {
		if !keys[k] {
			delete(last, k)
		}
	}
}

// change is what an incident's status says that the record does not know.
func change(r alerting.Record, in pd.Incident) alerting.Input {
	switch {
	case in.Status == "resolved":
		return alerting.Closed{Key: r.Key, By: in.LastStatusChangeBy.Summary}
	case in.Status == "acknowledged" && r.AckedBy == "":
		return alerting.Acked{Key: r.Key, By: acker(in), Pager: true}
	case in.Status == "triggered" && r.AckedBy != "":
		return alerting.Acked{Key: r.Key, By: in.LastStatusChangeBy.Summary, Undo: true, Pager: true}
	}
	return nil
}

// acker is who acknowledged an incident last.
func acker(in pd.Incident) string {
	by := in.LastStatusChangeBy.Summary
	for _, a := range in.Acknowledgements {
		by = a.Acknowledger.Summary
	}
	return someone(by)
}

// ends is when the acknowledgement of an incident ends by itself: a person snoozed it, or the service limits acknowledgements.
// Source: PagerDuty REST API v2, Get an incident, pending_actions, read 30 November 2026.
func ends(in pd.Incident) time.Time {
	for _, p := range in.PendingActions {
		if at, err := time.Parse(time.RFC3339, p.At); err == nil && p.Type == "unacknowledge" && in.Status == "acknowledged" {
			return at.UTC()
		}
	}
	return time.Time{}
}

// someone stands for a person whose name PagerDuty does not tell: an empty name would mean nobody.
func someone(name string) string {
	if name == "" {
		return "PagerDuty"
	}
	return name
}
