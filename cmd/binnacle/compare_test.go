package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/navcloud/binnacle/alerting/dispatch"
)

func TestCompare(t *testing.T) {
	atDesk(t, dispatch.Shadow, func(t *testing.T, k *desk) {
		k.want(0, "compare", "No page was sent, and none would have been.")
		k.tell(26*time.Hour, failing()) // its page is of the first day
		k.tell(2*time.Hour, full())
		k.want(0, "compare",
			"2000-01-01     1    0    0       1      0    0    0       0\n"+
				"2000-01-02     0    1    0       1      0    0    0       0\n")
		k.want(0, "compare --titles", "would 00:00:15 P1 12 % of streams fail [StreamsFailing], for 1 alarm\n", "users are affected now")
		if out := k.want(0, "compare --days 1"); strings.Contains(out, "2000-01-01") {
			t.Errorf("one day is two:\n%s", out)
		}
		var d dayTally
		first, _, _ := strings.Cut(k.want(0, "compare --json"), "\n")
		if err := json.Unmarshal([]byte(first), &d); err != nil || d.Date != "2000-01-01" || d.Shadow.P1 != 1 || len(d.Shadow.Pages) != 1 || len(d.Sent.Pages) != 0 {
			t.Errorf("JSON of the first day is %+v, %v", d, err)
		}
		if pages := k.pd.Pages(); len(pages) != 0 {
			t.Errorf("%d pages in shadow mode", len(pages))
		}
		k.want(3, "compare --days 0", "--days: want 1 to 400")
	})
	atDesk(t, dispatch.Off, func(_ *testing.T, k *desk) { k.want(3, "compare", "there is no ledger") })
}

// What was sent counts once, by its acceptance, with the alarms that its decision named; what comes back under
// the same key after a lost answer is the same page.
func TestCompareCountsWhatWasSent(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`[
			{"at": "2026-11-24T10:00:00Z", "kind": "decided",  "action": "trigger", "action_id": "1", "key": "a", "priority": 1, "alarms": ["x", "y"]},
			{"at": "2026-11-24T10:00:01Z", "kind": "accepted", "action": "trigger", "action_id": "1", "key": "a", "priority": 1, "title": "t"},
			{"at": "2026-11-24T10:00:02Z", "kind": "accepted", "action": "trigger", "action_id": "1", "key": "a", "priority": 1},
			{"at": "2026-11-24T10:00:03Z", "kind": "decided",  "action": "trigger", "action_id": "2", "key": "b", "priority": 3, "alarms": ["y", "z"]},
			{"at": "2026-11-24T10:00:04Z", "kind": "accepted", "action": "trigger", "action_id": "2", "key": "b", "priority": 3},
			{"at": "2026-11-24T10:00:05Z", "kind": "accepted", "action": "resolve", "action_id": "3", "key": "b", "priority": 3}]`))
	}))
	defer s.Close()
	wants(t, 0, []string{"compare", "--url", s.URL},
		"2026-11-24     0    0    0       0      1    0    1       3\n")
}
