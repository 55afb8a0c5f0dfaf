package agent

import (
	"fmt"
	"time"

	"github.com/navcloud/binnacle/agent/health"
	"github.com/navcloud/binnacle/agent/series"
)

// config returns the configuration in force, which a reload changes.
func (a *Agent) config() Config {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.cfg
}

// Status returns the truth as of now.
func (a *Agent) Status() health.Status {
	a.mu.Lock()
	cfg, g, m, fault := a.cfg, a.gather, a.rules, a.fault
	a.mu.Unlock()
	now := time.Now()
	s := health.Status{At: now, Version: a.hooks.Version, Node: cfg.nodeName(), Begun: a.begun, Listen: cfg.Listen, Data: a.data}
	if a.dataErr != nil {
		s.DataError = a.dataErr.Error()
	}
	if err := a.history.failing(); err != nil {
		s.StoreError = err.Error()
	}
	for _, r := range a.damage.Current(now) {
		s.Damaged = append(s.Damaged, r.String())
	}
	s.Capacity = a.capacityFault()
	if fault != nil {
		s.Reload = fault.Error()
	}
	s.Door = a.door.Faults(a.listener.Addr())
	if g != nil {
		s.Collectors = g.collectorStats()
		for _, q := range g.sinkStats() {
			s.Sinks = append(s.Sinks, health.Sink{
				Name: q.Name, Up: q.DownSince.IsZero(), DownSince: q.DownSince, LastSuccess: q.LastSuccess, Error: q.LastError,
				Sent: q.Sent, Waiting: q.Depth, Spooled: q.Spool.Samples, SpoolBytes: q.Spool.Bytes, SpoolOldest: q.Spool.Oldest, Dropped: q.Dropped,
			})
		}
	}
	if a.store != nil {
		st := a.store.Stats()
		s.Store = &health.Store{Series: st.Series, Bytes: st.Bytes, Oldest: st.OldestAt, Refused: st.Refused, Lost: lostSeries(st.Lost)}
		s.Rollups = a.rollupStatus()
	}
	if m != nil {
		r := m.Stats(now)
		s.Rules = &health.Rules{Groups: r.Groups, Rules: r.Rules, Late: max(r.Late, 0), Failing: r.Failing}
	}
	if a.client != nil {
		for _, r := range a.client.Routers() {
			s.Routers = append(s.Routers, health.Router(r))
		}
	}
	if a.dispatch != nil && (a.client == nil || a.pager != nil) {
		a.statusRoute(&s)
	}
	return s
}

func (a *Agent) statusRoute(s *health.Status) {
	d := a.dispatch.Status()
	s.Route = &health.Route{Mode: string(d.Mode), Durable: d.Durable, StandsIn: d.StandsIn, StandsInFor: d.StandsInFor, Since: d.Since, Undelivered: d.Undelivered, Open: d.Open, Standby: d.Standby}
	s.Pager = "pages are shown and logged: no routing key is set"
	if a.pager != nil {
		s.Pager = "PagerDuty"
	}
	v := a.dispatch.View()
	s.Firing = v.Firing
	s.Problems = map[string]int{}
	for _, p := range v.Problems {
		s.Problems[p.Priority.String()]++
	}
}

// maxLost is how many series that lost samples are named.
const maxLost = 5

func lostSeries(named []series.Loss) []string {
	var out []string
	for _, l := range named[:min(len(named), maxLost)] {
		text := fmt.Sprintf("%s lost %.0f samples (%s", l.Name, l.Count, l.Reason)
		if l.Why != "" {
			text += ": " + l.Why
		}
		out = append(out, text+")")
	}
	return out
}
