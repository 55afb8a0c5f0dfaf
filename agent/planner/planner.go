// Package planner keeps the figures of what can run out, and says when it does.
//
// Every five minutes it reads use, limit and nodes of each pool from the agent's store into a second one, which
// keeps them for two years; every hour it forecasts them anew, by package capacity. It keeps its forecasts too,
// so that they can be held against what came. It pages nobody: rules over the series that it publishes write tickets.
package planner

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/navcloud/binnacle/agent/capacity"
	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/agent/store"
)

// Every is how often the figures of pools are read.
const Every = 5 * time.Minute

// How much.
const (
	hour       = time.Hour
	day        = 24 * hour
	maxKept    = 1000 // instances of one pool, in the order of their labels
	maxEach    = 50   // of them that are forecast, the fullest
	hoursKept  = 5 * 7 * 24
	daysKept   = 400
	tellEvery  = time.Minute      // for the series: rules look five minutes back
	firstEvery = 10 * time.Second // in the first minutes, in which collectors come one after the other
	first      = 5 * time.Minute
)

// Options are what a Planner works with.
type Options struct {
	Config Config
	Main   *store.Store // what agents collect
	Kept   *store.Store // the planner's own
	Now    func() time.Time
	Log    *slog.Logger
	// Publish takes the planner's series into the agent's store.
	Publish func(context.Context, *metric.Batch)
}

// Planner forecasts pools. Run is called once; the rest by anybody.
type Planner struct {
	o     Options
	pools []capacity.Pool
	past  map[string]*past // by pool; of the goroutine in Run alone

	mu     sync.Mutex
	report capacity.Report
	faults map[string]string // by what failed
}

// New makes a Planner.
func New(o Options) *Planner {
	return &Planner{o: o, pools: o.Config.pools(), past: map[string]*past{}, faults: map[string]string{}, report: capacity.Report{Note: o.Config.Note, Lead: o.Config.LeadTime}}
}

// Report is what was last found.
func (p *Planner) Report() capacity.Report {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.report
}

// Run works until ctx ends.
func (p *Planner) Run(ctx context.Context) error {
	p.note("backfill", p.backfill(ctx))
	var assessed, rolled time.Time
	begun := p.o.Now()
	for {
		now := p.o.Now()
		young := now.Sub(begun) < first
		if at := now.Truncate(Every); at.After(rolled) || young {
			readings, err := p.read(ctx, now)
			p.undeclared(readings)
			if at.After(rolled) {
				err = errors.Join(err, p.keep(ctx, at, readings))
				rolled = at
			}
			p.note("reading", err)
			if hourly := now.Truncate(hour); hourly.After(assessed) || !p.refresh(now, readings) {
				assessed = hourly
				err := p.assess(ctx, now, readings)
				p.note("forecast", errors.Join(err, p.measure(ctx, now)))
			}
		}
		p.o.Publish(ctx, p.series(now))
		wait := tellEvery
		if young {
			wait = firstEvery
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
	}
}

// note logs a fault when it comes and when it is over.
func (p *Planner) note(what string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	before := p.faults[what]
	delete(p.faults, what)
	if err != nil {
		p.faults[what] = what + ": " + err.Error()
	}
	switch {
	case err != nil && before == "":
		p.o.Log.Warn("capacity is not known", "what", what, "err", err)
	case err == nil && before != "":
		p.o.Log.Info("capacity is known again", "what", what)
	}
	p.report.Fault = strings.Join(slices.Sorted(maps.Values(p.faults)), "; ")
}

// found is what a pool's queries gave.
type found struct {
	pool     capacity.Pool
	readings []capacity.Reading

	limitless bool // it is used, and nobody said how far it goes
}

// read asks the agent's store how full the pools are. A pool whose queries fail is missing, and told by the error.
func (p *Planner) read(ctx context.Context, now time.Time) (out []found, err error) {
	for _, pool := range p.pools {
		f, one := p.readPool(ctx, pool, now)
		if one != nil {
			err = errors.Join(err, fmt.Errorf("pool %s: %w", pool.Name, one))
			continue
		}
		out = append(out, f)
	}
	return out, err
}

func (p *Planner) readPool(ctx context.Context, pool capacity.Pool, now time.Time) (found, error) {
	f := found{pool: pool}
	var answers [3][]capacity.Sample
	for i, q := range []string{peak(pool), pool.Limit, pool.Nodes} {
		if q == "" || i > 0 && len(answers[0]) == 0 {
			continue
		}
		series, err := p.o.Main.Instant(ctx, q, now)
		if err != nil {
			return f, err
		}
		answers[i] = samples(series)
	}
	f.limitless = pool.Limit == "" && pool.Declared == 0 && len(answers[0]) > 0
	f.readings = pool.Read(answers[0], answers[1], answers[2])
	if len(f.readings) > maxKept {
		f.readings = f.readings[:maxKept]
	}
	return f, p.together(ctx, &f, now)
}

// together lets no load that moved between zones count in both.
func (p *Planner) together(ctx context.Context, f *found, now time.Time) error {
	if f.pool.Floor || !slices.ContainsFunc(f.readings, func(r capacity.Reading) bool { return len(r.Zones) > 1 }) {
		return nil
	}
	all := "sum without (az) (" + f.pool.Use + ")"
	at, err := p.o.Main.Instant(ctx, f.pool.Use, now)
	if err != nil {
		return err
	}
	whole, err := p.o.Main.Instant(ctx, fmt.Sprintf("max_over_time((%s)[5m:1m]) or %s", all, all), now)
	if err != nil {
		return err
	}
	for i := range f.readings {
		f.readings[i].Together(samples(at), samples(whole))
	}
	return nil
}

// undeclared notes the pools that are used and lack a limit.
func (p *Planner) undeclared(all []found) {
	var names []string
	for _, f := range all {
		if f.limitless {
			names = append(names, f.pool.Name)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.report.Undeclared = names
}

// peak is the query for the most that a pool was used in five minutes; of a floor, the least that was left.
func peak(pool capacity.Pool) string {
	return fmt.Sprintf("%s((%s)[5m:1m]) or (%s)", worst(pool), pool.Use, pool.Use) // what has just come is in no minute yet
}

func worst(pool capacity.Pool) string {
	if pool.Floor {
		return "min_over_time"
	}
	return "max_over_time"
}

func samples(series []store.Series) (out []capacity.Sample) {
	for _, s := range series {
		if n := len(s.Points); n > 0 {
			out = append(out, capacity.Sample{Labels: s.Labels.Map(), Value: s.Points[n-1].V})
		}
	}
	return out
}
