package pagers

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"sync"
	"time"

	"github.com/navcloud/binnacle/alerting"
)

const (
	copyFor   = time.Hour // what was not accepted by then is dropped, and said
	copyFirst = 5 * time.Second
	copyMost  = 2 * time.Minute
	maxCopies = 500
	maxSeen   = 5000
)

// copies is what one pager is sent besides the first of a route: in order, each until it is accepted. What the first pager of
// the route accepts is delivered, whatever becomes of a copy.
type copies struct {
	name   string
	pager  Sender
	log    *slog.Logger
	ctx    context.Context
	cancel context.CancelFunc

	mu      sync.Mutex
	queue   []waiting
	running chan struct{}        // closed as run ends; nil while it does not run
	seen    map[string]time.Time // actions that are in the queue or were accepted: the router repeats what the first did not accept
	calls   map[string]bool      // incidents that this pager was called for by an escalation or as second

	path           string // of the file that keeps this; empty: nothing is kept
	version, saved uint64
	saving         bool
	failing        bool
	written        chan struct{} // closed as save ends
}

func newCopies(name string, p Sender, log *slog.Logger) *copies {
	c := &copies{name: name, pager: p, log: log.With("pager", name), seen: map[string]time.Time{}, calls: map[string]bool{}, written: make(chan struct{})}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	return c
}

func (c *copies) close() { c.cancel() }

// idle is closed once nothing is being sent.
func (c *copies) idle() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running == nil {
		done := make(chan struct{})
		close(done)
		return done
	}
	return c.running
}

// ident tells one action from another, however often it is repeated.
func ident(a alerting.Action) string {
	sum := sha256.Sum256([]byte(a.Kind.String() + " " + a.Key + " " + a.Page.Sentence + a.Text))
	return hex.EncodeToString(sum[:12])
}

// put queues an action once.
func (c *copies) put(a alerting.Action) {
	c.mu.Lock()
	defer c.mu.Unlock()
	id := ident(a)
	if _, seen := c.seen[id]; seen || c.ctx.Err() != nil {
		return
	}
	if len(c.queue) >= maxCopies {
		c.log.Warn("copy dropped: too many wait", "action", a.Kind.String(), "key", a.Key)
		return
	}
	if len(c.seen) >= maxSeen {
		clear(c.seen)
	}
	c.seen[id] = time.Now()
	if a.Kind == alerting.Resolve { // the next incident of this key may say the same
		for _, k := range []alerting.ActionKind{alerting.Trigger, alerting.Retitle} {
			b := a
			b.Kind = k
			delete(c.seen, ident(b))
		}
	}
	c.queue = append(c.queue, waiting{a, time.Now()})
	c.changed()
	c.wake()
}

// wake has the queue sent; c.mu is held.
func (c *copies) wake() {
	if c.running == nil && len(c.queue) > 0 && c.ctx.Err() == nil {
		c.running = make(chan struct{})
		go c.run()
	}
}

// called notes that the pager was called for an incident.
func (c *copies) called(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.calls[key] {
		return
	}
	if len(c.calls) >= maxSeen {
		clear(c.calls)
	}
	c.calls[key] = true
	c.changed()
}

func (c *copies) has(key string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.calls[key]
}

// resolve has an incident resolved that the pager was called for.
func (c *copies) resolve(a alerting.Action) {
	if !c.has(a.Key) {
		return
	}
	c.put(a)
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.calls, a.Key)
	c.changed()
}

func (c *copies) run() {
	wait := copyFirst
	for {
		c.mu.Lock()
		if len(c.queue) == 0 || c.ctx.Err() != nil {
			close(c.running)
			c.running = nil
			c.mu.Unlock()
			return
		}
		w := c.queue[0]
		c.mu.Unlock()
		r := c.pager.Send(c.ctx, w.Action)
		old := time.Since(w.Since) > copyFor
		if r.Outcome != alerting.Accepted && r.Outcome != alerting.Refused && !old {
			select {
			case <-time.After(max(wait, r.After)):
			case <-c.ctx.Done():
			}
			wait = min(2*wait, copyMost)
			continue
		}
		if r.Outcome != alerting.Accepted {
			if c.ctx.Err() != nil {
				continue // the process ends: it goes on with the next one
			}
			c.log.Warn("copy not accepted", "action", w.Action.Kind.String(), "key", w.Action.Key, "outcome", r.Outcome.String(), "detail", r.Detail)
		}
		wait = copyFirst
		c.mu.Lock()
		c.queue = c.queue[1:]
		c.changed()
		c.mu.Unlock()
	}
}
