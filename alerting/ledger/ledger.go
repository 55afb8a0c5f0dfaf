// Package ledger keeps what was decided, sent, answered, acknowledged and silenced, so that a restart
// sends nothing twice and forgets nothing, and so that every page and every silence can be explained.
//
// It decides nothing and sends nothing. Who sends must not wait for it: a ledger that cannot write
// returns an error, and package dispatch sends all the same and keeps its state in memory. All methods may
// be called by many goroutines.
package ledger

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/navcloud/binnacle/alerting"
)

// The errors of a Ledger, beside those of what lies beneath it.
var (
	ErrConflict = errors.New("ledger: the entry was changed by another")   // the Revision is not the newest
	ErrFenced   = errors.New("ledger: the lease went to another")          // the lease's token is not the newest
	ErrHeld     = errors.New("ledger: another holds the lease")            // and it has not run out
	ErrTooLarge = errors.New("ledger: the entry is larger than 4 MiB")     // which no page is
	ErrVersion  = errors.New("ledger: written by a newer version of this") // and set aside
	ErrInUse    = errors.New("another process has it open")                // and no other may
	ErrMended   = errors.New("ledger: begun anew")                         // Load it, and write all that it lacks
)

// Ledger is durable memory with compare-and-set and a lease.
type Ledger interface {
	// Load returns all entries, and all silences that have not ended for longer than the retention.
	Load(ctx context.Context) (State, error)
	// Write makes b durable, the whole of it or nothing, and returns the new revision of each entry
	// in turn. It errs with ErrConflict where an entry's Revision is not the stored one (0: none
	// is stored) and with ErrFenced where l is not the newest lease. The zero Lease is that of a router
	// which does not send and tells what a person did; a ledger that nobody shares refuses it.
	Write(ctx context.Context, l Lease, b Batch) ([]uint64, error)
	// History returns the events that q asks for, oldest first.
	History(ctx context.Context, q Query) ([]Event, error)
	// Acquire takes the lease for holder, or renews it. It errs with ErrHeld.
	Acquire(ctx context.Context, holder string, ttl time.Duration) (Lease, error)
	// Release gives the lease back, so that another need not wait for its end.
	Release(ctx context.Context, l Lease) error
	Close() error
}

// Follower is a Ledger that several routers share: each learns what the others write.
type Follower interface {
	// Follow tells all that is stored, and then each change as it comes, the own ones among them. It
	// blocks until ctx ends, or the ledger is lost.
	Follow(ctx context.Context, changed func(State)) error
}

// Lease says who may write. Token rises each time that the lease changes hands.
type Lease struct {
	Holder string
	Token  uint64
	Until  time.Time
}

// Entry is a record as it is stored. Entries of shadow mode are kept apart: their incidents do not
// exist at the pager.
type Entry struct {
	Record   alerting.Record
	Shadow   bool
	Revision uint64 `json:"-"`
}

// State is what a router needs in order to go on.
type State struct {
	Entries  []Entry
	Silences []alerting.Silence
}

// Batch is what one Write makes durable.
type Batch struct {
	Entries  []Entry
	Silences []alerting.Silence // by ID, the newest wins
	Events   []Event
}

// Kind is what happened.
type Kind string

// The kinds of events. Decided comes before the call, one of the four outcomes after it; in shadow mode
// Shadowed takes the place of both.
const (
	Started   Kind = "started"
	Decided   Kind = "decided"
	Accepted  Kind = "accepted"
	Refused   Kind = "refused"
	Throttled Kind = "throttled"
	Unknown   Kind = "unknown"
	Shadowed  Kind = "shadowed"
	Second    Kind = "second_channel"
	Acked     Kind = "acked"
	Unacked   Kind = "unacked"
	Escalated Kind = "escalated"
	Closed    Kind = "closed"
	Silenced  Kind = "silenced"
	Unsilence Kind = "unsilenced"
	Deployed  Kind = "deployed"
	Noted     Kind = "noted" // what a person wrote, in Detail

	ActRefused Kind = "act_refused" // somebody was not allowed to
	Theirs     Kind = "theirs"      // another Alertmanager notified somebody; By is its receiver
	Proved     Kind = "proved"      // a channel accepted its daily test
)

// Event is one line of the history.
type Event struct {
	Seq      uint64            `json:"seq"`
	At       time.Time         `json:"at"`
	Kind     Kind              `json:"kind"`
	Action   string            `json:"action,omitempty"` // trigger, resolve, retitle, note
	ActionID string            `json:"action_id,omitempty"`
	Key      string            `json:"key,omitempty"` // dedup key, or the ID of a silence
	Route    string            `json:"route,omitempty"`
	Priority alerting.Priority `json:"priority,omitempty"`
	Title    string            `json:"title,omitempty"`
	Reason   string            `json:"reason,omitempty"` // why this priority
	By       string            `json:"by,omitempty"`     // the person, where one did it
	Detail   string            `json:"detail,omitempty"`
	Alarms   []string          `json:"alarms,omitempty"` // fingerprints behind it, the head first
}

// Query selects events. The zero Query asks for the newest 1000.
type Query struct {
	Since, Until time.Time // half open; zero: no bound
	Key          string
	Alarm        string // fingerprint
	Kinds        []Kind
	Limit        int // of the newest; 0 means 1000
}

const defaultLimit = 1000

func (q Query) limit() int {
	if q.Limit <= 0 {
		return defaultLimit
	}
	return q.Limit
}

func (q Query) wants(e Event) bool {
	switch {
	case q.Key != "" && e.Key != q.Key,
		!q.Until.IsZero() && !e.At.Before(q.Until),
		!q.Since.IsZero() && e.At.Before(q.Since),
		q.Alarm != "" && !slices.Contains(e.Alarms, q.Alarm),
		len(q.Kinds) > 0 && !slices.Contains(q.Kinds, e.Kind):
		return false
	}
	return true
}

// Bounds of what is stored. A page's explained alarms are the bulk of a record: the pager gets all of
// them, the ledger needs the head and enough of the rest to recognise the incident.
const (
	maxEntry     = 4 << 20
	maxExplained = 500
	maxAlarms    = 500
	maxText      = 2 << 10
)

// bounded returns a copy of e that is small enough to keep.
func (e Event) bounded() Event {
	e.Title, e.Reason, e.Detail, e.By = cut(e.Title), cut(e.Reason), cut(e.Detail), cut(e.By)
	if len(e.Alarms) > maxAlarms {
		e.Alarms = e.Alarms[:maxAlarms]
	}
	return e
}

func (e Entry) bounded() Entry {
	if p := &e.Record.Page; len(p.Explained) > maxExplained {
		p.Explained = p.Explained[:maxExplained]
	}
	return e
}

func cut(s string) string {
	if len(s) > maxText {
		return s[:maxText]
	}
	return s
}
