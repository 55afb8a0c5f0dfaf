package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/navcloud/binnacle/agent/damage"
	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/dispatch"
	"github.com/navcloud/binnacle/alerting/ledger"
	"github.com/navcloud/binnacle/alerting/pagers/pagerduty"
	"github.com/navcloud/binnacle/alerting/router"
)

// RouteConfig is the role route. Without a routing key pages are shown and logged.
type RouteConfig struct {
	Off       bool             `yaml:"-"`
	Delivery  dispatch.Config  `yaml:",inline"`
	PagerDuty pagerduty.Config `yaml:"pagerduty"`
	// Topology is a file that rules over what agents tell: {"entities": {"node:a": {"kind": "node", "parents": [...]}}}.
	Topology string            `yaml:"topology"`
	Order    alerting.Settings `yaml:"order"` // waits, holds and limits
	// Ledger is a file in the data folder, or one that the routers of a fleet (order.fleet) share.
	Ledger LedgerConfig `yaml:"ledger"`
}

// LedgerConfig says where decisions are kept.
type LedgerConfig struct {
	NATS ledger.NATS `yaml:"nats"`
}

func defaultRoute() RouteConfig {
	return RouteConfig{Delivery: dispatch.DefaultConfig(), PagerDuty: pagerduty.DefaultConfig(), Order: alerting.DefaultSettings(), Ledger: LedgerConfig{NATS: ledger.DefaultNATS()}}
}

// Validate says what is out of bounds in what has no field of its own.
func (c RouteConfig) Validate() error { return c.Delivery.Validate() }

// pagers returns who carries pages out, and the second channel, nil where there is none.
func (c RouteConfig) pagers(boardURL string, log *slog.Logger, pages io.Writer) (first, second dispatch.Pager, client *pagerduty.Client, err error) {
	if !c.PagerDuty.Configured() {
		return pagerduty.NewLog(log.With("part", "pages"), pages), nil, nil, nil
	}
	o := pagerduty.Options{Log: log.With("part", "pagerduty"), ClientURL: boardURL, Low: c.Delivery.Mode == dispatch.Low}
	client, err = pagerduty.New(c.PagerDuty, o)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("pagerduty: %w", err)
	}
	other, err := pagerduty.NewSecond(c.PagerDuty, o)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("pagerduty: second channel: %w", err)
	}
	if other != nil {
		second = other
	}
	return client, second, client, nil
}

// newDispatcher puts the router into its loop, its ledger in the data folder. told hears of what is damaged in that.
func newDispatcher(cfg Config, told func(damage.Report), first, second dispatch.Pager, log *slog.Logger, sent func(alerting.Action, alerting.Result)) (*dispatch.Dispatcher, error) {
	set := cfg.Route.Order
	set.RouteBy = cfg.Route.PagerDuty.RouteOf
	if low := cfg.Route.PagerDuty.Low; cfg.Route.PagerDuty.Configured() && !low.Webhook.IsZero() {
		set.LowRoute, set.TellP4 = pagerduty.LowRoute, low.P4
	}
	return dispatch.New(cfg.Route.Delivery, dispatch.Options{
		Router: router.New(set), Runbooks: cfg.runbooks(), Pager: first, Second: second, Node: cfg.nodeName(), Log: log.With("part", "dispatch"), Sent: sent,
		Ledger: func() (ledger.Ledger, error) {
			if c := cfg.Route.Ledger.NATS; c.Configured() {
				return ledger.OpenNATS(context.Background(), c, set.Fleet, ledger.Options{})
			}
			return openLedger(cfg.Data, told)
		},
		// Two routers on one machine have the same name, and never the same address.
		Shared: cfg.Route.Ledger.NATS.Configured(), Holder: cfg.nodeName() + " " + cfg.Listen,
	})
}

// exists tells a configured file that is missing before anything starts.
func exists(path string) error {
	if path == "" {
		return nil
	}
	if _, err := os.Stat(path); err != nil {
		return errors.Unwrap(err)
	}
	return nil
}
