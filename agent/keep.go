package agent

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"github.com/navcloud/binnacle/agent/damage"
	"github.com/navcloud/binnacle/agent/door"
	"github.com/navcloud/binnacle/agent/health"
	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/agent/planner"
	"github.com/navcloud/binnacle/agent/rollup"
	"github.com/navcloud/binnacle/agent/series"
	"github.com/navcloud/binnacle/agent/store"
)

// stores are what is open of the role store. All are nil where it is off or could not be opened yet.
type stores struct {
	main    *store.Store
	pools   *store.Store // the figures of pools, of the planner
	planner *planner.Planner
	long    *store.Store // samples every five minutes, of the rollup
	rollup  *rollup.Rollup
}

// openSoon is how long the other roles wait for the history at a start. One that takes longer to read is read beside them: who
// posts an alarm then is heard at once, and rules begin when it is there.
const openSoon = 300 * time.Millisecond

// exemplars are kept of what is scraped or pushed; under 1 MB, made at once.
const exemplars = 10_000

// sourceCapacity is what feeds the registry of series beside the collectors.
const sourceCapacity = "capacity"

// storeRole keeps the samples of the last days, and beside them what is made of them for longer. What cannot be opened is
// tried again, and the rest works meanwhile.
type storeRole struct {
	a    *Agent
	crew *crew

	series *series.Registry // what each series is, and its total: for the store and the destinations alike

	mu   sync.Mutex
	open stores
}

func newStoreRole(a *Agent) *storeRole {
	r := &storeRole{a: a, series: series.New(series.Options{Interval: a.config().Interval, Begun: time.Now()})}
	if err := r.series.Load(filepath.Join(a.folder.dir(), totalsFile)); err != nil {
		a.damaged(damage.Report{Store: "totals", What: err.Error(), At: time.Now()})
	}
	return r
}

func (r *storeRole) name() string { return "store" }

// get returns what is open.
func (r *storeRole) get() stores {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.open
}

func (r *storeRole) set(f func(*stores)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f(&r.open)
}

func (r *storeRole) start(ctx context.Context) error {
	r.crew = r.a.roster.crew(ctx)
	if r.a.config().Store.Off {
		return nil
	}
	if r.crew.openWithin(openSoon, "store", r.openMain, func() { r.openRest(); r.opened() }) {
		r.openRest()
	}
	return nil
}

// opened lets the other roles use what was opened late.
func (r *storeRole) opened() {
	_ = r.a.again(r.crew.ctx) // it is logged there
}

func (r *storeRole) openMain() error {
	c := r.a.config()
	o := store.Options{
		Retention: c.Store.Retention, RetentionSize: c.Store.RetentionSize, LabelLimit: c.Store.LabelLimit, Query: c.Query,
		Exemplars: exemplars, Interval: c.Interval, Series: r.series,
		Log: r.a.log, Requests: slog.New(door.Quiet(r.a.log.Handler())).With("part", "store"), Spare: r.spare,
	}
	s, err := r.openStore("store", o, standInStore)
	if err != nil && r.a.folder.leave(err) {
		s, err = r.openStore("store", o, standInStore)
	}
	if err == nil {
		r.set(func(s2 *stores) { s2.main = s })
	}
	return err
}

// openStore opens a store in the data folder, below bound bytes where that stands in for the configured one.
func (r *storeRole) openStore(name string, o store.Options, bound int64) (*store.Store, error) {
	if r.a.folder.fault() != nil {
		o.RetentionSize = min(o.RetentionSize, bound)
	}
	o.Damaged, o.Clock = r.a.damaged, time.Now
	return store.Open(filepath.Join(r.a.folder.dir(), name), o)
}

// spare makes the folder of what the store keeps in memory while the data folder cannot be written.
func (r *storeRole) spare() (string, error) {
	dir := standIns(r.a.folder.want)[0]
	return filepath.Join(dir, "history"), private(dir)
}

// openRest opens what lives on the main store.
func (r *storeRole) openRest() {
	c := r.a.config()
	if !c.Capacity.Off && r.crew.open("capacity", r.openPlanner, func() { r.startPlanner(); r.opened() }) {
		r.startPlanner()
	}
	if !c.Store.Rollups.Off && r.crew.open("rollups", r.openRollup, func() { r.startRollup(); r.opened() }) {
		r.startRollup()
	}
}

