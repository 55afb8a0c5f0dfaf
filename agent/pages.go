package agent

import (
	"context"
	"net/url"
	"time"

	"github.com/navcloud/binnacle/agent/query"
	"github.com/navcloud/binnacle/agent/store"
	"github.com/navcloud/binnacle/alerting/ledger"
	"github.com/navcloud/binnacle/alerting/people"
	"github.com/navcloud/binnacle/alerting/rules"
	"github.com/navcloud/binnacle/dashboards"
)

// pages builds the pages over what this node has.
func (a *Agent) pages() *dashboards.Pages {
	cfg := a.config()
	o := dashboards.Options{
		Runbook: rules.Runbook, Runbooks: rules.Runbooks, Status: a.pageStatus,
		Node: cfg.nodeName(), Version: a.hooks.Version, Interval: cfg.Interval, Log: a.log.With("part", "pages"),
	}
	if web := cfg.Web; len(web.Act) > 0 {
		o.MayAct = web.mayAct
	}
	if u, err := url.Parse(cfg.Web.ExternalURL); err == nil && u.Host != "" {
		o.Hosts, o.Origin = []string{u.Hostname()}, u.Scheme+"://"+u.Host
	}
	if a.store != nil {
		o.Query = func(ctx context.Context, q string, at time.Time) ([]query.Series, error) {
			return pageSeries(a.store.Instant(ctx, q, at))
		}
		o.Range = func(ctx context.Context, q string, start, end time.Time, step time.Duration) ([]query.Series, error) {
			return pageSeries(a.store.Range(ctx, q, start, end, step))
		}
	}
	if a.planner != nil {
		o.Capacity = a.planner.Report
	}
	if a.dispatch != nil {
		o.View = a.dispatch.View
		desk := a.desk()
		o.Ack = func(ctx context.Context, problem, by string, undo bool) error {
			_, err := desk.Acknowledge(ctx, problem, by, undo)
			return err
		}
		o.Silence = func(ctx context.Context, r dashboards.SilenceRequest) (string, error) {
			s, err := desk.Silence(ctx, people.Request{Problem: r.Problem, For: r.For, By: r.By, Comment: r.Comment})
			return s.ID, err
		}
		o.Unsilence, o.Renew, o.Escalate = desk.End, desk.Renew, desk.Escalate
		o.History = a.pageHistory
	}
	return dashboards.New(o)
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
func (a *Agent) desk() *people.Desk { return &people.Desk{Router: a.dispatch, Vital: a.vital} }

// vital returns the labels of the rules in force that can make a P1.
func (a *Agent) vital() []map[string]string {
	a.mu.Lock()
	m := a.rules
	a.mu.Unlock()
	if m == nil {
		return nil
	}
	return m.Vital()
}

// pageHistory is the ledger as the pages show it.
func (a *Agent) pageHistory(ctx context.Context, q dashboards.EventQuery) ([]dashboards.Event, error) {
	events, err := a.dispatch.History(ctx, ledger.Query{Since: q.Since, Until: q.Until, Key: q.Key, Limit: q.Limit})
	out := make([]dashboards.Event, len(events))
	for i, e := range events {
		out[i] = dashboards.Event{
			At: e.At, Kind: string(e.Kind), Action: e.Action, Key: e.Key, Priority: e.Priority, Title: e.Title, Reason: e.Reason,
			By: e.By, Detail: e.Detail, Alarms: len(e.Alarms),
		}
	}
	return out, err
}

// pageStatus is Status as the pages show it.
func (a *Agent) pageStatus() dashboards.Status {
	s := a.Status()
	out := dashboards.Status{Begun: s.Begun, Listen: s.Listen, Data: s.Data, DataError: s.DataError, ReloadError: s.Reload}
	out.Collectors = s.Collectors
	for _, k := range s.Sinks {
		out.Sinks = append(out.Sinks, dashboards.Sink(k))
	}
	if s.Store != nil {
		st := dashboards.Store(*s.Store)
		out.Store = &st
	}
	if s.Rollups != nil {
		ro := dashboards.Rollups(*s.Rollups)
		out.Rollups = &ro
	}
	if s.Rules != nil {
		r := dashboards.Rules(*s.Rules)
		out.Rules = &r
	}
	if s.Route != nil {
		out.Route = &dashboards.Route{
			Mode: s.Route.Mode, Pager: s.Pager, Durable: s.Route.Durable && s.Route.StandsIn == "", DurableAt: s.Route.Since,
			Undelivered: s.Route.Undelivered, Open: s.Route.Open,
		}
	}
	return out
}
