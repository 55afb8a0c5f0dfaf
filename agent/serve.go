package agent

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/exporter-toolkit/web"

	"github.com/navcloud/binnacle/agent/store"
	"github.com/navcloud/binnacle/alerting/pagers/pagerduty"
)

// shutdownWait is for requests that are under way when the agent stops.
const shutdownWait = 3 * time.Second

// serve answers until ctx ends: the API, the intake, and the pages.
func (a *Agent) serve(ctx context.Context) error {
	srv := &http.Server{
		Handler: a.handler(), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	defer context.AfterFunc(ctx, func() {
		ending, cancel := context.WithTimeout(context.Background(), shutdownWait)
		defer cancel()
		if err := srv.Shutdown(ending); err != nil {
			_ = srv.Close() // who still listens is a browser's stream
		}
	})()
	no, file := false, a.config().Web.ConfigFile
	err := web.Serve(a.listener, srv, &web.FlagConfig{WebSystemdSocket: &no, WebConfigFile: &file}, a.log.With("part", "web"))
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

func (a *Agent) handler() http.Handler {
	cfg := a.config()
	mux := http.NewServeMux()
	ok := func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) }
	mux.HandleFunc("GET /-/ready", ok)
	mux.HandleFunc("GET /-/healthy", ok)
	mux.HandleFunc("GET /-/status", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(a.Status()); err != nil {
			a.log.Debug("status not delivered", "err", err)
		}
	})
	if a.planner != nil {
		mux.HandleFunc("GET /-/capacity", a.serveCapacity)
	}
	if a.store != nil {
		h := a.store.Handler(a.hooks.Version, a.currentRules)
		mux.Handle("/api/v1/", h)
		mux.Handle("GET /metrics", h)
	}
	if a.dispatch != nil {
		a.intake.Register(mux)
		a.dispatch.Register(mux)
		if s := cfg.Route.PagerDuty.WebhookSecrets; len(s) > 0 {
			mux.Handle("POST /api/v1/pagerduty", pagerduty.NewWebhook(s, a.dispatch.Put, a.log.With("part", "webhook")))
		}
	}
	if !cfg.Web.Off {
		mux.Handle("/", a.pages())
	}
	return cfg.Web.roles(mux)
}

func (a *Agent) currentRules() store.Rules {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.rules == nil {
		return nil
	}
	return a.rules
}
