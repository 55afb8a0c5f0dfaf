package agent

import (
	"fmt"
	"log/slog"
	"testing"
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
		if (s == nil) != (want == "") || s != nil && want != "" && !s.Until.IsZero() {
			t.Errorf("%s: %+v, want %q", section, s, want)
		}
		must(t, a.closeStore())
	}
}
