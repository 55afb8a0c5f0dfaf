package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
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

// TestCompareWithTheirs reads the history of an agent that another Alertmanager told of its notifications, and a file of
// PagerDuty's log.
func TestCompareWithTheirs(t *testing.T) {
	now := time.Now().UTC().Format(time.RFC3339)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(r.URL.RawQuery, "kind=theirs") {
			http.Error(w, "not asked for theirs", http.StatusBadRequest)
			return
		}
		_, _ = w.Write([]byte(`[
			{"at": "` + now + `", "kind": "theirs",   "action": "trigger", "key": "slack {}", "by": "slack", "title": "High", "alarms": ["x"]},
			{"at": "` + now + `", "kind": "shadowed", "action": "trigger", "action_id": "1", "key": "a", "priority": 1, "title": "it is high [High]", "alarms": ["x", "y"]}]`))
	}))
	defer s.Close()
	wants(t, 0, []string{"compare", "--url", s.URL, "--theirs", "alertmanager", "--days", "1"}, "Alertmanager beside binnacle\n", "P1 it is high [High]\n", "High, 1 message to slack: at the same time\n")
	file := filepath.Join(t.TempDir(), "log.json")
	if err := os.WriteFile(file, []byte(`{"log_entries":[{"type":"trigger_log_entry","created_at":"`+now+`","incident":{"id":"P1","title":"CPU"},"service":{"summary":"DB"}}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	wants(t, 0, []string{"compare", "--url", s.URL, "--theirs", file, "--days", "1"}, "PagerDuty beside binnacle\n", "CPU, 1 message to DB\n", "while binnacle's it is high [High] was open")
	wants(t, 0, []string{"compare", "--url", s.URL, "--theirs", file, "--days", "1", "--json"}, `"theirs_only":[{"id":"P1"`)
	wants(t, 3, []string{"compare", "--url", s.URL, "--theirs", "pagerdoody"}, "--theirs: want alertmanager, pagerduty or a file")
}
