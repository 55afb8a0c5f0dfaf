package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"
)

// maxEvent bounds an event on the wire: a document of maxBody and its envelope.
const maxEvent = maxBody + 2<<10

// event is one change, as it travels between nodes and as it stands in a stream: one line of JSON.
type event struct {
	From    string          `json:"from"` // publisher: node and start, so that Seq is never reused
	Seq     uint64          `json:"seq"`
	At      int64           `json:"at"`   // when it was made, nanoseconds since 1970
	Type    string          `json:"type"` // put, delete
	Kind    string          `json:"kind"` // trips, favourites
	User    string          `json:"user"`
	ID      string          `json:"id"`
	Version uint64          `json:"version"`
	Body    json.RawMessage `json:"body,omitempty"`
}

func (e *event) time() time.Time { return time.Unix(0, e.At) }

func decodeEvent(line []byte) (*event, error) {
	if len(line) > maxEvent {
		return nil, fmt.Errorf("event of %d bytes: want at most %d", len(line), maxEvent)
	}
	var e event
	if err := json.Unmarshal(line, &e); err != nil {
		return nil, fmt.Errorf("event: %w", err)
	}
	if e.From == "" || e.User == "" || e.Seq == 0 {
		return nil, errors.New("event: without from, user or seq")
	}
	return &e, nil
}

// chunk makes one chunk of HTTP's chunked coding of a line, newline included.
func chunk(line []byte) []byte {
	b := make([]byte, 0, len(line)+16)
	b = fmt.Appendf(b, "%x\r\n", len(line)+1)
	b = append(b, line...)
	return append(b, "\n\r\n"...)
}

// maxPublishers bounds the memory of seen: nodes come and go, each start is a publisher.
const maxPublishers = 1024

// seen tells events that came twice. A link that lost its confirms sends again, so an event may
// come twice but not later than window others of its publisher.
type seen struct {
	mu   sync.Mutex
	from map[string]*window
}

const windowBits = 4096

type window struct {
	high uint64
	bits [windowBits / 64]uint64 // bit n%windowBits: n was seen, for the last windowBits numbers up to high
}

// first says whether this is the first time that seq of from comes. What is older than the window
// counts as seen.
func (s *seen) first(from string, seq uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.from[from]
	if w == nil {
		if len(s.from) >= maxPublishers {
			for k := range s.from { // any: most of them are gone for good
				delete(s.from, k)
				break
			}
		}
		w = &window{}
		s.from[from] = w
	}
	if seq+windowBits <= w.high {
		return false
	}
	if seq > w.high {
		for n := max(w.high+1, seq-min(seq, windowBits-1)); n <= seq; n++ {
			w.bits[n%windowBits/64] &^= 1 << (n % 64)
		}
		w.high = seq
	}
	word, bit := &w.bits[seq%windowBits/64], uint64(1)<<(seq%64)
	if *word&bit != 0 {
		return false
	}
	*word |= bit
	return true
}
