package agent

import (
	"path/filepath"
	"time"

	"github.com/navcloud/binnacle/agent/health"
	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/agent/rollup"
	"github.com/navcloud/binnacle/agent/store"
)

// openRollup opens the store of what is kept for longer. Where that cannot be, the agent goes on without: the past ends
// where the store's does.
func (a *Agent) openRollup() {
	c := a.cfg.Store.Rollups
	if c.Off || a.store == nil {
		return
	}
	o := store.Options{Retention: c.Retention, RetentionSize: c.RetentionSize, Interval: rollup.Every, Log: a.log}
	if a.dataErr != nil {
		o.RetentionSize = min(o.RetentionSize, standInStore)
	}
	var err error
	if a.long, err = store.Open(filepath.Join(a.data, "rollups"), o); err != nil {
		a.log.Error("the past is not kept", "err", err)
		return
	}
	a.store.ReadOlder(a.long)
	a.rollup = rollup.New(rollup.Options{Config: c, From: a.store, To: a.long, Now: time.Now, Log: a.log.With("part", "rollups")})
}

func (a *Agent) rollupStatus() *health.Rollups {
	c := a.config().Store.Rollups
	if a.store == nil || c.Off {
		return nil
	}
	if a.rollup == nil {
		return &health.Rollups{Error: "their store could not be opened; the log says why"}
	}
	r, st := a.rollup.Stats(), a.long.Stats()
	s := &health.Rollups{Series: r.Series, LeftOut: r.LeftOut, Refused: r.Refused, Bytes: st.Bytes, Oldest: st.OldestAt, Until: r.Until, Note: c.Note}
	if r.Err != nil {
		s.Error = r.Err.Error()
	}
	return s
}

var (
	descRollups     = &metric.Desc{Name: "binnacle_rollup_series", Help: "Series of which a sample every five minutes is kept for longer"}
	descRollupLeft  = &metric.Desc{Name: "binnacle_rollup_series_left_out", Help: "Series that were not kept for longer, since there were too many"}
	descRollupBytes = &metric.Desc{Name: "binnacle_rollup_bytes", Unit: metric.Bytes, Help: "Size on disk of what is kept for longer"}
	descRollupUntil = &metric.Desc{Name: "binnacle_rollup_until_timestamp_seconds", Unit: metric.Seconds, Help: "Up to when samples were copied, since 1970"}
)

// selfRollup appends what the agent says of what is kept for longer.
func (a *Agent) selfRollup(b *metric.Batch) {
	s := a.rollupStatus()
	if s == nil || s.Until.IsZero() {
		return
	}
	b.Add(descRollups, float64(s.Series))
	b.Add(descRollupLeft, float64(s.LeftOut))
	b.Add(descRollupBytes, float64(s.Bytes))
	b.Add(descRollupUntil, float64(s.Until.Unix()))
}
