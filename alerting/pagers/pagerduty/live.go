package pagerduty

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	pd "github.com/PagerDuty/go-pagerduty"

	"github.com/navcloud/binnacle/alerting"
)

// Level says how much a Finding matters.
type Level int

// The levels.
const (
	Fine    Level = iota
	Advice        // pages arrive; something could be better
	Defeats       // a page may wake nobody, or one that should not wake does
)

// Finding is one thing that was seen at PagerDuty, and what to do about it.
type Finding struct {
	Level Level
	Route string // name of the route; empty: of the account
	Text  string
}

// secondRoute names the second channel in findings.
const secondRoute = "second"

// maxServices bounds how many services are read in search of a routing key.
const maxServices = 1000

// Live reads the account by REST and says what would defeat us there. It changes nothing.
func (c *Client) Live(ctx context.Context) []Finding {
	if c.cfg.Token.IsZero() {
		return []Finding{{Advice, "", "no token is set: the service cannot be read, titles of open incidents cannot change, and acknowledgements come by webhook only"}}
	}
	services, err := c.services(ctx)
	if err != nil {
		return []Finding{{Defeats, "", fmt.Sprintf("the token does not open the REST API: %v", err)}}
	}
	out := c.liveAccount(ctx)
	keys := maps.Clone(c.keys)
	if !c.cfg.Second.RoutingKey.IsZero() {
		keys[secondRoute] = c.cfg.Second.RoutingKey.Reveal()
	}
	for _, route := range slices.Sorted(maps.Keys(keys)) {
		i := slices.IndexFunc(services, func(s service) bool { return s.hasKey(keys[route]) })
		if i < 0 {
			out = append(out, Finding{Defeats, route, fmt.Sprintf("none of the %d services that the token sees has this routing key: it is wrong, of another account, or of an event orchestration, whose rules are not read here", len(services))})
			continue
		}
		s := services[i]
		found := append(s.judge(), c.liveOnCall(ctx, s)...)
		for n := range found {
			found[n].Route = route
		}
		if len(found) == 0 {
			found = []Finding{{Fine, route, "service " + s.Name + " stands in our way nowhere"}}
		}
		out = append(out, found...)
	}
	return out
}

// services reads all services with their integrations. The library errs where an email integration has no
// filter mode, so that its call is made and the answer read here.
func (c *Client) services(ctx context.Context) ([]service, error) {
	var out []service
	for len(out) < maxServices {
		x := track(ctx, c.timeout, func(ctx context.Context) error {
			_, err := c.api.ListServicesWithContext(ctx, pd.ListServiceOptions{Limit: 100, Offset: uint(len(out)), Includes: []string{"integrations"}})
			return err
		})
		var page struct {
			Services []service `json:"services"`
			More     bool      `json:"more"`
		}
		if err := x.read(&page); err != nil {
			return nil, err
		}
		out = append(out, page.Services...)
		if !page.More || len(page.Services) == 0 {
			break
		}
	}
	return out, nil
}

// read decodes the answer of a call that succeeded.
func (x *exchange) read(v any) error {
	if r := x.result(); r.Outcome != alerting.Accepted {
		return fmt.Errorf("%s", r.Detail)
	}
	if err := json.Unmarshal(x.body, v); err != nil {
		return fmt.Errorf("cannot read the answer: %w", err)
	}
	return nil
}

// liveAccount looks at what all routes share.
func (c *Client) liveAccount(ctx context.Context) (out []Finding) {
	var users struct{ Users []struct{ Email string } }
	x := track(ctx, c.timeout, func(ctx context.Context) error {
		_, err := c.api.ListUsersWithContext(ctx, pd.ListUsersOptions{Query: c.cfg.From, Limit: 100})
		return err
	})
	if err := x.read(&users); err != nil {
		out = append(out, Finding{Advice, "", fmt.Sprintf("from: cannot see whether %s is a user: %v", c.cfg.From, err)})
	} else if !slices.ContainsFunc(users.Users, func(u struct{ Email string }) bool { return strings.EqualFold(u.Email, c.cfg.From) }) {
		out = append(out, Finding{Defeats, "", fmt.Sprintf("from: %s is no user of this account: titles and notes will be refused", c.cfg.From)})
	}
	if c.priority(ctx, alerting.P1) == "" {
		out = append(out, Finding{Advice, "", "the account has no priority named P1: incidents show ours in the title only"})
	}
	return out
}

