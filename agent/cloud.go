package agent

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/navcloud/binnacle/agent/aws"
	"github.com/navcloud/binnacle/agent/health"
	"github.com/navcloud/binnacle/alerting/intake"
)

// cloud is what a router asks AWS, while it leads.
type cloud struct {
	account atomic.Pointer[aws.Account] // nil until it is open
	fleet   aws.Fleet
}

// regionOf is the region to ask where neither the section nor the environment names one: that of the queue, else the instance's own.
func (a *Agent) regionOf(cfg Config) string {
	if r := aws.RegionOf(cfg.Intake.AWS.Queue); r != "" {
		return r
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.instance.Region
}

// openAWS opens the account and sets to work what asks it. It is tried again while no region is known.
func (r *routeRole) openAWS(ctx context.Context) error {
	cfg := r.a.config()
	account, err := aws.Open(ctx, cfg.AWS, aws.Options{Region: r.a.regionOf(cfg)})
	if err != nil {
		return err
	}
	r.cloud.account.Store(account)
	q := r.intake.CloudQueue(account, r.leadsAWS, r.dispatch.Open)
	r.crew.work("intake.aws", q.Run)
	r.crew.work("aws.alarms", q.Reconcile)
	r.crew.work("aws.groups", r.watchGroups)
	return nil
}

// leadsAWS says whether this node asks AWS now: of routers that share a ledger only the one that sends does.
func (r *routeRole) leadsAWS() bool { return r.a.config().AWS.Lead && r.dispatch.Sends() }

// status is what is known of AWS, for people.
func (c *cloud) status(s intake.CloudStats) *health.AWS {
	out := &health.AWS{Queue: s.Queue, Leads: s.Leads, Received: s.Received, Poison: s.Poison, Reconciled: s.Reconciled, Fault: s.Fault}
	for _, f := range s.Forms {
		out.Forms = append(out.Forms, health.AWSForm(f))
	}
	for _, s := range c.fleet.Sizes(time.Now()) {
		out.Groups = append(out.Groups, health.AWSGroup{Name: s.Name, Size: s.String(), Short: s.Short})
	}
	if a := c.account.Load(); a != nil {
		out.Spent = a.Spent()
	}
	return out
}
