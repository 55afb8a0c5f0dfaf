package agent

import (
	"context"
	"errors"
	"time"

	"github.com/navcloud/binnacle/alerting/ledger"
	"github.com/navcloud/binnacle/alerting/pagers/pagerduty"
)

// CheckLive asks PagerDuty what would defeat us there, and whether a shared ledger can be reached; with send it also sends
// one test event each way that pages take, and resolves it. Without a routing key there is nothing to ask.
func CheckLive(ctx context.Context, cfg Config, send bool) ([]pagerduty.Finding, error) {
	if cfg.Route.Off || !cfg.Route.PagerDuty.Configured() {
		return nil, errors.New("route.pagerduty: no routing key is set: pages are shown and logged, and wake nobody")
	}
	o := pagerduty.Options{ClientURL: cfg.boardURL()}
	client, err := pagerduty.New(cfg.Route.PagerDuty, o)
	if err != nil {
		return nil, err
	}
	second, err := pagerduty.NewSecond(cfg.Route.PagerDuty, o)
	if err != nil {
		return nil, err
	}
	found := append(client.Live(ctx), liveLedger(ctx, cfg)...)
	if !send {
		return found, nil
	}
	now := time.Now()
	found = append(found, client.SendTest(ctx, now)...)
	if second != nil {
		found = append(found, pagerduty.SendTestBy(ctx, second, "second", now))
	}
	if c := cfg.Rules.CutOff.PagerDuty; c.Configured() {
		pager, err := pagerduty.New(c, o)
		if err != nil {
			return nil, err
		}
		found = append(found, pagerduty.SendTestBy(ctx, pager, "cut_off", now))
	}
	return found, nil
}

// liveLedger opens a shared ledger as a router would.
func liveLedger(ctx context.Context, cfg Config) []pagerduty.Finding {
	c := cfg.Route.Ledger.NATS
	if !c.Configured() {
		return nil
	}
	l, err := ledger.OpenNATS(ctx, c, cfg.Route.Order.Fleet, ledger.Options{})
	if err != nil {
		return []pagerduty.Finding{{Level: pagerduty.Defeats, Text: err.Error() + ": every router of the fleet sends for itself"}}
	}
	defer func() { _ = l.Close() }() // it was only asked
	return []pagerduty.Finding{{Level: pagerduty.Fine, Text: "the ledger of fleet " + cfg.Route.Order.Fleet + " can be reached"}}
}
