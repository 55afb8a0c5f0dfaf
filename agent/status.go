package agent

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/navcloud/binnacle/alerting/dispatch"
	"github.com/navcloud/binnacle/alerting/intake"
)

// Status is the truth about a node: what it collects, ships, judges and routes.
type Status struct {
	At         time.Time            `json:"at"`
	Version    string               `json:"version"`
	Node       string               `json:"node"`
	Begun      time.Time            `json:"begun"`
	Listen     string               `json:"listen"`
	Data       string               `json:"data"`
	DataError  string               `json:"data_error,omitempty"`
	StoreError string               `json:"store_error,omitempty"`    // of the last write, while none succeeds
	Capacity   string               `json:"capacity_error,omitempty"` // why capacity is not known
	Reload     string               `json:"reload_error,omitempty"`
	Collectors []CollectorStatus    `json:"collectors"`
	Sinks      []SinkStatus         `json:"sinks"`
	Store      *StoreStatus         `json:"store,omitempty"`
	Rollups    *RollupStatus        `json:"rollups,omitempty"` // nil where they are off
	Rules      *RulesStatus         `json:"rules,omitempty"`
	Routers    []intake.RouterState `json:"routers,omitempty"` // that the alarms of this node go to
	Route      *dispatch.Status     `json:"route,omitempty"`   // nil where they go to others
	Pager      string               `json:"pager,omitempty"`
	Problems   map[string]int       `json:"problems,omitempty"` // by priority
	Firing     int                  `json:"firing"`
}

// SinkStatus is what is known of a destination.
type SinkStatus struct {
	Name        string             `json:"name"`
	Up          bool               `json:"up"`
	DownSince   time.Time          `json:"down_since"`
	LastSuccess time.Time          `json:"last_success"`
	Error       string             `json:"error,omitempty"`
	Sent        float64            `json:"sent"`
	Waiting     int                `json:"waiting"`
	Spooled     int                `json:"spooled"`
	SpoolBytes  int64              `json:"spool_bytes"`
	SpoolOldest time.Time          `json:"spool_oldest"`
	Dropped     map[string]float64 `json:"dropped,omitempty"`
}

// StoreStatus is what is known of the history.
type StoreStatus struct {
	Series  uint64             `json:"series"`
	Bytes   int64              `json:"bytes"`
	Oldest  time.Time          `json:"oldest"`
	Refused map[string]float64 `json:"refused,omitempty"`
}

// RulesStatus is what is known of the rules.
type RulesStatus struct {
	Groups  int           `json:"groups"`
	Rules   int           `json:"rules"`
	Late    time.Duration `json:"late_ns"`
	Failing []string      `json:"failing,omitempty"`
}

// config returns the configuration in force, which a reload changes.
func (a *Agent) config() Config {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.cfg
}

// Status returns the truth as of now.
func (a *Agent) Status() Status {
	a.mu.Lock()
	cfg, g, m, fault := a.cfg, a.gather, a.rules, a.fault
	a.mu.Unlock()
	now := time.Now()
	s := Status{At: now, Version: a.hooks.Version, Node: cfg.nodeName(), Begun: a.begun, Listen: cfg.Listen, Data: a.data}
	if a.dataErr != nil {
		s.DataError = a.dataErr.Error()
	}
	if err := a.history.failing(); err != nil {
		s.StoreError = err.Error()
	}
	s.Capacity = a.capacityFault()
	if fault != nil {
		s.Reload = fault.Error()
	}
	if g != nil {
		s.Collectors = g.collectorStats()
		for _, q := range g.sinkStats() {
			s.Sinks = append(s.Sinks, SinkStatus{
				Name: q.Name, Up: q.DownSince.IsZero(), DownSince: q.DownSince, LastSuccess: q.LastSuccess, Error: q.LastError,
				Sent: q.Sent, Waiting: q.Depth, Spooled: q.Spool.Samples, SpoolBytes: q.Spool.Bytes, SpoolOldest: q.Spool.Oldest, Dropped: q.Dropped,
			})
		}
	}
	if a.store != nil {
		st := a.store.Stats()
		s.Store = &StoreStatus{st.Series, st.Bytes, st.OldestAt, st.Refused}
		s.Rollups = a.rollupStatus()
	}
	if m != nil {
		r := m.Stats(now)
		s.Rules = &RulesStatus{r.Groups, r.Rules, max(r.Late, 0), r.Failing}
	}
	if a.client != nil {
		s.Routers = a.client.Routers()
	}
	if a.dispatch != nil && (a.client == nil || a.pager != nil) {
		a.statusRoute(&s)
	}
	return s
}

