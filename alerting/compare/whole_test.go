package compare_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/compare"
	"github.com/navcloud/binnacle/alerting/dispatch"
	"github.com/navcloud/binnacle/alerting/intake"
	"github.com/navcloud/binnacle/alerting/ledger"
	"github.com/navcloud/binnacle/alerting/people"
	"github.com/navcloud/binnacle/alerting/router"
)

// theirs is one notification that an Alertmanager sends to us as to any of its receivers.
type theirs struct {
	after    time.Duration // since Monday 00:00
	group    string
	resolved bool
	alarms   []map[string]string
}

func alarmOf(name, severity string, more ...string) map[string]string {
	out := map[string]string{"alertname": name, "severity": severity}
	for i := 0; i < len(more); i += 2 {
		out[more[i]] = more[i+1]
	}
	return out
}

// fiveDays is what their Alertmanager tells: a dead host with what ran on it, a repeated page, a short noise each day, and a
// full disk at night.
func fiveDays() (out []theirs) {
	const h, m = time.Hour, time.Minute
	host := alarmOf("NodeDown", "critical", "instance", "db-1:9100", "job", "node")
	redis, app := alarmOf("RedisDown", "critical", "instance", "db-1:9121", "job", "redis"), alarmOf("PostgresqlDown", "critical", "instance", "db-1:9187", "job", "postgres")
	out = append(out,
		theirs{3*h + 10*m, "NodeDown", false, []map[string]string{host}},
		theirs{3*h + 10*m + 20*time.Second, "RedisDown", false, []map[string]string{redis}},
		theirs{3*h + 10*m + 40*time.Second, "PostgresqlDown", false, []map[string]string{app}},
		theirs{7 * h, "NodeDown", false, []map[string]string{host}}, // repeat_interval
		theirs{7*h + 30*m, "NodeDown", true, []map[string]string{host}},
		theirs{7*h + 30*m, "RedisDown", true, []map[string]string{redis}},
		theirs{7*h + 31*m, "PostgresqlDown", true, []map[string]string{app}},
	)
	cpu := alarmOf("HostHighCpuLoad", "warning", "instance", "web-3:9100", "job", "node")
	for day := range time.Duration(5) {
		out = append(out, theirs{day*24*h + 14*h, "cpu", false, []map[string]string{cpu}}, theirs{day*24*h + 14*h + 3*m, "cpu", true, []map[string]string{cpu}})
	}
	disk := alarmOf("HostOutOfDiskSpace", "critical", "instance", "db-2:9100", "job", "node", "mountpoint", "/")
	out = append(out, theirs{3*24*h + 23*h, "disk", false, []map[string]string{disk}}, theirs{3*24*h + 23*h + 50*m, "disk", true, []map[string]string{disk}})
	slices.SortFunc(out, func(a, b theirs) int { return cmp.Compare(a.after, b.after) })
	return out
}

func (n theirs) post(t *testing.T, h http.Handler, monday time.Time) {
	status := map[bool]string{true: "resolved", false: "firing"}[n.resolved]
	var alerts []map[string]any
	for _, a := range n.alarms {
		one := map[string]any{"status": status, "labels": a, "annotations": map[string]string{"summary": a["alertname"] + " on " + a["instance"]}, "startsAt": monday.Add(n.after - 30*time.Second)}
		if n.resolved {
			one["endsAt"] = time.Now()
			one["startsAt"] = time.Now().Add(-time.Minute)
		}
		alerts = append(alerts, one)
	}
	body, err := json.Marshal(map[string]any{
		"version": "4", "groupKey": fmt.Sprintf("{}:{alertname=%q}", n.group), "status": status, "receiver": "oncall", "groupLabels": map[string]string{"alertname": n.group},
		"externalURL": "http://alertmanager:9093", "alerts": alerts,
	})
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, intake.PathAlertmanager, bytes.NewReader(body)))
	if w.Code != http.StatusOK {
		t.Fatalf("%s: %d %s", n.group, w.Code, w.Body)
	}
}

// TestAWeekInShadow has an Alertmanager tell of five days, as a second receiver beside the one that wakes people, and reads the
// report of Friday.
func TestAWeekInShadow(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	var report strings.Builder
	synctest.Test(t, func(t *testing.T) {
		cfg := dispatch.DefaultConfig()
		cfg.Mode = dispatch.Shadow
		d, err := dispatch.New(cfg, dispatch.Options{
			Router: router.New(alerting.DefaultSettings()), Pager: nobody{t}, Node: "n1", Runbooks: "http://board/runbooks/", Log: slog.New(slog.DiscardHandler),
			Ledger: func() (ledger.Ledger, error) { return ledger.Open(path, ledger.Options{}) },
		})
		if err != nil {
			t.Fatal(err)
		}
		in := intake.New(intake.Options{
			Put: d.Put, View: d.View, Version: "test", Desk: &people.Desk{Router: d},
			Noticed: func(n intake.Notice) {
				e := ledger.Event{At: n.At, Action: alerting.Trigger.String(), Key: n.Key, Title: n.Title, By: n.Receiver, Alarms: n.Alarms}
				if n.Resolved {
					e.Action = alerting.Resolve.String()
				}
				d.Theirs(e)
			},
		})
		mux := http.NewServeMux()
		in.Register(mux)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- d.Run(ctx) }()
		time.Sleep(time.Until(time.Date(2000, 1, 3, 0, 0, 0, 0, time.UTC))) // a Monday
		monday := time.Now()
		for _, n := range fiveDays() {
			time.Sleep(time.Until(monday.Add(n.after)))
			n.post(t, mux, monday)
		}
		friday := monday.AddDate(0, 0, 5)
		time.Sleep(time.Until(friday))
		events, err := d.History(ctx, ledger.Query{Since: monday, Until: friday, Limit: 10_000})
		if err != nil {
			t.Fatal(err)
		}
		compare.Make("Alertmanager", monday, friday, compare.Ours(events), compare.Recorded(events)).Write(&report, time.UTC, strings.TrimSpace)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	want, err := os.ReadFile("testdata/shadow.txt")
	if err != nil || report.String() != string(want) {
		t.Errorf("%v; the report is\n%s", err, report.String())
	}
}

// nobody is the pager of shadow mode: nothing may come to it.
type nobody struct{ t *testing.T }

// Send implements dispatch.Pager.
func (n nobody) Send(_ context.Context, a alerting.Action) alerting.Result {
	n.t.Errorf("%s %s was sent in shadow mode", a.Kind, a.Key)
	return alerting.Result{Outcome: alerting.Refused}
}
