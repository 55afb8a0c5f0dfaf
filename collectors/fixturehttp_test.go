package collectors

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// fixtureHTTP answers by URL, without scheme, host and the first slash. What it does not name is a refused connection.
type fixtureHTTP map[string]fixtureAnswer

type fixtureAnswer struct {
	status int // 0: never
	body   []byte
}

// add takes "path?query" and, after a space, a status or the word hang. Status 200 is the default.
func (h fixtureHTTP) add(t *testing.T, name string, body []byte) {
	t.Helper()
	url, word, _ := strings.Cut(name, " ")
	a := fixtureAnswer{http.StatusOK, body}
	if word == "hang" {
		a.status = 0
	} else if word != "" {
		n, err := strconv.Atoi(word)
		if err != nil || n < 100 || n > 599 {
			t.Fatalf("http/%s: want a status or hang, have %q", name, word)
		}
		a.status = n
	}
	h[url] = a
}

func (h fixtureHTTP) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		_, _ = io.Copy(io.Discard, r.Body)
		_ = r.Body.Close()
	}
	a, ok := h[strings.TrimPrefix(r.URL.RequestURI(), "/")]
	if !ok {
		return nil, refused("tcp")
	}
	if a.status == 0 {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	return &http.Response{
		Status:     strconv.Itoa(a.status) + " " + http.StatusText(a.status),
		StatusCode: a.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header:        http.Header{"Content-Type": {contentType(a.body)}},
		ContentLength: int64(len(a.body)),
		Body:          io.NopCloser(bytes.NewReader(a.body)),
	}, nil
}

func contentType(body []byte) string {
	if json.Valid(body) {
		return "application/json"
	}
	return http.DetectContentType(body)
}

func dialNothing(_ context.Context, network, _ string) (net.Conn, error) {
	return nil, refused(network)
}

func refused(network string) error {
	return &net.OpError{Op: "dial", Net: network, Err: syscall.ECONNREFUSED}
}

func TestFixtureHTTPAnswersAsItsNameSays(t *testing.T) {
	h := fixtureHTTP{}
	h.add(t, "api/nodes?columns=name", []byte(`[]`))
	h.add(t, "api/down 503", []byte("<html>no</html>"))
	client := http.Client{Transport: h}
	for url, want := range map[string]string{
		"http://localhost:15672/api/nodes?columns=name": "200 application/json",
		"http://localhost:15672/api/down":               "503 text/html; charset=utf-8",
		"http://localhost:15672/api/nodes":              "refused",
	} {
		got := "refused"
		if r, err := client.Get(url); err == nil {
			got = strconv.Itoa(r.StatusCode) + " " + r.Header.Get("Content-Type")
			r.Body.Close()
		}
		if got != want {
			t.Errorf("GET %s: %s, want %s", url, got, want)
		}
	}
}
