package dashboards

import (
	"context"
	"maps"
	"sync"
	"time"
)

// Memo remembers answers for a moment, so that many open pages cost the store no more than one. Who asks for what is
// being worked out waits for it. A costly answer is remembered for longer: working it out takes at most a twentieth of the time.
// Answers are shared: nobody may change one.
type Memo struct {
	mu     sync.Mutex
	kept   map[string]*answer
	behind chan func(context.Context) // nil: nobody works behind
}

type answer struct {
	once  sync.Once
	at    time.Time
	until time.Time
	v     any
	dear  bool // it is there, and took long
	asked bool // for the one after it, behind
}

// An answer is remembered for costs times as long as it took, and for longest at most.
const (
	costs   = 20
	longest = time.Minute
)

// An answer that took this long is given for some minutes more, while the next one is worked out behind it.
const (
	dear  = 100 * time.Millisecond
	stale = 5 * time.Minute
)

// maxKept bounds what is remembered: the addresses that people make up are many.
const maxKept = 64

// Get returns what work returned for this key at most ttl before now, or as long before as its cost asks for. The answer is for all who wait for it, so that
// work does not end with the first of them, but after limit.
func (m *Memo) Get(ctx context.Context, key string, now time.Time, ttl, limit time.Duration, work func(context.Context) any) any {
	m.mu.Lock()
	a := m.kept[key]
	if a == nil || !now.Before(a.until) || now.Before(a.at) {
		m.forget(now)
		a = &answer{at: now, until: now.Add(ttl)}
		m.kept[key] = a
	}
	m.mu.Unlock()
	a.once.Do(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
		defer cancel()
		begun := time.Now()
		a.v = work(ctx)
		m.keep(a, time.Since(begun))
	})
	return a.v
}

// Last is Get for what may be some minutes old: where Work runs, nobody waits for a dear answer that was given within five
// minutes. They get that one, and the next is worked out behind.
func (m *Memo) Last(ctx context.Context, key string, now time.Time, ttl, limit time.Duration, work func(context.Context) any) any {
	m.mu.Lock()
	a := m.kept[key]
	if m.behind == nil || a == nil || !a.dear || now.Before(a.until) || now.Before(a.at) || now.Sub(a.at) >= stale {
		m.mu.Unlock()
		return m.Get(ctx, key, now, ttl, limit, work)
	}
	defer m.mu.Unlock()
	if a.asked {
		return a.v
	}
	select {
	case m.behind <- func(ctx context.Context) { m.renew(ctx, key, a, now, ttl, limit, work) }:
		a.asked = true
	default: // many wait; who asks next tries again
	}
	return a.v
}

// renew works out what comes after a.
func (m *Memo) renew(ctx context.Context, key string, a *answer, now time.Time, ttl, limit time.Duration, work func(context.Context) any) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	begun := time.Now()
	next := &answer{at: now, until: now.Add(ttl), v: work(ctx)}
	next.once.Do(func() {}) // it is worked out
	m.keep(next, time.Since(begun))
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.kept[key] == a {
		m.kept[key] = next
	}
}

// Work works behind those who ask for the last answer, one at a time, until ctx ends.
func (m *Memo) Work(ctx context.Context) {
	behind := make(chan func(context.Context), maxKept)
	set := func(c chan func(context.Context)) {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.behind = c
	}
	set(behind)
	defer set(nil)
	for {
		select {
		case <-ctx.Done():
			return
		case f := <-behind:
			f(ctx)
		}
	}
}

// keep remembers an answer for as long as its cost asks for.
func (m *Memo) keep(a *answer, took time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	a.dear = took >= dear
	if until := a.at.Add(min(costs*took, longest)); until.After(a.until) {
		a.until = until
	}
}

// forget makes room: what is over goes first, and all when that was not enough; m.mu is held.
func (m *Memo) forget(now time.Time) {
	if len(m.kept) >= maxKept {
		maps.DeleteFunc(m.kept, func(_ string, a *answer) bool { return !now.Before(a.until) })
	}
	if m.kept == nil || len(m.kept) >= maxKept {
		m.kept = map[string]*answer{}
	}
}
