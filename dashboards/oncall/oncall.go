// Package oncall has the pages of who is on call: the board with its problems in the router's order, one problem with its
// history, the timeline, the handover, and the forms of what people do.
//
// It judges nothing and stores nothing: what it shows it asks of the functions in Options, and what people do goes to People.
package oncall

import (
	"context"
	"embed"
	"net/http"
	"net/url"
	"time"

	"github.com/navcloud/binnacle/agent/health"
	"github.com/navcloud/binnacle/agent/query"
	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/people"
	"github.com/navcloud/binnacle/dashboards"
	"github.com/navcloud/binnacle/dashboards/charts"
)

// People carries out what a person does at the board; a people.Desk does. Its errors are shown to the person.
type People interface {
	Acknowledge(ctx context.Context, problem, by string, undo bool) (alerting.ProblemView, error)
	Silence(ctx context.Context, r people.Request) (alerting.Silence, error)
	End(ctx context.Context, id, by string) (alerting.Silence, error) // of a silence
	Renew(ctx context.Context, s alerting.Silence, by string) error   // of one that was ended
	Escalate(ctx context.Context, problem, by string) error
	Note(ctx context.Context, problem, by, text string) (alerting.ProblemView, error)
}

// Options are where the pages get what they show. What is nil means that this node does not have the
// role behind it, and its page says so. All may be called by many goroutines at once.
type Options struct {
	View    func() alerting.View
	Status  func() health.Status
	History func(ctx context.Context, q EventQuery) ([]Event, error) // of the ledger, oldest first
	People  People
	Query   query.Func
	Range   query.RangeFunc

	// Expr is the expression of the rule that made an alarm and for how long it must be true; Threshold splits one into what
	// is measured, how it is compared and with what. Nil: this node knows no rules.
	Expr      func(rule string, labels map[string]string) (expr string, hold time.Duration, ok bool)
	Threshold func(expr string) (measured, op string, limit float64, ok bool)

	// Who says who asks, for what is kept of their acts. Nil: nobody is known by name.
	Who func(*http.Request) string

	// MayAct says whether who asks may do these; nil: all may. It is asked in order to offer no more than that: who may
	// not is stopped in front of the pages.
	MayAct func(*http.Request) bool

	// AckLink says why a link of a message, to where a person acknowledges the incident of a key, does not work; nil: none is sent.
	AckLink func(key string, q url.Values) error

	// Patience is how long the board waits for the lines of its worst problems, which it can do without; 50 ms when zero.
	Patience time.Duration

	Node string
	Now  func() time.Time // time.Now when nil
}

// Pages are the board, its problems, the timeline and the handover.
type Pages struct {
	opts    Options
	ended   ended
	answers dashboards.Memo // of the store
}

// New makes the pages.
func New(o Options) *Pages {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Patience <= 0 {
		o.Patience = patience
	}
	if o.Who == nil {
		o.Who = nobody
	}
	return &Pages{opts: o}
}

//go:embed templates/*.html
var templates embed.FS

// Set returns the pages as the frame takes them.
func (p *Pages) Set() dashboards.Set {
	return dashboards.Set{
		Templates: templates, Acts: p.acts(), Seek: p.seek,
		Pages: map[string]func(*http.Request) dashboards.Page{"/board": p.board, "/problems/{id}": p.problem, "/problems/{id}/ack": p.askAck, "/timeline": p.timeline, "/handover": p.handover},
		Files: map[string]http.HandlerFunc{"/problems/{id}/chart.png": p.picture, "/problems/{id}/chart.csv": p.table},
		Live:  map[string]func(*http.Request) dashboards.Page{"board": p.board, "problem": p.problem, "timeline": p.timeline},
	}
}

// Deploys are the changes of that time, oldest first, for the marks of charts.
func (p *Pages) Deploys(ctx context.Context, begin, end time.Time) []charts.Mark {
	events, _ := p.history(ctx, EventQuery{Since: begin, Until: end}) // a chart without marks is a chart
	var out []charts.Mark
	for _, d := range deeds(events) {
		if d.Mark == "change" {
			out = append(out, charts.Mark{At: d.At, Title: d.Title})
		}
	}
	return out
}
