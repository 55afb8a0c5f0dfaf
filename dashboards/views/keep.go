package views

import (
	"context"
	"sync"
	"time"

	"github.com/navcloud/binnacle/dashboards"
)

// What the first page shows of many series takes the store most of a second: it is asked for in time for nobody to wait.
const (
	keepFrom  = time.Minute     // after the start: there is something to show
	keepEvery = 4 * time.Minute // below the time for which the last answer is given
	keepMany  = 20_000          // series; what fewer say is there in some 50 ms
)

// keep keeps the answers fresh that take long, until ctx ends.
func (p *Pages) keep(ctx context.Context) error {
	var all sync.WaitGroup
	defer all.Wait()
	all.Go(func() { p.answers.Work(ctx) })
	for wait := keepFrom; ; wait = keepEvery {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
		st, now := p.status(), p.opts.Now()
		if p.opts.Query == nil || st.Store == nil || st.Store.Series < keepMany {
			continue
		}
		span := dashboards.ReadPeriod(nil, now, "/", keptSpan(st, homeSpan, now), maxRange)
		p.fleet(ctx, now)
		p.fleetFigures(ctx, span)
		p.ownFamilies(ctx, span)
	}
}
