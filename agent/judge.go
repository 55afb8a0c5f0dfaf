package agent

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"sync"
	"time"

	"github.com/navcloud/binnacle/agent/health"
	"github.com/navcloud/binnacle/agent/store"
	"github.com/navcloud/binnacle/alerting/rules"
)

// rulesRole judges what the store holds. Rules that cannot be loaded are tried again; meanwhile the shipped ones are evaluated.
type rulesRole struct {
	a    *Agent
	crew *crew

	look chan struct{} // says that other rules are in force

	mu      sync.Mutex
	now     *rules.Manager // nil while there is none
	covered rules.Coverage // which rules can fire, as was found last
}

func newRulesRole(a *Agent) *rulesRole { return &rulesRole{a: a, look: make(chan struct{}, 1)} }

func (r *rulesRole) name() string { return "rules" }

func (r *rulesRole) get() *rules.Manager {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.now
}

// served is what answers for the rules in Prometheus' API; nil while there are none.
func (r *rulesRole) served() store.Rules {
	if m := r.get(); m != nil {
		return m
	}
	return nil
}

func (r *rulesRole) start(ctx context.Context) error {
	r.crew = r.a.roster.crew(ctx)
	if c := r.a.config(); !c.Rules.Off && !c.Store.Off {
		r.crew.open("rules", r.open, nil)
		r.crew.work("coverage", (&coverage{r: r, look: r.look}).run)
	}
	return nil
}

// external are the labels that $externalLabels holds: the node's tags, and those that are set.
func (c Config) external() map[string]string {
	out := maps.Clone(c.Node.Tags)
	if out == nil {
		out = map[string]string{}
	}
	maps.Copy(out, c.Rules.External)
	return out
}

var errNoStore = errors.New("rules read the store, which is not open")

// options are what a configuration makes of the role.
func (r *rulesRole) options(cfg Config) (rules.Options, error) {
	s := r.a.store.get().main
	if s == nil {
		return rules.Options{}, errNoStore
	}
	return rules.Options{
		Interval: cfg.Rules.Interval, Packs: cfg.Rules.Packs, Files: cfg.Rules.Files, Dir: filepath.Join(r.a.folder.dir(), "rules"),
		ExternalURL: cfg.boardURL(), External: cfg.external(), Queryable: s.Queryable(), Has: s.Has, Appendable: s.Appendable(), Engine: s.Engine(),
		Notify: r.a.put, Log: r.a.log, Now: time.Now,
	}, nil
}

// open loads all rules. Where that fails because of files of the operator's, the shipped rules are evaluated without them, and
// the error stays.
func (r *rulesRole) open() error {
	o, err := r.options(r.a.config())
	if err != nil {
		return err
	}
	if m := r.get(); m != nil { // of an attempt before
		return m.Update(o)
	}
	m, err := rules.New(r.crew.ctx, o)
	if err != nil && len(o.Files) > 0 {
		o.Files = nil
		if m, _ = rules.New(r.crew.ctx, o); m != nil {
			err = errors.Join(err, errors.New("the shipped rules alone are evaluated"))
		}
	}
	if m != nil {
		r.mu.Lock()
		r.now = m
		r.mu.Unlock()
		r.crew.work("evaluation", m.Run)
	}
	return err
}

func (r *rulesRole) stop() error {
	r.crew.stop()
	return nil
}

// change checks all rules, and lays the new ones beside those that stay: what "for" has counted goes on.
func (r *rulesRole) change(cfg Config) (*change, error) {
	old := r.a.config()
	if cfg.Rules.Off != old.Rules.Off {
		return nil, errors.New("only a restart switches rules on or off")
	}
	m := r.get()
	if cfg.Rules.Off || cfg.Store.Off || m == nil && r.a.store.get().main == nil {
		return nil, nil
	}
	o, err := r.options(cfg)
	if err != nil {
		return nil, err
	}
	if err := rules.Check(o); err != nil {
		return nil, err
	}
	c := &change{cancel: func() {}} // nothing of it is open
	if m == nil || m.Differs(o) {
		c.what = []string{"rules"}
	}
	c.commit = func() {
		var err error
		if m != nil {
			err = m.Update(o)
		} else if m, err = rules.New(r.crew.ctx, o); err == nil {
			r.mu.Lock()
			r.now = m
			r.mu.Unlock()
			r.crew.work("evaluation", m.Run)
		}
		if err != nil { // a file has changed since it was checked
			r.crew.open("rules", func() error { return r.open() }, nil)
			return
		}
		r.a.roster.up("rules")
		select {
		case r.look <- struct{}{}:
		default: // it will look
		}
	}
	return c, nil
}

func (r *rulesRole) status(s *health.Status) {
	if m := r.get(); m != nil {
		st := m.Stats(s.At)
		s.Rules = &health.Rules{Groups: st.Groups, Rules: st.Rules, Late: max(st.Late, 0), LateGroup: st.LateGroup, LateRule: st.LateRule, LateTakes: st.LateTakes, Failing: st.Failing, Coverage: r.coverStatus()}
		for _, slow := range st.Slow {
			s.Rules.Slow = append(s.Rules.Slow, fmt.Sprintf("the rule %s makes its group %s take %v, more than its interval of %v: its alarms come late",
				slow.Rule, slow.Group, slow.Takes.Round(100*time.Millisecond), slow.Interval))
		}
	}
}
