package door

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang/snappy"
	"google.golang.org/protobuf/encoding/protowire"
)

// Wrong passwords slow down who sends them, from where they come, and nobody else.
func TestWrongPasswordsSlowDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogins()
		users := map[string]string{"maria": hash(t, "right"), "jo": hash(t, "right")}
		check := func(from, name, password string) error {
			return l.check(t.Context(), users, from, name, password)
		}
		if err := check("a", "maria", "right"); err != nil {
			t.Fatal(err)
		}
		for i := range maxTries {
			if err := check("a", "jo", fmt.Sprint(i)); !errors.Is(err, errWrong) {
				t.Errorf("try %d: %v; want %v", i, err, errWrong)
			}
		}
		if _, slow := errors.AsType[slowDown](check("a", "jo", "right")); !slow {
			t.Error("after five failures: the next is checked; want to wait")
		}
		if err := check("b", "jo", "right"); err != nil {
			t.Errorf("jo from elsewhere: %v", err)
		}
		if err := check("a", "maria", "right"); err != nil {
			t.Errorf("maria from there: %v", err)
		}
		for i := range 3 * maxTries { // names that are not there look the same
			err := check("c", "eve", fmt.Sprint(i))
			if _, slow := errors.AsType[slowDown](err); slow != (i >= maxTries) {
				t.Errorf("eve's try %d: %v", i, err)
			}
		}
		time.Sleep(tryAgain)
		if err := check("a", "jo", "right"); err != nil {
			t.Errorf("after %v: %v", tryAgain, err)
		}
		if len(l.kept) > maxKept || len(l.tries) > maxKept {
			t.Errorf("%d and %d kept; want at most %d", len(l.kept), len(l.tries), maxKept)
		}
	})
}

func TestKeepIsBounded(t *testing.T) {
	l, m := newLogins(), map[digest]int{}
	for i := range 3 * maxKept {
		keep(m, l.digest(fmt.Sprint(i)), i)
	}
	if len(m) > maxKept {
		t.Errorf("%d kept; want at most %d", len(m), maxKept)
	}
}

func TestTurnsAreFewAndTheLineIsShort(t *testing.T) {
	turns := newTurns(1, 1)
	leave, err := turns.take(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	waits := make(chan error)
	go func() { _, err := turns.take(ctx); waits <- err }()
	for len(turns.line) < 2 {
		time.Sleep(0) // until the other stands in line
	}
	if _, err := turns.take(t.Context()); !errors.Is(err, errLine) {
		t.Errorf("a third: %v; want %v", err, errLine)
	}
	cancel()
	if err := <-waits; !errors.Is(err, errLine) {
		t.Errorf("who gave up: %v; want %v", err, errLine)
	}
	leave()
	if leave, err = turns.take(t.Context()); err != nil {
		t.Fatal(err)
	}
	leave()
}

func zipped(b []byte) string {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	_, _ = z.Write(b)
	_ = z.Close()
	return out.String()
}

func field(num protowire.Number, b []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, num, protowire.BytesType), b)
}

