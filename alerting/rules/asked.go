package rules

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	promrules "github.com/prometheus/prometheus/rules"
)

// asked evaluates the expressions of rules. One that cannot have a result, because the store has no sample of a metric that it
// cannot do without, has none, and is not asked: most rules of shipped packs are about systems that are not here.
type asked struct {
	query promrules.QueryFunc
	has   func(metric string) bool

	mu    sync.RWMutex
	exprs map[string]parser.Expr // of the rules in force that may be passed over, by their text
}

// learn notes the rules in force.
func (a *asked) learn(rules []promrules.Rule) {
	exprs := make(map[string]parser.Expr, len(rules))
	for _, r := range rules {
		if e := r.Query(); a.has != nil && empties(e) {
			exprs[e.String()] = e
		}
	}
	a.mu.Lock()
	a.exprs = exprs
	a.mu.Unlock()
}

// empties says that of an expression needs says the whole truth: scalar makes a number of nothing.
func empties(e parser.Expr) bool {
	whole := true
	parser.Inspect(e, func(n parser.Node, _ []parser.Node) error {
		if c, ok := n.(*parser.Call); ok && c.Func.Name == "scalar" {
			whole = false
		}
		return nil
	})
	return whole
}

// ask is the rules' way to the store.
func (a *asked) ask(ctx context.Context, text string, at time.Time) (promql.Vector, error) {
	a.mu.RLock()
	e := a.exprs[text]
	a.mu.RUnlock()
	if e != nil && len(needs(e, a.lacks)) > 0 {
		return promql.Vector{}, nil
	}
	return a.query(ctx, text, at)
}

// lacks says that the store has nothing of a selector's metric; of one that names none it cannot be said.
func (a *asked) lacks(s *parser.VectorSelector) bool { return s.Name != "" && !a.has(s.Name) }
