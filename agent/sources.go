package agent

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/navcloud/binnacle/agent/metric"
)

// sources are what collectors deliver beside their own collections, such as the targets of scrape: each is a source of series
// of its own, which ends when nothing came of it for as long as its collector said.
type sources struct {
	mu    sync.Mutex
	until map[string]time.Time // by collector/source
}

// saw notes that a source delivered, and will again within d.
func (s *sources) saw(name string, at time.Time, d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.until == nil {
		s.until = map[string]time.Time{}
	}
	s.until[name] = at.Add(d)
}

// over returns the sources that are overdue, once.
func (s *sources) over(now time.Time) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for name, until := range s.until {
		if now.After(until) {
			out = append(out, name)
			delete(s.until, name)
		}
	}
	return out
}

// deliverFrom hands on what a source of a collector sent. Nothing of this node is put on its series: a target may stand
// elsewhere, and an alarm about it would name this node.
func (r *collectRole) deliverFrom(collector, source string, b *metric.Batch, within time.Duration) {
	name := collector + "/" + source
	if len(b.Samples) > 0 {
		r.sources.saw(name, time.Now(), within)
	}
	r.resolve(name, nil, b)
	b.Done()
}

// endOverdue ends the series of sources that do not deliver any more.
func (r *collectRole) endOverdue(now time.Time) {
	for _, name := range r.sources.over(now) {
		if !r.a.store.series.Has(name) {
			continue
		}
		u := r.a.store.series.Resolve(name, now, nil, nil)
		r.a.store.keep(context.Background(), u)
		r.a.ship.put(u)
	}
}

// collectorOf is the collector that a source belongs to.
func collectorOf(source string) string {
	name, _, _ := strings.Cut(source, "/")
	return name
}
