package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/dispatch"
)

func TestBoard(t *testing.T) {
	atDesk(t, dispatch.On, func(t *testing.T, k *desk) {
		k.want(0, "board", "0 problems", "Nothing is wrong that binnacle knows of.")
		record := full()
		record.Labels["alertname"], record.Labels["severity"], record.Labels["entity"] = "Rotated", "info", "node:x"
		k.tell(30*time.Second, full(), failing(), record)

		out := k.want(2, "board",
			"00:00:30 3 problems, 3 alarms",
			"1. P1 paged, since 00:00:00 (30 s)", "12 % of streams fail [StreamsFailing]", "> look at the broker", "Why: users are affected now",
			"2. P2 held behind 1 until 00:01:20", "1 more that page nobody: --all")
		if strings.Index(out, "StreamsFailing") > strings.Index(out, "DiskFull") {
			t.Errorf("the worst is not on top:\n%s", out)
		}
		k.want(2, "board --all", "Rotated", "on the board only")
		for l := range strings.Lines(k.want(2, "board --width 34")) {
			if n := utf8.RuneCountInString(strings.TrimRight(l, "\n")); n > 34 {
				t.Errorf("%d columns, want at most 34: %s", n, l)
			}
		}
		var n dispatch.Now
		if err := json.Unmarshal([]byte(k.want(0, "board --json")), &n); err != nil || len(n.View.Problems) != 3 {
			t.Errorf("%d problems, %v; want 3", len(n.View.Problems), err)
		}
		k.want(0, "ack StreamsFailing")
		k.tell(time.Second)
		k.want(1, "board", "P1 acknowledged by ann")
	})
}

func TestBoardTellsWhatToTrust(t *testing.T) {
	atDesk(t, dispatch.Shadow, func(t *testing.T, k *desk) {
		k.want(0, "board", "! shadow mode: nobody is paged by this")
	})
	n := dispatch.Now{Status: dispatch.Status{Mode: dispatch.On, Undelivered: 2 * time.Minute}, View: alerting.View{At: time.Unix(0, 0), Refused: 3}}
	got := strings.Join(standing(n, time.Unix(3600, 0)), "\n")
	for _, want := range []string{"not been delivered for 2 min", "ledger cannot be written", "3 alarms were not taken", "last looked 1 h ago"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not told:\n%s", want, got)
		}
	}
}

// An agent that goes away is told on the board, which is there again when the agent is.
func TestBoardKeepsWatch(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	asked := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked++
		switch asked {
		case 2:
			http.Error(w, "gone", http.StatusBadGateway)
			return
		case 4:
			cancel()
		}
		_, _ = io.WriteString(w, `{"status": {"mode": "on", "durable": true}}`)
	}))
	defer s.Close()
	out, code := run(ctx, "board", "--watch", "--every", "100ms", "--url", s.URL)
	screens := strings.Split(out, "\x1b[H\x1b[2J")[1:]
	if code != 0 || len(screens) != 3 {
		t.Fatalf("exit %d after %d screens, want 0 after 3:\n%s", code, len(screens), out)
	}
	if !strings.Contains(screens[1], "NOT KNOWN: 502") || !strings.Contains(screens[2], "Nothing is wrong") {
		t.Errorf("want the failure on the second screen and none on the third: %q", screens)
	}
}

// What comes from outside steers no terminal.
func TestFold(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"", "  >"},
		{"short", "  > short"},
		{"one two three four", "  > one two\n    three\n    four"},
		{"\x1b[2Jred\u202e\talert\n", "  > [2Jred\n    alert"},
		{"überlängenwort x", "  > überlängenwort\n    x"},
	} {
		var b strings.Builder
		fold(&b, 12, "  > ", c.in)
		if got := strings.TrimRight(b.String(), "\n"); got != c.want {
			t.Errorf("%q becomes %q, want %q", c.in, got, c.want)
		}
	}
}

func TestBoardRefuses(t *testing.T) {
	wants(t, 3, []string{"board", "--every", "1ms"}, "--every: want 100ms to 1h")
	wants(t, 3, []string{"board", "--watch", "--json"}, "want one of them")
	wants(t, 3, []string{"board", "extra"}, `unknown command "extra"`)
	s := httptest.NewServer(http.NotFoundHandler())
	wants(t, 3, []string{"board", "--url", s.URL}, "404 Not Found; does that agent have the role route?")
	s.Close()
	wants(t, 3, []string{"board", "--url", s.URL}, "no agent answers")
}
