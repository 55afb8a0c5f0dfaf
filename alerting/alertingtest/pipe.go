package alertingtest

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
)

// pipeListener hands the far ends of pipes to a server.
type pipeListener struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

var errClosed = errors.New("alertingtest: the fake is closed")

func (l *pipeListener) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case l.conns <- far:
		return near, nil
	case <-l.done:
		return nil, errClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, errClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return pipeAddr{} }

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "pipe" }

// Pipe serves h through net.Pipe and returns the way there; stop ends the server. It lets handlers of other
// packages, a webhook's receiver for one, take part in a synctest bubble.
func Pipe(h http.Handler) (rt http.RoundTripper, stop func()) {
	l := &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
	s := &http.Server{Handler: h}
	served := make(chan struct{})
	go func() { defer close(served); _ = s.Serve(l) }()
	return &http.Transport{DialContext: l.dial, DisableKeepAlives: true}, func() { _ = s.Close(); <-served }
}
