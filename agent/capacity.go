package agent

import (
	"context"
	"encoding/json"
	"net/http"
	"path/filepath"
	"time"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/agent/planner"
	"github.com/navcloud/binnacle/agent/store"
)

// keptBytes bounds the figures of pools on disk, keptForNow where a folder stands in for the configured one.
const (
	keptBytes  = 1 << 30
	keptForNow = 64 << 20
)

// openPlanner opens the store of pools beside the agent's. Where that cannot be, the agent goes on without: nobody is
// woken by it.
func (a *Agent) openPlanner() {
	if a.cfg.Capacity.Off || a.store == nil {
		return
	}
	o := store.Options{Retention: a.cfg.Capacity.History, RetentionSize: keptBytes, Interval: planner.Every, Log: a.log}
	if a.dataErr != nil {
		o.RetentionSize = keptForNow
	}
	var err error
	if a.kept, err = store.Open(filepath.Join(a.data, "capacity"), o); err != nil {
		a.log.Error("capacity is not watched", "err", err)
		return
	}
	a.planner = planner.New(planner.Options{
		Config: a.cfg.Capacity, Main: a.store, Kept: a.kept, Now: time.Now, Log: a.log.With("part", "capacity"),
		Publish: func(ctx context.Context, b *metric.Batch) {
			a.keep(ctx, a.series.Resolve(sourceCapacity, b.Time, nil, b.Samples))
		},
	})
}

// capacityFault says why capacity is not known; empty where it is, or nobody wants to know.
func (a *Agent) capacityFault() string {
	switch {
	case a.planner != nil:
		return a.planner.Report().Fault
	case a.store != nil && !a.config().Capacity.Off:
		return "its store could not be opened; the log says why"
	}
	return ""
}

func (a *Agent) serveCapacity(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(a.planner.Report()); err != nil {
		a.log.Debug("capacity not delivered", "err", err)
	}
}
