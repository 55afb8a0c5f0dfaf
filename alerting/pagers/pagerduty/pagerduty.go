// Package pagerduty carries out what the router decided: it makes events, titles and notes of Actions, and
// inputs of what people do at PagerDuty.
//
// It decides nothing, keeps no queue and never repeats a call by itself, but for one: a page that
// PagerDuty refuses for its form goes out again at once in the plainest form there is. Package dispatch calls
// Send, one call for each route at a time; all else may be called by many goroutines.
package pagerduty

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	pd "github.com/PagerDuty/go-pagerduty"

	"github.com/navcloud/binnacle/alerting"
)

// Options are what a Client takes besides its configuration.
type Options struct {
	Log       *slog.Logger
	ClientURL string            // of the board, for the link in the incident
	Low       bool              // everything at low urgency
	Transport http.RoundTripper // in place of the network; for tests
}

// Client sends to PagerDuty.
type Client struct {
	cfg     Config
	opts    Options
	keys    map[string]string
	api     *pd.Client
	low     *Chat // nil without one
	timeout time.Duration
	wire    wire
	reach   *reach // nil in tests without a network

	refused atomic.Uint64 // events that were refused for their form

	mu         sync.Mutex
	incidents  map[string]string // dedup key to ID of an open incident
	priorities map[string]string // name to ID
	asked      time.Time         // for the priorities
}

// New makes a Client. It sends nothing.
func New(cfg Config, o Options) (*Client, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("pagerduty: %w", err)
	}
	rt := o.Transport
	var way *reach
	if rt == nil {
		var err error
		if rt, way, err = cfg.transport(); err != nil {
			return nil, fmt.Errorf("pagerduty: %w", err)
		}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	events, api := cfg.urls()
	c := &Client{cfg: cfg, opts: o, keys: cfg.keys(), timeout: cfg.Timeout, reach: way, wire: newWire(rt), incidents: map[string]string{}}
	c.api = pd.NewClient(cfg.Token.Reveal(), pd.WithV2EventsAPIEndpoint(events), pd.WithAPIEndpoint(api))
	c.api.HTTPClient = c.wire
	if !cfg.Low.Webhook.IsZero() {
		c.low = newChat(cfg.Low.Webhook.Reveal(), rt, cfg.Timeout)
	}
	return c, nil
}

// Refused counts the events that PagerDuty refused for their form, whether or not the plain form got through.
func (c *Client) Refused() uint64 { return c.refused.Load() }

// Send carries out one action and says what became of it. The result's ActionID is a's. Without a token
// the REST API is closed: a new title goes out as a further trigger, which adds to the incident's log and
// leaves its title, and a note is refused.
func (c *Client) Send(ctx context.Context, a alerting.Action) alerting.Result {
	// One action may take a few calls; a route that waits for one sends nothing else.
	ctx, cancel := context.WithTimeout(ctx, 2*c.timeout)
	defer cancel()
	r := c.send(ctx, a)
	r.ActionID = a.ID
	return r
}

func (c *Client) send(ctx context.Context, a alerting.Action) alerting.Result {
	if a.Route == LowRoute && c.low != nil {
		return c.low.Send(ctx, a)
	}
	key, ok := c.keys[a.Route]
	if !ok {
		key, ok = c.keys[DefaultRoute]
	}
	if !ok {
		return alerting.Result{Outcome: alerting.Refused, Detail: fmt.Sprintf("route %q has no routing key", a.Route)}
	}
	rest := !c.cfg.Token.IsZero()
	switch {
	case a.Kind == alerting.Trigger, a.Kind == alerting.Retitle && !rest:
		return c.trigger(ctx, a, key)
	case a.Kind == alerting.Acknowledge:
		return c.Acknowledge(ctx, a.Route, a.Key)
	case a.Kind == alerting.Resolve:
		r := c.event(ctx, &pd.V2Event{RoutingKey: key, Action: "resolve", DedupKey: DedupKey(a.Key)})
		c.forget(DedupKey(a.Key))
		return r
	case a.Kind == alerting.Retitle:
		return c.retitle(ctx, a, key)
	case a.Kind == alerting.Note && rest:
		return c.note(ctx, a)
	}
	return alerting.Result{Outcome: alerting.Refused, Detail: fmt.Sprintf("%s needs the REST API, and no token is set", a.Kind)}
}

