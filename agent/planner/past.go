package planner

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/navcloud/binnacle/agent/capacity"
)

// past is what is known of the instances of a pool, by their keys. It is kept in memory and goes on with each hour: to
// read five weeks anew takes 30 ms of a processor an instance.
type past struct {
	end  time.Time // of the hours
	days time.Time // when the days were read
	by   map[string]*capacity.History
}

// history returns the past of instances of a pool up to end.
func (p *Planner) history(ctx context.Context, pool capacity.Pool, readings []capacity.Reading, end time.Time) (map[string]*capacity.History, error) {
	c := p.past[pool.Name]
	steps := hoursKept
	if c != nil && c.knows(readings) && !end.Before(c.end) {
		steps = min(hoursKept, int(end.Sub(c.end)/hour))
	} else {
		c = &past{by: map[string]*capacity.History{}}
	}
	next := &past{end: end, days: c.days, by: map[string]*capacity.History{}}
	for _, r := range readings {
		next.by[r.Key()] = shifted(c.by[r.Key()], steps)
	}
	if err := p.readHours(ctx, pool, next, steps); err != nil {
		return nil, fmt.Errorf("pool %s: %w", pool.Name, err)
	}
	if pool.Kind == capacity.Demand && end.Sub(next.days) >= day {
		if err := p.readDays(ctx, pool, next); err != nil {
			return nil, fmt.Errorf("pool %s: %w", pool.Name, err)
		}
	}
	p.past[pool.Name] = next
	return next.by, nil
}

func (c *past) knows(readings []capacity.Reading) bool {
	for _, r := range readings {
		if c.by[r.Key()] == nil {
			return false
		}
	}
	return true
}

// shifted is a past with room for as many hours more, the oldest left out; h may be nil. Others may still read h.
func shifted(h *capacity.History, hours int) *capacity.History {
	if h == nil {
		h = &capacity.History{Hours: missing(hoursKept), Days: missing(daysKept), Past: unsaid(hoursKept)}
		hours = 0
	}
	return &capacity.History{
		Hours: append(append(make([]float64, 0, hoursKept), h.Hours[hours:]...), missing(hours)...),
		Past:  append(append(make([]capacity.Said, 0, hoursKept), h.Past[hours:]...), unsaid(hours)...),
		Days:  h.Days,
	}
}

func missing(n int) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = math.NaN()
	}
	return out
}

func unsaid(n int) []capacity.Said {
	out := make([]capacity.Said, n)
	for i := range out {
		out[i] = capacity.Said{Lo: math.NaN(), Mid: math.NaN(), Hi: math.NaN()}
	}
	return out
}

// readHours reads the last n hours, and what was forecast of them a day before.
func (p *Planner) readHours(ctx context.Context, pool capacity.Pool, c *past, n int) error {
	if n == 0 {
		return nil
	}
	from := hoursKept - n
	largest := fmt.Sprintf(`sum without (az) (%s(%s{pool=%q}[1h]))`, worst(pool), descUse.Name, pool.Name)
	err := p.each(ctx, largest, c.end, hour, n, func(labels map[string]string) func(int, float64) {
		h := c.by[capacity.Reading{Labels: labels}.Key()]
		if h == nil {
			return nil
		}
		return func(i int, v float64) { h.Hours[from+i] = v }
	})
	if err != nil {
		return err
	}
	q := fmt.Sprintf(`last_over_time(%s{pool=%q}[59m])`, descSaid.Name, pool.Name)
	return p.each(ctx, q, c.end.Add(-day), hour, n, func(labels map[string]string) func(int, float64) {
		quantile := labels["quantile"]
		delete(labels, "quantile")
		h := c.by[capacity.Reading{Labels: labels}.Key()]
		if h == nil {
			return nil
		}
		return func(i int, v float64) {
			switch s := &h.Past[from+i]; quantile {
			case "0.1":
				s.Lo = v
			case "0.5":
				s.Mid = v
			case "0.9":
				s.Hi = v
			}
		}
	})
}

// readDays reads the peaks of all days that were kept.
func (p *Planner) readDays(ctx context.Context, pool capacity.Pool, c *past) error {
	for _, h := range c.by {
		h.Days = missing(daysKept)
	}
	c.days = c.end
	return p.each(ctx, fmt.Sprintf(`last_over_time(%s{pool=%q}[1d])`, descDay.Name, pool.Name), c.end, day, daysKept, func(labels map[string]string) func(int, float64) {
		h := c.by[capacity.Reading{Labels: labels}.Key()]
		if h == nil {
			return nil
		}
		return func(i int, v float64) { h.Days[i] = v }
	})
}

// each asks for a range of n steps up to end. What of returns for the labels of a series is called with each of its
// points, i counted from the oldest; nil passes the series over.
func (p *Planner) each(ctx context.Context, q string, end time.Time, step time.Duration, n int, of func(labels map[string]string) func(i int, v float64)) error {
	start := end.Add(-time.Duration(n-1) * step)
	series, err := p.o.Kept.Range(ctx, q, start, end, step)
	if err != nil {
		return err
	}
	for _, s := range series {
		put := of(s.Labels.Map())
		if put == nil {
			continue
		}
		for _, pt := range s.Points {
			put(int(pt.T.Sub(start)/step), pt.V)
		}
	}
	return nil
}
