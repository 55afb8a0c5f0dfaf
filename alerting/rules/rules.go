// Package rules turns series into alarms: Prometheus rule files, run by Prometheus' own rule manager
// over the store.
//
// It holds the shipped packs and their runbooks, checks rule files, and tests them. It neither orders
// nor pages: what fires goes to a callback as inputs of the router.
package rules

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	promrules "github.com/prometheus/prometheus/rules"
	"github.com/prometheus/prometheus/storage"

	"github.com/navcloud/binnacle/alerting"
)

// resend is how often an alarm that fires is sent again.
const resend = time.Minute

// forGrace is how much of a rule's "for" is waited again after a restart, at least. Prometheus' default.
// Source: prometheus --rules.alert.for-grace-period, read November 2026; shorter here, since the
// shipped rules wait seconds where others wait minutes.
const forGrace = 30 * time.Second

// outage is how long the agent may have been away for "for" to go on where it stood.
const outage = time.Hour

// Options are what a Manager works with.
type Options struct {
	Interval    time.Duration // of groups that name none
	Packs       []string      // of the shipped: all, or names
	Files       []string      // globs
	Dir         string        // where the packs are laid out for the manager, emptied first
	ExternalURL string
	External    map[string]string // what $externalLabels holds in texts
	Queryable   storage.Queryable
	Has         func(metric string) bool // whether Queryable may have a sample of it; nil: it may
	Appendable  storage.AppendableV2
	Engine      promql.QueryEngine
	Notify      func([]alerting.Input) // must not block for long
	Log         *slog.Logger
	Now         func() time.Time
}

// Manager evaluates rules.
type Manager struct {
	manager *promrules.Manager
	teller  *teller
	asked   *asked
	jumps   *jumps

	mu     sync.Mutex
	loaded [sha256.Size]byte // what is evaluated
}

// New loads all rules; its error tells every fault.
func New(ctx context.Context, o Options) (*Manager, error) {
	files, err := lay(o)
	if err != nil {
		return nil, err
	}
	external, err := url.Parse(o.ExternalURL)
	if err != nil {
		return nil, fmt.Errorf("external URL: %w", err)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	query := promrules.EngineQueryFunc(o.Engine, o.Queryable)
	m := &Manager{loaded: digest(o), asked: &asked{query: query, has: o.Has}, jumps: newJumps()}
	m.teller = newTeller(external, o.Notify, &eyes{query: query, list: m.rules}, o.Now)
	m.manager = promrules.NewManager(&promrules.ManagerOptions{
		GroupLoader:          loader{},
		NameValidationScheme: model.UTF8Validation,
		ExternalURL:          external,
		QueryFunc:            m.asked.ask,
		NotifyFunc:           m.teller.notify,
		Context:              ctx,
		AppendableV2:         o.Appendable,
		Queryable:            o.Queryable,
		Logger:               o.Log.With("part", "rules"),
		Registerer:           prometheus.NewRegistry(),
		OutageTolerance:      outage,
		ForGracePeriod:       forGrace,
		ResendDelay:          resend,
		RestoreNewRuleGroups: true,
		Parser:               promParser,
	})
	if err := m.manager.Update(o.Interval, files, labels.FromMap(o.External), o.ExternalURL, m.jumps.evaluate); err != nil {
		return nil, fmt.Errorf("rules: %w", err)
	}
	m.teller.learn(m.manager.AlertingRules())
	m.asked.learn(m.rules())
	return m, nil
}

// Check says all that is wrong with the rules that o wants, and touches nothing.
func Check(o Options) error {
	_, errPacks := selectPacks(o.Packs)
	_, errURL := url.Parse(o.ExternalURL)
	files, errFiles := Expand(o.Files)
	faults := []error{errPacks, errURL, errFiles}
	for _, f := range files {
		faults = append(faults, CheckFile(f))
	}
	return errors.Join(faults...)
}

// Differs says whether o wants other rules than are evaluated: other files, or others in them.
func (m *Manager) Differs(o Options) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.loaded != digest(o)
}

