package agent

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/navcloud/binnacle/alerting"
)

// TestTheEndOfASilenceIsUndone silences a problem, ends that and takes it back with the board's forms: it is the same silence
// as before, until the same time, and one whose time is over stays over.
func TestTheEndOfASilenceIsUndone(t *testing.T) {
	cfg, err := ParseConfig("t.yaml", []byte(fmt.Sprintf("data: %s\nnode: {name: n}\nlisten: 127.0.0.1:0\ncollect: off\nstore: off\nroute: {mode: shadow}\n", t.TempDir())))
	if err != nil {
		t.Fatal(err)
	}
	a, end := run(t, cfg)
	defer end()
	a.put([]alerting.Input{alerting.Firing{Alarm: alerting.Alarm{StartsAt: time.Now(), Labels: map[string]string{
		alerting.LabelRule: "TripsFail", alerting.LabelSeverity: "critical", alerting.LabelEntity: "service:trips",
	}}}})
	await(t, func() bool { return len(a.route.dispatch.View().Problems) == 1 })
	post := func(path string, form url.Values) {
		t.Helper()
		resp, err := http.PostForm("http://"+a.web.address()+path, form)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK { // of the board that it leads to
			t.Fatalf("POST %s: status %d", path, resp.StatusCode)
		}
	}
	silences := func() []alerting.Silence { return a.route.dispatch.View().Silences }

	post("/problems/"+a.route.dispatch.View().Problems[0].ID+"/silence", url.Values{"for": {"2h"}, "comment": {"moved"}})
	await(t, func() bool { return len(silences()) == 1 })
	before := silences()[0]
	post("/silences/"+before.ID+"/end", nil)
	await(t, func() bool { return len(silences()) == 0 })
	post("/silences/"+before.ID+"/renew", nil)
	await(t, func() bool { return len(silences()) == 1 })
	after := silences()[0]
	if after.UpdatedAt.Before(before.UpdatedAt) {
		t.Errorf("it was changed at %v, before it was made at %v", after.UpdatedAt, before.UpdatedAt)
	}
	after.UpdatedAt = before.UpdatedAt
	if got, want := fmt.Sprintf("%+v", after), fmt.Sprintf("%+v", before); got != want {
		t.Errorf("put back it is %s\nwant %s", got, want)
	}

	after.EndsAt = time.Now().Add(-time.Second)
	if err := a.desk(a.route.dispatch).Renew(t.Context(), after, "maria"); err == nil || !strings.Contains(err.Error(), "the end") {
		t.Errorf("putting back one whose time is over: %v, want that it is over", err)
	}
}
