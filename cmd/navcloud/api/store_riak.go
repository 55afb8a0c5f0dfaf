package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// riakStore keeps records in Riak over HTTP. Each put descends from the vector clock of the get before
// it; where two nodes wrote at once Riak keeps both (bucket types with allow_mult), get takes the
// newer, and the next put ends the fork.
// Source: Riak KV 2.2.3 documentation, "HTTP Fetch Object" and "HTTP Store Object", read November 2026.
type riakStore struct {
	base   string
	client *http.Client
}

const (
	riakDeadline = 5 * time.Second
	// maxSiblings bounds how much of a fork is read; Riak warns at 25 by default.
	maxSiblings = 100
)

func newRiakStore(base string) (*riakStore, error) {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("riak: want a URL such as http://127.0.0.1:8098, have %q", base)
	}
	return &riakStore{
		base: strings.TrimSuffix(base, "/"),
		client: &http.Client{
			Timeout:   riakDeadline,
			Transport: &http.Transport{MaxIdleConnsPerHost: 64, IdleConnTimeout: time.Minute},
		},
	}, nil
}

func (s *riakStore) url(k key) string {
	return s.base + "/buckets/navcloud_" + k.kind + "/keys/" + url.PathEscape(string(k.path()))
}

func (s *riakStore) do(ctx context.Context, method string, k key, token string, body []byte) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, s.url(k), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "multipart/mixed, */*;q=0.9") // siblings whole, in one answer
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		req.Header.Set("X-Riak-Vclock", token)
	}
	return s.client.Do(req)
}

func (s *riakStore) get(ctx context.Context, k key) (record, string, error) {
	resp, err := s.do(ctx, http.MethodGet, k, "", nil)
	if err != nil {
		return record{}, "", fmt.Errorf("riak: %w", err)
	}
	defer resp.Body.Close()
	token := resp.Header.Get("X-Riak-Vclock")
	body := io.LimitReader(resp.Body, maxSiblings*maxEvent)
	switch resp.StatusCode {
	case http.StatusOK:
		var r record
		if err := json.NewDecoder(body).Decode(&r); err != nil {
			return record{}, "", fmt.Errorf("riak: %s/%s: %w", k.kind, k.path(), err)
		}
		return r, token, nil
	case http.StatusMultipleChoices:
		r, err := resolve(resp.Header.Get("Content-Type"), body)
		return r, token, err
	case http.StatusNotFound:
		_, _ = io.Copy(io.Discard, body)
		return record{}, token, nil // a tombstone of Riak's own has a clock too
	}
	return record{}, "", riakStatus("get", resp.StatusCode, body)
}

// resolve reads siblings and returns the newest.
func resolve(contentType string, body io.Reader) (record, error) {
	_, params, err := mime.ParseMediaType(contentType)
	if err != nil || params["boundary"] == "" {
		return record{}, fmt.Errorf("riak: siblings as %q, want multipart/mixed", contentType)
	}
	var best record
	parts := multipart.NewReader(body, params["boundary"])
	for range maxSiblings {
		p, err := parts.NextPart()
		if err == io.EOF {
			return best, nil
		}
		if err != nil {
			return record{}, fmt.Errorf("riak: siblings: %w", err)
		}
		var r record
		// A sibling that cannot be read (deleted by others, written by others) must not hide the rest.
		if json.NewDecoder(p).Decode(&r) == nil && r.newer(best) {
			best = r
		}
	}
	return best, nil
}

func (s *riakStore) put(ctx context.Context, k key, r record, token string) error {
	v, err := json.Marshal(r)
	if err != nil {
		return err
	}
	resp, err := s.do(ctx, http.MethodPut, k, token, v)
	if err != nil {
		return fmt.Errorf("riak: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 && resp.StatusCode != http.StatusMultipleChoices {
		return riakStatus("put", resp.StatusCode, resp.Body)
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, maxEvent))
	return nil
}

// riakStatus makes an error of an answer; the first line of its body tells overload from the rest.
func riakStatus(op string, code int, body io.Reader) error {
	b, _ := io.ReadAll(io.LimitReader(body, 512))
	line, _, _ := strings.Cut(strings.TrimSpace(string(b)), "\n")
	return fmt.Errorf("riak: %s: status %d: %s", op, code, line)
}

func (s *riakStore) replicates() bool { return true }
func (s *riakStore) close() error     { s.client.CloseIdleConnections(); return nil }
