package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// riakStore keeps records in Riak over HTTP, at any of several nodes: the next is asked where one fails. Buckets allow
// siblings (allow_mult): where two nodes wrote at once Riak keeps both, and nothing is dropped before a reader decides.
// Source: Riak KV 3.2 documentation, "HTTP Fetch Object", "HTTP Store Object", "HTTP Set Bucket Properties" and "Replication
// Properties" (pr, pw), read 30 November 2026.
type riakStore struct {
	nodes  []string     // base URLs
	first  atomic.Int64 // of them, the one to ask first: it answered last
	client *http.Client

	mu    sync.Mutex
	ready map[string]bool // buckets that are known to allow siblings
}

const (
	riakDeadline = 5 * time.Second
	// riakTry bounds one request, so that there is time for another node.
	riakTry = 2 * time.Second
	// maxSiblings bounds how much of a fork is read; Riak warns at 25 by default.
	maxSiblings = 100
)

func newRiakStore(urls string) (*riakStore, error) {
	s := &riakStore{
		ready: map[string]bool{},
		client: &http.Client{
			Timeout:       riakDeadline,
			Transport:     &http.Transport{MaxIdleConnsPerHost: 64, IdleConnTimeout: time.Minute},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	for _, base := range strings.Split(urls, ",") {
		base = strings.TrimSuffix(strings.TrimSpace(base), "/")
		u, err := url.Parse(base)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return nil, fmt.Errorf("riak: want URLs such as http://127.0.0.1:8098, have %q", base)
		}
		s.nodes = append(s.nodes, base)
	}
	return s, nil
}

func bucket(kind string) string { return "/buckets/navcloud_" + kind }

func path(k key) string { return bucket(k.kind) + "/keys/" + url.PathEscape(string(k.path())) }

// answer is what a node answered.
type answer struct {
	code   int
	header http.Header
	body   []byte
}

// riakError is an answer that is none: the first line of its body tells overload from the rest.
type riakError struct {
	op   string
	code int
	line string
}

func (e *riakError) Error() string {
	return fmt.Sprintf("riak: %s: status %d: %s", e.op, e.code, e.line)
}

// do asks the nodes in turn until one answers other than by 5xx. A request that is repeated must be one that may be.
func (s *riakStore) do(ctx context.Context, method, path, token string, body []byte) (a answer, err error) {
	first := int(s.first.Load())
	for n := range s.nodes {
		at := (first + n) % len(s.nodes)
		if a, err = s.ask(ctx, method, s.nodes[at]+path, token, body); err == nil {
			s.first.Store(int64(at))
			return a, nil
		}
		if ctx.Err() != nil {
			break
		}
	}
	return a, err
}

func (s *riakStore) ask(ctx context.Context, method, url, token string, body []byte) (answer, error) {
	try := riakDeadline
	if len(s.nodes) > 1 {
		try = riakTry
	}
	ctx, cancel := context.WithTimeout(ctx, try)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("Accept", "multipart/mixed, */*;q=0.9") // siblings whole, in one answer
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		req.Header.Set("X-Riak-Vclock", token)
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return answer{}, fmt.Errorf("riak: %w", err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxSiblings*maxEvent))
	if err != nil {
		return answer{}, fmt.Errorf("riak: %w", err)
	}
	if resp.StatusCode >= 500 {
		line, _, _ := strings.Cut(strings.TrimSpace(string(data[:min(len(data), 512)])), "\n")
		return answer{}, &riakError{method, resp.StatusCode, line}
	}
	return answer{resp.StatusCode, resp.Header, data}, nil
}

// siblings sees to it that a bucket keeps siblings: by default Riak drops all but the latest by its clock.
func (s *riakStore) siblings(ctx context.Context, kind string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ready[kind] {
		return nil
	}
	a, err := s.do(ctx, http.MethodPut, bucket(kind)+"/props", "", []byte(`{"props":{"allow_mult":true,"last_write_wins":false}}`))
	if err == nil && a.code/100 == 2 {
		a, err = s.do(ctx, http.MethodGet, bucket(kind)+"/props", "", nil)
	}
	if err != nil {
		return fmt.Errorf("riak: properties of navcloud_%s: %w", kind, err)
	}
	var got struct {
		Props struct {
			AllowMult bool `json:"allow_mult"`
		} `json:"props"`
	}
	if err := json.Unmarshal(a.body, &got); err != nil || !got.Props.AllowMult {
		return errors.Join(fmt.Errorf("riak: navcloud_%s keeps no siblings (status %d): set allow_mult on the bucket", kind, a.code), err)
	}
	s.ready[kind] = true
	return nil
}

func (s *riakStore) apply(context.Context, key, record) error { return nil } // Riak did

func (s *riakStore) replicates() bool { return true }
func (s *riakStore) close() error     { s.client.CloseIdleConnections(); return nil }
