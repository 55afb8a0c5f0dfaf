package planner

import (
	"time"

	"github.com/navcloud/binnacle/agent/capacity"
	"github.com/navcloud/binnacle/agent/metric"
)

// What the planner publishes into the agent's store, for rules and for Grafana.
var (
	descRunway   = &metric.Desc{Name: "binnacle_runway_seconds", Unit: metric.Seconds, Help: "Until a pool is full, by quantile; absent where that is beyond what its past tells"}
	descLead     = &metric.Desc{Name: "binnacle_capacity_lead_seconds", Unit: metric.Seconds, Help: "How long it takes to make room"}
	descBuffer   = &metric.Desc{Name: "binnacle_capacity_buffer", Help: "How many times the use a limit is: now, at the coming week's peak, and then without the largest zone"}
	descForecast = &metric.Desc{Name: "binnacle_forecast_value", Help: "Largest use of an hour some time ahead, by quantile"}
	descHeld     = &metric.Desc{Name: "binnacle_forecast_held_ratio", Unit: metric.Ratio, Help: "Share of hours whose use lay in the 80 % interval forecast a day before"}
)

// series are the planner's figures as of now.
func (p *Planner) series(now time.Time) *metric.Batch {
	b := &metric.Batch{Time: now}
	for _, a := range p.Report().Answers {
		add := func(d *metric.Desc, v float64, more ...string) {
			b.Add(d, v, labelled(a.Pool.Name, a.Labels, more...)...)
		}
		add(descUse, a.Use)
		add(descLimit, a.Limit)
		add(descLead, a.Lead.Seconds())
		for when, v := range map[string]float64{"now": a.Buffer.Now, "peak": a.Buffer.Peak, "zone_lost": a.Buffer.ZoneLost} {
			if v > 0 {
				add(descBuffer, v, "when", when)
			}
		}
		for q, d := range map[string]time.Duration{"0.1": a.Until.P10, "0.5": a.Until.P50, "0.9": a.Until.P90} {
			if d != capacity.Never {
				add(descRunway, d.Seconds(), "quantile", q)
			}
		}
		for ahead, i := range map[string]int{"1d": 23, "7d": 167} {
			if i < len(a.Fan.Mean) {
				add(descForecast, a.Fan.Lo80[i], "ahead", ahead, "quantile", "0.1")
				add(descForecast, a.Fan.Mean[i], "ahead", ahead, "quantile", "0.5")
				add(descForecast, a.Fan.Hi80[i], "ahead", ahead, "quantile", "0.9")
			}
		}
		if a.Asked > 0 {
			add(descHeld, float64(a.Held)/float64(a.Asked))
		}
	}
	return b
}
