package dispatch

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/alerting"
)

// What is published about delivery.
var (
	pageSeconds = &metric.Desc{
		Name: "binnacle_page_seconds", Kind: metric.Distribution, Unit: metric.Seconds,
		Help: "Time that one call to the pager took, by action",
	}
	delaySeconds = &metric.Desc{
		Name: "binnacle_page_delay_seconds", Kind: metric.Distribution, Unit: metric.Seconds,
		Help: "Delay of pages by stage: arrive (start of the alarm to the router), wait (router to decision), send (decision to acceptance)",
	}
	pagesTotal = &metric.Desc{
		Name: "binnacle_pages_total", Kind: metric.Counter,
		Help: "Calls to the pager, by action and outcome",
	}
	refusedTotal = &metric.Desc{
		Name: "binnacle_pages_refused_total", Kind: metric.Counter,
		Help: "Events that the pager refused for their form, accepted plain or not",
	}
	undeliveredSeconds = &metric.Desc{
		Name: "binnacle_page_undelivered_seconds", Kind: metric.Gauge, Unit: metric.Seconds,
		Help: "Age of the oldest page that no pager has accepted, 0 for none",
	}
	ledgerDurable = &metric.Desc{
		Name: "binnacle_ledger_durable", Kind: metric.Gauge,
		Help: "1 while decisions are durable before they are carried out",
	}
	routerSends = &metric.Desc{
		Name: "binnacle_router_sends", Kind: metric.Gauge,
		Help: "1 while this router sends, 0 while another one of its fleet does",
	}
	ledgerDropped = &metric.Desc{
		Name: "binnacle_ledger_dropped_events_total", Kind: metric.Counter,
		Help: "Lines of the history that were lost because the ledger could not be written for long",
	}
	acksDropped = &metric.Desc{
		Name: "binnacle_acks_dropped_total", Kind: metric.Counter,
		Help: "Acknowledgements that were not passed on to the pager because too many waited",
	}
	alarmsGauge = &metric.Desc{
		Name: "binnacle_alarms", Kind: metric.Gauge,
		Help: "Alarms that the router holds, by state: firing, lost (out of contact)",
	}
	problemsGauge = &metric.Desc{
		Name: "binnacle_problems", Kind: metric.Gauge,
		Help: "Problems that the router holds, by state",
	}
)

// Metrics are all that Collect yields.
func Metrics() []*metric.Desc {
	return []*metric.Desc{
		pageSeconds, delaySeconds, pagesTotal, refusedTotal, undeliveredSeconds, ledgerDurable, routerSends,
		ledgerDropped, acksDropped, alarmsGauge, problemsGauge,
	}
}

// Bounds of the times at which alarms were heard.
const (
	maxHeard  = 50_000
	heardFor  = time.Hour
	pruneEach = time.Minute
)

type outcomeKey struct{ action, outcome string }

type stats struct {
	mu      sync.Mutex
	page    map[string]*metric.Histogram // by action
	delay   map[string]*metric.Histogram // by stage
	calls   map[outcomeKey]uint64
	refused uint64
	acks    uint64
	heardAt map[string]*heardTimes
	pruned  time.Time
}

type heardTimes struct{ first, last time.Time }

func newStats() *stats {
	return &stats{
		page: map[string]*metric.Histogram{}, delay: map[string]*metric.Histogram{},
		calls: map[outcomeKey]uint64{}, heardAt: map[string]*heardTimes{},
	}
}

func observe(m map[string]*metric.Histogram, name string, d time.Duration) {
	h := m[name]
	if h == nil {
		h = new(metric.Histogram)
		m[name] = h
	}
	h.Observe(max(d, 0).Seconds(), 1)
}

// heard notes when an alarm came first, and says whether that is now.
func (s *stats) heard(a alerting.Alarm, now time.Time) (first bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fp := a.Fingerprint()
	if h := s.heardAt[fp]; h != nil {
		h.last = now
		return false
	}
	if len(s.heardAt) < maxHeard {
		s.heardAt[fp] = &heardTimes{now, now}
	}
	if !a.StartsAt.IsZero() {
		observe(s.delay, "arrive", now.Sub(a.StartsAt))
	}
	return true
}

