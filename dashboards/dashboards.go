// Package dashboards serves the pages that people look at: the board with its problems in the router's
// order, the streams of the NavCloud nodes, what this node does, and the runbooks.
//
// Pages are rendered on the server and whole without script; where a script runs, a stream of events keeps
// them fresh and says how old they are. The package judges nothing, stores nothing and authenticates nobody:
// what it shows it asks of the functions in Options, and who may reach it is decided in front of it.
package dashboards

import (
	"context"
	"html/template"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/navcloud/binnacle/agent/capacity"
	"github.com/navcloud/binnacle/agent/query"
	"github.com/navcloud/binnacle/alerting"
)

// SilenceRequest is what a person asks for at the board: no page from this problem's rule on its entity.
type SilenceRequest struct {
	Problem string // ID as in alerting.ProblemView
	For     time.Duration
	By      string
	Comment string
}

// Options are where the pages get what they show. A nil function means that this node does not have the
// role behind it, and its page says so. All may be called by many goroutines at once.
type Options struct {
	View     func() alerting.View
	Query    func(ctx context.Context, promql string, at time.Time) ([]query.Series, error)
	Range    func(ctx context.Context, promql string, start, end time.Time, step time.Duration) ([]query.Series, error)
	Runbook  func(rule string) ([]byte, bool) // Markdown
	Runbooks func() []string                  // names of rules, sorted
	Status   func() Status
	Capacity func() capacity.Report
	History  func(ctx context.Context, q EventQuery) ([]Event, error) // of the ledger, oldest first

	// Ack takes a problem, or with undo gives it back. Silence returns the ID of what it made. Unsilence ends one and
	// returns it as it was, which Renew puts back for what is left of its time. Their errors are shown to the person.
	Ack       func(ctx context.Context, problem, by string, undo bool) error
	Silence   func(ctx context.Context, s SilenceRequest) (id string, err error)
	Unsilence func(ctx context.Context, id, by string) (alerting.Silence, error)
	Renew     func(ctx context.Context, s alerting.Silence, by string) error

	// Escalate gets another person for a problem that was paged.
	Escalate func(ctx context.Context, problem, by string) error

	// MayAct says whether who asks may do these; nil: all may. It is asked in order to offer no more than that: who may
	// not is stopped in front of the pages.
	MayAct func(*http.Request) bool

	// Hosts are the names under which people reach the pages. When there are any, what people do is taken under
	// these, under localhost and under bare addresses alone: a foreign name that was made to point here (DNS
	// rebinding) passes for the same site in a browser.
	Hosts []string

	// Origin is scheme and host under which people reach the pages where a proxy stands between and passes another
	// name on: what is sent from there is not another site's. Empty: none.
	Origin string

	Node     string
	Version  string
	Interval time.Duration    // between collections, for the windows of rates; 10 s when zero
	Now      func() time.Time // time.Now when nil
	Log      *slog.Logger     // discarded when nil
}

// Pages is an http.Handler for all pages.
type Pages struct {
	opts   Options
	mux    *http.ServeMux
	cross  *http.CrossOriginProtection
	render *template.Template
	assets map[string]asset
	live   time.Duration // between looks of a live page

	streaming atomic.Int64 // streams of updates that are open
	acted     bell         // rings for them

	answers memo // of the store
	ended   ended
}

// lookEvery is how often a live page is looked at for changes. The age that a page shows turns amber after
// 5 s, so that two looks may be lost before anybody worries.
const lookEvery = 2 * time.Second

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
	p := &Pages{opts: o, mux: http.NewServeMux(), cross: http.NewCrossOriginProtection(), assets: loadAssets(), live: lookEvery}
	if o.Origin != "" {
		if err := p.cross.AddTrustedOrigin(o.Origin); err != nil {
			o.Log.Error("the pages' own address is no origin: what people do behind a proxy is refused", "origin", o.Origin, "err", err)
		}
	}
	p.render = p.templates()
	p.routes()
	return p
}

