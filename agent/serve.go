package agent

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/navcloud/binnacle/agent/store"
	"github.com/navcloud/binnacle/alerting/pagers/pagerduty"
)

// serve answers until ctx ends: the API, the intake, and the pages.
func (a *Agent) serve(ctx context.Context) error { return a.door.Serve(ctx, a.listener, a.handler()) }

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
	return mux
}

func (a *Agent) currentRules() store.Rules {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.rules == nil {
		return nil
	}
	return a.rules
}
