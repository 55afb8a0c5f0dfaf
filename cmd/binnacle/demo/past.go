package demo

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"math/rand/v2"
	"path/filepath"
	"time"

	"github.com/navcloud/binnacle/agent/capacity"
	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/agent/planner"
	"github.com/navcloud/binnacle/agent/store"
	"github.com/navcloud/binnacle/collectors/collectorstest"
)

// pastDays is how much past is made up for the page capacity, whose note says so.
const (
	pastDays = 14
	pastNote = "The two weeks before the demo began were made up; from its start on the page shows what the demo does."
)

// The streams of the same past, for charts.
var (
	descOpen   = &metric.Desc{Name: "navcloud_streams_open", Kind: metric.Gauge}
	descOpened = &metric.Desc{Name: "navcloud_streams_opened_total", Kind: metric.Counter}
)

// invented is a pool whose past is made up. use is of each zone, and ends at what the demo begins with.
type invented struct {
	pool   capacity.Pool
	labels map[string]string
	zones  []string
	use    func(ago time.Duration) float64
	hours  []float64 // largest use of each hour, all zones
}

// inventPast writes the past of a service that grows: streams that swing with the day and rest on weekends, and a disk of
// RabbitMQ that fills. It holds past forecasts too, made by the real thing from what lay before each.
func inventPast(ctx context.Context, w *world, now time.Time) error {
	pools := inventions(now)
	return errors.Join(
		inventInto(w, "capacity", func(s *store.Store) error { return inventPools(ctx, s, pools, now) }),
		inventInto(w, "rollups", func(s *store.Store) error { return inventStreams(ctx, s, inventions(now)[0], now) }))
}

