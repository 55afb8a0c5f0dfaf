package dashboards_test

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/navcloud/binnacle/agent/capacity"
	"github.com/navcloud/binnacle/agent/health"
	"github.com/navcloud/binnacle/agent/query"
	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/rules"
	"github.com/navcloud/binnacle/collectors/catalogue"
	"github.com/navcloud/binnacle/dashboards"
	"github.com/navcloud/binnacle/dashboards/oncall"
	"github.com/navcloud/binnacle/dashboards/views"
)

// whole are the options of all pages, which the agent puts together.
type whole struct {
	View     func() alerting.View
	Query    query.Func
	Range    query.RangeFunc
	Runbook  func(rule string) ([]byte, bool)
	Runbooks func() []string
	Status   func() health.Status
	Capacity func() capacity.Report
	History  func(ctx context.Context, q oncall.EventQuery) ([]oncall.Event, error)
	People   oncall.People
	MayAct   func(*http.Request) bool
	Expr     func(rule string, labels map[string]string) (string, time.Duration, bool)
	Node     string
	Version  string
	Now      func() time.Time
	Live     time.Duration
	Base     string
}

func (o whole) oncall() oncall.Options {
	split := func(expr string) (string, string, float64, bool) {
		t, ok := rules.ThresholdOf(expr)
		return t.Query, t.Op, t.Limit, ok
	}
	return oncall.Options{Query: o.Query, Range: o.Range, Expr: o.Expr, Threshold: split, AckLink: func(string, url.Values) error { return nil }, View: o.View, Status: o.Status, History: o.History, People: o.People, MayAct: o.MayAct, Who: whoever, Node: o.Node, Now: o.Now, Patience: time.Minute}
}

func newWhole(o whole) *dashboards.Pages {
	desk := oncall.New(o.oncall())
	figures := views.New(views.Options{
		Query: o.Query, Range: o.Range, Runbook: o.Runbook, Runbooks: o.Runbooks, Status: o.Status, Capacity: o.Capacity, View: o.View,
		Deploys: desk.Deploys, Sketch: desk.Sketch, Reserved: catalogue.Reserved, Node: o.Node, Version: o.Version, Now: o.Now,
	})
	return dashboards.New(dashboards.Options{Node: o.Node, Version: o.Version, Now: o.Now, Live: o.Live, Base: o.Base, Urgent: o.urgent}, desk.Set(), figures.Set())
}

// urgent is what the agent says of the view.
func (o whole) urgent() string {
	if o.View == nil {
		return ""
	}
	return o.View().Urgent()
}

// newLive looks at live pages that often.
func newLive(o whole, every time.Duration) *dashboards.Pages {
	o.Live = every
	return newWhole(o)
}

// whoever is who asks, by the name of basic authentication: the door, which is not here, checks it.
func whoever(r *http.Request) string {
	if name, _, ok := r.BasicAuth(); ok {
		return name
	}
	return "someone at the board"
}
