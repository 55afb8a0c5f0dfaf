package api

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// riak is a Riak of one bucket type with allow_mult: a put that does not descend from all that is there leaves
// siblings. Its vector clock is the number of puts that its holder knows.
type riak struct {
	mu   sync.Mutex
	puts map[string]int
	objs map[string]map[int][]byte
	down bool
}

func (k *riak) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	k.mu.Lock()
	defer k.mu.Unlock()
	path := r.URL.EscapedPath()
	if k.down {
		http.Error(w, "Error:\noverload", http.StatusServiceUnavailable)
		return
	}
	if r.Method == http.MethodPut {
		b, _ := io.ReadAll(r.Body)
		knows, _ := strconv.Atoi(r.Header.Get("X-Riak-Vclock"))
		for n := range k.objs[path] {
			if n <= knows {
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

func TestRiakSiblingsAreResolvedAndEndWithTheNextPut(t *testing.T) {
	k := &riak{puts: map[string]int{}, objs: map[string]map[int][]byte{}}
	srv := httptest.NewServer(k)
	defer srv.Close()
	s, err := newRiakStore(srv.URL + "/")
	if err != nil {
		t.Fatal(err)
	}
	doc := key{"trips", "ann@example.org", "a b"}
	if r, token, err := s.get(t.Context(), doc); err != nil || r.Version != 0 || token != "0" {
		t.Fatalf("get of nothing = %+v, %q, %v", r, token, err)
	}
	for _, r := range []record{{Version: 1, At: 7, Body: json.RawMessage(`"a"`)}, {Version: 1, At: 9, Body: json.RawMessage(`"b"`)}} {
		if err := s.put(t.Context(), doc, r, ""); err != nil { // both from nothing
			t.Fatal(err)
		}
	}
	r, token, err := s.get(t.Context(), doc)
	if err != nil || string(r.Body) != `"b"` {
		t.Fatalf("get = %+v, %v; want the later of two siblings", r, err)
	}
	if err := s.put(t.Context(), doc, record{Version: 2, At: 10, Deleted: true}, token); err != nil {
		t.Fatal(err)
	}
	if path := "/buckets/navcloud_trips/keys/ann@example.org%2Fa%20b"; len(k.objs[path]) != 1 {
		t.Errorf("%d siblings are left at %s, want one (have %d keys)", len(k.objs[path]), path, len(k.objs))
	}
	if r, _, err := s.get(t.Context(), doc); err != nil || !r.Deleted || r.Version != 2 {
		t.Errorf("get = %+v, %v; want the tombstone", r, err)
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
