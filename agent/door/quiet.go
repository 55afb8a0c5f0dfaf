package door

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// quietFor is how long a message that was logged is only counted.
const quietFor = time.Minute

// maxMessages bounds the messages that are told apart; they are fixed texts of programs.
const maxMessages = 256

// Quiet returns a handler that passes each message on once a minute, and with the next one how many there were
// meanwhile: what strangers send must not fill the log. Messages are told apart by their text and level, not their
// attributes.
func Quiet(h slog.Handler) slog.Handler {
	return &quiet{Handler: h, said: &said{now: time.Now, by: map[string]*saying{}}}
}

type quiet struct {
	slog.Handler
	said *said
}

type said struct {
	now func() time.Time
	mu  sync.Mutex
	by  map[string]*saying
}

type saying struct {
	at      time.Time
	skipped int
}

// Handle implements slog.Handler.
func (q *quiet) Handle(ctx context.Context, r slog.Record) error {
	q.said.mu.Lock()
	key := r.Level.String() + r.Message
	s := q.said.by[key]
	if s == nil {
		if len(q.said.by) >= maxMessages {
			clear(q.said.by)
		}
		s = &saying{}
		q.said.by[key] = s
	}
	now := q.said.now()
	if !s.at.IsZero() && now.Sub(s.at) < quietFor {
		s.skipped++
		q.said.mu.Unlock()
		return nil
	}
	skipped := s.skipped
	s.at, s.skipped = now, 0
	q.said.mu.Unlock()
	if skipped > 0 {
		r = r.Clone()
		r.AddAttrs(slog.Int("more_of_these", skipped))
	}
	return q.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (q *quiet) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &quiet{q.Handler.WithAttrs(attrs), q.said}
}

// WithGroup implements slog.Handler.
func (q *quiet) WithGroup(name string) slog.Handler { return &quiet{q.Handler.WithGroup(name), q.said} }