func (s *stats) ended(fingerprint string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.heardAt, fingerprint)
}

// prune forgets alarms that are not told any more.
func (s *stats) prune(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now.Sub(s.pruned) < pruneEach {
		return
	}
	s.pruned = now
	maps.DeleteFunc(s.heardAt, func(_ string, h *heardTimes) bool { return now.Sub(h.last) > heardFor })
}

// decided notes how long the head of a page had been known.
func (s *stats) decided(a alerting.Action, now time.Time) {
	if a.Kind != alerting.Trigger || len(a.Page.Explained) == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if h := s.heardAt[a.Page.Explained[0].Fingerprint()]; h != nil {
		observe(s.delay, "wait", now.Sub(h.first))
	}
}

func (s *stats) answered(a alerting.Action, r alerting.Result, took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	observe(s.page, a.Kind.String(), took)
	s.calls[outcomeKey{a.Kind.String(), r.Outcome.String()}]++
	if r.Outcome == alerting.Refused || r.Outcome == alerting.Accepted && r.Detail != "" {
		s.refused++
	}
}

func (s *stats) delivered(a answer) {
	if a.action.Kind != alerting.Trigger {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	observe(s.delay, "send", time.Since(a.at))
}

func (s *stats) ackDropped() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.acks++
}

// Collect appends what there is to say about delivery; it is a collectors.Collector. Distributions hold
// what was observed since the last call.
func (d *Dispatcher) Collect(_ context.Context, b *metric.Batch) error {
	durable, _, dropped := d.book.status()
	b.Bool(ledgerDurable, durable)
	b.Bool(routerSends, d.book.sends())
	b.Add(ledgerDropped, float64(dropped))
	b.Add(undeliveredSeconds, d.watch.oldest(time.Now()).Seconds())
	v := d.View()
	b.Add(alarmsGauge, float64(v.Firing), "state", "firing")
	b.Add(alarmsGauge, float64(v.Lost), "state", "lost")
	states := map[alerting.State]int{
		alerting.Waiting: 0, alerting.Held: 0, alerting.Paged: 0, alerting.AckedState: 0,
		alerting.Board: 0, alerting.Recovering: 0, alerting.SilencedState: 0, alerting.Sending: 0, alerting.LostState: 0, alerting.ClosedState: 0,
	}
	for _, p := range v.Problems {
		states[p.State]++
	}
	for _, st := range slices.Sorted(maps.Keys(states)) {
		b.Add(problemsGauge, float64(states[st]), "state", string(st))
	}
	d.stats.collect(b)
	return nil
}

func (s *stats) collect(b *metric.Batch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b.Add(refusedTotal, float64(s.refused))
	b.Add(acksDropped, float64(s.acks))
	for k, n := range s.calls {
		b.Add(pagesTotal, float64(n), "action", k.action, "outcome", k.outcome)
	}
	for name, h := range s.page {
		b.AddHist(pageSeconds, h.Clone(), "action", name)
		h.Reset()
	}
	for name, h := range s.delay {
		b.AddHist(delaySeconds, h.Clone(), "stage", name)
		h.Reset()
	}
}

// Status is delivery in short, for status and the board.
type Status struct {
	Mode        Mode          `json:"mode"`
	Durable     bool          `json:"durable"`
	Since       time.Time     `json:"since"`                   // of Durable
	StandsIn    string        `json:"stands_in,omitempty"`     // where the ledger is while its own place cannot be written
	StandsInFor string        `json:"stands_in_for,omitempty"` // why
	Undelivered time.Duration `json:"undelivered"`             // age of the oldest page that no pager accepted
	Open        int           `json:"open"`                    // incidents
	Standby     bool          `json:"standby"`                 // another router of the fleet sends
	Channels    []Channel     `json:"channels,omitempty"`      // that pages take
}

// Status returns how delivery stands.
func (d *Dispatcher) Status() Status {
	durable, since, _ := d.book.status()
	where, why := d.book.standsIn()
	return Status{StandsIn: where, StandsInFor: why, Mode: d.cfg.Mode, Durable: durable, Since: since, Undelivered: d.watch.oldest(time.Now()), Open: len(d.book.records()), Standby: !d.book.sends(), Channels: d.proofs.all()}
}
