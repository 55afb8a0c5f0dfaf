package door

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Bounds of connections.
const (
	mostConns  = 4096
	fewest     = 8
	spareFiles = 32 // descriptors that stay for the pager, the ledger and the collectors

	statsdShare = 4 // StatsD over TCP may use one in so many
)

// conns is a listener that keeps descriptors free for the pager: above its limit each new connection takes the place
// of one that does nothing, or of the one whose request has been coming in for longest. So a thousand slow senders
// cannot keep a person from the board.
type conns struct {
	net.Listener
	limit int
	log   *slog.Logger

	mu   sync.Mutex
	open map[net.Conn]*conn
}

// phase is what a connection is at; the earlier ones make room first.
type phase uint8

const (
	idle      phase = iota
	fresh           // nothing came yet
	reading         // a request comes in
	streaming       // a page is kept live; its browser comes back
	working         // a request is answered
)

type conn struct {
	net.Conn
	of    *conns
	from  string
	mu    sync.Mutex
	at    phase
	since time.Time
}

func newConns(l net.Listener, limit int, log *slog.Logger) *conns {
	return &conns{Listener: l, limit: limit, log: log, open: map[net.Conn]*conn{}}
}

// connLimit is how many connections may be open: what the process may open, less what it has open and what stays free.
// The Go runtime has raised the limit to the hard one at start. Source: os/rlimit.go of Go 1.26.
func connLimit() int {
	most, used := files()
	if most == 0 {
		return mostConns
	}
	return min(max(most-used-spareFiles-most/statsdShare, fewest), mostConns)
}

// Accept implements net.Listener. net/http goes on after an error that passes, such as EMFILE.
func (c *conns) Accept() (net.Conn, error) {
	for {
		nc, err := c.Listener.Accept()
		if err != nil {
			if passes(err) {
				c.evict() // a descriptor comes free at once
			}
			return nil, err
		}
		n := &conn{Conn: nc, of: c, from: address(nc.RemoteAddr().String()), at: fresh, since: time.Now()}
		c.mu.Lock()
		full := len(c.open) >= c.limit
		c.open[n] = n
		c.mu.Unlock()
		if full && !c.evict() {
			_ = n.Close()
			c.log.Warn("connection refused: all are in use", "limit", c.limit, "from", n.from)
			continue
		}
		return n, nil
	}
}

// evict closes the connection that is least of use, and says whether there was one.
func (c *conns) evict() bool {
	c.mu.Lock()
	by := map[string]int{}
	for _, n := range c.open {
		by[n.from]++
	}
	var worst *conn
	var worstAt phase
	var worstSince time.Time
	newest := time.Now().Add(-50 * time.Millisecond)
	for _, n := range c.open {
		n.mu.Lock()
		at, since := n.at, n.since
		n.mu.Unlock()
		if at == working || since.After(newest) {
			continue
		}
		switch {
		case worst == nil, at < worstAt,
			at == worstAt && by[n.from] > by[worst.from],
			at == worstAt && by[n.from] == by[worst.from] && since.Before(worstSince):
			worst, worstAt, worstSince = n, at, since
		}
	}
	c.mu.Unlock()
	if worst == nil {
		return false
	}
	c.log.Warn("connection closed to make room", "limit", c.limit, "from", worst.from)
	_ = worst.Close()
	return true
}

// Close implements net.Conn.
func (n *conn) Close() error {
	n.of.mu.Lock()
	delete(n.of.open, n)
	n.of.mu.Unlock()
	return n.Conn.Close()
}

func (n *conn) is(at phase) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.at != at {
		n.at, n.since = at, time.Now()
	}
}

// ReadFrom lets net/http send files without a copy.
func (n *conn) ReadFrom(r io.Reader) (int64, error) { return io.Copy(n.Conn, r) }

type connKey struct{}

// context is the http.Server's ConnContext.
func (c *conns) context(ctx context.Context, nc net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c.find(nc))
}

// state is the http.Server's ConnState.
func (c *conns) state(nc net.Conn, s http.ConnState) {
	n := c.find(nc)
	if n == nil {
		return
	}
	switch s {
	case http.StateActive:
		n.is(reading)
	case http.StateIdle:
		n.is(idle)
	}
}

// find returns our own connection, which TLS wraps.
func (c *conns) find(nc net.Conn) *conn {
	if t, ok := nc.(interface{ NetConn() net.Conn }); ok {
		nc = t.NetConn()
	}
	n, _ := nc.(*conn)
	return n
}

// track notes when a request is in whole and its handler works: such a connection is not closed to make room. One
// with a body counts as reading until the body has ended.
func (c *conns) track(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n, _ := r.Context().Value(connKey{}).(*conn); n != nil {
			switch {
			case strings.HasPrefix(r.URL.Path, "/live/"):
				n.is(streaming)
			case r.Body == nil || r.Body == http.NoBody:
				n.is(working)
			default:
				body := &trackedBody{ReadCloser: r.Body, n: n}
				r.Body = body
				defer body.leave(w)
			}
		}
		next.ServeHTTP(w, r)
	})
}

type trackedBody struct {
	io.ReadCloser
	n    *conn
	over bool
}

func (b *trackedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF {
		b.over = true
		b.n.is(working)
	}
	return n, err
}

// leaveTime is for what of a body is still to come when its request has been answered.
const leaveTime = time.Second

// leave bounds how long the server waits for the rest of a body that nobody read: it sends no answer before, and a client may
// say that there is more than it ever sends.
func (b *trackedBody) leave(w http.ResponseWriter) {
	if !b.over {
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(leaveTime))
	}
}

// passes says whether an error of Accept may be gone the next time.
func passes(err error) bool {
	var t interface{ Temporary() bool }
	ne, ok := err.(net.Error)
	if ok {
		t, _ = ne.(interface{ Temporary() bool })
	}
	return t != nil && t.Temporary()
}
