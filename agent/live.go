package agent

import (
	"context"
	"errors"
	"fmt"
	"path"
	"time"

	"github.com/navcloud/binnacle/agent/aws"
	"github.com/navcloud/binnacle/alerting/intake"
	"github.com/navcloud/binnacle/alerting/ledger"
	"github.com/navcloud/binnacle/alerting/pagers"
	"github.com/navcloud/binnacle/alerting/pagers/pagerduty"
)

// CheckLive asks the pagers what would defeat us there, whether each router, each channel and a shared ledger take what they are sent; with send it also sends
// one test event each way that pages take, and resolves it. Without a pager there is nothing to ask.
func CheckLive(ctx context.Context, cfg Config, send bool) ([]pagerduty.Finding, error) {
	routers, err := liveRouters(ctx, cfg)
	if err != nil || len(routers) > 0 && (cfg.Route.Off || !cfg.Route.configured()) {
		return append(routers, liveCutOff(ctx, cfg)...), err
	}
	if cfg.Route.Off || !cfg.Route.configured() {
		const nobody = "route: neither route.pagerduty.routing_key nor route.pagers is set: pages are shown and logged, and wake nobody"
		if found := liveAWS(ctx, cfg); len(found) > 0 {
			return append(found, pagerduty.Finding{Level: pagerduty.Defeats, Text: nobody}), nil
		}
		return nil, errors.New(nobody)
	}
	now := time.Now()
	found, err := livePagerDuty(ctx, cfg, send, now)
	if err != nil {
		return nil, err
	}
	ways, err := liveWays(ctx, cfg, send, now)
	if err != nil {
		return nil, err
	}
	found = append(append(append(found, ways...), routers...), liveCutOff(ctx, cfg)...)
	if c := cfg.Rules.CutOff.PagerDuty; send && c.Configured() {
		pager, err := pagerduty.New(c, pagerduty.Options{ClientURL: cfg.boardURL()})
		if err != nil {
			return nil, err
		}
		found = append(found, pagerduty.SendTestBy(ctx, pager, "cut_off", now))
	}
	return append(append(found, liveLedger(ctx, cfg)...), liveAWS(ctx, cfg)...), nil
}

