package demo

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"
)

// TestMain lets the demo start this test again as NavCloud.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == ChildCommand {
		if err := Child(context.Background(), os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// TestRealDemo plays the whole incident in real time.
func TestRealDemo(t *testing.T) {
	if os.Getenv("BINNACLE_REAL") == "" {
		t.Skip("takes two to three minutes: set BINNACLE_REAL=1, as make test does")
	}
	var out bytes.Buffer
	err := Run(t.Context(), Options{
		Listen: "127.0.0.1:0", Headless: true, For: 6 * time.Minute, Out: &out, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Errorf("demo: %v\n%s", err, &out)
	}
	text := strings.TrimSpace(out.String())
	if last := text[strings.LastIndexByte(text, '\n')+1:]; !strings.Contains(last, " 2 pages, lost: nothing;") {
		t.Errorf("the last line says %q, want 2 pages and nothing lost", last)
	}
}
