package api

import (
	"container/list"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"syscall"
	"time"
)

// sendBuffer of a stream's socket, in bytes: what a client may be behind. The kernel takes memory only
// for what waits in it, so 10,000 quiet streams cost nothing here.
const sendBuffer = 128 << 10

var (
	errSlow   = errors.New("the client reads too slowly")
	errClosed = errors.New("the stream is closed")
)

// stream is one client's connection, taken over from net/http. Its goroutine waits for the client to
// go; writes come from whoever delivers and never wait.
type stream struct {
	hub  *hub
	user string
	conn net.Conn
	raw  syscall.RawConn

	due   time.Time     // of the next heartbeat; guarded by hub.mu
	place *list.Element // in hub.order; guarded by hub.mu

	mu     sync.Mutex
	last   time.Time // of the last write
	reason string    // why it is over, empty while it is not
}

// stream answers GET /v1/stream: events of the user, one JSON line each, and empty lines as heartbeats.
func (n *node) stream(w http.ResponseWriter, r *http.Request) {
	user := r.Header.Get(userField)
	if !legalName(user) {
		fail(w, http.StatusUnauthorized, userField+": is missing or not legal")
		return
	}
	if n.draining.Load() {
		fail(w, http.StatusServiceUnavailable, "this node is closing")
		return
	}
	if r.ProtoMajor != 1 || r.ProtoMinor == 0 {
		fail(w, http.StatusHTTPVersionNotSupported, "want HTTP/1.1")
		return
	}
	conn, buf, err := http.NewResponseController(w).Hijack()
	if err != nil {
		fail(w, http.StatusInternalServerError, err.Error())
		return
	}
	s := &stream{hub: n.hub, user: user, conn: conn, last: time.Now()}
	if err := s.open(n.cfg.Node); err != nil || buf.Reader.Buffered() > 0 { // nothing may follow the request
		_ = conn.Close()
		return
	}
	if !n.hub.add(s) {
		_ = conn.Close()
		return
	}
	// The first line says that what is delivered from now on arrives. It is written after add.
	_ = s.write(chunk(fmt.Appendf(nil, `{"type":"hello","node":%q}`, n.cfg.Node)))
	go s.wait() // the hub waits for it; this goroutine and its buffers go back to net/http
}

// open prepares the socket and writes the header.
func (s *stream) open(node string) error {
	sc, ok := s.conn.(syscall.Conn)
	if !ok {
		return fmt.Errorf("stream: %T has no socket", s.conn)
	}
	var err error
	if s.raw, err = sc.SyscallConn(); err != nil {
		return fmt.Errorf("stream: %w", err)
	}
	if err := s.conn.SetDeadline(time.Time{}); err != nil { // net/http's deadlines of the header
		return fmt.Errorf("stream: %w", err)
	}
	if b, ok := s.conn.(interface{ SetWriteBuffer(int) error }); ok {
		if err := b.SetWriteBuffer(sendBuffer); err != nil {
			return fmt.Errorf("stream: %w", err)
		}
	}
	return s.write([]byte("HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nCache-Control: no-store\r\n" +
		"X-Navcloud-Node: " + node + "\r\nTransfer-Encoding: chunked\r\n\r\n"))
}

// write puts b into the socket's buffer or, where it has no room, gives the client up: half a chunk
// leaves nothing to go on with.
func (s *stream) write(b []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reason != "" {
		return errClosed
	}
	var n int
	var err error
	rawErr := s.raw.Write(func(fd uintptr) bool {
		n, err = syscall.Write(int(fd), b) // sockets are in non-blocking mode; this never waits
		return true
	})
	if err = errors.Join(rawErr, err); err == nil && n == len(b) {
		s.last = time.Now()
		return nil
	}
	if err == nil || errors.Is(err, syscall.EAGAIN) {
		s.endLocked("slow")
		return errSlow
	}
	s.endLocked(cause(err))
	return errClosed
}

// silent returns the time since the last write.
func (s *stream) silent() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Since(s.last)
}

// wait blocks until the client goes or the stream is ended, then forgets it.
func (s *stream) wait() {
	var b [1]byte
	n, err := s.conn.Read(b[:])
	if err == nil && n > 0 {
		err = errors.New("the client sent what it must not")
	}
	s.end(cause(err))
	s.mu.Lock()
	reason := s.reason
	s.mu.Unlock()
	_ = s.conn.Close()
	s.hub.remove(s, reason)
}

// cause tells why a read or a write failed.
func cause(err error) string {
	switch {
	case errors.Is(err, syscall.ETIMEDOUT), errors.Is(err, os.ErrDeadlineExceeded):
		return "timeout"
	case errors.Is(err, io.EOF):
		return "client"
	}
	return "error"
}

func (s *stream) end(reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.endLocked(reason)
}

// endLocked says that the stream is over and why, first word counts, and wakes wait. An end by the
// other side after the balancer's idle time-out without a byte is the balancer's.
func (s *stream) endLocked(reason string) {
	if s.reason != "" {
		return
	}
	if reason == "client" && time.Since(s.last) >= s.hub.cfg.IdleTimeout {
		reason = "timeout"
	}
	s.reason = reason
	if reason == "shutdown" {
		// What is in the buffer still leaves; the read ends at once.
		_ = s.conn.SetReadDeadline(time.Unix(1, 0))
		return
	}
	_ = s.conn.Close()
}
