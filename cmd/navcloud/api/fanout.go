package api

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// fanout passes events on to the other nodes and gives back theirs.
type fanout interface {
	run(ctx context.Context) error
	publish(line []byte)          // never waits
	drain(patience time.Duration) // returns when all is sent, or after patience; what is left counts as dropped
	connected() bool
}

func newFanout(cfg Config, tel *telemetry, receive func([]byte)) (fanout, error) {
	l := &link{cfg: cfg, tel: tel, receive: receive, out: newOutbox(tel)}
	switch scheme, rest, _ := strings.Cut(cfg.Broker, "://"); scheme {
	case "":
		return alone{}, nil
	case "amqp", "amqps":
		l.session = l.amqpSession
	case "bus":
		l.session = func(ctx context.Context, up func()) error { return l.busSession(ctx, rest, up) }
	default:
		return nil, fmt.Errorf("broker: want amqp://, amqps:// or bus://, have %q", cfg.Broker)
	}
	return l, nil
}

// alone is the fan-out of a node that has no others.
type alone struct{}

func (alone) run(ctx context.Context) error { <-ctx.Done(); return nil }
func (alone) publish([]byte)                {}
func (alone) drain(time.Duration)           {}
func (alone) connected() bool               { return true }

// Reconnecting: soon at first, since users miss events meanwhile, and spread, since all nodes lose
// the broker at once.
const (
	reconnectFirst = 200 * time.Millisecond
	reconnectMost  = 3 * time.Second
)

// link keeps one session to a broker up, with an outbox in front of it.
type link struct {
	cfg     Config
	tel     *telemetry
	receive func([]byte) // keeps nothing of its argument
	out     *outbox
	session func(ctx context.Context, up func()) error // one connection, until it fails; calls up when it works

	mu sync.Mutex
	up bool
}

func (l *link) run(ctx context.Context) error {
	wait := backoff.NewExponentialBackOff()
	wait.InitialInterval, wait.MaxInterval = reconnectFirst, reconnectMost
	for ctx.Err() == nil {
		was := false
		err := l.session(ctx, func() {
			was = true
			l.setUp(true)
			wait.Reset()
			l.cfg.Log.Info("fan-out connected")
		})
		l.setUp(false)
		if ctx.Err() != nil {
			break
		}
		l.tel.count("broker.errors", 1, "op:"+map[bool]string{true: "lost", false: "connect"}[was])
		pause := wait.NextBackOff()
		l.cfg.Log.Warn("fan-out not connected", "err", err, "again_in", pause)
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
	return nil
}

func (l *link) setUp(up bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.up = up
}

func (l *link) connected() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.up
}

// publish counts an event that has to wait for a connection as an error of the broker: users at the
// other nodes wait too.
func (l *link) publish(line []byte) {
	if !l.connected() {
		l.tel.count("broker.errors", 1, "op:publish")
	}
	l.out.put(line)
}

func (l *link) drain(patience time.Duration) {
	if !l.connected() {
		patience = 0
	}
	l.out.drain(patience)
}

// maxOutbox bounds what waits for the broker: at 100 events/s some 100 s of it.
const maxOutbox = 10000

// outbox holds events until they are confirmed, in order. What was taken and not confirmed when a
// session ends is sent again by the next.
type outbox struct {
	tel  *telemetry
	mu   sync.Mutex
	wait [][]byte
	sent [][]byte      // taken, not confirmed
	more chan struct{} // something waits
	none chan struct{} // all is confirmed
}

func newOutbox(tel *telemetry) *outbox {
	return &outbox{tel: tel, more: make(chan struct{}, 1), none: make(chan struct{}, 1)}
}

func notify(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// put adds an event; when there are too many the oldest that was not sent yet gives way.
func (o *outbox) put(line []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.wait)+len(o.sent) >= maxOutbox && len(o.wait) > 0 {
		o.wait = o.wait[1:]
		o.tel.count("events.dropped", 1, "reason:broker")
	}
	o.wait = append(o.wait, line)
	notify(o.more)
}

// waiting says whether something waits to be sent.
func (o *outbox) waiting() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.wait) > 0
}

// take returns the next event to send, nil when none waits.
func (o *outbox) take() []byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.wait) == 0 {
		return nil
	}
	line := o.wait[0]
	o.wait = o.wait[1:]
	o.sent = append(o.sent, line)
	return line
}

// confirm says that the oldest n events taken have arrived.
func (o *outbox) confirm(n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.sent = o.sent[n:]
	if len(o.sent)+len(o.wait) == 0 {
		notify(o.none)
	}
}

// again puts what was taken and not confirmed back in front.
func (o *outbox) again() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.wait = append(o.sent, o.wait...)
	o.sent = nil
	if len(o.wait) > 0 {
		notify(o.more)
	}
}

func (o *outbox) drain(patience time.Duration) {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		o.mu.Lock()
		left := len(o.wait) + len(o.sent)
		o.mu.Unlock()
		if left == 0 {
			return
		}
		select {
		case <-o.none:
		case <-timer.C:
			o.tel.count("events.dropped", left, "reason:broker")
			return
		}
	}
}