// keptBytes bounds the figures of pools on disk, keptForNow where a folder stands in for the configured one.
const (
	keptBytes  = 1 << 30
	keptForNow = 64 << 20
)

func (r *storeRole) openPlanner() error {
	c := r.a.config().Capacity
	s, err := r.openStore("capacity", store.Options{Retention: c.History, RetentionSize: keptBytes, Interval: planner.Every, Log: r.a.log}, keptForNow)
	if err != nil {
		return err
	}
	p := planner.New(planner.Options{
		Config: c, Main: r.get().main, Kept: s, Now: time.Now, Log: r.a.log.With("part", "capacity"),
		Publish: func(ctx context.Context, b *metric.Batch) {
			r.keep(ctx, r.series.Resolve(sourceCapacity, b.Time, nil, b.Samples))
		},
	})
	r.set(func(open *stores) { open.pools, open.planner = s, p })
	return nil
}

func (r *storeRole) startPlanner() { r.crew.work("capacity", r.get().planner.Run) }

func (r *storeRole) openRollup() error {
	c := r.a.config().Store.Rollups
	s, err := r.openStore("rollups", store.Options{Retention: c.Retention, RetentionSize: c.RetentionSize, Interval: rollup.Every, Log: r.a.log}, standInStore)
	if err != nil {
		return err
	}
	main := r.get().main
	main.ReadOlder(s)
	ro := rollup.New(rollup.Options{Config: c, From: main, To: s, Now: time.Now, Log: r.a.log.With("part", "rollups")})
	r.set(func(open *stores) { open.long, open.rollup = s, ro })
	return nil
}

func (r *storeRole) startRollup() { r.crew.work("rollups", r.get().rollup.Run) }

func (r *storeRole) stop() error {
	r.crew.stop()
	open := r.get()
	r.set(func(s *stores) { *s = stores{} })
	if err := r.series.Save(filepath.Join(r.a.folder.dir(), totalsFile)); err != nil {
		r.a.log.Warn("totals begin at zero with the next start", "err", err)
	}
	var errs []error
	for _, s := range []*store.Store{open.main, open.pools, open.long} {
		if s != nil {
			errs = append(errs, s.Close())
		}
	}
	return errors.Join(errs...)
}

// change has nothing to do: what the role takes from the configuration only a restart changes.
func (r *storeRole) change(Config) (*change, error) { return nil, nil }

// keep writes into the store. What it refuses it counts.
func (r *storeRole) keep(ctx context.Context, u series.Update) {
	s := r.get().main
	if s == nil {
		return
	}
	err := s.Write(ctx, u)
	_, kept, failing := s.Failing()
	r.a.history.wrote(time.Now(), cmp.Or(failing, err), kept)
}

func (r *storeRole) status(s *health.Status) {
	open := r.get()
	if err := r.a.history.failing(); err != nil {
		s.StoreError = err.Error()
		if open.main != nil {
			_, s.StoreInMemory, _ = open.main.Failing()
		}
	}
	s.Capacity = r.capacityFault(open)
	if open.main != nil {
		st := open.main.Stats()
		s.Store = &health.Store{Series: st.Series, Bytes: st.Bytes, Oldest: st.OldestAt, Refused: st.Refused, Lost: lostSeries(st.Lost)}
	}
	s.Rollups = r.rollupStatus(open)
}

// capacityFault says why capacity is not known; empty where it is, or nobody wants to know.
func (r *storeRole) capacityFault(open stores) string {
	switch {
	case open.planner != nil:
		return open.planner.Report().Fault
	case open.main != nil && !r.a.config().Capacity.Off:
		return r.a.roster.fault("capacity")
	}
	return ""
}

func (r *storeRole) rollupStatus(open stores) *health.Rollups {
	c := r.a.config().Store.Rollups
	switch {
	case open.main == nil || c.Off:
		return nil
	case open.rollup == nil:
		return &health.Rollups{Error: r.a.roster.fault("rollups")}
	}
	ro, st := open.rollup.Stats(), open.long.Stats()
	s := &health.Rollups{Series: ro.Series, LeftOut: ro.LeftOut, Refused: ro.Refused, Bytes: st.Bytes, Oldest: st.OldestAt, Until: ro.Until, Note: c.Note}
	if ro.Err != nil {
		s.Error = ro.Err.Error()
	}
	return s
}
