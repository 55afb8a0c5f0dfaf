package api

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// riak is a Riak of one bucket type with allow_mult: a put that does not descend from all that is there leaves
// siblings. Its vector clock is the number of puts that its holder knows.
type riak struct {
	mu    sync.Mutex
	puts  map[string]int
	objs  map[string]map[int][]byte
	down  bool
	drops bool          // it never keeps siblings, as without allow_mult
	slow  time.Duration // at most, before and after each request is carried out
	asked atomic.Int64
}

func newRiak() *riak { return &riak{puts: map[string]int{}, objs: map[string]map[int][]byte{}} }

func (k *riak) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	k.asked.Add(1)
	if k.slow > 0 {
		time.Sleep(rand.N(k.slow))
		defer func() { time.Sleep(rand.N(k.slow)) }()
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	path := r.URL.EscapedPath()
	if strings.HasSuffix(path, "/props") && !k.down {
		fmt.Fprintf(w, `{"props":{"allow_mult":%v}}`, !k.drops)
		return
	}
	if k.down {
		http.Error(w, "Error:\noverload", http.StatusServiceUnavailable)
		return
	}
	if r.Method == http.MethodPut {
		b, _ := io.ReadAll(r.Body)
		knows, _ := strconv.Atoi(r.Header.Get("X-Riak-Vclock"))
		for n := range k.objs[path] {
			if n <= knows || k.drops {
				delete(k.objs[path], n)
			}
		}
		if k.objs[path] == nil {
			k.objs[path] = map[int][]byte{}
		}
		k.puts[path]++
		k.objs[path][k.puts[path]] = b
		w.WriteHeader(http.StatusNoContent)
		return
	}
	w.Header().Set("X-Riak-Vclock", strconv.Itoa(k.puts[path]))
	switch len(k.objs[path]) {
	case 0:
		http.NotFound(w, r)
	case 1:
		for _, b := range k.objs[path] {
			_, _ = w.Write(b)
		}
	default:
		m := multipart.NewWriter(w)
		w.Header().Set("Content-Type", "multipart/mixed; boundary="+m.Boundary())
		w.WriteHeader(http.StatusMultipleChoices)
		for _, b := range k.objs[path] {
			p, _ := m.CreatePart(textproto.MIMEHeader{"Content-Type": {"application/json"}})
			_, _ = p.Write(b)
		}
		_ = m.Close()
	}
}

func TestRiakSiblingsAreResolvedAndEndWithTheNextWrite(t *testing.T) {
	k := newRiak()
	srv := httptest.NewServer(k)
	defer srv.Close()
	s, err := newRiakStore(srv.URL + "/")
	if err != nil {
		t.Fatal(err)
	}
	doc := key{"trips", "ann@example.org", "a b"}
	if r, err := s.get(t.Context(), doc); err != nil || r.Version != 0 {
		t.Fatalf("get of nothing = %+v, %v", r, err)
	}
	dead := proposal{"dead", 2, time.Now().Add(-time.Hour).UnixNano()}
	for _, d := range []document{{record: record{Version: 1, At: 7, Body: json.RawMessage(`"a"`)}}, {record{Version: 1, At: 9, Body: json.RawMessage(`"b"`)}, []proposal{dead}, nil}} {
		if err := s.write(t.Context(), doc, d, fork{}); err != nil { // both from nothing
			t.Fatal(err)
		}
	}
	if r, err := s.get(t.Context(), doc); err != nil || string(r.Body) != `"b"` {
		t.Fatalf("get = %+v, %v; want the later of two siblings", r, err)
	}
	if _, err := s.swap(t.Context(), doc, func(old record) (record, error) {
		return record{Version: old.Version + 1, At: 10, Deleted: true}, nil
	}); err != nil {
		t.Fatal(err)
	}
	if path := "/buckets/navcloud_trips/keys/ann@example.org%2Fa%20b"; len(k.objs[path]) != 1 {
		t.Errorf("%d siblings are left at %s, want one (have %d keys)", len(k.objs[path]), path, len(k.objs))
	}
	if r, err := s.get(t.Context(), doc); err != nil || !r.Deleted || r.Version != 2 {
		t.Errorf("get = %+v, %v; want the tombstone", r, err)
	}
}

