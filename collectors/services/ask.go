package services

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"syscall"

	"github.com/navcloud/binnacle/collectors"
)

// maxAnswer bounds an answer, in bytes: 20,000 servers of 500.
const maxAnswer = 10 << 20

// ask sends a request on a connection of its own, and reads until the other side closes.
func (t *target) ask(ctx context.Context, request string) (string, error) {
	conn, err := t.dial(ctx)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	_, sent := io.WriteString(conn, request) // a server that is full answers before it is asked, and closes
	body, err := io.ReadAll(collectors.Bounded(conn, maxAnswer))
	if len(bytes.TrimSpace(body)) > 0 && (err == nil || sent != nil || errors.Is(err, syscall.ECONNRESET)) {
		return string(body), nil // a reset comes after the answer, for what of the request was not read
	}
	if err == nil {
		err = sent
	}
	if err != nil {
		return "", err
	}
	return "", inState(stateError, "%s: the connection was closed without an answer", strings.TrimSpace(request))
}

// answer is what a server said by HTTP.
type answer struct {
	code           int
	status, server string // the line of the status, and who says that it is
	location       string // of a redirect
	body           []byte
}

// page asks by HTTP once; a redirect is not followed. body makes it a POST.
func (t *target) page(ctx context.Context, u string, body []byte) (answer, error) {
	var dialing, connected atomic.Bool // net/http dials on where the request was given up
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		ConnectStart: func(string, string) { dialing.Store(true) },
		GotConn:      func(httptrace.GotConnInfo) { connected.Store(true) },
	})
	method, in := http.MethodGet, io.Reader(nil)
	if body != nil {
		method, in = http.MethodPost, bytes.NewReader(body)
	}
	r, err := http.NewRequestWithContext(ctx, method, u, in)
	if err != nil {
		return answer{}, err
	}
	r.Close = true // a connection that is kept holds a worker of it
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Origin", r.URL.Scheme+"://localhost") // ActiveMQ's Jolokia refuses who does not say from where
	}
	if t.User != "" {
		r.SetBasicAuth(t.User, t.Password.Reveal())
	}
	got, err := t.transport().RoundTrip(r)
	if err != nil {
		if ctx.Err() != nil && dialing.Load() && !connected.Load() {
			return answer{}, &net.OpError{Op: "dial", Net: "tcp", Err: os.ErrDeadlineExceeded}
		}
		return answer{}, err
	}
	defer got.Body.Close()
	a := answer{code: got.StatusCode, status: got.Status, server: got.Header.Get("Server"), location: got.Header.Get("Location")}
	if a.body, err = io.ReadAll(collectors.Bounded(got.Body, maxAnswer)); err != nil {
		return a, err
	}
	if a.code == http.StatusUnauthorized || a.code == http.StatusForbidden {
		return a, inState(stateUnauthorised, "%s: it wants other credentials, or none from here", a.status)
	}
	return a, nil
}

// get asks by HTTP, and wants status 200.
func (t *target) get(ctx context.Context, u string) (string, error) {
	a, err := t.page(ctx, u, nil)
	if err == nil && a.code != http.StatusOK {
		err = a.unexpected()
	}
	return string(a.body), err
}

func (a answer) unexpected() error {
	text := a.status
	if a.location != "" {
		text += " to " + a.location + ", which is not followed: give the URL itself"
	}
	if body := bytes.TrimSpace(a.body); len(body) > 0 {
		text += fmt.Sprintf(": %.200s", body)
	}
	return inState(stateError, "%s", text)
}

func (t *target) transport() http.RoundTripper {
	if t.tls == nil || t.tls.RootCAs == nil {
		return t.env.HTTP
	}
	return &http.Transport{TLSClientConfig: t.tls, DialContext: t.env.Dial, DisableKeepAlives: true}
}

// at is the server's URL with another path, where it names none itself.
func (t *target) at(path string) string {
	u, err := url.Parse(t.URL)
	if err != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
		return t.URL
	}
	u.Path, u.RawQuery, _ = strings.Cut(path, "?")
	return u.String()
}