// livePagerDuty asks what route.pagerduty leads to.
func livePagerDuty(ctx context.Context, cfg Config, send bool, now time.Time) ([]pagerduty.Finding, error) {
	if !cfg.Route.PagerDuty.Configured() {
		return nil, nil
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
	found := append(client.Live(ctx), pagerduty.ProveEach(ctx, client, "", cfg.nodeName())...)
	if second != nil {
		found = append(found, pagerduty.ProveEach(ctx, second, "second", cfg.nodeName())...)
	}
	if send {
		found = append(found, client.SendTest(ctx, now)...)
	}
	if send && second != nil {
		found = append(found, pagerduty.SendTestBy(ctx, second, "second", now))
	}
	return found, nil
}

// liveWays tries each of route.pagers: by what wakes nobody, and with send by a message that is resolved at once.
func liveWays(ctx context.Context, cfg Config, send bool, now time.Time) (found []pagerduty.Finding, err error) {
	out, err := pagers.New(cfg.Route.Ways, pagers.Options{BoardURL: cfg.boardURL()})
	if err != nil {
		return nil, err
	}
	defer out.Close(nil)
	for _, name := range out.Names() {
		p := out.Pager(name)
		if client, ok := p.(*pagerduty.Client); ok {
			for _, f := range client.Live(ctx) {
				f.Route = name
				found = append(found, f)
			}
		}
		tried := pagerduty.ProveEach(ctx, p, name, cfg.nodeName())
		if send {
			tried = append(tried, pagerduty.SendTestBy(ctx, p, name, now))
		}
		if len(tried) == 0 {
			tried = []pagerduty.Finding{{Level: pagerduty.Advice, Route: name, Text: "it cannot be tried without a message that may wake somebody: check --send sends one of low priority, and resolves it"}}
		}
		found = append(found, tried...)
	}
	return found, nil
}

// liveRouters makes sure that each router is one, and takes what this node sends.
func liveRouters(ctx context.Context, cfg Config) (found []pagerduty.Finding, err error) {
	if len(cfg.Rules.Routers) == 0 {
		return nil, nil
	}
	tr, err := cfg.Rules.Login.Transport()
	if err != nil {
		return nil, fmt.Errorf("rules.login: %w", err)
	}
	c := intake.NewClient(intake.ClientOptions{Routers: cfg.Rules.Routers, Transport: tr, Header: cfg.Rules.Login.Header(), Node: cfg.nodeName()})
	for i, err := range c.Prove(ctx) {
		f := pagerduty.Finding{Level: pagerduty.Fine, Text: "the router " + cfg.Rules.Routers[i] + " takes the alarms of this node"}
		if err != nil {
			f = pagerduty.Finding{Level: pagerduty.Defeats, Text: "the router " + cfg.Rules.Routers[i] + " does not take the alarms of this node: " + err.Error()}
		}
		found = append(found, f)
	}
	return found, nil
}

// liveCutOff makes sure of the way that a node takes which reaches no router.
func liveCutOff(ctx context.Context, cfg Config) []pagerduty.Finding {
	c := cfg.Rules.CutOff.PagerDuty
	if !c.Configured() {
		return nil
	}
	pager, err := pagerduty.New(c, pagerduty.Options{ClientURL: cfg.boardURL()})
	if err != nil {
		return []pagerduty.Finding{{Level: pagerduty.Defeats, Route: "cut_off", Text: err.Error()}}
	}
	return pagerduty.ProveEach(ctx, pager, "cut_off", cfg.nodeName())
}

// liveAWS asks AWS once with each right that a router needs.
func liveAWS(ctx context.Context, cfg Config) (found []pagerduty.Finding) {
	queue := cfg.Intake.AWS.Queue
	if !cfg.asksAWS() || cfg.Route.Off {
		return nil
	}
	add := func(well string, level pagerduty.Level, err error) {
		f := pagerduty.Finding{Level: pagerduty.Fine, Text: well}
		if err != nil {
			f = pagerduty.Finding{Level: level, Text: "aws: " + err.Error()}
		}
		found = append(found, f)
	}
	account, err := aws.Open(ctx, cfg.AWS, aws.Options{Region: aws.RegionOf(queue)})
	if err != nil {
		add("", pagerduty.Defeats, err)
		return found
	}
	if err := account.Known(ctx); err != nil {
		add("", pagerduty.Defeats, err)
		return found // to each question the answer would be the same
	}
	if queue != "" {
		n, err := account.Waiting(ctx, queue)
		add(fmt.Sprintf("the queue of AWS's notices can be read; %.0f messages wait", n.Visible), pagerduty.Defeats, err)
		add("its messages can be deleted (whether they can be received is not tried: that would count towards the dead letters)", pagerduty.Defeats, account.MayDelete(ctx, queue))
		alarms, err := account.Alarms(ctx)
		add(fmt.Sprintf("CloudWatch says how its %d alarms are", len(alarms)), pagerduty.Advice, err)
	}
	if queue != "" || cfg.writesAlarms() {
		list, err := account.Mutes(ctx, "")
		add(fmt.Sprintf("CloudWatch lists its %d mute rules", len(list)), pagerduty.Advice, err)
	}
	if cfg.ReadsAWS() {
		found = append(found, liveFigures(ctx, cfg, account)...)
	}
	if cfg.writesAlarms() {
		plan, err := PlanAlarms(ctx, cfg, account)
		add(fmt.Sprintf("of the rules %d can be alarms of CloudWatch, and %d cannot", len(plan.Want), len(plan.Not)), pagerduty.Advice, err)
		add("alarms can be deleted (whether they can be put is not tried)", pagerduty.Advice, account.MayDrop(ctx, alarmPrefix(cfg)+"none/none"))
	}
	groups, err := account.Groups(ctx)
	add(fmt.Sprintf("Auto Scaling says how its %d groups are", len(groups)), pagerduty.Advice, err)
	return found
}

// liveFigures asks with each right that collect.aws needs: what ListMetrics has first, then for that.
func liveFigures(ctx context.Context, cfg Config, account *aws.Account) (found []pagerduty.Finding) {
	add := func(well string, err error) {
		f := pagerduty.Finding{Level: pagerduty.Fine, Text: well}
		if err != nil {
			f = pagerduty.Finding{Level: pagerduty.Advice, Text: "aws: " + err.Error() + ": collect.aws sees nothing by it"}
		}
		found = append(found, f)
	}
	list, err := account.Listed(ctx, "AWS/ELB", "HealthyHostCount")
	add(fmt.Sprintf("CloudWatch lists its metrics; %d of hosts behind classic balancers", len(list)), err)
	q := aws.Query{Metric: aws.Metric{Namespace: "AWS/ELB", Name: "HealthyHostCount"}, Stat: "Minimum", Period: time.Minute}
	to := time.Now().Truncate(time.Minute)
	_, err = account.Figures(ctx, []aws.Query{q}, to.Add(-5*time.Minute), to)
	add("CloudWatch's metrics can be read", err)
	for _, p := range cfg.figures().S3Age {
		is, err := account.Newest(ctx, p.Bucket, p.Prefix)
		add(fmt.Sprintf("%d objects are under s3://%s/%s", is.N, p.Bucket, p.Prefix), err)
	}
	for _, s := range cfg.figures().ELBLogs {
		found, _, err := account.List(ctx, s.Bucket, path.Join(s.Prefix, "AWSLogs")+"/", "", true)
		add(fmt.Sprintf("access logs of %d accounts are under s3://%s (whether they can be read is not tried)", len(found), path.Join(s.Bucket, s.Prefix)), err)
	}
	return found
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