// digest tells two sets of rules apart.
func digest(o Options) [sha256.Size]byte {
	var all bytes.Buffer
	fmt.Fprintf(&all, "%v %q %q %q\n", o.Interval, o.Packs, o.ExternalURL, labels.FromMap(o.External).String())
	files, _ := Expand(o.Files) // what cannot be read is told by who loads it
	for _, f := range files {
		text, _ := os.ReadFile(f)
		fmt.Fprintf(&all, "%q %d\n%s\n", f, len(text), text)
	}
	return sha256.Sum256(all.Bytes())
}

// Update evaluates the rules that o wants from now on; of the rest of o it takes the external URL. Groups that are as before go
// on as they are. Alarms of rules that are gone or changed end. Where it fails, the rules before are evaluated still.
func (m *Manager) Update(o Options) error {
	files, err := lay(o)
	if err != nil {
		return err
	}
	external, err := url.Parse(o.ExternalURL)
	if err != nil {
		return fmt.Errorf("external URL: %w", err)
	}
	if err := m.manager.Update(o.Interval, files, labels.FromMap(o.External), o.ExternalURL, m.jumps.evaluate); err != nil {
		return fmt.Errorf("rules: %w", err)
	}
	m.mu.Lock()
	m.loaded = digest(o)
	m.mu.Unlock()
	var active []*promrules.Alert
	exprs := map[string]bool{}
	for _, r := range m.manager.AlertingRules() {
		active = append(active, r.ActiveAlerts()...)
		exprs[r.Query().String()] = true
	}
	m.teller.learn(m.manager.AlertingRules())
	m.asked.learn(m.rules())
	m.teller.renew(external, active, exprs)
	return nil
}

// rules are all that are evaluated.
func (m *Manager) rules() (out []promrules.Rule) {
	for _, g := range m.manager.RuleGroups() {
		out = append(out, g.Rules()...)
	}
	return out
}

// Run evaluates until ctx ends.
func (m *Manager) Run(ctx context.Context) error {
	defer context.AfterFunc(ctx, m.manager.Stop)()
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { m.teller.run(ctx) })
	m.manager.Run() // until Stop
	return nil
}

// Firing says whether the alarm with this fingerprint was told as firing and not as ended.
func (m *Manager) Firing(fingerprint string) bool { return m.teller.firing(fingerprint) }

// Blind says whether an alarm of an earlier life, which no rule makes now, may hold all the same since nobody can see it. It is
// looked at from then on, and ends as every other.
func (m *Manager) Blind(a alerting.Alarm) bool {
	for _, r := range m.AlertingRules() {
		if r.Name() == a.Rule() && m.teller.keep(a, r.Query().String(), r.HoldDuration()) {
			return true
		}
	}
	return false
}

// RuleGroups is for Prometheus' HTTP API.
func (m *Manager) RuleGroups() []*promrules.Group { return m.manager.RuleGroups() }

// AlertingRules is for Prometheus' HTTP API.
func (m *Manager) AlertingRules() []*promrules.AlertingRule { return m.manager.AlertingRules() }

// Expr returns the expression of the rule that made an alarm of this name with these labels, and for how long it must be true. Without
// labels, as of an alarm that is gone, it is that of the first rule of the name.
func (m *Manager) Expr(name string, has map[string]string) (expr string, hold time.Duration, ok bool) {
	for _, r := range m.AlertingRules() {
		if r.Name() != name {
			continue
		}
		fits := true
		r.Labels().Range(func(l labels.Label) {
			fits = fits && (has == nil || has[l.Name] == l.Value || strings.Contains(l.Value, "{{"))
		})
		if fits {
			return r.Query().String(), r.HoldDuration(), true
		}
	}
	return "", 0, false
}

// Vital returns the labels of the rules that can make a P1 by what they say of themselves: silences over them are bounded.
func (m *Manager) Vital() []map[string]string {
	var out []map[string]string
	for _, r := range m.AlertingRules() {
		set := r.Labels().Map()
		set[alerting.LabelRule] = r.Name()
		if vital(set) {
			out = append(out, set)
		}
	}
	return out
}

func vital(set map[string]string) bool {
	if text := set[alerting.LabelPriority]; text != "" {
		return alerting.ParsePriority(text) == alerting.P1
	}
	return strings.EqualFold(set[alerting.LabelSeverity], "critical") && alerting.Grave(set)
}

