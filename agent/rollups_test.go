package agent

import (
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"
)

func TestRollupsOpenWithTheStore(t *testing.T) {
	for section, want := range map[string]string{
		"store: {rollups: {max_series: 7}}": "nothing copied yet",
		"store: {rollups: off}":             "",
		"store: off":                        "",
	} {
		cfg, err := ParseConfig("test.yaml", []byte(fmt.Sprintf("data: %s\nlisten: 127.0.0.1:0\nroute: off\n%s\n", t.TempDir(), section)))
		must(t, err)
		a, err := New(cfg, Hooks{Log: slog.New(slog.DiscardHandler)})
		must(t, err)
		s := a.rollupStatus()
		if (s == nil) != (want == "") || s != nil && !strings.Contains(s.words(time.Now()), want) {
			t.Errorf("%s: %+v, want %q", section, s, want)
		}
		must(t, a.closeStore())
	}
}

func TestRollupsInWords(t *testing.T) {
	now := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	for want, s := range map[string]RollupStatus{
		"nothing copied yet": {},
		"1204 series, a sample every 5m0s, 210.0 MiB, since 4800h0m0s ago; nothing lost": {Series: 1204, Bytes: 210 << 20, Oldest: now.Add(-4800 * time.Hour), Until: now},
		"none copied since the start, 5.0 MiB, since 1h0m0s ago":                         {Bytes: 5 << 20, Oldest: now.Add(-time.Hour), Until: now.Add(-time.Minute)},
		"; 12 MORE LEFT OUT (store.rollups.max_series); LOST 3 refused":                  {LeftOut: 12, Refused: 3, Until: now},
	} {
		if got := s.words(now); !strings.Contains(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
	st := Status{At: now, Begun: now, Rollups: &RollupStatus{Error: "no space left on device"}}
	if code := st.Write(io.Discard); code != ExitWarning {
		t.Errorf("exit code %d while the past is not kept, want %d", code, ExitWarning)
	}
}