// Bodies that are small on the wire and large in memory are refused with a reason before they are decoded; what
// senders really send passes.
func TestBombsAreRefused(t *testing.T) {
	const mib = 1 << 20
	proto := map[string]string{"Content-Type": "application/x-protobuf"}
	with := func(h map[string]string, k, v string) map[string]string {
		out := map[string]string{k: v}
		for k, v := range h {
			out[k] = v
		}
		return out
	}
	v2 := map[string]string{"Content-Type": "application/x-protobuf;proto=io.prometheus.write.v2.Request", "Content-Encoding": "snappy"}
	snap := func(b []byte) string { return string(snappy.Encode(nil, b)) }
	series := func(n int) []byte {
		one := field(1, append(field(1, []byte("__name__")), field(2, []byte("a"))...))
		return bytes.Repeat(field(1, append(one, field(2, []byte{9, 0, 0, 0, 0, 0, 0, 0, 0})...)), n)
	}
	long := append(field(4, bytes.Repeat([]byte("x"), mib/32)), bytes.Repeat(field(5, field(1, []byte{0, 0})), 1000)...)
	point := field(1, field(2, field(2, field(5, bytes.Repeat(field(1, nil), 30_000)))))
	alert := `{"labels":{"alertname":"A","severity":"critical"},"annotations":{"summary":"s"}},`
	for name, tc := range map[string]struct {
		call   call
		status int
		why    string
	}{
		"empty series":                {call{path: "/api/v1/write", body: snap(bytes.Repeat([]byte{10, 0}, 4*mib)), header: proto}, 413, "series"},
		"empty samples":               {call{path: "/api/v1/write", body: snap(field(1, bytes.Repeat([]byte{18, 0}, 4*mib))), header: proto}, 413, "memory"},
		"a length that is a lie":      {call{path: "/api/v1/write", body: string([]byte{0xff, 0xff, 0xff, 0xff, 0x0f}), header: proto}, 413, "decompressed"},
		"no snappy at all":            {call{path: "/api/v1/write", body: "hello", header: proto}, 400, "snappy"},
		"gzip where snappy belongs":   {call{path: "/api/v1/write", body: "x", header: with(proto, "Content-Encoding", "gzip")}, 415, "gzip"},
		"empty series, version 2":     {call{path: "/api/v1/write", body: snap(bytes.Repeat([]byte{42, 0}, 4*mib)), header: v2}, 413, "series"},
		"symbols, version 2":          {call{path: "/api/v1/write", body: snap(bytes.Repeat([]byte{34, 0}, 4*mib)), header: v2}, 413, "memory"},
		"one long text":               {call{path: "/api/v1/write", body: snap(field(1, field(1, append(field(1, []byte("a")), field(2, make([]byte, mib))...)))), header: proto}, 413, "text"},
		"many samples of one series":  {call{path: "/api/v1/write", body: snap(field(1, bytes.Repeat(field(2, []byte{16, 1}), 300_000))), header: proto}, 413, "memory"},
		"one symbol for all series":   {call{path: "/api/v1/write", body: snap(long), header: v2}, 413, "written out"},
		"numbers in a list":           {call{path: "/api/v1/write", body: snap(field(5, field(1, make([]byte, 8*mib)))), header: v2}, 413, "memory"},
		"resources":                   {call{path: "/api/v1/otlp/v1/metrics", body: zipped(bytes.Repeat([]byte{10, 0}, 4*mib)), header: with(proto, "Content-Encoding", "gzip")}, 413, "memory"},
		"points":                      {call{path: "/api/v1/otlp/v1/metrics", body: string(point), header: proto}, 413, "series"},
		"much of nothing":             {call{path: "/api/v1/otlp/v1/metrics", body: zipped(make([]byte, 64*mib)), header: with(proto, "Content-Encoding", "gzip")}, 413, "decompressed"},
		"points as JSON":              {call{path: "/api/v1/otlp/v1/metrics", body: `{"resourceMetrics":[` + strings.Repeat("{},", mib) + "{}]}", header: map[string]string{"Content-Type": "application/json"}}, 413, "objects"},
		"one text for all":            {call{path: "/api/v1/otlp/v1/metrics", body: `{"a":"` + strings.Repeat("x", mib) + `","b":[` + strings.Repeat("{},", 1000) + "{}]}", header: map[string]string{"Content-Type": "application/json"}}, 413, "repeated"},
		"questions":                   {call{path: "/api/v1/read", body: snap(bytes.Repeat([]byte{10, 0}, mib/4)), header: proto}, 413, "memory"},
		"empty alarms":                {call{path: "/api/v2/alerts", body: "[" + strings.Repeat("{},", 4*mib) + "{}]"}, 413, "objects"},
		"brackets":                    {call{path: "/api/v2/alerts", body: strings.Repeat("[", 4*mib)}, 413, "nested"},
		"a list of numbers":           {call{path: "/api/v2/alerts", body: "[" + strings.Repeat("0,", 4*mib) + "0]"}, 413, "values"},
		"alarms that are compressed":  {call{path: "/api/v2/alerts", body: zipped([]byte("[]")), header: map[string]string{"Content-Encoding": "gzip"}}, 415, "plain"},
		"a check result of 1 MiB":     {call{path: "/api/v1/check-result", body: strings.Repeat("x", mib)}, 413, "bytes"},
		"a form of 1 MiB":             {call{path: "/problems/p/take", body: strings.Repeat("x", mib)}, 413, "bytes"},
		"a batch of Prometheus":       {call{path: "/api/v1/write", body: snap(series(10_000)), header: proto}, 200, ""},
		"10,000 alarms":               {call{path: "/api/v2/alerts", body: "[" + strings.TrimSuffix(strings.Repeat(alert, 10_000), ",") + "]"}, 200, ""},
		"a group, which none here is": {call{path: "/api/v1/write", body: snap([]byte{11, 12}), header: proto}, 400, "group"},
	} {
		t.Run(name, func(t *testing.T) {
			h, _, _ := newDoor(t, Config{})
			tc.call.method = "POST"
			status, _, text := tc.call.do(t, h)
			if status != tc.status || !strings.Contains(text, tc.why) {
				t.Errorf("%d %s; want %d, %q", status, strings.TrimSpace(text), tc.status, tc.why)
			}
			if n := held.Load(); n != 0 {
				t.Errorf("%d bytes of bodies are held; want 0", n)
			}
		})
	}
}

