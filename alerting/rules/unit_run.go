package rules

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"slices"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	promrules "github.com/prometheus/prometheus/rules"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
)

// scratch is the database of one case: empty, without a log, and gone afterwards.
type scratch struct {
	dir    string
	db     *tsdb.DB
	engine *promql.Engine
	series []scratchSeries
}

type scratchSeries struct {
	labels labels.Labels
	values []parser.SequenceValue
	next   int
	ref    storage.SeriesRef
}

func openScratch(t *unitTest, every time.Duration) (*scratch, error) {
	s := &scratch{}
	for _, in := range t.Input {
		ls, values, err := promParser.ParseSeriesDesc(in.Series + " " + in.Values)
		if err != nil {
			return nil, fmt.Errorf("series %s: %w", in.Series, err)
		}
		s.series = append(s.series, scratchSeries{labels: ls, values: values})
	}
	var err error
	if s.dir, err = os.MkdirTemp("", "rules_test"); err != nil {
		return nil, fmt.Errorf("rules: %w", err)
	}
	o := tsdb.DefaultOptions()
	o.WALSegmentSize = -1 // none
	o.StripeSize = 512
	o.HeadChunksWriteBufferSize = 64 << 10
	o.RetentionDuration = 0
	// Only the head is wanted: a case is short, and its series come in order.
	o.MinBlockDuration = (24 * time.Hour).Milliseconds()
	o.MaxBlockDuration = o.MinBlockDuration
	if s.db, err = tsdb.Open(s.dir, slog.New(slog.DiscardHandler), nil, o, tsdb.NewDBStats()); err != nil {
		return nil, errors.Join(fmt.Errorf("rules: %w", err), os.RemoveAll(s.dir))
	}
	s.engine = promql.NewEngine(promql.EngineOpts{
		MaxSamples: 5_000_000, Timeout: time.Minute, EnableAtModifier: true, EnableNegativeOffset: true, Parser: promParser,
		NoStepSubqueryIntervalFn: func(int64) int64 { return every.Milliseconds() },
	})
	return s, nil
}

func (s *scratch) close() error {
	return errors.Join(s.engine.Close(), s.db.Close(), os.RemoveAll(s.dir))
}

// loadTill appends the values that are due at or before at.
func (s *scratch) loadTill(start, at time.Time, interval time.Duration) error {
	app := s.db.AppenderV2(context.Background())
	for i := range s.series {
		e := &s.series[i]
		for ; e.next < len(e.values); e.next++ {
			t := start.Add(time.Duration(e.next) * interval)
			if t.After(at) {
				break
			}
			v := e.values[e.next]
			if v.Omitted {
				continue
			}
			ref, err := app.Append(e.ref, e.labels, 0, t.UnixMilli(), v.Value, nil, v.Histogram, storage.AOptions{})
			if err != nil {
				return errors.Join(fmt.Errorf("series %s: %w", e.labels, err), app.Rollback())
			}
			e.ref = ref
		}
	}
	if err := app.Commit(); err != nil {
		return fmt.Errorf("series: %w", err)
	}
	return nil
}

func (s *scratch) ask(ctx context.Context, expr string, at time.Time) ([]answer, error) {
	q, err := s.engine.NewInstantQuery(ctx, s.db, nil, expr, at)
	if err != nil {
		return nil, err
	}
	defer q.Close()
	res := q.Exec(ctx)
	if res.Err != nil {
		return nil, res.Err
	}
	var out []answer
	switch v := res.Value.(type) {
	case promql.Scalar:
		out = append(out, answer{labels: labels.EmptyLabels().String(), value: v.V})
	case promql.Vector:
		for _, sm := range v {
			a := answer{labels: sm.Metric.String(), value: sm.F}
			if sm.H != nil {
				a.hist = sm.H.TestExpression()
			}
			out = append(out, a)
		}
	default:
		return nil, fmt.Errorf("want a vector or a scalar, have a %s", v.Type())
	}
	return out, nil
}

// run is one case under way.
type run struct {
	*scratch
	test   *unitTest
	groups []*promrules.Group
	start  time.Time
	pages  *timeline // nil: none are expected
	teller *teller   // nil likewise
}

// runUnit runs one case and returns its faults.
func runUnit(t *unitTest, u *unitFile, files []string, expect *pagesTest) (faults []error) {
	for _, a := range t.Alerts {
		if a.Name == "" {
			return []error{fmt.Errorf("an item under alert_rule_test has no alertname, at eval_time %s", a.At)}
		}
	}
	every := time.Duration(u.Interval)
	s, err := openScratch(t, every)
	if err != nil {
		return []error{err}
	}
	defer func() {
		if err := s.close(); err != nil {
			faults = append(faults, err)
		}
	}()
	r := &run{scratch: s, test: t, start: time.Unix(0, 0).UTC()}
	if !t.Start.IsZero() {
		r.start = t.Start.Time
	}
	end := t.last()
	if expect != nil {
		if r.pages, err = newTimeline(expect, r.start); err != nil {
			return []error{err}
		}
		end = max(end, time.Duration(expect.Until))
	}
	if faults := r.load(u, files); len(faults) > 0 {
		return faults
	}
	faults = r.evaluate(every, end)
	faults = append(faults, r.expressions(u.Fuzzy)...)
	if r.pages != nil {
		faults = append(faults, expect.compare(r.pages.sent())...)
	}
	return faults
}

