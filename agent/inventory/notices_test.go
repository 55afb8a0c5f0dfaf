package inventory

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

func TestNotices(t *testing.T) {
	const spot, life, rebalance, events = "/latest/meta-data/spot/instance-action", "/latest/meta-data/autoscaling/target-lifecycle-state",
		"/latest/meta-data/events/recommendations/rebalance", "/latest/meta-data/events/maintenance/scheduled"
	for name, tc := range map[string]struct {
		answers map[string]string
		want    []Notice
		fails   bool
	}{
		"nothing":    {map[string]string{life: "InService", events: "[]"}, nil, false},
		"spot":       {map[string]string{spot: `{"action": "terminate", "time": "2026-11-21T00:29:00Z"}`}, []Notice{{"spot", "AWS takes the spot instance back (terminate)", time.Date(2026, 11, 21, 0, 29, 0, 0, time.UTC), true}}, false},
		"group":      {map[string]string{life: "Terminated"}, []Notice{{"lifecycle", "its group ends it", time.Time{}, true}}, false},
		"warm pool":  {map[string]string{life: "Warmed:Stopped"}, []Notice{{"lifecycle", "its group takes it out of service (Warmed:Stopped)", time.Time{}, false}}, false},
		"rebalance":  {map[string]string{rebalance: `{"noticeTime": "2026-11-21T00:25:00Z"}`}, []Notice{{"rebalance", "AWS advises to replace the spot instance: it may be taken back soon", time.Time{}, false}}, false},
		"retirement": {map[string]string{events: `[{"NotBefore":"21 Dec 2026 09:00:43 GMT","Code":"instance-retirement","Description":"hardware","EventId":"e","State":"active"},{"Code":"system-reboot","State":"completed"}]`}, []Notice{{"instance-retirement", "AWS has planned: instance retirement. hardware", time.Date(2026, 12, 21, 9, 0, 43, 0, time.UTC), false}}, false},
		"rubbish":    {map[string]string{spot: "<html>", life: "Terminated"}, []Notice{{"lifecycle", "its group ends it", time.Time{}, true}}, true},
	} {
		got, err := NewMetadata(metadata(t, tc.answers), nil).Notices(t.Context())
		same := len(got) == len(tc.want)
		for i := range min(len(got), len(tc.want)) {
			same = same && got[i].Kind == tc.want[i].Kind && got[i].Text == tc.want[i].Text && got[i].Leaves == tc.want[i].Leaves && got[i].At.Equal(tc.want[i].At)
		}
		if !same || (err != nil) != tc.fails {
			t.Errorf("%s: %+v, %v; want %+v", name, got, err, tc.want)
		}
	}
	refuses := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }))
	defer refuses.Close()
	if _, err := NewMetadata(refuses.URL, nil).Notices(t.Context()); err == nil {
		t.Error("metadata that are switched off are no fault; want one")
	}
}
