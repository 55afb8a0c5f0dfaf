package pagerduty

import (
	"context"
	"fmt"
	"slices"
	"time"

	pd "github.com/PagerDuty/go-pagerduty"

	"github.com/navcloud/binnacle/alerting"
)

// An event is accepted before its incident exists, so that a title may have to wait for it.
const incidentDelay = 2 * time.Second

// prioritiesEvery is how long the account's list of priorities is believed.
const prioritiesEvery = time.Hour

// maxIncidents bounds the IDs that are remembered.
const maxIncidents = 4096

// retitle changes what an incident says. The alarms that are behind it now go first, by a further trigger, which
// adds to the log of an open incident and would wake a person if there were none: so its state is asked for, not
// remembered. Where the trigger is throttled or lost, the title changes all the same, and the whole is to be tried again.
func (c *Client) retitle(ctx context.Context, a alerting.Action, key string) alerting.Result {
	c.forget(DedupKey(a.Key))
	id, r := c.incident(ctx, a.Key)
	if id == "" {
		return r
	}
	told := c.trigger(ctx, a, key)
	if told.Outcome == alerting.Refused {
		return told
	}
	change := pd.ManageIncidentsOptions{ID: id, Title: Title(a.Page)}
	if p := c.priority(ctx, a.Page.Priority); p != "" {
		change.Priority = &pd.APIReference{ID: p, Type: "priority_reference"}
	}
	r = track(ctx, c.timeout, func(ctx context.Context) error {
		_, err := c.api.ManageIncidentsWithContext(ctx, c.cfg.From, []pd.ManageIncidentsOptions{change})
		return err
	}).result()
	switch r.Outcome {
	case alerting.Accepted:
		return told
	case alerting.Refused:
		c.forget(DedupKey(a.Key))
	}
	return r
}

// maxNote bounds a note; PagerDuty documents no limit, and nobody reads more at night.
const maxNote = 4 << 10

// noteMark ends each note of ours: PagerDuty's webhook tells of it too, to every router, and it is not to be written down again.
const noteMark = "(by binnacle)"

func (c *Client) note(ctx context.Context, a alerting.Action) alerting.Result {
	id, r := c.incident(ctx, a.Key)
	if id == "" {
		return r
	}
	n := pd.IncidentNote{Content: cutRunes(a.Text, maxNote) + "\n" + noteMark, User: pd.APIObject{Summary: c.cfg.From}}
	r = track(ctx, c.timeout, func(ctx context.Context) error {
		_, err := c.api.CreateIncidentNoteWithContext(ctx, id, n)
		return err
	}).result()
	if r.Outcome == alerting.Refused {
		c.forget(DedupKey(a.Key))
	}
	return r
}

// incident finds the open incident of a key; without one, the result says why.
func (c *Client) incident(ctx context.Context, key string) (string, alerting.Result) {
	key = DedupKey(key)
	c.mu.Lock()
	id := c.incidents[key]
	c.mu.Unlock()
	if id != "" {
		return id, alerting.Result{}
	}
	found, r := c.list(ctx, key)
	if r.Outcome != alerting.Accepted {
		return "", r
	}
	if len(found) == 0 {
		return "", alerting.Result{Outcome: alerting.Unknown, Detail: "the incident is not there yet", After: incidentDelay}
	}
	in := newest(found)
	if in.Status == "resolved" {
		return "", alerting.Result{Outcome: alerting.Refused, Detail: "the incident is resolved"}
	}
	c.remember(key, in.ID)
	return in.ID, alerting.Result{}
}

// KeyOf asks PagerDuty for the dedup key of an incident by its ID; "" without a token, and where it does not say.
func (c *Client) KeyOf(ctx context.Context, id string) (key string) {
	if c.cfg.Token.IsZero() {
		return ""
	}
	x := track(ctx, c.timeout, func(ctx context.Context) error {
		in, err := c.api.GetIncidentWithContext(ctx, id)
		if err == nil && in != nil {
			key = in.IncidentKey
		}
		return err
	})
	if x.result().Outcome != alerting.Accepted {
		return ""
	}
	return key
}

func (c *Client) list(ctx context.Context, key string) ([]pd.Incident, alerting.Result) {
	var found []pd.Incident
	x := track(ctx, c.timeout, func(ctx context.Context) error {
		resp, err := c.api.ListIncidentsWithContext(ctx, pd.ListIncidentsOptions{IncidentKey: key, Limit: 25})
		if err == nil {
			found = resp.Incidents
		}
		return err
	})
	r := x.result()
	if r.Outcome == alerting.Accepted && x.err != nil {
		return nil, alerting.Result{Outcome: alerting.Unknown, Detail: fmt.Sprintf("cannot read the answer: %v", x.err)}
	}
	return found, r
}

// newest prefers what is open, then the higher number: a key is used again after its incident was resolved.
func newest(found []pd.Incident) pd.Incident {
	return slices.MaxFunc(found, func(a, b pd.Incident) int {
		if open := a.Status != "resolved"; open != (b.Status != "resolved") {
			if open {
				return 1
			}
			return -1
		}
		return int(a.IncidentNumber) - int(b.IncidentNumber)
	})
}

func (c *Client) remember(key, id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.incidents) >= maxIncidents {
		clear(c.incidents)
	}
	c.incidents[key] = id
}

func (c *Client) forget(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.incidents, key)
}

// priority returns the ID of the account's priority of our name, or none: accounts without priorities
// are common, and a title must not wait for them.
func (c *Client) priority(ctx context.Context, p alerting.Priority) string {
	c.mu.Lock()
	ids, asked := c.priorities, c.asked
	c.mu.Unlock()
	if asked.IsZero() || time.Since(asked) > prioritiesEvery {
		ids = map[string]string{}
		track(ctx, c.timeout, func(ctx context.Context) error {
			resp, err := c.api.ListPrioritiesWithContext(ctx, pd.ListPrioritiesOptions{Limit: 100})
			if err == nil {
				for _, p := range resp.Priorities {
					ids[p.Name] = p.ID
				}
			}
			return err
		})
		c.mu.Lock()
		c.priorities, c.asked = ids, time.Now()
		c.mu.Unlock()
	}
	return ids[p.String()]
}
