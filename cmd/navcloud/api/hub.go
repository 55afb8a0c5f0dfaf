package api

import (
	"container/list"
	"context"
	"sync"
	"time"
)

// lateSlack is how much later than half the balancer's idle time-out a heartbeat may come before it
// counts as late: timers and a busy machine take some of it without harm.
const lateSlack = time.Second

// hub holds the streams of this node. Delivery writes to sockets without waiting, so that one
// goroutine serves all of them and a stream costs one goroutine that waits for its end.
type hub struct {
	cfg Config
	tel *telemetry

	mu     sync.RWMutex
	users  map[string]map[*stream]struct{}
	order  list.List // of *stream, the next heartbeat first: all have the same period
	closed bool
	wake   chan struct{} // the first of order changed
	ends   sync.WaitGroup
}

func newHub(cfg Config, tel *telemetry) *hub {
	return &hub{cfg: cfg, tel: tel, users: map[string]map[*stream]struct{}{}, wake: make(chan struct{}, 1)}
}

// add takes a stream in, and from here on it gets what is delivered. False: the node is closing.
func (h *hub) add(s *stream) bool {
	h.mu.Lock()
	if h.closed {
		h.mu.Unlock()
		return false
	}
	set := h.users[s.user]
	if set == nil {
		set = make(map[*stream]struct{}, 1)
		h.users[s.user] = set
	}
	set[s] = struct{}{}
	s.due = time.Now().Add(h.cfg.Heartbeat)
	s.place = h.order.PushBack(s)
	first := h.order.Len() == 1
	h.ends.Add(1)
	h.mu.Unlock()
	h.tel.count("streams.opened", 1)
	if first {
		select {
		case h.wake <- struct{}{}:
		default:
		}
	}
	return true
}

// remove takes a stream out, once, and counts why it ended.
func (h *hub) remove(s *stream, reason string) {
	h.mu.Lock()
	_, ok := h.users[s.user][s]
	if ok {
		delete(h.users[s.user], s)
		if len(h.users[s.user]) == 0 {
			delete(h.users, s.user)
		}
		h.order.Remove(s.place)
	}
	h.mu.Unlock()
	if ok {
		h.tel.count("streams.closed", 1, "reason:"+reason)
		h.ends.Done()
	}
}

func (h *hub) len() int {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.order.Len()
}

// deliver writes a chunk to every stream of user.
func (h *hub) deliver(user string, chunk []byte) {
	h.mu.RLock()
	to := make([]*stream, 0, len(h.users[user]))
	for s := range h.users[user] {
		to = append(to, s)
	}
	h.mu.RUnlock()
	delivered, slow, closed := 0, 0, 0
	for _, s := range to {
		switch s.write(chunk) {
		case nil:
			delivered++
		case errSlow:
			slow++
		default:
			closed++
		}
	}
	h.tel.count("events.expected", len(to))
	h.tel.count("events.delivered", delivered)
	h.tel.count("events.dropped", slow, "reason:slow")
	h.tel.count("events.dropped", closed, "reason:closed")
}

// beat sends heartbeats until ctx ends.
func (h *hub) beat(ctx context.Context) {
	timer := time.NewTimer(h.cfg.Heartbeat)
	defer timer.Stop()
	for {
		s, wait := h.next(time.Now())
		if s != nil {
			h.heartbeat(s)
			continue
		}
		timer.Reset(wait)
		select {
		case <-ctx.Done():
			return
		case <-h.wake:
		case <-timer.C:
		}
	}
}

// next returns the stream whose heartbeat is due and puts it at the end of the order, or else the
// time until there is one.
func (h *hub) next(now time.Time) (*stream, time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	e := h.order.Front()
	if e == nil {
		return nil, h.cfg.Heartbeat
	}
	s := e.Value.(*stream)
	if wait := s.due.Sub(now); wait > 0 {
		return nil, wait
	}
	s.due = now.Add(h.cfg.Heartbeat)
	h.order.MoveToBack(e)
	return s, 0
}

var heartbeatChunk = []byte("1\r\n\n\r\n") // an empty line

func (h *hub) heartbeat(s *stream) {
	silent := s.silent()
	if s.write(heartbeatChunk) != nil {
		return
	}
	h.tel.count("heartbeats.sent", 1)
	if silent > max(h.cfg.Heartbeat, h.cfg.IdleTimeout/2)+lateSlack {
		h.tel.count("heartbeats.late", 1)
	}
}

// closeAll ends all streams in good order and waits for their goroutines. Later adds are refused.
func (h *hub) closeAll() {
	h.mu.Lock()
	h.closed = true
	all := make([]*stream, 0, h.order.Len())
	for e := h.order.Front(); e != nil; e = e.Next() {
		all = append(all, e.Value.(*stream))
	}
	h.mu.Unlock()
	for _, s := range all {
		_ = s.write([]byte("0\r\n\r\n"))
		s.end("shutdown")
	}
	h.ends.Wait()
}
