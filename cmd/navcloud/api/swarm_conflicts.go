package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Conflicts says what became of conditional updates of one document by many at once.
type Conflicts struct {
	Acknowledged int `json:"acknowledged"` // updates that the service said it wrote
	Refused      int `json:"refused"`      // by 412: another had come first, and it was read and tried again
	Unknown      int `json:"unknown"`      // no answer, or 5xx: it may have been written
	Final        int `json:"final"`        // what the document counts at the end
	Lost         int `json:"lost"`         // acknowledged and not in it
}

const (
	conflictWriters = 8
	conflictTries   = 50
)

var errGaveUp = errors.New("others came first each time")

// conflicts makes n updates of one counter, each on condition that it is the one that was read, at all nodes in turn.
func (s *swarm) conflicts(ctx context.Context, n int) (Conflicts, error) {
	id := fmt.Sprintf("c-%x", s.started.UnixNano())
	var mu sync.Mutex
	var c Conflicts
	work := make(chan int)
	var writers sync.WaitGroup
	for range conflictWriters {
		writers.Go(func() {
			for i := range work {
				refused, err := s.increment(ctx, s.cfg.Nodes[i%len(s.cfg.Nodes)], id)
				mu.Lock()
				c.Refused += refused
				switch {
				case err == nil:
					c.Acknowledged++
				case !errors.Is(err, errGaveUp):
					c.Unknown++
				}
				mu.Unlock()
			}
		})
	}
	for i := range n {
		work <- i
	}
	close(work)
	writers.Wait()
	var err error
	for try := range 20 {
		var etag string
		if c.Final, etag, err = s.counter(ctx, s.cfg.Nodes[try%len(s.cfg.Nodes)], id); err == nil && (etag != "" || c.Acknowledged == 0) {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	c.Lost = max(0, c.Acknowledged-c.Final)
	return c, err
}

// increment reads the counter and writes the next number until nobody came between.
func (s *swarm) increment(ctx context.Context, node, id string) (refused int, err error) {
	for range conflictTries {
		n, etag, err := s.counter(ctx, node, id)
		if err != nil {
			return refused, err
		}
		condition, value := "If-Match", etag
		if etag == "" {
			condition, value = "If-None-Match", "*"
		}
		code, _, _, err := s.ask(ctx, http.MethodPut, node, id, []byte(strconv.Itoa(n+1)), condition, value)
		switch {
		case err != nil:
			return refused, err
		case code == http.StatusPreconditionFailed:
			refused++
		case code/100 == 2:
			return refused, nil
		default:
			return refused, fmt.Errorf("PUT %s: status %d", id, code)
		}
	}
	return refused, errGaveUp
}

// counter reads the counter and its ETag, which is empty where there is none yet.
func (s *swarm) counter(ctx context.Context, node, id string) (int, string, error) {
	code, header, body, err := s.ask(ctx, http.MethodGet, node, id, nil, "", "")
	switch {
	case err != nil:
		return 0, "", err
	case code == http.StatusNotFound:
		return 0, "", nil
	case code != http.StatusOK:
		return 0, "", fmt.Errorf("GET %s: status %d", id, code)
	}
	var n int
	if err := json.Unmarshal(body, &n); err != nil {
		return 0, "", fmt.Errorf("GET %s: %w", id, err)
	}
	return n, header.Get("ETag"), nil
}

func (s *swarm) ask(ctx context.Context, method, node, id string, body []byte, name, value string) (int, http.Header, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://"+node+"/v1/trips/"+id, bytes.NewReader(body))
	if err != nil {
		return 0, nil, nil, err
	}
	req.Header.Set(userField, "conflicts")
	if name != "" {
		req.Header.Set(name, value)
	}
	resp, err := s.http.Do(req)
	if err != nil {
		return 0, nil, nil, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, 4<<10))
	return resp.StatusCode, resp.Header, bytes.TrimSpace(data), err
}

// words says what became of them.
func (c Conflicts) words() string {
	text := fmt.Sprintf("%d acknowledged, %d in the document", c.Acknowledged, c.Final)
	if c.Unknown > 0 {
		text += fmt.Sprintf(", %d without an answer", c.Unknown)
	}
	return strings.TrimSpace(text)
}