func (p *Pages) routes() {
	pages := map[string]func(*http.Request) page{
		"/{$}": p.board, "/problems/{id}": p.problem, "/timeline": p.timeline, "/handover": p.handover,
		"/streams": p.streams, "/streams/history": p.overTime, "/wall": p.wall, "/capacity": p.capacity,
		"/nodes": p.nodes, "/systems": p.systems, "/explore": p.explore,
		"/runbooks/{$}": p.runbooks, "/runbooks/{rule}": p.runbook,
	}
	for pattern, build := range pages {
		p.mux.HandleFunc("GET "+pattern, func(w http.ResponseWriter, r *http.Request) { p.serve(w, r, build(r)) })
	}
	p.mux.HandleFunc("GET /live/board", p.serveLive(p.board))
	p.mux.HandleFunc("GET /live/problem", p.serveLive(p.problem))
	p.mux.HandleFunc("GET /live/timeline", p.serveLive(p.timeline))
	p.mux.HandleFunc("GET /live/streams", p.serveLive(p.streams))
	p.mux.HandleFunc("GET /live/overtime", p.serveLive(p.overTime))
	p.mux.HandleFunc("GET /live/explore", p.serveLive(p.explore))
	p.mux.HandleFunc("GET /live/systems", p.serveLive(p.systems))
	p.mux.HandleFunc("GET /live/wall", p.liveWall)
	p.mux.HandleFunc("GET /live/nodes", p.serveLive(p.nodes))
	p.mux.HandleFunc("GET /assets/{name}", p.serveAsset)
	p.mux.HandleFunc("POST /problems/{id}/take", p.postTake)
	p.mux.HandleFunc("POST /problems/{id}/silence", p.postSilence)
	p.mux.HandleFunc("POST /problems/{id}/escalate", p.postEscalate)
	p.mux.HandleFunc("POST /silences/{id}/end", p.postEndSilence)
	p.mux.HandleFunc("POST /silences/{id}/renew", p.postRenewSilence)
	p.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { p.serve(w, r, p.notFound(r)) })
}

// ServeHTTP serves every page, their assets, live updates and what people do at them.
func (p *Pages) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	// Everything comes from here and nothing stands inline, so that text which an alarm brings in can never run.
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	if err := p.cross.Check(r); err != nil || r.Method == http.MethodPost && !p.knows(r.Host) {
		p.serve(w, r, p.message(http.StatusForbidden, "Not from here", "This was sent by a page of another site and was not carried out. Open the board and do it there."))
		return
	}
	p.mux.ServeHTTP(w, r)
}

// knows says whether a person may act under this name.
func (p *Pages) knows(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	if len(p.opts.Hosts) == 0 || name == "localhost" || slices.Contains(p.opts.Hosts, name) {
		return true
	}
	_, err := netip.ParseAddr(strings.Trim(name, "[]"))
	return err == nil
}

// page is what a page is made of, before it is text.
type page struct {
	Status   int    // of HTTP; 0 is 200
	Name     string // board, streams, nodes, runbooks: which entry of the menu is this
	Title    string
	Live     string    // path of its live updates, empty when it has none
	Scripts  []string  // of its own, beside the one that keeps it fresh
	Forms    bool      // are sent by htmx, which puts the answers in place
	Done     *doneLine // what a person just did; nil: nothing
	Charts   bool      // drawn again by uPlot, where there is script
	Sections []section
}

// section is a part of a page that stays where it is, and whose parts come, go and change.
type section struct {
	ID    string
	Label string // heading, empty where the parts bring their own
	Hush  bool   // not announced by screen readers when it changes; the summary is
	Parts []part
}

// part is the smallest thing that is replaced when it changes.
type part struct {
	ID       string // of its element, unique in the page
	Template string
	Data     any
}

func (p *Pages) message(status int, title, text string) page {
	return page{Status: status, Title: title}.saying(title, text)
}

// saying is the page with nothing on it but a title and a sentence: what it would show is not here.
func (pg page) saying(title, text string) page {
	pg.Forms, pg.Charts, pg.Scripts = false, false, nil
	pg.Sections = []section{{ID: "message", Hush: true, Parts: []part{{"note", "message", note{title, text}}}}}
	return pg
}

// noStore is what a page says that needs the history where there is none, and noLedger one that needs the router's.
func noStore(pg page) page {
	return pg.saying("This node keeps no history", "Its store is off (store: off in the configuration). Look at a node that keeps one.")
}

func noLedger(pg page) page {
	return pg.saying("This node routes no alarms", "What was paged and who did what is kept by the routers of its configuration (rules.routers). Look there.")
}

func (p *Pages) notFound(r *http.Request) page {
	return p.message(http.StatusNotFound, "No such page", "There is nothing at "+r.URL.Path+". The board, the streams, the nodes and the runbooks are in the menu.")
}

// note is a title and a sentence for people.
type note struct{ Title, Text string }

// livePath is where a page's updates come from, the query kept: it says what is opened.
func livePath(name string, q url.Values) string {
	u := url.URL{Path: "/live/" + name, RawQuery: q.Encode()}
	return u.String()
}
