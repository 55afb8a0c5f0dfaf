package dispatch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/ledger"
)

const (
	leaseTTL    = 6 * time.Second
	retryLedger = 5 * time.Second // after a write that failed
	maxEvents   = 10_000          // of the history that wait to be written; the oldest give way
	maxClosed   = 10_000          // closed entries in memory
	maxEnded    = 2000            // silences in memory after their end, for alerting.SilenceKept; the oldest give way
)

// book is the state in memory and its way into the ledger. Memory is the truth; one goroutine writes all
// that changed since its last write in one go, so that a slow disk makes larger writes and not a queue.
type book struct {
	open   func() (ledger.Ledger, error)
	holder string
	shadow bool
	wait   time.Duration
	log    *slog.Logger
	wake   chan struct{} // holds one
	late   chan []alerting.Record
	shared bool                  // with the other routers of a fleet
	others chan []alerting.Input // what they did
	done   chan struct{}         // closed when nobody reads others any more

	mu       sync.Mutex
	store    ledger.Ledger
	entries  map[string]*slot
	silences map[string]*keptSilence
	events   []ledger.Event // not yet written
	version  uint64         // of memory
	written  uint64         // version that is durable
	tried    uint64         // version of the last write that ended, well or not
	busy     time.Time      // since when a write runs; zero: none does
	ended    chan struct{}  // closed when a write ends
	durable  bool
	changed  time.Time // when durable last did
	dropped  uint64    // events that gave way
	standby  bool      // another router sends
	lease    ledger.Lease
	again    context.CancelFunc // ends the following, which begins anew
}

// slot is one entry with what of it is durable.
type slot struct {
	entry   ledger.Entry
	version uint64 // of its last change
	written uint64
}

// keptSilence is a silence with what of it is durable. All that have not ended stay in memory: a ledger that is begun anew
// gets them again.
type keptSilence struct {
	silence alerting.Silence
	version uint64
	written uint64
}

func newBook(o Options, c Config) *book {
	return &book{
		open: o.Ledger, holder: cmp.Or(o.Holder, o.Node), shared: o.Shared && o.Ledger != nil, standby: o.Shared && o.Ledger != nil,
		others: make(chan []alerting.Input), done: make(chan struct{}), shadow: c.Mode == Shadow, wait: c.LedgerWait, log: o.Log,
		wake: make(chan struct{}, 1), late: make(chan []alerting.Record, 1),
		entries: map[string]*slot{}, silences: map[string]*keptSilence{}, ended: make(chan struct{}),
		durable: true, changed: time.Now(),
	}
}

// start opens the ledger and returns what it holds. Without one it says so, and the book goes on in memory.
func (b *book) start() ledger.State {
	st, _, err := b.connect()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.outcome(err)
	return st
}