func (a *Agent) statusRoute(s *Status) {
	d := a.dispatch.Status()
	s.Route = &d
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

// The exit codes of a Nagios plugin.
// Source: Monitoring Plugins Development Guidelines, "Plugin Return Codes", read November 2026.
const (
	ExitOK = iota
	ExitWarning
	ExitCritical
	ExitUnknown
)

// maxFailing is how many rules that fail are named: what ails one mostly ails all.
const maxFailing = 3

// faults lists what is wrong with the agent itself, the worst first, and the exit code.
func (s Status) faults() (faults []string, code int) {
	bad := func(level int, format string, args ...any) {
		faults = append(faults, fmt.Sprintf(format, args...))
		code = max(code, level)
	}
	if s.Route != nil && s.Route.Undelivered > time.Minute {
		bad(ExitCritical, "a page is undelivered for %v", s.Route.Undelivered.Round(time.Second))
	}
	if s.Route != nil && !s.Route.Durable {
		bad(ExitCritical, "the ledger cannot be written: a restart may send a page twice")
	}
	away := s.away()
	for _, r := range away {
		level := ExitWarning // others answer
		if len(away) == len(s.Routers) {
			level = ExitCritical
		}
		bad(level, "the router %s is not reached for %s: %s", r.URL, s.sinceReached(r), r.Error)
	}
	if s.DataError != "" {
		bad(ExitCritical, "the data folder cannot be written: %s; history, ledger and spools are in %s, gone with a reboot: mend the folder and restart", s.DataError, s.Data)
	}
	if s.StoreError != "" {
		bad(ExitCritical, "history is not written, and rules see nothing: %s", s.StoreError)
	}
	if s.Capacity != "" {
		bad(ExitWarning, "capacity is not known: %s", s.Capacity)
	}
	if s.Rollups != nil && s.Rollups.Error != "" {
		bad(ExitWarning, "the past is not kept: %s", s.Rollups.Error)
	}
	if s.Reload != "" {
		bad(ExitWarning, "the last reload was refused: %s", s.Reload)
	}
	for _, k := range s.Sinks {
		if !k.Up {
			bad(ExitWarning, "%s is unreachable for %v: %s", k.Name, s.At.Sub(k.DownSince).Round(time.Second), k.Error)
		}
	}
	for _, c := range s.Collectors {
		if !c.Up && !c.Absent && !c.LastRun.IsZero() {
			bad(ExitWarning, "%s is blind: %s", c.Name, c.Error)
		}
	}
	if s.Rules != nil {
		for i, f := range s.Rules.Failing {
			if i == maxFailing {
				bad(ExitWarning, "and %d more rules", len(s.Rules.Failing)-i)
				break
			}
			bad(ExitWarning, "rule %s", f)
		}
		if s.Rules.Late > time.Minute {
			bad(ExitWarning, "rules are %v late", s.Rules.Late.Round(time.Second))
		}
	}
	return faults, code
}

// away are the routers that do not answer.
func (s Status) away() []intake.RouterState {
	return slices.DeleteFunc(slices.Clone(s.Routers), func(r intake.RouterState) bool { return r.Error == "" })
}

// sinceReached is how long a router has not answered: since the start where it never did.
func (s Status) sinceReached(r intake.RouterState) string {
	if r.Reached.IsZero() {
		return ago(s.At, s.Begun)
	}
	return ago(s.At, r.Reached)
}

// Write tells the status in words and returns the exit code of a Nagios plugin: first a line that is
// the whole truth in short, then the parts.
func (s Status) Write(w io.Writer) int {
	faults, code := s.faults()
	word := [...]string{"OK", "WARNING", "CRITICAL"}[code]
	if len(faults) == 0 {
		fmt.Fprintf(w, "%s - %s is well, up %v\n", word, s.Node, s.At.Sub(s.Begun).Round(time.Second))
	} else {
		fmt.Fprintf(w, "%s - %s: %s\n", word, s.Node, faults[0])
		for _, f := range faults[1:] {
			fmt.Fprintf(w, "  also: %s\n", f)
		}
	}
	s.writeCollect(w)
	s.writeShip(w)
	s.writeJudge(w)
	return code
}

func (s Status) writeCollect(w io.Writer) {
	fmt.Fprintln(w, "\ncollect")
	var absent []string
	for _, c := range s.Collectors {
		switch {
		case c.Absent:
			absent = append(absent, c.Name)
		case c.LastRun.IsZero():
			fmt.Fprintf(w, "  %-16s has not looked yet\n", c.Name)
		case c.Up:
			fmt.Fprintf(w, "  %-16s %4d series %v ago, in %v, every %v\n", c.Name, c.Series, ago(s.At, c.LastRun), c.Took.Round(100*time.Microsecond), c.Interval)
		default:
			seen := "never seen well"
			if !c.LastUp.IsZero() {
				seen = "last well " + ago(s.At, c.LastUp) + " ago"
			}
			fmt.Fprintf(w, "  %-16s BLIND (%s), %s: %s\n", c.Name, c.Reason, seen, c.Error)
		}
	}
	if len(absent) > 0 {
		fmt.Fprintf(w, "  not on this machine: %s\n", strings.Join(absent, ", "))
	}
}

func (s Status) writeShip(w io.Writer) {
	fmt.Fprintln(w, "\nship")
	if len(s.Sinks) == 0 {
		fmt.Fprintln(w, "  nothing is configured")
	}
	for _, k := range s.Sinks {
		state := "delivering, last " + ago(s.At, k.LastSuccess) + " ago"
		if k.LastSuccess.IsZero() {
			state = "nothing delivered yet"
		}
		if !k.Up {
			state = "UNREACHABLE for " + ago(s.At, k.DownSince) + ": " + k.Error
		}
		fmt.Fprintf(w, "  %-16s %s; %.0f sent, %d in memory", k.Name, state, k.Sent, k.Waiting)
		if k.Spooled > 0 {
			fmt.Fprintf(w, ", %d on disk (%s, oldest %s)", k.Spooled, size(k.SpoolBytes), ago(s.At, k.SpoolOldest))
		}
		fmt.Fprintf(w, ", %s\n", lost(k.Dropped))
	}
	if s.Store != nil {
		fmt.Fprintf(w, "  %-16s %d series, %s, since %s; %s\n", "store", s.Store.Series, size(s.Store.Bytes), when(s.At, s.Store.Oldest), lost(s.Store.Refused))
	}
	if s.Rollups != nil {
		fmt.Fprintf(w, "  %-16s %s\n", "rollups", s.Rollups.words(s.At))
	}
}

func (s Status) writeJudge(w io.Writer) {
	fmt.Fprintln(w, "\njudge")
	if s.Rules == nil {
		fmt.Fprintln(w, "  rules are off")
	} else {
		fmt.Fprintf(w, "  %d rules in %d groups, %d failing\n", s.Rules.Rules, s.Rules.Groups, len(s.Rules.Failing))
	}
	for _, r := range s.Routers {
		state := "which has not answered yet"
		switch {
		case r.Error != "":
			state = "NOT REACHED for " + s.sinceReached(r)
		case !r.Reached.IsZero():
			state = "which answered " + ago(s.At, r.Reached) + " ago"
		}
		fmt.Fprintf(w, "  alarms go to %s, %s\n", r.URL, state)
	}
	if s.Route == nil && len(s.Routers) == 0 {
		fmt.Fprintln(w, "  alarms go nowhere: route is off, and rules.routers names no router")
	}
	if s.Route == nil {
		return
	}
	var counts []string
	for p, n := range s.Problems {
		counts = append(counts, fmt.Sprintf("%d %s", n, p))
	}
	slices.SortFunc(counts, func(a, b string) int { return cmp.Compare(a[len(a)-2:], b[len(b)-2:]) })
	if len(counts) == 0 {
		counts = []string{"none"}
	}
	fmt.Fprintf(w, "  %d alarms hold; problems: %s; %d incidents open; mode %s; %s\n", s.Firing, strings.Join(counts, ", "), s.Route.Open, s.Route.Mode, s.Pager)
	if s.Route.Standby {
		fmt.Fprintln(w, "  another router of the fleet sends; this one is ready to")
	}
}

func ago(now, t time.Time) string {
	d := now.Sub(t)
	if d < 10*time.Second {
		return d.Round(100 * time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}

func when(now, t time.Time) string {
	if t.IsZero() {
		return "now"
	}
	return ago(now, t) + " ago"
}

func size(b int64) string {
	switch {
	case b >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(b)/(1<<30))
	case b >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(b)/(1<<20))
	}
	return fmt.Sprintf("%.0f KiB", float64(b)/(1<<10))
}

func lost(by map[string]float64) string {
	var parts []string
	for reason, n := range by {
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%.0f %s", n, reason))
		}
	}
	if len(parts) == 0 {
		return "nothing lost"
	}
	slices.Sort(parts)
	return "LOST " + strings.Join(parts, ", ")
}
