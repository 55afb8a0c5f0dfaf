package store

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
)

func TestTheDatabaseSpeaksInDetail(t *testing.T) {
	for level, want := range map[slog.Level][]string{
		slog.LevelInfo:  {"WARN a=1 g.m=w", "ERROR a=1 g.m=e"},
		slog.LevelDebug: {"DEBUG a=1 g.m=d", "DEBUG a=1 g.m=i", "WARN a=1 g.m=w", "ERROR a=1 g.m=e"},
	} {
		var out bytes.Buffer
		h := slog.NewTextHandler(&out, &slog.HandlerOptions{Level: level, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey || a.Key == slog.MessageKey {
				return slog.Attr{}
			}
			return a
		}})
		l := inDetail(slog.New(h)).With("a", 1).WithGroup("g")
		l.Debug("", "m", "d")
		l.Info("", "m", "i")
		l.Warn("", "m", "w")
		l.Error("", "m", "e")
		if got := strings.ReplaceAll(strings.TrimSpace(out.String()), "level=", ""); got != strings.Join(want, "\n") {
			t.Errorf("at %v the log says\n%s\nwant\n%s", level, got, strings.Join(want, "\n"))
		}
	}
}