// Three nodes increment one document at once. What each was told is written must be in it, once.
func TestRiakSwapDropsNothing(t *testing.T) {
	k := newRiak()
	k.slow = 2 * time.Millisecond
	srv := httptest.NewServer(k)
	defer srv.Close()
	doc := key{"trips", "ann", "counter"}
	var acked, refused atomic.Int64
	var all sync.WaitGroup
	for range 6 {
		s, err := newRiakStore(srv.URL)
		if err != nil {
			t.Fatal(err)
		}
		all.Go(func() {
			for range 10 {
				_, err := s.swap(t.Context(), doc, func(old record) (record, error) {
					n, _ := strconv.Atoi(string(old.Body))
					return record{Version: old.Version + 1, At: time.Now().UnixNano(), Body: json.RawMessage(strconv.Itoa(n + 1))}, nil
				})
				if err == nil {
					acked.Add(1)
				} else {
					refused.Add(1)
				}
			}
		})
	}
	all.Wait()
	s, _ := newRiakStore(srv.URL)
	r, err := s.get(t.Context(), doc)
	if n, _ := strconv.Atoi(string(r.Body)); err != nil || int64(n) != acked.Load() || uint64(n) != r.Version {
		t.Errorf("%d acknowledged, %d refused, and the document says %s at version %d, %v", acked.Load(), refused.Load(), r.Body, r.Version, err)
	}
	if acked.Load() < 30 {
		t.Errorf("%d of 60 were acknowledged; writers are in each other's way", acked.Load())
	}
}

func TestRiakSwapIsOfOneVersion(t *testing.T) {
	srv := httptest.NewServer(newRiak())
	defer srv.Close()
	addr, _ := start(t, func(c *Config) { c.Riak = srv.URL })
	url := "http://" + addr + "/v1/trips/x"
	for _, c := range []struct {
		name, value string
		code        int
	}{
		{"If-None-Match", "*", 201}, {"If-None-Match", "*", 412}, {"If-Match", `"1"`, 204}, {"If-Match", `"1"`, 412}, {"If-Match", `"2"`, 204},
	} {
		if code, _, text := do(t, "PUT", url, "ann", `{}`, c.name, c.value); code != c.code {
			t.Errorf("PUT with %s: %s is %d %s, want %d", c.name, c.value, code, text, c.code)
		}
	}
}

func TestRiakIsAskedAtTheNextNode(t *testing.T) {
	dead, down, alive := httptest.NewServer(nil), &riak{down: true}, newRiak()
	dead.Close()
	b, c := httptest.NewServer(down), httptest.NewServer(alive)
	defer b.Close()
	defer c.Close()
	s, err := newRiakStore(dead.URL + ", " + b.URL + "," + c.URL)
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		if _, err := s.get(t.Context(), key{"trips", "ann", "x"}); err != nil {
			t.Fatal(err)
		}
	}
	if n := down.asked.Load(); n != 1 {
		t.Errorf("the node that is down was asked %d times, want once: who answered last is asked first", n)
	}
}

// Where Riak keeps only the latest, nothing can be promised, so nothing is acknowledged.
func TestRiakWithoutSiblingsIsNotWritten(t *testing.T) {
	k := newRiak()
	k.drops = true
	srv := httptest.NewServer(k)
	defer srv.Close()
	s, _ := newRiakStore(srv.URL)
	_, err := s.swap(t.Context(), key{"trips", "ann", "x"}, func(record) (record, error) { return record{Version: 1}, nil })
	if err == nil || !strings.Contains(err.Error(), "keeps no siblings") || len(k.objs) != 0 {
		t.Errorf("swap: %v, %d objects", err, len(k.objs))
	}
}