// liveOnCall says when nobody would be woken.
func (c *Client) liveOnCall(ctx context.Context, s service) []Finding {
	var on struct{ Oncalls []struct{} }
	x := track(ctx, c.timeout, func(ctx context.Context) error {
		_, err := c.api.ListOnCallsWithContext(ctx, pd.ListOnCallOptions{EscalationPolicyIDs: []string{s.EscalationPolicy.ID}, Limit: 1})
		return err
	})
	switch err := x.read(&on); {
	case err != nil:
		return []Finding{{Level: Advice, Text: fmt.Sprintf("cannot see who is on call: %v", err)}}
	case len(on.Oncalls) == 0:
		return []Finding{{Level: Defeats, Text: fmt.Sprintf("nobody is on call for escalation policy %s: pages wake nobody", cmp.Or(s.EscalationPolicy.Summary, s.EscalationPolicy.ID))}}
	}
	return nil
}

// Prover is a pager whose channels can be tried without waking anybody.
type Prover interface {
	Channels() []string
	Prove(ctx context.Context, channel, from string) alerting.Result
}

// ProveEach tries each channel of a pager. name stands for the pager in findings; empty: each channel's own.
func ProveEach(ctx context.Context, p Pager, name, from string) (out []Finding) {
	prover, ok := p.(Prover)
	if !ok {
		return nil
	}
	for _, channel := range prover.Channels() {
		f := Finding{Fine, cmp.Or(name, channel), "it accepts what it is sent"}
		if r := prover.Prove(ctx, channel, from); r.Outcome != alerting.Accepted {
			f.Level, f.Text = Defeats, "it does not accept what it is sent: "+r.Outcome.String()+": "+r.Detail
		}
		out = append(out, f)
	}
	return out
}

// SendTest opens one incident for each route, at low urgency, and resolves it. With a token it adds a note, which
// shows whether the token may write. The keys of the incidents end in at.
func (c *Client) SendTest(ctx context.Context, at time.Time) (out []Finding) {
	for _, route := range slices.Sorted(maps.Keys(c.keys)) {
		out = append(out, sendTest(ctx, c, route, at, !c.cfg.Token.IsZero()))
	}
	if c.low != nil {
		out = append(out, sendTest(ctx, c, LowRoute, at, false))
	}
	return out
}

// SendTestBy is SendTest for another way, such as the second channel, which the finding names as its route.
func SendTestBy(ctx context.Context, p Pager, name string, at time.Time) Finding {
	f := sendTest(ctx, p, DefaultRoute, at, false)
	f.Route = name
	return f
}

// noteTries is how often a note is tried: an incident is there some seconds after its event was accepted.
const noteTries = 5

func sendTest(ctx context.Context, p Pager, route string, at time.Time, note bool) Finding {
	page := alerting.Page{
		Priority: alerting.P4, Rule: "BinnacleTest", Entity: "binnacle", Service: "binnacle", Since: at,
		Sentence: "a test by binnacle check: nothing is wrong", Reason: "a person asked for it", Guidance: "Nothing. It resolves itself.",
	}
	act := func(kind alerting.ActionKind) alerting.Result {
		return p.Send(ctx, alerting.Action{
			ID: kind.String(), Kind: kind, Route: route, Page: page, Text: "A test by binnacle check: notes arrive.",
			Key: "binnacle-check:" + route + ":" + at.UTC().Format("20060102T150405"),
		})
	}
	if r := act(alerting.Trigger); r.Outcome != alerting.Accepted {
		return Finding{Defeats, route, "the test event was not accepted: " + r.Outcome.String() + ": " + r.Detail}
	}
	noted := alerting.Result{Outcome: alerting.Accepted}
	for range noteTries {
		if !note {
			break
		}
		if noted = act(alerting.Note); noted.Outcome != alerting.Unknown {
			break
		}
		select {
		case <-time.After(max(noted.After, time.Second)):
		case <-ctx.Done():
		}
	}
	if r := act(alerting.Resolve); r.Outcome != alerting.Accepted {
		return Finding{Defeats, route, "the test event was accepted, its resolve was not: " + r.Detail + "; resolve it by hand"}
	}
	if noted.Outcome != alerting.Accepted {
		return Finding{Defeats, route, "the test event was accepted and resolved, but its note was not: " + noted.Detail}
	}
	return Finding{Fine, route, "a test event was accepted and resolved"}
}
