package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/navcloud/binnacle/agent/atomicfile"
	"github.com/navcloud/binnacle/agent/health"
	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/ledger"
	"github.com/navcloud/binnacle/alerting/rules"
)

// When it is looked which rules can fire, and how much of a core that takes at most.
const (
	coverFirst = time.Minute      // after the start and after other rules: series must have come
	coverSoon  = 2 * time.Minute  // again while one cannot fire, for coverEarly
	coverEarly = 10 * time.Minute // after the first look
	coverAgain = time.Hour        // and then
	coverDaily = 24 * time.Hour   // while all can
	coverShare = 20               // one part in so many of a core: 5 %
	coverTick  = 15 * time.Second
	actsSince  = 90 * 24 * time.Hour
	actsMost   = 20_000
)

// ruleCannotFire names the alarm about rules that cannot fire.
const ruleCannotFire = "BinnacleRuleCannotFire"

// coverageFile holds the last answer, in the data folder, for `binnacle check`.
const coverageFile = "coverage.json"

// coverage finds which rules can fire, now and then in the background.
type coverage struct {
	r    *rulesRole
	look chan struct{} // other rules are in force

	// Of the loop alone.
	due, first, dead time.Time // next look; first look at these rules; since when one cannot fire, zero: none
	told             time.Time // the alarm, last; zero: it does not fire
}

// run looks until ctx ends.
func (c *coverage) run(ctx context.Context) error {
	c.due = time.Now().Add(coverFirst)
	tick := time.NewTicker(coverTick)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-c.look:
			c.due, c.first = time.Now().Add(coverFirst), time.Time{}
		case <-tick.C:
		}
		now := time.Now()
		if !now.Before(c.due) {
			found, err := c.r.cover(ctx, now)
			if err != nil {
				return err
			}
			c.due = c.next(now, len(found.Dead()) > 0)
		}
		if in := c.alarm(now); len(in) > 0 {
			c.r.a.put(in)
		}
	}
}

// next is when to look again.
func (c *coverage) next(now time.Time, dead bool) time.Time {
	if c.first.IsZero() {
		c.first = now
	}
	if !dead {
		c.dead = time.Time{}
		if early := c.first.Add(coverEarly); now.Before(early) {
			return early
		}
		return now.Add(coverDaily)
	}
	if c.dead.IsZero() {
		c.dead = now
	}
	if now.Sub(c.first) < coverEarly {
		return now.Add(coverSoon)
	}
	return now.Add(coverAgain)
}

// alarm is the input for the router, if any: an alarm while a rule of the operator's has not been able to fire for a while.
func (c *coverage) alarm(now time.Time) []alerting.Input {
	fires := !c.dead.IsZero() && now.Sub(c.dead) >= partGrace
	a := c.r.coverAlarm(c.dead)
	switch {
	case fires && now.Sub(c.told) >= partAgain:
		c.told = now
		return []alerting.Input{alerting.Firing{Alarm: a}}
	case !fires && !c.told.IsZero():
		c.told = time.Time{}
		return []alerting.Input{alerting.Ended{Fingerprint: a.Fingerprint()}}
	}
	return nil
}

func (r *rulesRole) coverAlarm(since time.Time) alerting.Alarm {
	cfg := r.a.config()
	node := cfg.nodeName()
	a := alerting.Alarm{
		Labels: map[string]string{
			alerting.LabelRule: ruleCannotFire, alerting.LabelSeverity: "warning", alerting.LabelPriority: "P4", alerting.LabelKind: "config", alerting.LabelLayer: "host",
			alerting.LabelEntity: "host:" + node, alerting.LabelService: "binnacle", alerting.LabelSource: "agent",
		},
		Annotations: map[string]string{
			alerting.AnnotationRunbook:  cfg.runbooks() + ruleCannotFire,
			alerting.AnnotationSummary:  "Rules on " + node + " cannot fire",
			alerting.AnnotationGuidance: "Read which and why with `binnacle rules coverage`, and correct the names of metrics and labels in the rule file, or what should send them",
		},
		StartsAt: since,
	}
	var names []string
	for _, d := range r.coverage().Dead() {
		names = append(names, d.Rule)
	}
	if len(names) > 0 {
		a.Annotations[alerting.AnnotationSummary] = fmt.Sprintf("On %s %d of the rules cannot fire: %s", node, len(names), someOf(names, 5))
	}
	return a
}