func inventInto(w *world, folder string, write func(*store.Store) error) error {
	s, err := store.Open(filepath.Join(w.dir, station, folder), store.Options{
		Retention: planner.Default().History, RetentionSize: 1 << 30, Interval: planner.Every, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return err
	}
	return errors.Join(write(s), s.Close())
}

// inventStreams writes how many streams nodes held and opened: each stream lasts a quarter of an hour. The labels are those of
// the real ones: with others a page would add the two up.
func inventStreams(ctx context.Context, s *store.Store, p *invented, now time.Time) error {
	totals := make([]float64, len(apis))
	for at := now.Add(-pastDays * 24 * time.Hour).Truncate(time.Hour); at.Before(now); at = at.Add(planner.Every) {
		b := &metric.Batch{Time: at}
		all := p.use(now.Sub(at))
		for i, node := range apis {
			open := math.Round(all * (1.05 - 0.05*float64(i))) // no balancer is fair
			totals[i] += open / 3
			b.Add(descOpen, open, "stack", stack, "az", zones[i], "node", node, "group", station)
			b.Add(descOpened, math.Round(totals[i]), "stack", stack, "az", zones[i], "node", node, "group", station)
		}
		if err := s.Append(ctx, "streams", at, b.Samples); err != nil {
			return err
		}
	}
	return nil
}

func inventPools(ctx context.Context, s *store.Store, pools []*invented, now time.Time) (err error) {
	for at := now.Add(-pastDays * 24 * time.Hour).Truncate(time.Hour); at.Before(now) && err == nil; at = at.Add(planner.Every) {
		b := &metric.Batch{Time: at}
		for _, p := range pools {
			v := p.use(now.Sub(at))
			for _, z := range p.zones {
				planner.AddUse(b, p.pool.Name, p.labels, z, v)
			}
			p.note(at, v*float64(len(p.zones)))
		}
		if err = s.Append(ctx, "capacity", at, b.Samples); err == nil && at.Equal(at.Truncate(time.Hour)) {
			err = inventHour(ctx, s, pools, at)
		}
	}
	return err
}

// note keeps the largest use of the hour that ends with at or after.
func (p *invented) note(at time.Time, v float64) {
	if n := len(p.hours); n == 0 || at.Add(-planner.Every).Truncate(time.Hour).Equal(at.Add(-planner.Every)) {
		p.hours = append(p.hours, v)
		return
	}
	p.hours[len(p.hours)-1] = max(p.hours[len(p.hours)-1], v)
}

// inventHour writes what was forecast at the end of an hour, and what nodes did in it.
func inventHour(ctx context.Context, s *store.Store, pools []*invented, at time.Time) error {
	said, law := &metric.Batch{Time: at}, &metric.Batch{Time: at}
	for _, p := range pools {
		if p.pool.Kind != capacity.Demand || len(p.hours) < 96 {
			continue
		}
		f, err := capacity.Forecast(p.hours, 24, 24)
		if err != nil {
			return err
		}
		planner.AddSaid(said, p.pool.Name, p.labels, capacity.Said{Lo: f.Lo80[23], Mid: f.Mean[23], Hi: f.Hi80[23]})
	}
	streams := pools[0]
	rnd := rand.New(rand.NewPCG(uint64(at.Unix()), 1))
	for i, node := range apis {
		n := streams.hours[len(streams.hours)-1] / float64(len(apis))
		latency := (1 + 0.0012*n + 3e-6*n*n) / 400 * (1 + 0.03*rnd.NormFloat64())
		planner.AddMeasured(law, map[string]string{"stack": stack, "az": zones[i], "node": node}, n, n/latency)
	}
	if err := s.Append(ctx, "forecasts", at, said.Samples); err != nil {
		return err
	}
	return s.Append(ctx, "law", at, law.Samples)
}

// inventions are the pools with a past, that of the streams first.
func inventions(now time.Time) []*invented {
	perZone := float64(streams) / float64(len(zones))
	demand := func(seed uint64, end, swing float64) func(time.Duration) float64 {
		rnd, drift, base := rand.New(rand.NewPCG(seed, 1)), 0.0, swingAt(now)
		return func(ago time.Duration) float64 {
			drift = 0.95*drift + 0.004*rnd.NormFloat64()
			grown := 1 - 0.03*ago.Hours()/168 // 3 % a week
			// The last hour comes to what the demo begins with: a page never shows other figures than the demo does.
			fade := min(1, max(0, ago.Hours()-0.1))
			return end * grown * (1 + fade*(swing*(swingAt(now.Add(-ago))-base)+drift))
		}
	}
	fills := func(seed uint64, end, perDay float64) func(time.Duration) float64 {
		rnd := rand.New(rand.NewPCG(seed, 1))
		return func(ago time.Duration) float64 { return end - perDay*ago.Hours()/24*(1+0.01*rnd.NormFloat64()) }
	}
	by := map[string]capacity.Pool{}
	for _, p := range capacity.Pools() {
		by[p.Name] = p
	}
	navcloud, riak := map[string]string{"stack": stack}, map[string]string{"cluster": trips}
	out := []*invented{
		{pool: by["streams_per_node"], labels: navcloud, zones: zones, use: demand(1, perZone, 0.3)},
		{pool: by["balancer"], labels: navcloud, zones: zones, use: demand(1, perZone, 0.3)},
		{pool: by["riak_operations"], labels: riak, zones: zones, use: demand(2, 2.5, 0.3)},
	}
	const left = 65.85e9 // bytes on RabbitMQ's disks, as recorded
	for i, n := range collectorstest.Nodes {
		labels, perDay := map[string]string{"cluster": events, "node": n}, -0.1e9
		if i == 1 {
			perDay = -7e9 // whose disk fills
		}
		out = append(out,
			&invented{pool: by["rabbitmq_disk"], labels: labels, zones: zones[i : i+1], use: fills(uint64(10+i), left, perDay)},
			&invented{pool: by["rabbitmq_memory"], labels: labels, zones: zones[i : i+1], use: demand(uint64(20+i), 147e6, 0.1)})
	}
	return out
}

// swingAt is the day's course, between -1 and 1, lower on weekends.
func swingAt(t time.Time) float64 {
	v := math.Sin(2 * math.Pi * (t.Sub(t.Truncate(24*time.Hour)).Hours() - 8) / 24)
	if d := t.UTC().Weekday(); d == time.Saturday || d == time.Sunday {
		return 0.6*v - 0.3
	}
	return v
}