// connect opens the ledger and takes over its revisions. unknown are the records that memory did not have.
func (b *book) connect() (st ledger.State, unknown []alerting.Record, err error) {
	if b.open == nil {
		return st, nil, nil
	}
	store, err := b.open()
	if err != nil {
		return st, nil, err
	}
	st, err = store.Load(context.Background())
	if err != nil {
		return st, nil, errors.Join(err, store.Close())
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.store = store
	return st, b.adopt(st), nil
}

// adopt takes the ledger's revisions, and its entries where memory has none; b.mu is held. It returns the
// records that memory did not have.
func (b *book) adopt(st ledger.State) (unknown []alerting.Record) {
	for _, e := range st.Entries {
		if e.Shadow != b.shadow {
			continue
		}
		if s, ok := b.entries[e.Record.Key]; ok {
			s.entry.Revision = e.Revision
			continue
		}
		b.entries[e.Record.Key] = &slot{entry: e}
		unknown = append(unknown, e.Record)
	}
	for _, s := range st.Silences {
		if b.silences[s.ID] == nil {
			b.silences[s.ID] = &keptSilence{silence: s}
		}
	}
	b.forgetSilences(time.Now())
	return unknown
}

// readopt takes the ledger's revisions after it was begun anew or another wrote to it, and marks what it lacks as not
// written; b.mu is held. What it has and memory has not is of an earlier life, or another router's.
func (b *book) readopt(st ledger.State) (unknown []alerting.Record) {
	unknown = b.adopt(st)
	there := map[string]bool{}
	for _, e := range st.Entries {
		if e.Shadow == b.shadow {
			there[e.Record.Key] = true
		}
	}
	silences := map[string]bool{}
	for _, s := range st.Silences {
		silences[s.ID] = true
	}
	b.version++
	for key, s := range b.entries {
		if there[key] {
			continue
		}
		s.entry.Revision = 0
		if !b.shared || s.entry.Record.Open { // what is closed runs out of a shared ledger by itself
			s.version = b.version
		}
	}
	for id, s := range b.silences {
		if !silences[id] {
			s.version = b.version
		}
	}
	return unknown
}

// put changes memory and returns at once.
func (b *book) put(rec *alerting.Record, events ...ledger.Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.change(rec, events)
}

// commit changes memory and waits until that is durable, until a write failed, or for the time that a
// page may wait for a disk. It says whether it is durable.
func (b *book) commit(rec *alerting.Record, events ...ledger.Event) bool {
	b.mu.Lock()
	b.change(rec, events)
	version := b.version
	deadline := time.NewTimer(b.wait)
	defer deadline.Stop()
	for b.written < version {
		// A write that hangs, hangs for the next page too: one wait is enough.
		if b.tried >= version || !b.busy.IsZero() && time.Since(b.busy) >= b.wait {
			break
		}
		ended := b.ended
		b.mu.Unlock()
		select {
		case <-ended:
			b.mu.Lock()
			continue
		case <-deadline.C:
		}
		b.mu.Lock()
		break
	}
	durable := b.written >= version
	if !durable && !b.busy.IsZero() && b.tried < version {
		b.outcome(fmt.Errorf("a write takes longer than %v", b.wait))
	}
	b.mu.Unlock()
	return durable
}

// change alters memory and wakes the writer; b.mu is held.
func (b *book) change(rec *alerting.Record, events []ledger.Event) {
	b.version++
	if rec != nil {
		s := b.entries[rec.Key]
		if s == nil {
			s = &slot{entry: ledger.Entry{Shadow: b.shadow}}
			b.entries[rec.Key] = s
			b.forget()
		}
		s.entry.Record, s.version = *rec, b.version
	}
	b.events = append(b.events, events...)
	b.trim()
	b.signal()
}

// trim drops the oldest events where too many wait; b.mu is held.
func (b *book) trim() {
	if over := len(b.events) - maxEvents; over > 0 {
		b.events = slices.Delete(b.events, 0, over)
		b.dropped += uint64(over)
	}
}

func (b *book) signal() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// forget drops closed entries from memory when there are many; b.mu is held.
func (b *book) forget() {
	if len(b.entries) <= maxClosed {
		return
	}
	for k, s := range b.entries {
		if !s.entry.Record.Open && s.written >= s.version && s.entry.Record.Pending == "" {
			delete(b.entries, k)
		}
	}
}

// silence keeps a silence and its event.
func (b *book) silence(s alerting.Silence, e ledger.Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	k := b.silences[s.ID]
	if k == nil {
		k = &keptSilence{}
		b.silences[s.ID] = k
	}
	k.silence, k.version = s, b.version+1 // which change makes it
	b.change(nil, []ledger.Event{e})
	b.forgetSilences(time.Now())
}

// forgetSilences drops ended silences of which nothing waits to be written: those that are too old, and the oldest of too many; b.mu
// is held.
func (b *book) forgetSilences(now time.Time) {
	var past []*keptSilence
	for id, k := range b.silences {
		switch {
		case k.written < k.version || k.silence.EndsAt.After(now):
		case now.Sub(k.silence.EndsAt) > alerting.SilenceKept:
			delete(b.silences, id)
		default:
			past = append(past, k)
		}
	}
	if len(past) <= maxEnded {
		return
	}
	slices.SortFunc(past, func(x, y *keptSilence) int { return x.silence.EndsAt.Compare(y.silence.EndsAt) })
	for _, k := range past[:len(past)-maxEnded] {
		delete(b.silences, k.silence.ID)
	}
}

// past are the silences that ended and are still kept, the last ended first.
func (b *book) past(now time.Time) (out []alerting.Silence) {
	b.mu.Lock()
	for _, k := range b.silences {
		if s := k.silence; !s.EndsAt.After(now) && now.Sub(s.EndsAt) <= alerting.SilenceKept {
			out = append(out, s)
		}
	}
	b.mu.Unlock()
	slices.SortFunc(out, func(x, y alerting.Silence) int { return cmp.Or(y.EndsAt.Compare(x.EndsAt), cmp.Compare(x.ID, y.ID)) })
	return out
}

// record returns what is known under a key.
func (b *book) record(key string) (alerting.Record, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s, ok := b.entries[key]
	if !ok {
		return alerting.Record{}, false
	}
	return s.entry.Record, true
}

// records returns all open records.
func (b *book) records() []alerting.Record {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []alerting.Record
	for _, k := range slices.Sorted(maps.Keys(b.entries)) {
		if r := b.entries[k].entry.Record; r.Open {
			out = append(out, r)
		}
	}
	return out
}

// history asks the ledger, where there is one.
func (b *book) history(ctx context.Context, q ledger.Query) ([]ledger.Event, error) {
	b.mu.Lock()
	store := b.store
	b.mu.Unlock()
	if store == nil {
		return nil, errNoLedger
	}
	return store.History(ctx, q)
}

var errNoLedger = errors.New("dispatch: there is no ledger to ask")

// status says whether all is durable, since when that is so or not, and how many events gave way.
func (b *book) status() (durable bool, since time.Time, dropped uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.durable, b.changed, b.dropped
}

// standsIn says where the ledger is while it cannot be where it should, and why; empty in good times.
func (b *book) standsIn() (where, why string) {
	b.mu.Lock()
	store, ok := b.store.(ledger.Standing)
	b.mu.Unlock()
	if !ok {
		return "", ""
	}
	where, err := store.StandsIn()
	if err == nil {
		return "", ""
	}
	return where, err.Error()
}

// outcome notes how a try ended, and logs when that changed; b.mu is held.
func (b *book) outcome(err error) {
	if b.durable == (err == nil) {
		return
	}
	b.durable, b.changed = err == nil, time.Now()
	if err != nil {
		b.log.Error("ledger not durable, pages go out all the same", "err", err)
	} else {
		b.log.Info("ledger durable again")
	}
}
