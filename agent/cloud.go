package agent

import (
	"context"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/navcloud/binnacle/agent/aws"
	"github.com/navcloud/binnacle/agent/health"
	"github.com/navcloud/binnacle/alerting/intake"
	cloudfigures "github.com/navcloud/binnacle/collectors/aws"
)

// cloud is what a router asks AWS, while it leads.
type cloud struct {
	opens   sync.Mutex
	account atomic.Pointer[aws.Account]      // nil until it is open
	alarms  atomic.Pointer[health.AWSAlarms] // what was planned or done last
	fleet   aws.Fleet
	working map[string]bool // what was set to work; guarded by opens
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

// startAWS sets to work what a configuration asks of AWS, and what of that does not work yet.
func (r *routeRole) startAWS(cfg Config) {
	r.crew.work("aws", func(ctx context.Context) error { return r.openAWS(ctx, cfg) })
}

// startsAWS says whether a reload asks AWS for something that was not asked for before.
func startsAWS(old, cfg Config) bool {
	return cfg.asksAWS() && !old.asksAWS() || cfg.writesAlarms() && !old.writesAlarms()
}

// openAWS opens the account and sets to work what asks it. It is tried again while no region is known.
func (r *routeRole) openAWS(ctx context.Context, cfg Config) error {
	account, err := r.openAccount(ctx)
	if err != nil {
		return err
	}
	if cfg.Intake.AWS.Queue != "" && r.first("intake.aws") {
		for _, i := range aws.Estimate(true, false, 0) {
			account.Reserve(i.What, i.Dollars)
		}
		q := r.intake.CloudQueue(account, r.leadsAWS, r.dispatch.Open)
		r.crew.workAgain("intake.aws", queuePause, q.Run)
		r.crew.work("aws.alarms", q.Reconcile)
	}
	if r.first("aws.groups") {
		r.crew.work("aws.groups", r.watchGroups)
	}
	if cfg.writesAlarms() && r.first("aws.alarms.out") {
		r.crew.work("aws.alarms.out", r.keepAlarms)
	}
	return nil
}

// queuePause is how long a queue that could not be read is left alone at most. A call costs $0.0000004.
const queuePause = 10 * time.Second

// first says of a work whether it has to be started, and counts it as started.
func (r *routeRole) first(work string) bool {
	r.cloud.opens.Lock()
	defer r.cloud.opens.Unlock()
	if r.cloud.working == nil {
		r.cloud.working = map[string]bool{}
	}
	was := r.cloud.working[work]
	r.cloud.working[work] = true
	return !was
}

// openAccount opens the account once, for all who ask.
func (r *routeRole) openAccount(ctx context.Context) (*aws.Account, error) {
	r.cloud.opens.Lock()
	defer r.cloud.opens.Unlock()
	if a := r.cloud.account.Load(); a != nil {
		return a, nil
	}
	cfg := r.a.config()
	spent := ""
	if dir := r.a.folder.dir(); dir != "" {
		spent = filepath.Join(dir, "aws-spent.json")
	}
	a, err := aws.Open(ctx, cfg.AWS, aws.Options{Region: r.a.regionOf(cfg), Spent: spent})
	if err == nil {
		r.cloud.account.Store(a)
	}
	return a, err
}

// asker is the account with what is known of groups, for the collector.
type asker struct {
	*aws.Account
	*aws.Fleet
}

// asker is who asks AWS, for the collector, while this router leads; else nil, and why.
func (r *routeRole) asker() (any, string) {
	switch {
	case r.dispatch == nil:
		return nil, "only a router does, and route is off"
	case !r.a.config().AWS.Lead:
		return nil, "aws.lead is false"
	case !r.leadsAWS():
		return nil, "another router does"
	}
	a, err := r.openAccount(context.Background()) // which reads files, and asks nobody
	if err != nil {
		return nil, err.Error()
	}
	return asker{a, &r.cloud.fleet}, ""
}

// asksAWS says whether a router of this configuration has anything to ask there.
func (c Config) asksAWS() bool { return c.Intake.AWS.Queue != "" || c.ReadsAWS() || c.writesAlarms() }

// writesAlarms says whether rules are kept as alarms there.
func (c Config) writesAlarms() bool {
	o, _, err := cloudWatch(c)
	return err == nil && o.Alarms.On()
}

// ReadsAWS says whether metrics are read there.
func (c Config) ReadsAWS() bool { return c.figures().On() }

// figures says what is read there.
func (c Config) figures() (none cloudfigures.Options) {
	plans, err := collectorPlans(c)
	if err != nil {
		return none
	}
	for _, p := range plans {
		if o, ok := p.options.(cloudfigures.Options); ok {
			return o
		}
	}
	return none
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
		if err := a.Fault(); err != nil && out.Fault == "" {
			out.Fault = err.Error()
		}
	}
	out.Alarms = c.alarms.Load()
	return out
}
