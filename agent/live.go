package agent

import (
	"context"
	"errors"
	"time"

	"github.com/navcloud/binnacle/alerting/pagerduty"
)

// CheckLive asks PagerDuty what would defeat us there; with send it also sends one test event each way that pages
// take, and resolves it. Without a routing key there is nothing to ask.
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
	found := client.Live(ctx)
	if send {
		now := time.Now()
		found = append(found, client.SendTest(ctx, now)...)
		if second != nil {
			found = append(found, pagerduty.SendTestSecond(ctx, second, now))
		}
	}
	return found, nil
}
