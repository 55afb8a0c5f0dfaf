// Package views has the pages of figures: streams now and over time, the wall, nodes, systems, capacity, explore, and the
// runbooks.
//
// It judges nothing and stores nothing: what it shows it asks of the functions in Options.
package views

import (
	"context"
	"embed"
	"log/slog"
	"net/http"
	"time"

	"github.com/navcloud/binnacle/agent/capacity"
	"github.com/navcloud/binnacle/agent/health"
	"github.com/navcloud/binnacle/agent/query"
	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/dashboards"
	"github.com/navcloud/binnacle/dashboards/charts"
)

// Options are where the pages get what they show. A nil function means that this node does not have the
// role behind it, and its page says so. All may be called by many goroutines at once.
type Options struct {
	Query    query.Func
	Range    query.RangeFunc
	Runbook  func(rule string) ([]byte, bool) // Markdown
	Runbooks func() []string                  // names of rules, sorted
	Status   func() health.Status
	Capacity func() capacity.Report
	View     func() alerting.View                                          // for the problems of a runbook's rule
	Deploys  func(ctx context.Context, begin, end time.Time) []charts.Mark // marks of charts, oldest first; nil: none

	// Sketch draws what the alarms of problems measure as small lines; nil: none.
	Sketch func(ctx context.Context, problems ...alerting.ProblemView) []charts.Spark

	// Reserved says whether a metric is a collector's or the agent's; all else is somebody's own. nil: nothing is.
	Reserved func(name string) bool

	CanAct func(*http.Request) bool // whether who asks may acknowledge; nil: all may

	Node     string
	Version  string
	Interval time.Duration    // between collections, for the windows of rates; 10 s when zero
	Now      func() time.Time // time.Now when nil
	Log      *slog.Logger     // discarded when nil
}

// Pages are the pages of figures: streams, nodes, systems, capacity, explore, wall, and the runbooks.
type Pages struct {
	opts    Options
	answers dashboards.Memo // of the store
}

// New makes the pages.
func New(o Options) *Pages {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Interval <= 0 {
		o.Interval = 10 * time.Second
	}
	if o.Reserved == nil {
		o.Reserved = func(string) bool { return false }
	}
	return &Pages{opts: o}
}

//go:embed templates/*.html
var templates embed.FS

// Set returns the pages as the frame takes them.
func (p *Pages) Set() dashboards.Set {
	return dashboards.Set{
		Templates: templates, Seek: p.seek, Keep: p.keep,
		Pages: map[string]func(*http.Request) dashboards.Page{
			"/{$}": p.home, "/styleguide": p.styleguide, "/nodes/{node}": p.node, "/browse": p.browse, "/browse/{name}": p.family,
			"/streams": p.streams, "/streams/history": p.overTime, "/wall": p.wall, "/capacity": p.capacity,
			"/nodes": p.nodes, "/systems": p.systems, "/services": p.services, "/explore": p.explore,
			"/runbooks/{$}": p.runbooks, "/runbooks/{rule}": p.runbook, "/docs/{$}": p.docs, "/docs/{page}": p.docs,
		},
		Live: map[string]func(*http.Request) dashboards.Page{
			"streams": p.streams, "overtime": p.overTime, "explore": p.explore, "systems": p.systems, "services": p.services, "nodes": p.nodes, "home": p.home, "node": p.node,
		},
		Files:   map[string]http.HandlerFunc{"/csv/{name}": p.csv, "/png/{name}": p.png, "/chart/{page}/{kind}": p.chartFile},
		Streams: map[string]dashboards.Stream{"wall": {Event: "wall", Every: wallEvery, Open: p.liveWall}},
	}
}
