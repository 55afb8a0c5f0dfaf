package planner

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/navcloud/binnacle/agent/capacity"
	"github.com/navcloud/binnacle/agent/metric"
)

// assess forecasts all pools anew and keeps what it says of the same hour tomorrow.
func (p *Planner) assess(ctx context.Context, now time.Time, all []found) error {
	end := now.Truncate(hour)
	said, days := &metric.Batch{Time: end}, &metric.Batch{Time: end}
	var answers []capacity.Answer
	var errs []error
	left := 0
	for _, f := range all {
		if len(f.readings) == 0 {
			continue
		}
		fullest := f.pool.Fullest(f.readings, maxEach)
		left += len(f.readings) - len(fullest)
		past, err := p.history(ctx, f.pool, fullest, end)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		for _, r := range fullest {
			h := past[r.Key()]
			h.End = end
			a := capacity.Assess(f.pool, r, *h, p.o.Config.LeadTime)
			answers = append(answers, a)
			if v, ok := peakOfDay(h.Hours); ok && end.Hour() == 0 && f.pool.Kind == capacity.Demand {
				days.Add(descDay, v, labelled(f.pool.Name, r.Labels)...)
			}
			if len(a.Fan.Mean) < 24 {
				continue
			}
			AddSaid(said, f.pool.Name, r.Labels, capacity.Said{Lo: a.Fan.Lo80[23], Mid: a.Fan.Mean[23], Hi: a.Fan.Hi80[23]})
		}
	}
	capacity.Sort(answers)
	p.mu.Lock()
	p.report.At, p.report.Answers, p.report.Left = now, answers, left
	p.mu.Unlock()
	return errors.Join(append(errs, p.o.Kept.Append(ctx, "forecasts", end, said.Samples), p.o.Kept.Append(ctx, "days", end, days.Samples))...)
}

// peakOfDay is the largest of the last 24 hours; false where a quarter of them is missing.
func peakOfDay(hours []float64) (top float64, ok bool) {
	top, n := math.Inf(-1), 0
	for _, v := range hours[len(hours)-24:] {
		if !math.IsNaN(v) {
			top, n = max(top, v), n+1
		}
	}
	return top, n >= 18
}

// refresh puts new readings into the answers that are there. It says false where one of them is gone, or a pool has come.
func (p *Planner) refresh(now time.Time, all []found) bool {
	by := map[string]capacity.Reading{}
	come := map[string]bool{}
	for _, f := range all {
		for _, r := range f.readings {
			by[f.pool.Name+" "+r.Key()] = r
			come[f.pool.Name] = true
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	fresh := make([]capacity.Answer, len(p.report.Answers))
	for i, a := range p.report.Answers {
		r, ok := by[a.Pool.Name+" "+a.Reading.Key()]
		if !ok {
			return false
		}
		fresh[i] = a.At(r)
		delete(come, a.Pool.Name)
	}
	if len(come) > 0 {
		return false
	}
	p.report.At, p.report.Answers = now, fresh
	return true
}

// backfill reads what the agent's store knows of the time before the planner kept figures of its own.
func (p *Planner) backfill(ctx context.Context) error {
	if !p.o.Kept.Stats().OldestAt.IsZero() {
		return nil
	}
	now := p.o.Now().Truncate(Every)
	from := p.o.Main.Stats().OldestAt.Truncate(Every).Add(Every)
	if from.Year() < 2000 {
		return nil
	}
	for from.Before(now) {
		to := from.Add(day - Every)
		if to.After(now) {
			to = now.Add(-Every)
		}
		if err := p.backfillDay(ctx, from, to); err != nil {
			return err
		}
		from = from.Add(day)
	}
	return nil
}

// backfillDay takes figures over, in order of time: that is what the store takes.
func (p *Planner) backfillDay(ctx context.Context, from, to time.Time) error {
	byTime := map[time.Time]*metric.Batch{}
	for _, pool := range p.pools {
		series, err := p.o.Main.Range(ctx, peak(pool), from, to, Every)
		if err != nil {
			return fmt.Errorf("pool %s: %w", pool.Name, err)
		}
		for _, s := range series[:min(len(series), maxKept)] {
			for _, pt := range s.Points {
				at := pt.T.UTC()
				if byTime[at] == nil {
					byTime[at] = &metric.Batch{Time: at}
				}
				byTime[at].Add(descUse, pt.V, labelled(pool.Name, s.Labels.Map())...)
			}
		}
	}
	for at := from.UTC(); !at.After(to); at = at.Add(Every) {
		if b := byTime[at]; b != nil {
			if err := p.o.Kept.Append(ctx, "capacity", at, b.Samples); err != nil {
				return err
			}
		}
	}
	return nil
}
