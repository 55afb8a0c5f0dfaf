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

	b.mu.Lock()
	batch, slots, version := b.dirty()
	store := b.store
	b.mu.Unlock()

	var revs []uint64
	if err == nil && store != nil {
		revs, err = b.try(store, batch)
	}

	b.mu.Lock()
	defer b.mu.Unlock()
	b.busy = time.Time{}
	b.tried = version
	if err == nil {
		b.settle(batch, slots, revs, version)
	} else {
		b.events = append(batch.Events, b.events...)
		b.trim()
	}
	b.outcome(err)
	close(b.ended)
	b.ended = make(chan struct{})
}

// settle notes what is durable now; b.mu is held.
func (b *book) settle(batch ledger.Batch, slots []*slot, revs []uint64, version uint64) {
	for i, s := range slots {
		if len(revs) > 0 {
			s.entry.Revision = max(s.entry.Revision, revs[i]) // a follower may have heard of it first
		}
		s.written = max(s.written, version)
	}
	for _, s := range batch.Silences {
		if b.silences[s.ID].UpdatedAt.Equal(s.UpdatedAt) {
			delete(b.silences, s.ID)
		}
	}
	b.written = version
}

// dirty collects what is to be written, and takes the events out; b.mu is held.
func (b *book) dirty() (batch ledger.Batch, slots []*slot, version uint64) {
	for _, s := range b.entries {
		if s.version > s.written {
			batch.Entries = append(batch.Entries, s.entry)
			slots = append(slots, s)
		}
	}
	for _, s := range b.silences {
		batch.Silences = append(batch.Silences, s)
	}
	batch.Events, b.events = b.events, nil
	return batch, slots, b.version
}

// try writes batch, and takes over the stored revisions where they are not as expected: memory is newer.
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
	case errors.Is(err, ledger.ErrConflict):
		st, lerr := store.Load(ctx)
		if lerr != nil {
			return nil, errors.Join(err, lerr)
		}
		b.mu.Lock()
		b.adopt(st)
		b.mu.Unlock()
		b.signal()
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