// trigger falls back to the plain form on a refusal: a page with little in it wakes a person all the same.
func (c *Client) trigger(ctx context.Context, a alerting.Action, key string) alerting.Result {
	r := c.event(ctx, trigger(a, key, c.opts.Low, "binnacle", c.opts.ClientURL))
	if r.Outcome != alerting.Refused {
		return r
	}
	c.refused.Add(1)
	c.opts.Log.Error("pagerduty refused an event, the plain form follows", "key", a.Key, "answer", r.Detail)
	again := c.event(ctx, plain(a, key, c.opts.Low))
	if again.Outcome == alerting.Accepted {
		again.Detail = "plain form, the full one was refused: " + r.Detail
	}
	return again
}

func (c *Client) event(ctx context.Context, e *pd.V2Event) alerting.Result {
	return track(ctx, c.timeout, func(ctx context.Context) error {
		_, err := c.api.ManageEventWithContext(ctx, e)
		return err
	}).event()
}

// Acknowledge tells PagerDuty that a person took the incident elsewhere: at the board or on the command
// line.
func (c *Client) Acknowledge(ctx context.Context, route, key string) alerting.Result {
	if route == LowRoute && c.low != nil {
		return alerting.Result{Outcome: alerting.Accepted} // a chat rings for nobody
	}
	rk, ok := c.keys[route]
	if !ok {
		rk = c.keys[DefaultRoute]
	}
	return c.event(ctx, &pd.V2Event{RoutingKey: rk, Action: "acknowledge", DedupKey: DedupKey(key)})
}

// Change is a deploy or another change, shown next to incidents and notifying nobody.
type Change struct {
	Route   string
	Summary string
	Source  string
	At      time.Time
	Details map[string]string
	Link    string
}

// SendChange sends a change event. It has the rate limit of the events.
func (c *Client) SendChange(ctx context.Context, ch Change) alerting.Result {
	key, ok := c.keys[ch.Route]
	if !ok {
		key = c.keys[DefaultRoute]
	}
	e := pd.ChangeEvent{RoutingKey: key, Payload: pd.ChangeEventPayload{
		Summary: cutRunes(oneLine(ch.Summary), maxSummary), Source: cutRunes(oneLine(ch.Source), maxSource),
	}}
	if !ch.At.IsZero() {
		e.Payload.Timestamp = ch.At.UTC().Format(time.RFC3339)
	}
	if len(ch.Details) > 0 {
		e.Payload.CustomDetails = map[string]any{}
		for k, v := range ch.Details {
			e.Payload.CustomDetails[k] = cutRunes(v, maxField)
		}
	}
	if ch.Link != "" {
		e.Links = []pd.ChangeEventLink{{Href: ch.Link}}
	}
	return track(ctx, c.timeout, func(ctx context.Context) error {
		_, err := c.api.CreateChangeEventWithContext(ctx, e)
		return err
	}).event()
}

// Channels are the names of the ways that pages take: each has a key, or an address, of its own.
func (c *Client) Channels() []string {
	out := slices.Sorted(maps.Keys(c.keys))
	if c.low != nil {
		out = append(out, LowRoute)
	}
	return out
}

// Prove makes sure that a channel accepts what it is sent, by a change event, which opens nothing and wakes nobody.
func (c *Client) Prove(ctx context.Context, channel, from string) alerting.Result {
	if channel == LowRoute && c.low != nil {
		return c.low.Prove(ctx, channel, from)
	}
	return c.SendChange(ctx, Change{Route: channel, Summary: proof(from), Source: from, At: time.Now()})
}

// Warm opens the connection for events where none is open, so that a page need not find a name server, a descriptor and the
// time for a handshake first. It is called once a minute; where a connection is open it does nothing.
func (c *Client) Warm(ctx context.Context) {
	events, _ := c.cfg.urls()
	if c.reach == nil || c.reach.opened(c.cfg.dialed(events)) {
		return
	}
	track(ctx, c.timeout, func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodHead, strings.TrimSuffix(events, "/")+"/", nil)
		if err != nil {
			return err
		}
		_, err = c.wire.Do(req) // whatever it answers, the connection stays
		return err
	})
}

func proof(from string) string {
	return from + " reaches this channel: a daily test by binnacle, nothing is wrong and nothing is to be done"
}