// Stats say how the evaluation keeps up.
type Stats struct {
	Groups, Rules int
	Late          time.Duration // of the group that is most behind its interval
	LateGroup     string        // its name; empty: none is behind
	LateRule      string        // its rule that takes longest
	LateTakes     time.Duration // how long that took last
	Slowest       time.Duration // last evaluation that took longest
	Slow          []Slow        // groups that take longer than their interval, by name
	Failing       []string      // "rule: error"
	LastAt        time.Time     // of the last evaluation of any group
}

// Slow is a group of rules whose evaluation takes longer than its interval, so that its alarms come late, and its rule that takes
// longest. Each group has a goroutine of its own: the rules of others are not late for it.
type Slow struct {
	Rule, Group     string
	Takes, Interval time.Duration // of the whole group
}

// slowFrom is from when a group counts as slow: a shorter interval is one of a demo.
const slowFrom = 5 * time.Second

// Stats returns how the evaluation keeps up.
func (m *Manager) Stats(now time.Time) Stats {
	var s Stats
	for _, g := range m.manager.RuleGroups() {
		s.Groups++
		s.Rules += len(g.Rules())
		took := g.GetEvaluationTime()
		s.Slowest = max(s.Slowest, took)
		if took > max(g.Interval(), slowFrom) {
			rule, _ := slowest(g.Rules())
			s.Slow = append(s.Slow, Slow{rule, g.Name(), took, g.Interval()})
		}
		last := g.GetLastEvaluation()
		if last.After(s.LastAt) {
			s.LastAt = last
		}
		if late := now.Sub(last) - g.Interval(); !last.IsZero() && late > s.Late {
			s.Late, s.LateGroup = late, g.Name()
			s.LateRule, s.LateTakes = slowest(g.Rules())
		}
		for _, r := range g.Rules() {
			if r.Health() == promrules.HealthBad {
				s.Failing = append(s.Failing, fmt.Sprintf("%s: %v", r.Name(), r.LastError()))
			}
		}
	}
	slices.Sort(s.Failing)
	slices.SortFunc(s.Slow, func(a, b Slow) int { return strings.Compare(a.Group+a.Rule, b.Group+b.Rule) })
	return s
}

// slowest returns the name of the rule that took longest in its last evaluation, and how long.
func slowest(rules []promrules.Rule) (name string, took time.Duration) {
	for _, r := range rules {
		if d := r.GetEvaluationDuration(); d > took || name == "" {
			name, took = r.Name(), d
		}
	}
	return name, took
}

// lay writes the packs that are wanted into Dir, for the manager reads files, and returns all files.
func lay(o Options) ([]string, error) {
	if err := os.RemoveAll(o.Dir); err != nil {
		return nil, fmt.Errorf("rules: %w", err)
	}
	if err := os.MkdirAll(o.Dir, 0o750); err != nil {
		return nil, fmt.Errorf("rules: %w", err)
	}
	packs, err := selectPacks(o.Packs)
	if err != nil {
		return nil, err
	}
	var files []string
	for _, p := range packs {
		path := filepath.Join(o.Dir, p.Name+".yaml")
		text, err := ownSeries(p.Name, p.Text)
		if err != nil {
			return nil, err
		}
		if err := os.WriteFile(path, text, 0o640); err != nil {
			return nil, fmt.Errorf("rules: %w", err)
		}
		files = append(files, path)
	}
	more, err := Expand(o.Files)
	if err != nil {
		return nil, err
	}
	var faults []error
	for _, f := range more {
		faults = append(faults, CheckFile(f))
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return append(files, more...), nil
}

// Expand returns the files that globs match; one that matches none is an error.
func Expand(globs []string) ([]string, error) {
	var files []string
	for _, g := range globs {
		found, err := filepath.Glob(g)
		if err != nil {
			return nil, fmt.Errorf("rules: %q: %w", g, err)
		}
		if len(found) == 0 {
			return nil, fmt.Errorf("rules: no file matches %q", g)
		}
		files = append(files, found...)
	}
	slices.Sort(files)
	return slices.Compact(files), nil
}
