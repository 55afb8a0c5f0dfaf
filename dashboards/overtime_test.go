package dashboards_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/navcloud/binnacle/agent/query"
)

// TestChartsReachBeyondTheStore: where samples are five minutes apart, a window of one minute would find nothing.
func TestChartsReachBeyondTheStore(t *testing.T) {
	for path, c := range map[string]struct {
		window string
		note   bool
	}{
		"/streams/history?from=2026-11-24T10:00&to=2026-11-24T12:00": {"[60s]", false},
		"/streams/history?from=2026-11-20T10:00&to=2026-11-20T12:00": {"[900s]", true},
		"/streams/history?last=8760h":                                {"[133200s]", true},
	} {
		o := options(incident(), fleet{nodes: 3}, goodStatus())
		var mu sync.Mutex
		var asked []string
		ranged := o.Range
		o.Range = func(ctx context.Context, q string, from, to time.Time, step time.Duration) ([]query.Series, error) {
			mu.Lock()
			asked = append(asked, q)
			mu.Unlock()
			return ranged(ctx, q, from, to, step)
		}
		page := text(t, get(t, newWhole(o), path).Body)
		if all := strings.Join(asked, "\n"); !strings.Contains(all, c.window) {
			t.Errorf("%s asks for no %s:\n%s", path, c.window, all)
		}
		if has := strings.Contains(page, "one value every 5 minutes"); has != c.note {
			t.Errorf("%s: says that values are five minutes apart: %v, want %v", path, has, c.note)
		}
	}
}
