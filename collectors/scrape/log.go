package scrape

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"
)

const (
	sayAgain = time.Hour // the library says at each scrape that a target's answer is bad
	maxSaid  = 1000      // targets and messages that are remembered
)

// quiet passes on what is logged of one target, a message once an hour.
type quiet struct {
	slog.Handler
	of   string // the attributes that all records of a target have
	said *said
}

type said struct {
	mu sync.Mutex
	at map[string]time.Time
}

func quietly(l *slog.Logger) *slog.Logger {
	return slog.New(quiet{Handler: l.Handler(), said: &said{at: map[string]time.Time{}}})
}

// Handle leaves out what was said of the same target within the hour.
func (q quiet) Handle(ctx context.Context, r slog.Record) error {
	if r.Level >= slog.LevelWarn && !q.said.isNews(q.of+r.Message, r.Time) {
		return nil
	}
	return q.Handler.Handle(ctx, r)
}

// WithAttrs keeps whom the records are of.
func (q quiet) WithAttrs(attrs []slog.Attr) slog.Handler {
	var of strings.Builder
	of.WriteString(q.of)
	for _, a := range attrs {
		fmt.Fprintf(&of, "%s=%v ", a.Key, a.Value)
	}
	return quiet{q.Handler.WithAttrs(attrs), of.String(), q.said}
}

// WithGroup keeps it as well.
func (q quiet) WithGroup(name string) slog.Handler {
	return quiet{q.Handler.WithGroup(name), q.of + name + ".", q.said}
}

// isNews notes that a text is said, unless it was within the hour.
func (s *said) isNews(text string, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if last, ok := s.at[text]; ok && now.Sub(last) < sayAgain {
		return false
	}
	if len(s.at) >= maxSaid {
		clear(s.at)
	}
	s.at[text] = now
	return true
}
