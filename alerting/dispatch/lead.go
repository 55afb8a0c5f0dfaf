package dispatch

import (
	"context"
	"errors"
	"time"

	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/ledger"
)

// renewEvery is how often the sending router renews its lease, and the others ask for it.
const renewEvery = 1500 * time.Millisecond

var errNoLease = errors.New("dispatch: no lease, the ledger was out of reach")

// sends says whether this router is the one that sends: always, where it has a ledger of its own.
func (b *book) sends() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.standby
}

// Sends says whether this router is the one of its fleet that sends; one alone is.
func (d *Dispatcher) Sends() bool { return d.book.sends() }

// hold keeps or seeks the lease of a shared ledger until ctx ends.
func (b *book) hold(ctx context.Context) {
	if !b.shared {
		return
	}
	ticker := time.NewTicker(renewEvery)
	defer ticker.Stop()
	contact := time.Now()
	for {
		b.seek(ctx, &contact)
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// seek asks for the lease once. contact is when the ledger last answered: without it for as long as a lease lasts, this
// router sends, whatever the others do. Two triggers with one key are a line in a log, a lost page is an outage.
func (b *book) seek(ctx context.Context, contact *time.Time) {
	b.mu.Lock()
	store := b.store
	b.mu.Unlock()
	err := errNoLedger
	var l ledger.Lease
	if store != nil {
		l, err = store.Acquire(ctx, b.holder, leaseTTL)
	}
	switch {
	case ctx.Err() != nil:
	case err == nil:
		*contact = time.Now()
		b.turn(l, true)
	case errors.Is(err, ledger.ErrHeld):
		*contact = time.Now()
		b.turn(ledger.Lease{}, false)
	case time.Since(*contact) >= leaseTTL:
		b.turn(ledger.Lease{}, true)
	}
}

// turn notes who sends, and tells the router when that changed.
func (b *book) turn(l ledger.Lease, sends bool) {
	b.mu.Lock()
	changed := b.standby == sends
	b.lease, b.standby = l, !sends
	if changed && !sends {
		b.giveUp()
		if b.again != nil {
			b.again()
		}
	}
	b.mu.Unlock()
	if !changed {
		return
	}
	b.log.Info("sending", "on", sends, "lease", l.Token > 0)
	b.tell(alerting.Leads{On: sends})
}

// giveUp forgets what was decided here and is not in the ledger: it was not carried out, and is another's to decide.
// b.mu is held.
func (b *book) giveUp() {
	for key, s := range b.entries {
		if s.version > s.written {
			delete(b.entries, key)
		}
	}
}

// tell hands inputs of the other routers to the loop.
func (b *book) tell(in ...alerting.Input) {
	select {
	case b.others <- in:
	case <-b.done:
	}
}

// follow learns what the other routers write until ctx ends.
func (b *book) follow(ctx context.Context) {
	for b.shared && ctx.Err() == nil {
		b.mu.Lock()
		store, _ := b.store.(ledger.Follower)
		one, stop := context.WithCancel(ctx)
		b.again = stop // what was given up is learnt anew
		b.mu.Unlock()
		if store != nil {
			if err := store.Follow(one, b.learn); err != nil && one.Err() == nil {
				b.log.Warn("the other routers' decisions are out of reach", "err", err)
			}
		}
		select {
		case <-time.After(renewEvery):
		case <-ctx.Done():
		}
		stop()
	}
}

// learn takes over what was written, by whom ever. Of the router that sends, memory is the truth: it takes only what a
// person did at another one.
func (b *book) learn(st ledger.State) {
	var in []alerting.Input
	b.mu.Lock()
	for _, e := range st.Entries {
		s := b.entries[e.Record.Key]
		if e.Shadow != b.shadow || s != nil && e.Revision <= s.entry.Revision {
			continue
		}
		if s == nil {
			s = &slot{}
			b.entries[e.Record.Key] = s
		}
		switch was := s.entry.Record; {
		case b.standby:
			s.entry, s.version = e, s.written
			in = append(in, alerting.Recorded{Record: e.Record})
		case was.Key == "": // of a life before
			s.entry = e
			in = append(in, alerting.Recorded{Record: e.Record})
		default:
			s.entry.Revision = e.Revision
			if e.Record.AckedAt.After(was.AckedAt) {
				s.entry.Record.AckedBy, s.entry.Record.AckedAt = e.Record.AckedBy, e.Record.AckedAt
				in = append(in, alerting.Acked{Key: e.Record.Key, By: e.Record.AckedBy})
			}
		}
	}
	for _, x := range st.Silences {
		own := b.silences[x.ID]
		if own != nil && own.version > own.written {
			continue
		}
		b.silences[x.ID] = &keptSilence{silence: x}
		in = append(in, alerting.Silenced{Silence: x})
	}
	b.mu.Unlock()
	if len(in) > 0 {
		b.tell(in...)
	}
}
