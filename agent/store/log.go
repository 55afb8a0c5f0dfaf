package store

import (
	"context"
	"log/slog"
)

// inDetail returns a log that says at debug what the database says at info: some twenty lines of each start and a few of
// each compaction, of which none asks for anything. Its warnings and errors stay what they are.
func inDetail(l *slog.Logger) *slog.Logger { return slog.New(detail{l.Handler()}) }

type detail struct{ slog.Handler }

func lowered(l slog.Level) slog.Level {
	if l < slog.LevelWarn {
		return min(l, slog.LevelDebug)
	}
	return l
}

// Enabled implements slog.Handler.
func (d detail) Enabled(ctx context.Context, l slog.Level) bool {
	return d.Handler.Enabled(ctx, lowered(l))
}

// Handle implements slog.Handler.
func (d detail) Handle(ctx context.Context, r slog.Record) error {
	r.Level = lowered(r.Level)
	return d.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (d detail) WithAttrs(attrs []slog.Attr) slog.Handler { return detail{d.Handler.WithAttrs(attrs)} }

// WithGroup implements slog.Handler.
func (d detail) WithGroup(name string) slog.Handler { return detail{d.Handler.WithGroup(name)} }
