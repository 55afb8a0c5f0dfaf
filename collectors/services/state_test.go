package services

import (
	"context"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/navcloud/binnacle/agent/metric"
)

func TestAServerWithoutTLSIsNotFrozen(t *testing.T) {
	for name, tc := range map[string]struct {
		t           target
		err         error
		state, says string
	}{
		"never answered":         {target{}, context.DeadlineExceeded, stateError, "no answer in TLS"},
		"answered before":        {target{secured: true}, os.ErrDeadlineExceeded, stateFrozen, "i/o timeout"},
		"seen in another life":   {target{known: true}, context.DeadlineExceeded, stateFrozen, "deadline"},
		"refused while it shook": {target{}, context.Canceled, stateError, "canceled"},
	} {
		err := tc.t.noTLS(tc.err)
		if state, _ := tc.t.verdict(err); state != tc.state || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: %s, %v; want %s, %q", name, state, err, tc.state, tc.says)
		}
	}
}

func TestAnUnknownAuthorityIsNamedWithItsSetting(t *testing.T) {
	s := httptest.NewTLSServer(nil)
	defer s.Close()
	c := made(t, Redis, Servers{{Name: "r", URL: "rediss://" + s.Listener.Addr().String()}})
	b := &metric.Batch{Time: time.Now()}
	if err := c.Collect(t.Context(), b); err == nil || !strings.Contains(err.Error(), "unknown authority: name its authority by ca_file") {
		t.Errorf("Collect = %v; want the setting that mends it", err)
	}
}
