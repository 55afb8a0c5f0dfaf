// Package dashboards is the frame of the pages that people look at: routes, layout, assets, live updates, and how a form is
// carried out. The pages come to it as values, in Sets.
//
// Pages are rendered on the server and whole without script; where a script runs, a stream of events keeps
// them fresh and says how old they are. The package judges nothing, stores nothing and authenticates nobody: who may reach
// it is decided in front of it.
package dashboards

import (
	"context"
	"html/template"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// Options are what the frame needs to know.
type Options struct {
	Node    string
	Version string
	Now     func() time.Time // time.Now when nil
	Log     *slog.Logger     // discarded when nil
	Live    time.Duration    // between looks of a live page; LookEvery when zero
	// Base is the path under which browsers reach the pages, without a slash at its end; empty: the root.
	Base string
	// MayAct says whether who asks may act, by which pages differ; nil: all may.
	MayAct func(*http.Request) bool
	// Urgent is what the menu says beside the board, on every page: how many P1 there are; nil, or empty: nothing.
	Urgent func() string
}

// Set is pages that belong together, as the frame takes them.
type Set struct {
	Templates fs.FS                               // *.html: its templates' names are known to all sets
	Pages     map[string]func(*http.Request) Page // by pattern, for GET
	Live      map[string]func(*http.Request) Page // updates of pages, by the name after /live/
	Streams   map[string]Stream                   // updates of another kind, by the name after /live/
	Files     map[string]http.HandlerFunc         // what is no page, by pattern, for GET
	Acts      map[string]Act                      // what people do, by pattern, for POST
	Seek      Seeker                              // what the box in the head finds; nil: nothing of this set
	Keep      func(context.Context) error         // keeps what takes long at hand, until its context ends; nil: there is nothing
}

// Seeker tells of all that a set has and that may be looked for; its error says what it could not look through. It is asked with each letter that
// somebody types: what is costly it remembers.
type Seeker func(r *http.Request, found func(Hit)) error

// Act carries out a form and returns what the address it leads to says of it: a query of the board. A nil Act is one that
// this node cannot carry out. Its error is shown to the person.
type Act func(r *http.Request) (url.Values, error)

// Stream is updates that are not those of a page's parts.
type Stream struct {
	Event string
	Every time.Duration
	Open  func(*http.Request) (look func() ([]byte, error), err error) // an error says why there is none
}

// Pages is an http.Handler for all pages.
type Pages struct {
	opts   Options
	mux    *http.ServeMux
	render *template.Template
	assets map[string]asset
	live   time.Duration // between looks of a live page

	streaming bounded      // streams of updates that are open
	alone     bounded      // those that look for themselves
	acted     bell         // rings for them
	actedAt   atomic.Int64 // in nanoseconds since 1970
	scenes    scenes
	seekers   []Seeker
	keepers   []func(context.Context) error
}

// LookEvery is how often a live page is looked at for changes. The age that a page shows turns amber after
// 5 s, so that two looks may be lost before anybody worries.
const LookEvery = 2 * time.Second

// New makes the frame of these sets of pages.
func New(o Options, sets ...Set) *Pages {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Live <= 0 {
		o.Live = LookEvery
	}
	p := &Pages{opts: o, mux: http.NewServeMux(), assets: loadAssets(), live: o.Live}
	p.streaming.most, p.alone.most = maxStreams, maxAlone
	p.render = p.templates(sets)
	for _, s := range sets {
		p.add(s)
	}
	p.mux.HandleFunc("GET /find", p.find)
	p.mux.HandleFunc("GET /find/list", p.findList)
	p.mux.HandleFunc("GET /assets/{name}", p.serveAsset)
	p.mux.HandleFunc("/", p.elsewhere)
	return p
}

func (p *Pages) add(s Set) {
	for pattern, build := range s.Pages {
		p.mux.HandleFunc("GET "+pattern, func(w http.ResponseWriter, r *http.Request) { p.serve(w, r, build(r)) })
	}
	for name, build := range s.Live {
		p.mux.HandleFunc("GET /live/"+name, p.serveLive(build))
	}
	for name, st := range s.Streams {
		p.mux.HandleFunc("GET /live/"+name, p.serveStream(st))
	}
	for pattern, file := range s.Files {
		p.mux.HandleFunc("GET "+pattern, file)
	}
	if s.Seek != nil {
		p.seekers = append(p.seekers, s.Seek)
	}
	if s.Keep != nil {
		p.keepers = append(p.keepers, s.Keep)
	}
	for pattern, act := range s.Acts {
		p.mux.HandleFunc("POST "+pattern, func(w http.ResponseWriter, r *http.Request) { p.act(w, r, act) })
	}
}

// Keep keeps at hand what pages show and takes long to find out, until ctx ends.
func (p *Pages) Keep(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, keep := range p.keepers {
		g.Go(func() error { return keep(ctx) })
	}
	return g.Wait()
}

// ServeHTTP serves every page, their assets, live updates and what people do at them. Who may do what, under which name and
// from which site, was decided before (agent/door).
func (p *Pages) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	// Everything comes from here and nothing stands inline, so that text which an alarm brings in can never run.
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	p.mux.ServeHTTP(w, r)
}