func (r *run) load(u *unitFile, files []string) []error {
	external, err := url.Parse(r.test.ExternalURL)
	if err != nil {
		return []error{fmt.Errorf("external_url: %w", err)}
	}
	notify := func(context.Context, string, ...*promrules.Alert) {}
	if r.pages != nil {
		see := &eyes{query: promrules.EngineQueryFunc(r.engine, r.db), list: r.rules}
		r.teller = newTeller(external, r.pages.take, see, func() time.Time { return r.pages.at })
		notify = r.teller.notify
	}
	m := promrules.NewManager(&promrules.ManagerOptions{
		GroupLoader:          loader{},
		NameValidationScheme: model.UTF8Validation,
		ExternalURL:          external,
		QueryFunc:            promrules.EngineQueryFunc(r.engine, r.db),
		AppendableV2:         r.db,
		Queryable:            r.db,
		Context:              context.Background(),
		NotifyFunc:           notify,
		ResendDelay:          resend,
		Logger:               slog.New(slog.DiscardHandler),
		Parser:               promParser,
	})
	groups, errs := m.LoadGroups(time.Duration(u.Interval), labels.FromMap(r.test.ExternalLabels), r.test.ExternalURL, nil, false, files...)
	if len(errs) > 0 {
		return errs
	}
	order, err := groupOrder(u, files)
	if err != nil {
		return []error{err}
	}
	for _, g := range groups {
		r.groups = append(r.groups, g)
		for _, rule := range g.Rules() {
			if a, ok := rule.(*promrules.AlertingRule); ok {
				a.SetRestored(true) // there is no earlier life, and ALERTS is wanted from the start
			}
		}
	}
	slices.SortFunc(r.groups, func(a, b *promrules.Group) int {
		return cmp.Compare(order[groupKey(a.File(), a.Name())], order[groupKey(b.File(), b.Name())])
	})
	return nil
}

// rules are all that are evaluated.
func (r *run) rules() (out []promrules.Rule) {
	for _, g := range r.groups {
		out = append(out, g.Rules()...)
	}
	return out
}

func groupKey(file, group string) string { return file + ";" + group }

// groupOrder says in which order groups are evaluated: as
// group_eval_order names them, as with promtool, and else as they stand in their files, where promtool's
// order is random.
func groupOrder(u *unitFile, files []string) (map[string]int, error) {
	rank := map[string]int{}
	for i, g := range u.GroupOrder {
		if _, twice := rank[g]; twice {
			return nil, fmt.Errorf("group_eval_order: %s is there twice", g)
		}
		rank[g] = i
	}
	order := map[string]int{}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			return nil, fmt.Errorf("rules: %w", err)
		}
		parsed, err := parse(f, text)
		if err != nil {
			return nil, err
		}
		for _, g := range parsed.Groups {
			order[groupKey(f, g.Name)] = rank[g.Name]*maxGroups + len(order)
		}
	}
	return order, nil
}

// maxGroups is above the number of groups of any test.
const maxGroups = 1 << 16

// evaluate lets time pass and compares the alerts of each case at its time.
func (r *run) evaluate(every, end time.Duration) (faults []error) {
	cases := slices.Clone(r.test.Alerts)
	slices.SortStableFunc(cases, func(a, b alertCase) int { return cmp.Compare(a.At, b.At) })
	for since := time.Duration(0); since <= end; since += every {
		at := r.start.Add(since)
		if err := r.loadTill(r.start, at, time.Duration(r.test.Interval)); err != nil {
			return append(faults, err)
		}
		if r.pages != nil {
			r.pages.at = at
		}
		for _, g := range r.groups {
			g.Eval(context.Background(), at)
			for _, rule := range g.Rules() {
				if err := rule.LastError(); err != nil {
					return append(faults, fmt.Errorf("rule: %s, time: %s: %w", rule.Name(), since, err))
				}
			}
		}
		for len(cases) > 0 && time.Duration(cases[0].At) < since+every {
			if err := cases[0].compare(r.firing(cases[0].Name)); err != nil {
				faults = append(faults, err)
			}
			cases = cases[1:]
		}
		if r.pages != nil {
			r.teller.again(context.Background())
			if err := r.pages.Run(at.Add(every - 1)); err != nil {
				return append(faults, err)
			}
		}
	}
	return faults
}

// firing returns the alerts of the rules of that name that fire now.
func (r *run) firing(name string) (out []firing) {
	for _, g := range r.groups {
		for _, rule := range g.Rules() {
			a, ok := rule.(*promrules.AlertingRule)
			if !ok || a.Name() != name {
				continue
			}
			for _, alert := range a.ActiveAlerts() {
				if alert.State == promrules.StateFiring {
					out = append(out, firing{alert.Labels.String(), alert.Annotations.String()})
				}
			}
		}
	}
	return out
}

func (r *run) expressions(fuzzy bool) (faults []error) {
	for _, c := range r.test.Exprs {
		got, err := r.ask(context.Background(), c.Expr, r.start.Add(time.Duration(c.At)))
		if err != nil {
			err = fmt.Errorf("expr: %q, time: %s: %w", c.Expr, c.At, err)
		} else {
			err = c.compare(got, fuzzy)
		}
		if err != nil {
			faults = append(faults, err)
		}
	}
	return faults
}
