package rules

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	promrules "github.com/prometheus/prometheus/rules"
	"github.com/prometheus/prometheus/storage"

	"github.com/navcloud/binnacle/agent/words"
	"github.com/navcloud/binnacle/alerting"
)

// FindingKind says why a rule may be of no use.
type FindingKind string

// The findings. The first two say that a rule cannot fire now.
const (
	NoSeries  FindingKind = "no series"        // a metric that it needs does not exist
	NoMatch   FindingKind = "matches nothing"  // the metric exists, and no series has such labels
	Later     FindingKind = "comes later"      // a counter that appears with the first that it counts is not there yet: the rule can fire
	NeverNear FindingKind = "never near"       // its threshold was never reached by half
	Always    FindingKind = "fires always"     //
	Unheeded  FindingKind = "never acted on"   // its incidents were opened and nobody acknowledged or closed one
	Unsaid    FindingKind = "cannot say"       // whether it comes near
	Failed    FindingKind = "cannot be judged" // a question about it failed
)

// Finding is one thing about a rule.
type Finding struct {
	Kind FindingKind `json:"kind"`
	Text string      `json:"text"`
}

// Covered is one alerting rule.
type Covered struct {
	Rule     string    `json:"rule"`
	Group    string    `json:"group"`
	Pack     string    `json:"pack,omitempty"` // of a shipped rule: what it watches may not be here
	File     string    `json:"file,omitempty"`
	Wakes    bool      `json:"wakes"`
	Findings []Finding `json:"findings,omitempty"`
}

// Dead says that the rule cannot fire now.
func (c Covered) Dead() bool {
	return slices.ContainsFunc(c.Findings, func(f Finding) bool { return f.Kind == NoSeries || f.Kind == NoMatch })
}

// Coverage says which rules can fire.
type Coverage struct {
	At      time.Time     `json:"at"`
	Took    time.Duration `json:"took_ns"`
	History time.Duration `json:"history_ns"` // what is stored
	Rules   []Covered     `json:"rules"`
	Hosts   []string      `json:"hosts,omitempty"` // that no rule that could wake a person sees
}

// Dead are the rules of the operator's files that cannot fire now. Shipped packs may watch what is not here.
func (c Coverage) Dead() (out []Covered) {
	for _, r := range c.Rules {
		if r.Pack == "" && r.Dead() {
			out = append(out, r)
		}
	}
	return out
}

// Acts are what people did about the incidents of a rule.
type Acts struct{ Opened, Acted int }

// CoverOptions are what the answer is made of.
type CoverOptions struct {
	Queryable storage.Queryable
	Engine    promql.QueryEngine
	Now       time.Time
	Oldest    time.Time                             // sample in the store
	Dir       string                                // where the shipped packs are laid out
	Read      func(alerting.Alarm) alerting.Reading // how urgent a rule is
	Acts      map[string]Acts                       // by rule
	// Rest is called after each rule, and once before the first, with how long that took; it may wait, so that a look at all of them takes a small part of a
	// core. nil: it does not.
	Rest func(ctx context.Context, took time.Duration) error
}

// lookMost bounds the questions about one rule: one that costs more cannot be judged.
const lookMost = 10 * time.Second

// unheededFrom is from how many incidents on nobody's act about any of them means something.
const unheededFrom = 5

// Cover looks at each alerting rule.
func (m *Manager) Cover(ctx context.Context, o CoverOptions) (Coverage, error) {
	c := cover{CoverOptions: o, hosts: map[string]bool{}}
	out := Coverage{At: o.Now, History: max(0, o.Now.Sub(o.Oldest))}
	var always map[string]bool
	rest := func(do func(context.Context) error) error {
		begun := time.Now()
		bounded, cancel := context.WithTimeout(ctx, lookMost)
		err := do(bounded)
		cancel()
		took := time.Since(begun)
		out.Took += took
		if err != nil || o.Rest == nil {
			return err
		}
		return o.Rest(ctx, took)
	}
	if err := rest(func(ctx context.Context) error { always = c.always(ctx); return c.learnHosts(ctx) }); err != nil {
		return out, err
	}
	for _, g := range m.manager.RuleGroups() {
		for _, r := range g.AlertingRules() {
			err := rest(func(ctx context.Context) error { out.Rules = append(out.Rules, c.rule(ctx, g, r, always)); return nil })
			if err != nil {
				return out, err
			}
		}
	}
	for host, seen := range c.hosts {
		if !seen {
			out.Hosts = append(out.Hosts, host)
		}
	}
	slices.Sort(out.Hosts)
	return out, ctx.Err()
}

type cover struct {
	CoverOptions
	hosts map[string]bool // that send figures; true: a rule that could wake sees it
	names []string        // of metrics, for what may have been meant
}

