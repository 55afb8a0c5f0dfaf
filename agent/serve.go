package agent

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"reflect"
	"sync"
	"sync/atomic"

	"github.com/navcloud/binnacle/agent/door"
	"github.com/navcloud/binnacle/agent/health"
	"github.com/navcloud/binnacle/agent/store"
	"github.com/navcloud/binnacle/dashboards"
	"github.com/navcloud/binnacle/dashboards/oncall"
)

// webRole answers: the API, the intake and the pages. The agent cannot do without it.
type webRole struct {
	a       *Agent
	ready   atomic.Bool                  // all roles work
	handler atomic.Pointer[http.Handler] // of the configuration in force

	mu     sync.Mutex
	now    *serving
	ending *crew // listeners that a reload replaced
	debug  *crew // the socket of profiles
	keeper *crew // of what pages show; nil before the start

	newAPI func(*store.Store) http.Handler
	asked  *store.Store // what api answers from
	api    http.Handler
}

// serving is one listener with what protects it.
type serving struct {
	listener net.Listener
	door     *door.Door
	crew     *crew
}

// newWebRole takes the port.
func newWebRole(a *Agent) (*webRole, error) {
	address := a.config().Listen
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, listening(address, err)
	}
	return &webRole{
		a: a, now: &serving{listener: l}, ending: a.roster.crew(context.Background()),
		newAPI: func(s *store.Store) http.Handler { return s.Handler(a.hooks.Version, a.rules.served) },
	}, nil
}

// protect makes the door, in the data folder that is open by now. A file that cannot be used is an error.
func (r *webRole) protect() (err error) {
	r.now.door, err = r.a.newDoor(r.a.config())
	return err
}

func (r *webRole) name() string { return "web" }

func (r *webRole) get() *serving {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.now
}

// address is where it listens.
func (r *webRole) address() string { return r.get().listener.Addr().String() }

// close gives the port back, where the role has not started.
func (r *webRole) close() error {
	if err := r.get().listener.Close(); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

func (r *webRole) start(ctx context.Context) error {
	r.renew()
	r.serve(ctx, r.get())
	r.profiles(r.a.config())
	return nil
}

// renew makes the pages and the API of the configuration in force and of what is open. Requests under way end as they began.
func (r *webRole) renew() {
	mux, pages := r.a.handler()
	m := methods{mux: mux}
	if r.keeper != nil {
		r.keeper.stop()
	}
	r.keeper = r.a.roster.crew(context.Background())
	if pages != nil {
		m.pages = pages
		r.keeper.work("pages", pages.Keep)
	}
	var h http.Handler = m
	r.handler.Store(&h)
}

// profiles opens the socket of profiles, where one is wanted.
func (r *webRole) profiles(cfg Config) {
	r.debug = r.a.roster.crew(context.Background())
	if cfg.Web.DebugSocket != "" {
		r.debug.work("debug", cfg.Web.debug)
	}
}

// serve sets a listener to work.
func (r *webRole) serve(ctx context.Context, s *serving) {
	s.crew = r.a.roster.crew(ctx)
	s.crew.vital("web", func(ctx context.Context) error {
		return s.door.Serve(ctx, s.listener, http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) { (*r.handler.Load()).ServeHTTP(w, q) }))
	})
}

func (r *webRole) stop() error {
	r.get().crew.stop()
	r.ending.stop()
	r.debug.stop()
	r.keeper.stop()
	return nil
}

// change listens elsewhere, or behind another door, beside what listens.
func (r *webRole) change(cfg Config) (*change, error) {
	old := r.a.config()
	if reflect.DeepEqual(old.Web, cfg.Web) && old.Listen == cfg.Listen {
		return nil, nil
	}
	d, err := r.a.newDoor(cfg)
	if err != nil {
		return nil, err
	}
	var l net.Listener
	if old.Listen == cfg.Listen {
		l, err = again(r.get().listener)
	} else {
		l, err = net.Listen("tcp", cfg.Listen)
	}
	if err != nil {
		return nil, listening(cfg.Listen, err)
	}
	return &change{
		what: []string{"web"},
		commit: func() {
			before, next := r.get(), &serving{listener: l, door: d}
			r.mu.Lock()
			r.now = next
			r.mu.Unlock()
			r.serve(context.Background(), next)
			r.debug.stop()
			r.a.roster.gone("debug")
			r.profiles(cfg)
			r.ending.wg.Go(before.crew.stop) // its requests under way are waited for
		},
		cancel: func() { _ = l.Close() },
	}, nil
}

// again makes a second listener on the port of l: whoever accepts a connection serves it, and none is refused in between.
func again(l net.Listener) (net.Listener, error) {
	f, err := l.(*net.TCPListener).File()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return net.FileListener(f)
}

func (r *webRole) status(s *health.Status) {
	if now := r.get(); now.door != nil {
		s.Door = now.door.Faults(now.listener.Addr())
	}
}

// apiOf is Prometheus' API over a store, which can be made once for each.
func (r *webRole) apiOf(s *store.Store) http.Handler {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.asked != s {
		r.asked, r.api = s, r.newAPI(s)
	}
	return r.api
}

// handler are all routes, and the pages, which have routes of their own; they are nil where they are off.
func (a *Agent) handler() (mux *http.ServeMux, pages *dashboards.Pages) {
	cfg, open := a.config(), a.store.get()
	mux = http.NewServeMux()
	mux.HandleFunc("GET /-/healthy", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	mux.HandleFunc("GET /-/ready", func(w http.ResponseWriter, _ *http.Request) {
		if !a.web.ready.Load() {
			http.Error(w, "not all roles work yet, or any more", http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write([]byte("ok\n"))
	})
	mux.HandleFunc("GET /-/status", func(w http.ResponseWriter, _ *http.Request) { a.answer(w, a.Status()) })
	if open.planner != nil {
		mux.HandleFunc("GET /-/capacity", func(w http.ResponseWriter, _ *http.Request) { a.answer(w, open.planner.Report()) })
	}
	mux.HandleFunc("GET /api/v1/rules/coverage", func(w http.ResponseWriter, _ *http.Request) { a.answer(w, a.rules.coverage()) })
	if open.main != nil {
		h := a.web.apiOf(open.main)
		mux.Handle("/api/v1/", h)
		mux.Handle("GET /metrics", h)
		mux.Handle("GET /federate", h)
		mux.HandleFunc("POST /v1/metrics", func(w http.ResponseWriter, r *http.Request) { // where OTLP exporters send by default
			r = r.Clone(r.Context())
			r.URL.Path = "/api/v1/otlp/v1/metrics"
			h.ServeHTTP(w, r)
		})
	}
	if r := a.route; r.dispatch != nil {
		r.intake.Register(mux)
		r.dispatch.Register(mux)
		if len(cfg.Route.PagerDuty.WebhookSecrets) > 0 {
			mux.Handle("POST /api/v1/pagerduty", r.webhook)
		}
	}
	mux.HandleFunc("POST "+PathForget, a.forget)
	a.authority(cfg).Register(mux)
	a.proofs.use(oncall.New(a.duty()))
	mux.HandleFunc("GET /charts/{name}", a.proofs.serve)
	if !cfg.Web.Off {
		pages = a.pages()
		mux.Handle("/", pages)
	}
	return mux, pages
}

func (a *Agent) answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(v); err != nil {
		a.log.Debug("answer not delivered", "err", err)
	}
}
