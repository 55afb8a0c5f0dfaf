package health

import (
	"io"
	"strings"
	"testing"
	"time"
)

func TestRollupsInWords(t *testing.T) {
	now := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	for want, s := range map[string]Rollups{
		"nothing copied yet": {},
		"1204 series, a sample every 5m0s, 210 MiB, since 200 d ago; nothing lost": {Series: 1204, Bytes: 210 << 20, Oldest: now.Add(-4800 * time.Hour), Until: now},
		"none copied since the start, 5.0 MiB, since 1 h ago":                      {Bytes: 5 << 20, Oldest: now.Add(-time.Hour), Until: now.Add(-time.Minute)},
		"; 12 MORE LEFT OUT (store.rollups.max_series); LOST 3 refused":            {LeftOut: 12, Refused: 3, Until: now},
	} {
		if got := s.words(now); !strings.Contains(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
	st := Status{At: now, Begun: now, Rollups: &Rollups{Error: "no space left on device"}}
	if code := st.Write(io.Discard); code != ExitWarning {
		t.Errorf("exit code %d while the past is not kept, want %d", code, ExitWarning)
	}
}
