package planner

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/dashboards/capacity"
)

// assess forecasts all pools anew and keeps what it says of the same hour tomorrow.
func (p *Planner) assess(ctx context.Context, now time.Time, all []found) error {
	end := now.Truncate(hour)
	said := &metric.Batch{Time: end}
	var answers []capacity.Answer
	var errs []error
	left := 0
	for _, f := range all {
		if len(f.readings) == 0 {
			continue
		}
		past, err := p.history(ctx, f.pool, end)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		fullest := f.pool.Fullest(f.readings, maxEach)
		left += len(f.readings) - len(fullest)
		for _, r := range fullest {
			h, ok := past[r.Key()]
			if !ok {
				h = &capacity.History{}
			}
			h.End = end
			a := capacity.Assess(f.pool, r, *h, p.o.Config.LeadTime)
			answers = append(answers, a)
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
	return errors.Join(append(errs, p.o.Kept.Append(ctx, "forecasts", end, said.Samples))...)
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

// history reads the past of all instances of a pool, by their keys.
func (p *Planner) history(ctx context.Context, pool capacity.Pool, end time.Time) (map[string]*capacity.History, error) {
	out := map[string]*capacity.History{}
	of := func(labels map[string]string) *capacity.History {
		k := capacity.Reading{Labels: labels}.Key()
		if out[k] == nil {
			out[k] = &capacity.History{Hours: missing(hoursKept), Days: missing(daysKept)}
			for range hoursKept {
				out[k].Past = append(out[k].Past, capacity.Said{Lo: math.NaN(), Mid: math.NaN(), Hi: math.NaN()})
			}
		}
		return out[k]
	}
	q := fmt.Sprintf(`sum without (az) (%s(%s{pool=%q}[%%s]))`, worst(pool), descUse.Name, pool.Name)
	err := p.each(ctx, fmt.Sprintf(q, "1h"), end, hour, hoursKept, func(labels map[string]string, i int, v float64) { of(labels).Hours[i] = v })
	if err == nil && pool.Kind == capacity.Demand {
		err = p.each(ctx, fmt.Sprintf(q, "1d"), end, day, daysKept, func(labels map[string]string, i int, v float64) { of(labels).Days[i] = v })
	}
	if err == nil {
		q := fmt.Sprintf(`last_over_time(%s{pool=%q}[59m])`, descSaid.Name, pool.Name)
		err = p.each(ctx, q, end.Add(-day), hour, hoursKept, func(labels map[string]string, i int, v float64) {
			quantile := labels["quantile"]
			delete(labels, "quantile")
			s := &of(labels).Past[i]
			switch quantile {
			case "0.1":
				s.Lo = v
			case "0.5":
				s.Mid = v
			case "0.9":
				s.Hi = v
			}
		})
	}
	if err != nil {
		return nil, fmt.Errorf("pool %s: %w", pool.Name, err)
	}
	return out, nil
}

// each calls put with every point of a range of n steps up to end, i counted from the oldest.
func (p *Planner) each(ctx context.Context, q string, end time.Time, step time.Duration, n int, put func(labels map[string]string, i int, v float64)) error {
	start := end.Add(-time.Duration(n-1) * step)
	series, err := p.o.Kept.Range(ctx, q, start, end, step)
	if err != nil {
		return err
	}
	for _, s := range series {
		for _, pt := range s.Points {
			put(s.Labels.Map(), int(pt.T.Sub(start)/step), pt.V)
		}
	}
	return nil
}

func missing(n int) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = math.NaN()
	}
	return out
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
