package statsd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/navcloud/binnacle/collectors/sockets"
)

// Bounds of a TCP listener.
const (
	maxConns  = 1024
	maxLine   = 1 << 16
	readSize  = 1 << 13
	idleLimit = 10 * time.Minute // a connection that says nothing for so long is closed
	lastRead  = 50 * time.Millisecond

	acceptPause = 200 * time.Millisecond
)

// Stream reads lines from the connections of one TCP listener into one table.
type Stream struct {
	socket  *sockets.Socket
	dialect Dialect
	table   *Table
	now     func() time.Time

	most    int64 // connections
	open    atomic.Int64
	refused atomic.Uint64
}

// NewStream makes a Stream of lines in the dialect d. now gives the time of arrival.
func NewStream(s *sockets.Socket, d Dialect, t *Table, now func() time.Time) *Stream {
	return &Stream{socket: s, dialect: d, table: t, now: now, most: most()}
}

// most is how many connections there may be: of the descriptors that the process may open, others need the greater part.
func most() int64 {
	var l syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l) != nil {
		return maxConns
	}
	return int64(min(l.Cur/4, maxConns))
}

// Connections returns how many are open, and how many were refused since they would have been too many.
func (s *Stream) Connections() (open int64, refused uint64) { return s.open.Load(), s.refused.Load() }

// Run accepts and reads until ctx ends; then every connection is read until nothing waits, and closed.
func (s *Stream) Run(ctx context.Context) error {
	ln := s.socket.Listener()
	_ = ln.SetDeadline(time.Time{})
	defer context.AfterFunc(ctx, func() { _ = ln.SetDeadline(time.Unix(1, 0)) })()
	var conns sync.WaitGroup
	defer conns.Wait()
	for {
		c, err := ln.Accept()
		switch {
		case err != nil && ctx.Err() != nil:
			return nil
		case err != nil && passes(err):
			// Out of descriptors, or a client that is gone again: the listener stands, and goes on in a moment.
			s.refused.Add(1)
			select {
			case <-ctx.Done():
			case <-time.After(acceptPause):
			}
			continue
		case err != nil:
			return fmt.Errorf("listener %s: %w", s.socket.Place, err)
		case s.open.Load() >= s.most:
			s.refused.Add(1)
			_ = c.Close()
			continue
		}
		s.open.Add(1)
		conns.Go(func() {
			defer s.open.Add(-1)
			defer c.Close()
			s.read(ctx, c)
		})
	}
}

// passes says whether an error of accept(2) may be gone the next time. Source: accept(2), "Error handling".
func passes(err error) bool {
	for _, e := range []syscall.Errno{
		syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ECONNABORTED, syscall.EINTR, syscall.EPERM, syscall.EPROTO,
		syscall.ENETDOWN, syscall.EHOSTUNREACH, syscall.ENETUNREACH, syscall.ETIMEDOUT,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// read folds whole lines. One over maxLine is counted once and skipped to its end.
func (s *Stream) read(ctx context.Context, c net.Conn) {
	// What has arrived when ctx ends is still read: Read takes what waits before it looks at the deadline.
	ended := func() { _ = c.SetReadDeadline(time.Now().Add(lastRead)) }
	defer context.AfterFunc(ctx, ended)()
	buf, have, skip := make([]byte, readSize), 0, false
	for {
		if ctx.Err() == nil {
			_ = c.SetReadDeadline(time.Now().Add(idleLimit))
			if ctx.Err() != nil { // it ended between the two, and its deadline was overwritten
				ended()
			}
		}
		n, err := c.Read(buf[have:])
		have += n
		if err != nil {
			if have > 0 && !skip {
				s.fold(buf[:have]) // a last line needs no newline
			}
			return
		}
		end := bytes.LastIndexByte(buf[:have], '\n') + 1
		whole := buf[:end]
		if skip && end > 0 {
			whole, skip = whole[bytes.IndexByte(whole, '\n')+1:], false
		}
		if len(whole) > 0 {
			s.fold(whole)
		}
		have = copy(buf, buf[end:have])
		switch {
		case skip:
			have = 0
		case have < len(buf):
		case len(buf) < maxLine:
			buf = append(buf, make([]byte, len(buf))...)
		default:
			s.table.Reject(Truncated)
			have, skip = 0, true
		}
	}
}

func (s *Stream) fold(lines []byte) {
	s.table.Packet(s.now().UnixNano(), lines, s.dialect)
}
