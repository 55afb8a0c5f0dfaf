package dispatch

import (
	"context"
	"errors"
	"time"

	"github.com/navcloud/binnacle/alerting/ledger"
)

// run writes what changed until ctx ends, and then once more.
func (b *book) run(ctx context.Context) {
	retry := time.NewTicker(retryLedger)
	defer retry.Stop()
	for {
		select {
		case <-b.wake:
		case <-retry.C:
			if b.clean() {
				continue
			}
		case <-ctx.Done():
			b.write()
			b.close()
			return
		}
		b.write()
	}
}

// clean says that nothing waits to be written and the ledger is open.
func (b *book) clean() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return (b.store != nil || b.open == nil) && b.written == b.version && b.durable
}

func (b *book) close() {
	b.mu.Lock()
	store, l := b.store, b.lease
	b.store = nil
	b.mu.Unlock()
	if store == nil {
		return
	}
	if l.Token > 0 {
		_ = store.Release(context.Background(), l) // it runs out by itself
	}
	if err := store.Close(); err != nil {
		b.log.Warn("closing the ledger failed", "err", err)
	}
}

// write makes one try to write all that is dirty.
func (b *book) write() {
	b.mu.Lock()
	b.busy = time.Now()
	b.mu.Unlock()

	err := b.reopen()
	version, wrote := b.writeDirty(err)

	b.mu.Lock()
	defer b.mu.Unlock()
	b.busy = time.Time{}
	b.tried = version
	b.outcome(wrote)
	close(b.ended)
	b.ended = make(chan struct{})
}

// maxTries bounds how often one write begins anew since the ledger was begun anew or another wrote to it.
const maxTries = 3

// writeDirty writes what is dirty, where the ledger could be opened, and returns up to which version it tried.
func (b *book) writeDirty(opened error) (version uint64, err error) {
	for n := 1; ; n++ {
		b.mu.Lock()
		batch, slots, silences, version := b.dirty()
		store := b.store
		b.mu.Unlock()

		var revs []uint64
		err := opened
		if err == nil && store != nil {
			revs, err = b.try(store, batch)
		}

		b.mu.Lock()
		if err == nil {
			b.settle(slots, silences, revs, version)
		} else {
			b.events = append(batch.Events, b.events...)
			b.trim()
		}
		b.mu.Unlock()
		if again := errors.Is(err, ledger.ErrMended) || errors.Is(err, ledger.ErrConflict); !again || n == maxTries {
			return version, err
		}
		if lerr := b.reload(store); lerr != nil {
			return version, errors.Join(err, lerr)
		}
	}
}

// reload takes over what the ledger holds now. Memory is newer.
func (b *book) reload(store ledger.Ledger) error {
	st, err := store.Load(context.Background())
	if err != nil {
		return err
	}
	b.mu.Lock()
	b.readopt(st)
	b.mu.Unlock()
	b.signal()
	return nil
}

// settle notes what is durable now; b.mu is held.
func (b *book) settle(slots []*slot, silences []*keptSilence, revs []uint64, version uint64) {
	for i, s := range slots {
		if len(revs) > 0 {
			s.entry.Revision = max(s.entry.Revision, revs[i]) // a follower may have heard of it first
		}
		s.written = max(s.written, version)
	}
	for _, s := range silences {
		s.written = max(s.written, version)
	}
	b.written = version
}

// dirty collects what is to be written, and takes the events out; b.mu is held.
func (b *book) dirty() (batch ledger.Batch, slots []*slot, silences []*keptSilence, version uint64) {
	for _, s := range b.entries {
		if s.version > s.written {
			batch.Entries = append(batch.Entries, s.entry)
			slots = append(slots, s)
		}
	}
	for _, s := range b.silences {
		if s.version > s.written {
			batch.Silences = append(batch.Silences, s.silence)
			silences = append(silences, s)
		}
	}
	batch.Events, b.events = b.events, nil
	return batch, slots, silences, b.version
}

// try writes batch.
func (b *book) try(store ledger.Ledger, batch ledger.Batch) ([]uint64, error) {
	ctx := context.Background()
	lease, err := b.leaseFor(ctx, store)
	if err != nil {
		return nil, err
	}
	revs, err := store.Write(ctx, lease, batch)
	switch {
	case errors.Is(err, ledger.ErrFenced) && b.shared:
		b.turn(ledger.Lease{}, false)
	case errors.Is(err, ledger.ErrFenced):
		b.setLease(ledger.Lease{})
	}
	return revs, err
}

// leaseFor is the lease to write under: one that is held for the time being, or where the ledger is shared that which
// hold keeps. A router that does not send writes what people did under none.
func (b *book) leaseFor(ctx context.Context, store ledger.Ledger) (ledger.Lease, error) {
	b.mu.Lock()
	l, standby := b.lease, b.standby
	b.mu.Unlock()
	switch {
	case b.shared && !standby && l.Token == 0:
		return l, errNoLease
	case b.shared || time.Until(l.Until) >= leaseTTL/2:
		return l, nil
	}
	l, err := store.Acquire(ctx, b.holder, leaseTTL)
	if err == nil {
		b.setLease(l)
	}
	return l, err
}

func (b *book) setLease(l ledger.Lease) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lease = l
}

// reopen opens a ledger that was not there at the start. What it holds of an earlier life and memory does
// not know goes to the router.
func (b *book) reopen() error {
	b.mu.Lock()
	there := b.store != nil || b.open == nil
	b.mu.Unlock()
	if there {
		return nil
	}
	_, unknown, err := b.connect()
	if err != nil {
		return err
	}
	if len(unknown) > 0 {
		b.late <- unknown // once in a life, into room for one
	}
	return nil
}
