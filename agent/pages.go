package agent

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/navcloud/binnacle/agent/door"
	"github.com/navcloud/binnacle/agent/query"
	"github.com/navcloud/binnacle/agent/store"
	"github.com/navcloud/binnacle/alerting/dispatch"
	"github.com/navcloud/binnacle/alerting/ledger"
	"github.com/navcloud/binnacle/alerting/people"
	"github.com/navcloud/binnacle/alerting/rules"
	"github.com/navcloud/binnacle/collectors/catalogue"
	"github.com/navcloud/binnacle/dashboards"
	"github.com/navcloud/binnacle/dashboards/oncall"
	"github.com/navcloud/binnacle/dashboards/views"
)

// actor is who acts at the pages, as it logged in.
func actor(r *http.Request) string { return door.Who(r).Name("someone at the board") }

// duty are the pages of who is on call, over what this node has.
func (a *Agent) duty() oncall.Options {
	open, route := a.store.get(), a.route.dispatch
	duty := oncall.Options{Status: a.Status, Node: a.config().nodeName(), Who: actor, MayAct: door.MayAct}
	if route != nil {
		duty.View, duty.History, duty.People = route.View, a.pageHistory, a.desk(route)
		duty.AckLink = func(key string, q url.Values) error {
			cfg := a.config() // whose pagers a reload may have changed
			return cfg.Route.ackLinks(cfg.boardURL()).check(key, q)
		}
	}
	if open.main != nil {
		duty.Query, duty.Range, duty.Expr, duty.Threshold = asks(open.main), asksRange(open.main), a.expr, threshold
	}
	return duty
}

// pages builds the pages.
func (a *Agent) pages() *dashboards.Pages {
	cfg, open, duty := a.config(), a.store.get(), a.duty()
	frame := dashboards.Options{Node: duty.Node, Version: a.hooks.Version, Log: a.log.With("part", "pages"), MayAct: door.MayAct, Base: cfg.Web.Base(), Urgent: a.urgent}
	board := oncall.New(duty)
	figures := views.Options{
		Runbook: rules.Runbook, Runbooks: rules.Runbooks, Status: a.Status, View: duty.View, CanAct: duty.MayAct, Deploys: board.Deploys, Sketch: board.Sketch,
		Reserved: catalogue.Reserved, Node: frame.Node, Version: frame.Version, Interval: cfg.Interval, Log: frame.Log,
	}
	if open.main != nil {
		figures.Query, figures.Range = asks(open.main), asksRange(open.main)
	}
	if open.planner != nil {
		figures.Capacity = open.planner.Report
	}
	return dashboards.New(frame, board.Set(), views.New(figures).Set())
}

// urgent is what the menu of every page says beside the board: how many P1 there are.
func (a *Agent) urgent() string {
	d := a.route.dispatch
	if d == nil {
		return ""
	}
	return d.View().Urgent()
}

func asks(st *store.Store) query.Func {
	return func(ctx context.Context, q string, at time.Time) ([]query.Series, error) {
		return pageSeries(st.Instant(ctx, q, at))
	}
}

func asksRange(st *store.Store) query.RangeFunc {
	return func(ctx context.Context, q string, start, end time.Time, step time.Duration) ([]query.Series, error) {
		return pageSeries(st.Range(ctx, q, start, end, step))
	}
}

// expr is the expression of a rule in force.
func (a *Agent) expr(rule string, labels map[string]string) (string, time.Duration, bool) {
	m := a.rules.get()
	if m == nil {
		return "", 0, false
	}
	return m.Expr(rule, labels)
}

func threshold(expr string) (measured, op string, limit float64, ok bool) {
	t, ok := rules.ThresholdOf(expr)
	return t.Query, t.Op, t.Limit, ok
}

func pageSeries(in []store.Series, err error) ([]query.Series, error) {
	if err != nil {
		return nil, err
	}
	out := make([]query.Series, len(in))
	for i, s := range in {
		out[i].Labels = s.Labels.Map()
		if s.Name != "" {
			out[i].Labels["__name__"] = s.Name
		}
		for _, p := range s.Points {
			out[i].Points = append(out[i].Points, query.Point(p))
		}
	}
	return out, nil
}

// desk is where people act, at the board, by the API and from a terminal.
func (a *Agent) desk(d *dispatch.Dispatcher) *people.Desk {
	return &people.Desk{Router: d, Vital: a.vital, Ended: d.Ended}
}

// vital returns the labels of the rules in force that can make a P1.
func (a *Agent) vital() []map[string]string {
	m := a.rules.get()
	if m == nil {
		return nil
	}
	return m.Vital()
}

// pageHistory is the ledger as the pages show it.
func (a *Agent) pageHistory(ctx context.Context, q oncall.EventQuery) ([]oncall.Event, error) {
	events, err := a.route.dispatch.History(ctx, ledger.Query{Since: q.Since, Until: q.Until, Key: q.Key, Limit: q.Limit})
	out := make([]oncall.Event, 0, len(events))
	for _, e := range events {
		if e.Kind == ledger.Theirs { // `binnacle compare` shows them
			continue
		}
		out = append(out, oncall.Event{
			At: e.At, Kind: string(e.Kind), Action: e.Action, Key: e.Key, Priority: e.Priority, Title: e.Title, Reason: e.Reason,
			By: e.By, Detail: e.Detail, Alarms: len(e.Alarms),
		})
	}
	return out, err
}