func (c *cover) rule(ctx context.Context, g *promrules.Group, r *promrules.AlertingRule, always map[string]bool) Covered {
	out := Covered{Rule: r.Name(), Group: g.Name(), File: g.File(), Wakes: c.wakes(r)}
	if filepath.Dir(g.File()) == filepath.Clean(c.Dir) {
		out.Pack, out.File = strings.TrimSuffix(filepath.Base(g.File()), ".yaml"), ""
	}
	add := func(k FindingKind, text string) { out.Findings = append(out.Findings, Finding{k, text}) }
	dead, err := c.dead(ctx, r.Query(), add)
	switch {
	case err != nil:
		add(Failed, err.Error())
	case !dead:
		if out.Wakes {
			c.see(ctx, r.Query())
		}
		c.near(ctx, r.Query(), add)
	}
	if always[r.Name()] && !c.reading(r).Idle {
		add(Always, "it has fired in all of the last "+words.Duration(min(c.Now.Sub(c.Oldest), lookBack)))
	}
	if a := c.Acts[r.Name()]; a.Opened >= unheededFrom && a.Acted == 0 {
		add(Unheeded, fmt.Sprintf("%d incidents, and nobody acknowledged or closed any", a.Opened))
	}
	return out
}

func (c *cover) reading(r *promrules.AlertingRule) alerting.Reading {
	set := r.Labels().Map()
	set[alerting.LabelRule] = r.Name()
	return c.Read(alerting.Alarm{Labels: set})
}

// wakes says that an alarm of the rule that stands alone would wake a person.
func (c *cover) wakes(r *promrules.AlertingRule) bool {
	p := stands(c.reading(r))
	if text := r.Labels().Get(alerting.LabelPriority); len(text) == 2 && text[0] == 'P' {
		p = alerting.Priority(text[1] - '0')
	}
	return p <= alerting.P2
}

// dead says that an expression has no result, because series that it cannot do without do not exist, and adds why.
func (c *cover) dead(ctx context.Context, e parser.Expr, add func(FindingKind, string)) (bool, error) {
	var failed error
	missing := map[*parser.VectorSelector]time.Duration{}
	inspect(e, func(s *parser.VectorSelector, window time.Duration) {
		ok, err := c.exists(ctx, s, window)
		if err != nil {
			failed = err
		} else if !ok {
			missing[s] = window
		}
	})
	if failed != nil {
		return false, failed
	}
	lacks := needs(e, func(s *parser.VectorSelector) bool { _, gone := missing[s]; return gone })
	counts := counted(e)
	for _, s := range lacks {
		if text := c.later(ctx, s, counts[s]); text != "" {
			add(Later, text)
			continue
		}
		k, text := c.why(ctx, s)
		add(k, text)
	}
	return len(lacks) > 0, nil
}

// needs returns the selectors without series that leave an expression without a result; none: it can have one. What absent looks
// for may be absent.
func needs(e parser.Expr, gone func(*parser.VectorSelector) bool) []*parser.VectorSelector {
	switch e := e.(type) {
	case *parser.VectorSelector:
		if gone(e) {
			return []*parser.VectorSelector{e}
		}
	case *parser.MatrixSelector:
		return needs(e.VectorSelector, gone)
	case *parser.SubqueryExpr:
		return needs(e.Expr, gone)
	case *parser.ParenExpr:
		return needs(e.Expr, gone)
	case *parser.StepInvariantExpr:
		return needs(e.Expr, gone)
	case *parser.UnaryExpr:
		return needs(e.Expr, gone)
	case *parser.AggregateExpr:
		return needs(e.Expr, gone)
	case *parser.Call:
		if strings.HasPrefix(e.Func.Name, "absent") || e.Func.Name == "vector" {
			return nil
		}
		for _, a := range e.Args {
			if lacks := needs(a, gone); len(lacks) > 0 {
				return lacks
			}
		}
	case *parser.BinaryExpr:
		l, r := needs(e.LHS, gone), needs(e.RHS, gone)
		switch e.Op {
		case parser.LOR:
			if len(l) == 0 || len(r) == 0 {
				return nil
			}
		case parser.LUNLESS:
			return l
		}
		return append(l, r...)
	}
	return nil
}

// inspect calls f for each selector with how far it looks back.
func inspect(e parser.Expr, f func(s *parser.VectorSelector, window time.Duration)) {
	parser.Inspect(e, func(n parser.Node, path []parser.Node) error {
		s, ok := n.(*parser.VectorSelector)
		if !ok {
			return nil
		}
		window := lookNow
		for _, p := range path {
			switch p := p.(type) {
			case *parser.MatrixSelector:
				window = max(window, p.Range)
			case *parser.SubqueryExpr:
				window = max(window, p.Range)
			}
		}
		f(s, window)
		return nil
	})
}
