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
	last := map[string]string{} // status as last told, by key
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		c.round(ctx, open(), last, put)
	}
}

func (c *Client) round(ctx context.Context, open []alerting.Record, last map[string]string, put Put) {
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
		if in.Status == last[r.Key] {
			continue
		}
		if input := change(r, in); input != nil && put(ctx, input) != nil {
			return
		}
		last[r.Key] = in.Status
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
		by := in.LastStatusChangeBy.Summary
		for _, a := range in.Acknowledgements {
			by = a.Acknowledger.Summary
		}
		return alerting.Acked{Key: r.Key, By: someone(by), Pager: true}
	case in.Status == "triggered" && r.AckedBy != "":
		return alerting.Acked{Key: r.Key, By: in.LastStatusChangeBy.Summary, Undo: true, Pager: true}
	}
	return nil
}

// someone stands for a person whose name PagerDuty does not tell: an empty name would mean nobody.
func someone(name string) string {
	if name == "" {
		return "PagerDuty"
	}
	return name
}