// What was answered takes no more room: a hundred batches one after the other are no hundred at once.
func TestTheBudgetOfBodiesIsGivenBack(t *testing.T) {
	h, _, _ := newDoor(t, Config{})
	for i := range 20 {
		c := call{method: "POST", path: "/api/v1/write", header: map[string]string{"Content-Type": "application/x-protobuf"}}
		c.body = string(snappy.Encode(nil, field(9, []byte(fmt.Sprint(i)))))
		held.Add(inFlight / 2) // others
		if status, _, text := c.do(t, h); status != 200 {
			t.Fatalf("batch %d: %d %s", i, status, text)
		}
		held.Add(-inFlight / 2)
	}
	if n := held.Load(); n != 0 {
		t.Errorf("%d bytes of bodies are held; want 0", n)
	}
}

func FuzzCount(f *testing.F) {
	f.Add([]byte{10, 0, 10, 2, 10, 0})
	f.Add(field(5, field(1, []byte{0, 1, 0x80})))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, m := range []*message{writeRequest, writeRequest2, readRequest, otlpRequest} {
			if c, err := count(b, m); err == nil && (c.cost > maxCost || c.series > maxSeries) {
				t.Errorf("%+v passes", c)
			}
		}
		_ = spread(b)
	})
}

func TestMemoryThatIsShortHoldsBulkBack(t *testing.T) {
	h, d, _ := newDoor(t, Config{})
	d.opts.Tight = func() bool { return true }
	if status, _, _ := (call{method: "POST", path: "/api/v1/write", body: "x"}).do(t, h); status != 503 {
		t.Errorf("samples: %d; want 503", status)
	}
	if status, _, _ := (call{method: "POST", path: alerts, body: "[]"}).do(t, h); status != 200 {
		t.Errorf("alarms: %d; want 200", status)
	}
}

// A body that trickles in meets its deadline, and the deadline is gone once the body is in.
func TestBodyDeadlineMovesWithTheBytes(t *testing.T) {
	var set []time.Time
	began := time.Now()
	b := &timedBody{ReadCloser: http.NoBody, set: func(at time.Time) error { set = append(set, at); return nil }, began: began}
	b.n = 10 * bodyRate
	b.extend()
	if want := began.Add(bodyFirst + 10*time.Second); !set[0].Equal(want) {
		t.Errorf("deadline %v; want %v", set[0], want)
	}
	if _, err := b.Read(make([]byte, 1)); err == nil || !set[len(set)-1].IsZero() {
		t.Errorf("after the end: %v, deadline %v; want none", err, set[len(set)-1])
	}
}

// With all connections in use by senders that never finish, who comes new is answered.
func TestSlowSendersMakeRoom(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := newConns(ln, 8, slog.New(slog.DiscardHandler))
	srv := &http.Server{ConnState: c.state, ConnContext: c.context, Handler: c.track(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = r.Body.Read(make([]byte, 1))
		_, _ = r.Body.Read(make([]byte, 1))
	}))}
	go func() { _ = srv.Serve(c) }()
	defer srv.Close()
	for range 30 {
		conn, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := conn.Write([]byte("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nx")); err != nil {
			t.Fatal(err)
		}
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
	var last error
	for began := time.Now(); time.Since(began) < 2*time.Minute; { // the newest connections are spared for a moment
		resp, err := client.Get("http://" + ln.Addr().String())
		if last = err; err == nil {
			_ = resp.Body.Close()
			break
		}
	}
	if last != nil {
		t.Errorf("a question among slow senders: %v", last)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.open) > 9 {
		t.Errorf("%d connections are open; want at most 8 and a new one", len(c.open))
	}
}

func TestQuietCountsWhatItDoesNotSay(t *testing.T) {
	var out bytes.Buffer
	now := time.Now()
	h := Quiet(slog.NewTextHandler(&out, nil)).(*quiet)
	h.said.now = func() time.Time { return now }
	log := slog.New(h)
	for range 1000 {
		log.With("part", "x").Warn("refused")
	}
	now = now.Add(quietFor)
	log.Warn("refused")
	if n := strings.Count(out.String(), "\n"); n != 2 || !strings.Contains(out.String(), "more_of_these=999") {
		t.Errorf("%d lines:\n%s\nwant 2, the second with a count", n, out.String())
	}
}

// What a client announces and never sends does not keep it from an answer: neither where nobody reads the body, nor where it is
// refused for its length.
func TestABodyThatNeverComesIsAnswered(t *testing.T) {
	d, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- d.Serve(ctx, l, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	}()
	for request, want := range map[string]string{
		"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n[]":                                "418",
		"POST /api/v1/silence HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9223372036854775807\r\n\r\n[]": "413",
	} {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Write([]byte(request)); err != nil {
			t.Fatal(err)
		}
		_ = c.SetReadDeadline(time.Now().Add(time.Minute))
		line, err := bufio.NewReader(c).ReadString('\n')
		if err != nil || !strings.Contains(line, want) {
			t.Errorf("%.40q: %q, %v; want %s", request, line, err, want)
		}
		_ = c.Close()
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
