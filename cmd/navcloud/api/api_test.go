package api

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// start runs a node until the test ends, or until the func that it returns is called.
func start(t *testing.T, change func(*Config)) (addr string, stop func()) {
	t.Helper()
	cfg := DefaultConfig()
	cfg.Listen, cfg.StatsD, cfg.Data = "127.0.0.1:0", "", filepath.Join(t.TempDir(), "navcloud.db")
	cfg.Drain, cfg.Log = 2*time.Second, slog.New(slog.DiscardHandler)
	up := make(chan string, 1)
	cfg.Ready = func(a string) { up <- a }
	if change != nil {
		change(&cfg)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- Run(ctx, cfg) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(stop)
	select {
	case addr = <-up:
	case err := <-done:
		done <- nil
		t.Fatalf("Run: %v", err)
	}
	return addr, stop
}

func do(t *testing.T, method, url, user, body string, header ...string) (code int, etag, text string) {
	t.Helper()
	req, err := http.NewRequest(method, url, bytes.NewReader([]byte(body)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set(userField, user)
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header.Get("ETag"), string(b)
}

// listen opens a stream, past its hello. A test that waits for a line fails at its deadline.
func listen(t *testing.T, addr, user, preface string) (*bufio.Reader, net.Conn) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.(*net.TCPConn).SetReadBuffer(16 << 10) // so that a client who does not read is soon behind
	_ = conn.SetDeadline(time.Now().Add(2 * time.Minute))
	fmt.Fprintf(conn, "%sGET /v1/stream HTTP/1.1\r\nHost: x\r\n%s: %s\r\n\r\n", preface, userField, user)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK || len(resp.TransferEncoding) != 1 {
		t.Fatalf("stream: %s, %v; want 200 and chunked", resp.Status, resp.TransferEncoding)
	}
	lines := bufio.NewReader(resp.Body)
	if hello := next(t, lines); !strings.Contains(hello, `"hello"`) {
		t.Fatalf("stream began with %q, want a hello", hello)
	}
	return lines, conn
}

func next(t *testing.T, lines *bufio.Reader) string {
	t.Helper()
	l, err := lines.ReadString('\n')
	if err != nil {
		t.Fatalf("stream: %v", err)
	}
	return strings.TrimSuffix(l, "\n")
}

func TestDocumentsAreVersioned(t *testing.T) {
	addr, _ := start(t, nil)
	url := "http://" + addr + "/v1/trips/t1"
	for _, step := range []struct {
		what, method, user, body string
		header                   []string
		code                     int
		etag                     string
	}{
		{"nothing there yet", "GET", "ann", "", nil, 404, ""},
		{"nothing to delete", "DELETE", "ann", "", nil, 404, ""},
		{"the first version", "PUT", "ann", `{"a":1}`, nil, 201, `"1"`},
		{"another user sees nothing", "GET", "bob", "", nil, 404, ""},
		{"the next version", "PUT", "ann", `{"a":2}`, []string{"If-Match", `"1"`}, 204, `"2"`},
		{"a writer that read an older one", "PUT", "ann", `{"a":3}`, []string{"If-Match", `"1"`}, 412, ""},
		{"what there is", "GET", "ann", "", nil, 200, `"2"`},
		{"what the client has", "GET", "ann", "", []string{"If-None-Match", `"2"`}, 304, `"2"`},
		{"deleting an older one", "DELETE", "ann", "", []string{"If-Match", `"1"`}, 412, ""},
		{"deleting", "DELETE", "ann", "", []string{"If-Match", `"2"`}, 204, ""},
		{"gone", "GET", "ann", "", nil, 404, ""},
		{"any version that exists, and none does", "PUT", "ann", `{}`, []string{"If-Match", "*"}, 412, ""},
		{"made anew its version goes on", "PUT", "ann", `{"a":4}`, nil, 204, `"4"`},
		{"no user", "GET", "", "", nil, 401, ""},
		{"a user that would reach into another's keys", "GET", "ann/t1", "", nil, 401, ""},
		{"no JSON", "PUT", "ann", `{"a":`, nil, 400, ""},
		{"too big", "PUT", "ann", `"` + strings.Repeat("x", maxBody) + `"`, nil, 413, ""},
	} {
		code, etag, text := do(t, step.method, url, step.user, step.body, step.header...)
		if code != step.code || etag != step.etag {
			t.Fatalf("%s: %s = %d, ETag %s (%s); want %d, %s", step.what, step.method, code, etag, text, step.code, step.etag)
		}
	}
	if code, _, text := do(t, "GET", url, "ann", ""); code != 200 || text != `{"a":4}` {
		t.Errorf("GET = %d %s; want the body last put", code, text)
	}
}

func TestStreamBringsTheUsersEventsAndHeartbeats(t *testing.T) {
	addr, stop := start(t, func(c *Config) { c.Heartbeat = 20 * time.Millisecond })
	lines, _ := listen(t, addr, "ann", "")
	do(t, "PUT", "http://"+addr+"/v1/trips/other", "bob", `{}`)
	do(t, "PUT", "http://"+addr+"/v1/favourites/f1", "ann", `{"a":1}`)
	do(t, "DELETE", "http://"+addr+"/v1/favourites/f1", "ann", "")
	var events []string
	beats := 0
	for len(events) < 2 || beats < 3 {
		if l := next(t, lines); l == "" {
			beats++
		} else {
			events = append(events, l)
		}
	}
	for i, want := range []string{`"type":"put","kind":"favourites","user":"ann","id":"f1","version":1,"body":{"a":1}`, `"type":"delete"`} {
		if !strings.Contains(events[i], want) {
			t.Errorf("event %d is %s, want in it %s", i, events[i], want)
		}
	}
	go stop()
	if rest, err := io.ReadAll(lines); err != nil || strings.Contains(string(rest), "bob") {
		t.Errorf("the end of the stream: %q, %v; want a last chunk in good order", rest, err)
	}
}

func TestProxyHeaderStandsBeforeTheRequest(t *testing.T) {
	addr, _ := start(t, func(c *Config) { c.ProxyProtocol = true; c.Heartbeat = 20 * time.Millisecond })
	lines, _ := listen(t, addr, "ann", "PROXY TCP4 203.0.113.7 198.51.100.2 56324 443\r\n")
	if l := next(t, lines); l != "" {
		t.Errorf("have %q, want a heartbeat", l)
	}
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
	if b, _ := io.ReadAll(conn); strings.Contains(string(b), " 200 ") {
		t.Errorf("without a header: %q, want no answer of success", b)
	}
}

func TestConfigTellsEveryFault(t *testing.T) {
	err := Config{Heartbeat: time.Minute, IdleTimeout: time.Minute}.Validate()
	for _, want := range []string{"listen:", "node:", "data:", "heartbeat: 1m0s", "log:"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Validate = %v; want in it %q", err, want)
		}
	}
	if err := DefaultConfig().Validate(); err != nil {
		t.Errorf("the defaults: %v", err)
	}
	cfg := DefaultConfig()
	cfg.Listen, cfg.StatsD, cfg.Data, cfg.Broker = "127.0.0.1:0", "", filepath.Join(t.TempDir(), "d"), "kafka://x"
	if err := Run(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "broker:") {
		t.Errorf("Run with an unknown broker = %v", err)
	}
}

func TestMainRefusesWhatItDoesNotKnow(t *testing.T) {
	for _, args := range [][]string{nil, {"sail"}, {"serve", "now"}} {
		if err := Main(t.Context(), args); err == nil {
			t.Errorf("Main(%q) = nil, want an error", args)
		}
	}
}
