package pagers

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/pagers/pagerduty"
	"github.com/navcloud/binnacle/alerting/pagers/receivers"
)

const (
	pollEvery = 15 * time.Second
	maxPolled = 20 // calls of one round
)

// Put hands inputs to the router.
type Put func(ctx context.Context, in ...alerting.Input) error

// Has says whether a route leads to a pager.
func (o *Out) Has(route, pager string) bool { return slices.Contains(o.ways(route).To, pager) }

// Poll asks Opsgenie and JSM who acknowledged or closed what is open there, and hands that to put. It blocks until ctx ends,
// and returns at once where neither is configured. open are the records of the open incidents.
func (o *Out) Poll(ctx context.Context, open func() []alerting.Record, put Put) error {
	asks := map[string]*receivers.Receiver{}
	for name, p := range o.pagers {
		if r, ok := p.(*receivers.Receiver); ok && r.Answers() {
			asks[name] = r
		}
	}
	if len(asks) == 0 {
		return nil
	}
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		o.round(ctx, asks, open(), put)
	}
}

func (o *Out) round(ctx context.Context, asks map[string]*receivers.Receiver, open []alerting.Record, put Put) {
	n := 0
	for _, rec := range open {
		if !rec.Open || rec.Pending != "" {
			continue
		}
		for _, name := range o.ways(rec.Route).To {
			r := asks[name]
			if r == nil || n >= maxPolled {
				continue
			}
			n++
			if in := changed(rec, r.State(ctx, rec.Key), name); in != nil && put(ctx, in) != nil {
				return
			}
		}
	}
}

// changed is what the service knows of an incident that its record does not.
func changed(rec alerting.Record, s receivers.State, name string) alerting.Input {
	by := s.By
	if by == "" {
		by = name
	}
	switch {
	case s.Closed:
		return alerting.Closed{Key: rec.Key, By: by}
	case s.Acked && rec.AckedBy == "":
		return alerting.Acked{Key: rec.Key, By: by, Pager: true}
	}
	return nil
}

// KeyOf is the dedup key of an incident at PagerDuty by its ID there, where any of the pagers is one and knows it.
func (o *Out) KeyOf(ctx context.Context, id string) string {
	for _, name := range slices.Sorted(maps.Keys(o.cfg.Pagers)) {
		if p, ok := o.pagers[name].(*pagerduty.Client); ok {
			if key := p.KeyOf(ctx, id); key != "" {
				return key
			}
		}
	}
	return ""
}