func someOf(names []string, most int) string {
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return strings.Join(names[:most], ", ") + fmt.Sprintf(" and %d more", len(names)-most)
}

// cover looks at all rules, slowly.
func (r *rulesRole) cover(ctx context.Context, now time.Time) (rules.Coverage, error) {
	m, s := r.get(), r.a.store.get().main
	if m == nil || s == nil {
		return rules.Coverage{}, nil
	}
	o := rules.CoverOptions{
		Queryable: s.Queryable(), Engine: s.Engine(), Now: now, Oldest: s.Stats().OldestAt, Dir: filepath.Join(r.a.folder.dir(), "rules"),
		Read: r.a.config().RouterSettings().Read, Acts: r.acts(ctx, now),
	}
	if o.Oldest.IsZero() {
		o.Oldest = now
	}
	o.Rest = func(ctx context.Context, took time.Duration) error {
		pause := time.NewTimer((coverShare - 1) * took)
		defer pause.Stop()
		select {
		case <-ctx.Done():
		case <-pause.C:
		}
		return nil
	}
	found, err := m.Cover(ctx, o)
	if err != nil {
		return found, nil // it is asked again; what fails of one rule is said at that rule
	}
	r.mu.Lock()
	r.covered = found
	r.mu.Unlock()
	if text, err := json.Marshal(found); err == nil {
		if err := atomicfile.Write(filepath.Join(r.a.folder.dir(), coverageFile), text, 0o600); err != nil {
			r.a.log.Debug("coverage not kept", "err", err)
		}
	}
	return found, nil
}

// coverage is the last answer.
func (r *rulesRole) coverage() rules.Coverage {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.covered
}

// acts are what people did about the incidents of each rule, as far as the ledger goes back. An incident's key names its rule.
func (r *rulesRole) acts(ctx context.Context, now time.Time) map[string]rules.Acts {
	if r.a.route.dispatch == nil {
		return nil
	}
	events, err := r.a.route.dispatch.History(ctx, ledger.Query{Since: now.Add(-actsSince), Kinds: []ledger.Kind{ledger.Accepted, ledger.Acked, ledger.Closed}, Limit: actsMost})
	if err != nil {
		return nil
	}
	out, acted := map[string]rules.Acts{}, map[string]bool{}
	for _, e := range events {
		if e.Kind != ledger.Accepted {
			acted[e.Key] = true
		}
	}
	for _, e := range events {
		part := strings.Split(e.Key, ":")
		if e.Kind != ledger.Accepted || e.Action != alerting.Trigger.String() || e.Priority > alerting.P2 || len(part) < 2 {
			continue
		}
		a := out[part[1]]
		a.Opened++
		if acted[e.Key] {
			a.Acted++
		}
		out[part[1]] = a
	}
	return out
}

// coverStatus is what a status says of it.
func (r *rulesRole) coverStatus() *health.Coverage {
	c := r.coverage()
	if c.At.IsZero() {
		return nil
	}
	out := &health.Coverage{At: c.At, Rules: len(c.Rules), Blind: c.Hosts}
	for _, d := range c.Dead() {
		out.Dead = append(out.Dead, d.Rule+": "+d.Findings[0].Text)
	}
	for _, d := range c.Rules {
		for _, f := range d.Findings {
			switch f.Kind {
			case rules.Always, rules.Unheeded:
				out.Useless = append(out.Useless, d.Rule+": "+f.Text)
			case rules.NeverNear:
				if d.Pack == "" {
					out.Far = append(out.Far, d.Rule+": "+f.Text)
				}
			}
		}
	}
	return out
}

// maxCoverage bounds what is read of it, in bytes.
const maxCoverage = 64 << 20

// LastCoverage reads what an agent with this configuration found last. The zero Coverage: nothing is known.
func LastCoverage(cfg Config) (c rules.Coverage) {
	text, err := atomicfile.Read(filepath.Join(cfg.Data, coverageFile), maxCoverage)
	if err != nil || json.Unmarshal(text, &c) != nil {
		return rules.Coverage{}
	}
	return c
}
