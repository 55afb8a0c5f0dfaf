package agent

import (
	"fmt"
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
		a, end := run(t, cfg)
		s := a.Status().Rollups
		if (s == nil) != (want == "") || s != nil && !s.Until.IsZero() {
			t.Errorf("%s: %+v, want %q", section, s, want)
		}
		end()
	}
}
