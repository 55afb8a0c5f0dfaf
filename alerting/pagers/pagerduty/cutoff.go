package pagerduty

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/navcloud/binnacle/alerting"
)

// The rules of cut-off nodes. A node that was cut off and has told so fires RuleReturned at the routers once it
// reaches one again.
const (
	RuleNoRouter = "BinnacleNoRouter"
	RuleReturned = "BinnacleReturned"
)

const (
	cutOffLook  = 5 * time.Second
	cutOffRetry = 30 * time.Second // and up to as much again
	cutOffAgain = 15 * time.Minute // told again while it lasts, should somebody have closed it
	returnHolds = 5 * time.Minute  // so long a node tells that it is back
	allBack     = 2 * time.Minute  // after the last return
)

// cutOffKey is the dedup key of all nodes of a zone, so that PagerDuty folds them into one incident.
func cutOffKey(fleet, az string) string { return fleet + ":no-router:" + cmp.Or(az, "all") }

// CutOff pages for a node that no router hears: one trigger, under the key of its zone and a routing key of its own, so
// that three hundred of them are one incident and take nothing of the routers' rate.
type CutOff struct {
	Fleet, AZ, Node string
	After           time.Duration // without a router
	Spread          time.Duration // and then a random time below it, so that nodes do not all call at once
	Unreachable     func() time.Duration
	Worst           func() (alerting.Alarm, bool) // of the node's own alarms
	Pager           Pager
	Put             Put // to the routers
	Log             *slog.Logger
}

// Run watches until ctx ends.
func (c *CutOff) Run(ctx context.Context) error {
	ticker := time.NewTicker(cutOffLook)
	defer ticker.Stop()
	var due time.Time
	var told bool
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		now := time.Now()
		switch away := c.Unreachable(); {
		case away == 0 && told:
			told, due = false, time.Time{}
			c.returned(ctx, now)
		case away < c.After:
			due = time.Time{}
		case due.IsZero():
			due = now.Add(upTo(c.Spread))
		case now.Before(due):
		default:
			r := c.Pager.Send(ctx, c.trigger(now.Add(-away)))
			due = time.Now().Add(max(r.After, cutOffRetry+upTo(cutOffRetry)))
			if r.Outcome == alerting.Accepted {
				told, due = true, time.Now().Add(cutOffAgain+upTo(cutOffAgain))
			}
			c.Log.Warn("cut off from every router", "for", away, "page", r.Outcome.String(), "detail", r.Detail)
		}
	}
}

func upTo(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return rand.N(d)
}

// trigger has the node's worst alarm in its title: whoever is woken learns something even if the routers are gone for good.
func (c *CutOff) trigger(since time.Time) alerting.Action {
	p := alerting.Page{
		Priority: alerting.P2, Rule: RuleNoRouter, Entity: "az:" + cmp.Or(c.AZ, "all"), Service: "binnacle", Since: since,
		Impact: alerting.NoUserImpact + " seen so far; alarms of these nodes reach nobody", Reason: "alarms reach nobody",
		Broken:   fmt.Sprintf("nodes in %s reach no router, %s first to say so", cmp.Or(c.AZ, "all zones"), c.Node),
		Guidance: "Check the network of the zone and whether the routers run; look at the nodes' own boards meanwhile.",
	}
	p.Sentence = fmt.Sprintf("%s: no router reached", cmp.Or(c.AZ, "all zones"))
	if a, ok := c.Worst(); ok {
		p.Sentence += fmt.Sprintf("; %s: %s", c.Node, cmp.Or(a.Annotations[alerting.AnnotationSummary], a.Rule()))
		p.Explained = []alerting.Alarm{a}
		if a.Labels[alerting.LabelKind] == "symptom" && a.Labels[alerting.LabelSeverity] == "critical" {
			p.Priority, p.Reason = alerting.P1, "users are affected: "+a.Rule()+", and alarms reach nobody"
		}
	}
	return alerting.Action{ID: RuleNoRouter, Kind: alerting.Trigger, Key: cutOffKey(c.Fleet, c.AZ), Route: DefaultRoute, Page: p}
}

// returned tells the routers for a while that the node is back.
func (c *CutOff) returned(ctx context.Context, now time.Time) {
	a := alerting.Alarm{
		Labels: map[string]string{
			alerting.LabelRule: RuleReturned, alerting.LabelSeverity: "info", alerting.LabelEntity: "node:" + c.Node, alerting.LabelService: "binnacle",
			alerting.LabelSource: "agent", "az": c.AZ, "node": c.Node,
		},
		Annotations: map[string]string{alerting.AnnotationSummary: c.Node + " reaches the routers again"},
		StartsAt:    now,
	}
	if err := c.Put(ctx, alerting.Firing{Alarm: a}); err != nil {
		return // ctx ended
	}
	time.AfterFunc(returnHolds, func() { _ = c.Put(ctx, alerting.Ended{Fingerprint: a.Fingerprint()}) }) // which blocks for nobody
}

// Returns resolves at a router what cut-off nodes opened, once they are back. Every router does so: a second resolve
// finds nothing open and does nothing.
type Returns struct {
	fleet string
	pager Pager
	log   *slog.Logger

	mu    sync.Mutex
	zones map[string]*returning
}

// returning is a zone whose nodes come back.
type returning struct {
	newest time.Time // start of the newest of their alarms, by their clocks
	seen   time.Time // when that was heard
	done   bool      // resolved since
}

// NewReturns makes a Returns; pager has the routing key of the nodes.
func NewReturns(fleet string, pager Pager, log *slog.Logger) *Returns {
	return &Returns{fleet: fleet, pager: pager, log: log, zones: map[string]*returning{}}
}

// maxZones bounds what senders can make a router remember.
const maxZones = 1000

// See takes note of the inputs that speak of a return.
func (r *Returns) See(in ...alerting.Input) {
	for _, i := range in {
		f, ok := i.(alerting.Firing)
		if !ok || f.Alarm.Rule() != RuleReturned {
			continue
		}
		r.see(f.Alarm.Labels["az"], f.Alarm.StartsAt)
	}
}

func (r *Returns) see(az string, start time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	z := r.zones[az]
	if z == nil && len(r.zones) < maxZones {
		z = &returning{}
		r.zones[az] = z
	}
	if z != nil && start.After(z.newest) { // and not the same one told again
		*z = returning{newest: start, seen: time.Now()}
	}
}

// Run resolves until ctx ends.
func (r *Returns) Run(ctx context.Context) error {
	ticker := time.NewTicker(cutOffRetry)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		for _, az := range r.due(time.Now()) {
			a := alerting.Action{ID: RuleReturned, Kind: alerting.Resolve, Key: cutOffKey(r.fleet, az), Route: DefaultRoute}
			res := r.pager.Send(ctx, a)
			r.log.Info("cut-off nodes are back", "az", az, "resolve", res.Outcome.String(), "detail", res.Detail)
			if res.Outcome == alerting.Accepted || res.Outcome == alerting.Refused {
				r.done(az)
			}
		}
	}
}

func (r *Returns) due(now time.Time) (zones []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for az, z := range r.zones {
		if !z.done && now.Sub(z.seen) >= allBack {
			zones = append(zones, az)
		}
	}
	return zones
}

func (r *Returns) done(az string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.zones[az].done = true
}