// Handler is what serves r and its pattern, as of http.ServeMux.
func (p *Pages) Handler(r *http.Request) (http.Handler, string) { return p.mux.Handler(r) }

// Page is what a page is made of, before it is text.
type Page struct {
	Status   int    // of HTTP; 0 is 200
	To       string // another page is meant: all else is empty
	Name     string // board, streams, nodes, runbooks: which entry of the menu is this
	Class    string // of its look, beside Name
	Title    string
	Crumb    string       // where one is, shorter than Title; empty: Title
	Up       *Link        // the page above it
	Live     string       // path of its live updates, empty when it has none
	Styles   []string     // sheets of its own, after the one of all pages
	Scripts  []string     // of its own, beside the one that keeps it fresh
	Forms    bool         // are sent by htmx, which puts the answers in place
	Done     *Done        // what a person just did; nil: nothing
	Period   *Period      // which time it shows, as the bar above it offers; nil: only now
	Sought   string       // what stands in the box that finds things
	Charts   bool         // drawn again by uPlot, where there is script
	Cookie   *http.Cookie // that the browser is to keep; nil: none
	Sections []Section
}

// Section is a part of a page that stays where it is, and whose parts come, go and change.
type Section struct {
	ID    string
	Label string // heading, empty where the parts bring their own
	Hush  bool   // not announced by screen readers when it changes; the summary is
	Parts []Part
}

// Part is the smallest thing that is replaced when it changes.
type Part struct {
	ID       string // of its element, unique in the page
	Template string
	Data     any
}

func Message(status int, title, text string) Page {
	return Page{Status: status, Title: title}.Saying(title, text)
}

// Saying is the page with nothing on it but a title and a sentence: what it would show is not here.
func (pg Page) Saying(title, text string) Page {
	pg.Forms, pg.Charts, pg.Scripts = false, false, nil
	pg.Sections = []Section{{ID: "message", Hush: true, Parts: []Part{{"note", "message", note{title, text}}}}}
	return pg
}

// NoStore is what a page says that needs the history where there is none, and noLedger one that needs the router's.
func NoStore(pg Page) Page {
	return pg.Saying("This node keeps no history", "Its store is off (store: off in the configuration). Look at a node that keeps one.")
}

func NoLedger(pg Page) Page {
	return pg.Saying("This node routes no alarms", "What was paged and who did what is kept by the routers of its configuration (rules.routers). Look there.")
}

// elsewhere is where no page is: a page for people, a line for programs, which look for the API of another server.
func (p *Pages) elsewhere(w http.ResponseWriter, r *http.Request) {
	if !strings.Contains(r.Header.Get("Accept"), "text/html") {
		http.NotFound(w, r)
		return
	}
	p.serve(w, r, notFound(r))
}

func notFound(r *http.Request) Page {
	return Message(http.StatusNotFound, "No such page", "There is nothing at "+r.URL.Path+". The board, the streams, the nodes and the runbooks are in the menu.")
}

// Link leads to another page, or to another choice of the same.
type Link struct {
	Path, Label string
	Here        bool
}

// note is a title and a sentence for people.
type note struct{ Title, Text string }

// LivePath is where a page's updates come from, the query kept: it says what is opened.
func LivePath(name string, q url.Values) string {
	u := url.URL{Path: "/live/" + name, RawQuery: q.Encode()}
	return u.String()
}
