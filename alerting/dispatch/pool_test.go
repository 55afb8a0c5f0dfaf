package dispatch

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/navcloud/binnacle/alerting/ledger"
)

// pool is a ledger that routers share, in memory.
type pool struct {
	mu      sync.Mutex
	seq     uint64
	holder  string
	token   uint64
	until   time.Time
	entries map[string]ledger.Entry
	changed chan struct{}
}

func newPool() *pool { return &pool{entries: map[string]ledger.Entry{}, changed: make(chan struct{})} }

// member is one router's way to the pool.
type member struct {
	*pool
	cut *bool // guarded by the pool
}

var errCut = errors.New("cut off from the ledger")

func (m member) Acquire(_ context.Context, holder string, ttl time.Duration) (ledger.Lease, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	switch {
	case *m.cut:
		return ledger.Lease{}, errCut
	case m.holder != holder && now.Before(m.until):
		return ledger.Lease{}, ledger.ErrHeld
	case m.holder != holder || !now.Before(m.until):
		m.token++
	}
	m.holder, m.until = holder, now.Add(ttl)
	return ledger.Lease{Holder: holder, Token: m.token, Until: m.until}, nil
}

func (m member) Write(_ context.Context, l ledger.Lease, b ledger.Batch) ([]uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if *m.cut {
		return nil, errCut
	}
	if l.Token > 0 && (l.Token != m.token || !time.Now().Before(m.until)) {
		return nil, ledger.ErrFenced
	}
	for _, e := range b.Entries {
		if m.entries[e.Record.Key].Revision != e.Revision {
			return nil, ledger.ErrConflict
		}
	}
	var revs []uint64
	for _, e := range b.Entries {
		m.seq++
		e.Revision = m.seq
		m.entries[e.Record.Key] = e
		revs = append(revs, m.seq)
	}
	close(m.changed)
	m.changed = make(chan struct{})
	return revs, nil
}

func (m member) Load(context.Context) (ledger.State, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if *m.cut {
		return ledger.State{}, errCut
	}
	return ledger.State{Entries: slices.Collect(maps.Values(m.entries))}, nil
}

func (m member) Follow(ctx context.Context, changed func(ledger.State)) error {
	seen := uint64(0)
	for {
		m.mu.Lock()
		if *m.cut {
			m.mu.Unlock()
			return errCut
		}
		var st ledger.State
		for _, e := range m.entries {
			if e.Revision > seen {
				st.Entries = append(st.Entries, e)
			}
		}
		seen = m.seq
		wait := m.changed
		m.mu.Unlock()
		if len(st.Entries) > 0 {
			changed(st)
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return nil
		}
	}
}

func (m member) History(context.Context, ledger.Query) ([]ledger.Event, error) { return nil, nil }
func (m member) Release(context.Context, ledger.Lease) error                   { return nil }
func (m member) Close() error                                                  { return nil }