func TestAStoreThatFailsIsA503(t *testing.T) {
	k := &riak{down: true}
	srv := httptest.NewServer(k)
	defer srv.Close()
	addr, _ := start(t, func(c *Config) { c.Riak = srv.URL })
	for _, method := range []string{"GET", "PUT", "DELETE"} {
		if code, _, text := do(t, method, "http://"+addr+"/v1/trips/x", "ann", `{}`); code != 503 {
			t.Errorf("%s = %d %s, want 503", method, code, text)
		}
	}
	if _, err := newRiakStore("riak:8098"); err == nil {
		t.Error("newRiakStore took what is no URL")
	}
}

func TestReadProxy(t *testing.T) {
	v2 := func(command, family byte, body ...byte) string {
		b := append([]byte{}, proxyV2Signature...)
		b = append(b, 0x20|command, family)
		return string(append(binary.BigEndian.AppendUint16(b, uint16(len(body))), body...))
	}
	six := append(bytes.Repeat([]byte{0xfd}, 16), append(bytes.Repeat([]byte{0xfe}, 16), 0x1f, 0x90, 1, 187, 9, 9, 9)...)
	for name, tc := range map[string]struct {
		in, want string
		bad      bool
	}{
		"version 1, IPv4":           {in: "PROXY TCP4 203.0.113.7 198.51.100.2 56324 443\r\n", want: "203.0.113.7:56324"},
		"version 1, IPv6":           {in: "PROXY TCP6 2001:db8::1 2001:db8::2 1 443\r\n", want: "[2001:db8::1]:1"},
		"version 1, unknown":        {in: "PROXY UNKNOWN\r\n", want: "invalid AddrPort"},
		"version 2, IPv4":           {in: v2(1, 0x11, 203, 0, 113, 7, 198, 51, 100, 2, 0x1f, 0x90, 1, 187), want: "203.0.113.7:8080"},
		"version 2, IPv6 with TLVs": {in: v2(1, 0x21, six...), want: "[fdfd:fdfd:fdfd:fdfd:fdfd:fdfd:fdfd:fdfd]:8080"},
		"version 2, a health check": {in: v2(0, 0), want: "invalid AddrPort"},
		"version 2, a unix socket":  {in: v2(1, 0x31, make([]byte, 216)...), want: "invalid AddrPort"},
		"none":                      {in: "GET / HTTP/1.1\r\n\r\n", bad: true},
		"version 1 without an end":  {in: "PROXY TCP4 " + strings.Repeat("9", 300), bad: true},
		"version 1 with a bad port": {in: "PROXY TCP4 203.0.113.7 198.51.100.2 99999 443\r\n", bad: true},
		"version 2 cut off":         {in: v2(1, 0x11, 203, 0, 113, 7, 198, 51, 100, 2, 0x1f, 0x90, 1, 187)[:20], bad: true},
		"version 3":                 {in: strings.Replace(v2(1, 0x11), "\x21", "\x31", 1), bad: true},
		"version 2 of 65535 bytes":  {in: string(proxyV2Signature) + "\x21\x11\xff\xff", bad: true},
		"nothing":                   {in: "", bad: true},
	} {
		t.Run(name, func(t *testing.T) {
			r := bufio.NewReaderSize(strings.NewReader(tc.in+map[bool]string{false: "GET"}[tc.bad]), 256)
			got, err := readProxy(r)
			if tc.bad {
				if !errors.Is(err, errProxy) {
					t.Errorf("readProxy = %v, %v; want errProxy", got, err)
				}
				return
			}
			if rest, _ := io.ReadAll(r); err != nil || got.String() != tc.want || string(rest) != "GET" {
				t.Errorf("readProxy = %v, %v, then %q; want %s, then GET", got, err, rest, tc.want)
			}
		})
	}
}

func TestChunk(t *testing.T) {
	r, err := http.ReadResponse(bufio.NewReader(strings.NewReader(
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"+string(chunk([]byte("one")))+string(heartbeatChunk)+"0\r\n\r\n")), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if b, err := io.ReadAll(r.Body); err != nil || string(b) != "one\n\n" {
		t.Errorf("read %q, %v", b, err)
	}
	if got := fmt.Sprintf("%q", chunk(nil)); got != `"1\r\n\n\r\n"` {
		t.Errorf("an empty chunk would end the stream: %s", got)
	}
}
