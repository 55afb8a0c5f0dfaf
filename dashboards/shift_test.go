package dashboards_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/navcloud/binnacle/dashboards/oncall"
)

// TestALedgerThatDoesNotAnswer is told on every page that looks back, and so is one that was cut short.
func TestALedgerThatDoesNotAnswer(t *testing.T) {
	for want, history := range map[string]func(context.Context, oncall.EventQuery) ([]oncall.Event, error){
		"The ledger did not answer: locked.": func(context.Context, oncall.EventQuery) ([]oncall.Event, error) { return nil, errors.New("locked") },
		"only the newest 20\u202f000 events": func(_ context.Context, q oncall.EventQuery) ([]oncall.Event, error) {
			return make([]oncall.Event, q.Limit), nil
		},
	} {
		o := options(incident(), fleet{}, goodStatus())
		o.History = history
		h := newWhole(o)
		for _, path := range []string{"/timeline", "/handover", "/problems/00000000000000a1"} {
			if page := text(t, get(t, h, path).Body); !strings.Contains(page, want) {
				t.Errorf("GET %s does not say %q", path, want)
			}
			if page := text(t, get(t, h, path).Body); strings.Contains(want, "locked") && (strings.Contains(page, "0 pages") || strings.Contains(page, "How the shift was") || strings.Contains(page, "Nobody was paged")) {
				t.Errorf("GET %s calls nothing what is not known", path)
			}
		}
	}
}
