// Package sinkstest holds a fake of every destination, and the one suite that every Sink passes.
//
// A fake is a server: on a loopback port for programs and ordinary tests, and behind an
// http.RoundTripper over net.Pipe for tests in a synctest bubble, where a socket's read would never let
// faked time pass. It keeps what it was sent and enforces the destination's limits; it expects nothing.
package sinkstest

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"sync"
	"time"
)

// Answer is what a fake says in place of the truth.
type Answer struct {
	Status     int           // 0: the truth
	Code       string        // CloudWatch's error code
	Body       string        // in place of the usual one, such as a proxy's HTML
	RetryAfter time.Duration // in whole seconds
	Hang       bool          // never answers
	Cut        bool          // ends the connection after the request was taken
}

// Server is what the fakes that speak HTTP have in common.
type Server struct {
	handler http.Handler
	web     *httptest.Server // nil until URL is asked for

	mu       sync.Mutex
	answers  []Answer
	requests int
}

// URL returns where the fake listens on loopback; it starts to listen when first asked.
func (s *Server) URL() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.web == nil {
		s.web = httptest.NewServer(s.handler)
	}
	return s.web.URL
}

// Close ends the listening.
func (s *Server) Close() {
	s.mu.Lock()
	web := s.web
	s.mu.Unlock()
	if web != nil {
		web.CloseClientConnections()
		web.Close()
	}
}

// Answer sets what the next requests get, one each, in place of what was set before; after that the
// truth is told again.
func (s *Server) Answer(as ...Answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers = slices.Clone(as)
}

// Requests returns how many requests came.
func (s *Server) Requests() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests
}

func (s *Server) next() Answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests++
	if len(s.answers) == 0 {
		return Answer{}
	}
	a := s.answers[0]
	s.answers = s.answers[1:]
	return a
}

// play gives a scripted answer; false means that the truth is to be told.
func (a Answer) play(w http.ResponseWriter, r *http.Request) bool {
	switch {
	case a.Hang:
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	case a.Cut:
		panic(http.ErrAbortHandler)
	case a.Status == 0:
		return false
	}
	if a.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(a.RetryAfter.Seconds())))
	}
	w.WriteHeader(a.Status)
	_, _ = io.WriteString(w, a.Body)
	return true
}

// Transport returns a RoundTripper that reaches the fake over net.Pipe, whatever the URL says. Every
// request has its own connection, so that nothing outlives it.
func (s *Server) Transport() http.RoundTripper {
	return &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(context.Context, string, string) (net.Conn, error) {
			client, server := net.Pipe()
			go func() { _ = (&http.Server{Handler: s.handler}).Serve(&oneConn{conn: server}) }()
			return client, nil
		},
	}
}

// oneConn is a listener that accepts one connection.
type oneConn struct {
	once sync.Once
	conn net.Conn
}

func (l *oneConn) Accept() (c net.Conn, err error) {
	err = net.ErrClosed
	l.once.Do(func() { c, err = l.conn, nil })
	return c, err
}

func (l *oneConn) Close() error   { return nil }
func (l *oneConn) Addr() net.Addr { return l.conn.LocalAddr() }
