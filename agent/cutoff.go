package agent

import (
	"context"
	"fmt"
	"time"

	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/intake"
	"github.com/navcloud/binnacle/alerting/pagers/pagerduty"
)

// routerBeat is how often a node makes sure that the routers hear it: a wrong password must be seen before the first alarm.
const routerBeat = 20 * time.Second

// openClient makes what tells the routers of this node's alarms and, with a pager for that, of their absence.
func (a *Agent) openClient() error {
	tr, err := a.cfg.Rules.Login.Transport()
	if err != nil {
		return fmt.Errorf("rules.login: %w", err)
	}
	o := intake.ClientOptions{
		Routers: a.cfg.Rules.Routers, Transport: tr, Header: a.cfg.Rules.Login.Header(),
		Beat: routerBeat, Log: a.log.With("part", "client"),
	}
	a.client = intake.NewClient(o)
	c := a.cfg.Rules.CutOff
	if !c.PagerDuty.Configured() {
		return nil
	}
	pager, err := a.cutOffPager()
	if err != nil {
		return err
	}
	a.cutOff = &pagerduty.CutOff{
		Fleet: c.Fleet, AZ: a.cfg.Node.Tags["az"], Node: a.cfg.nodeName(), After: c.After, Spread: c.Spread,
		Unreachable: a.client.Unreachable, Worst: a.client.Worst, Pager: pager, Put: a.client.Put, Log: a.log.With("part", "cut off"),
	}
	return nil
}

func (a *Agent) cutOffPager() (*pagerduty.Client, error) {
	pager, err := pagerduty.New(a.cfg.Rules.CutOff.PagerDuty, pagerduty.Options{Log: a.log.With("part", "cut off"), ClientURL: a.cfg.boardURL()})
	if err != nil {
		return nil, fmt.Errorf("rules.cut_off: %w", err)
	}
	return pager, nil
}

// watchReturns lets a router see in its inputs which cut-off nodes are back.
func (a *Agent) watchReturns(put *func(context.Context, ...alerting.Input) error) error {
	if !a.cfg.Rules.CutOff.PagerDuty.Configured() {
		return nil
	}
	pager, err := a.cutOffPager()
	if err != nil {
		return err
	}
	a.returns = pagerduty.NewReturns(a.cfg.Rules.CutOff.Fleet, pager, a.log.With("part", "cut off"))
	next := *put
	*put = func(ctx context.Context, in ...alerting.Input) error {
		a.returns.See(in...)
		return next(ctx, in...)
	}
	return nil
}
