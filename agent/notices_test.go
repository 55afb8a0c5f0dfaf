package agent

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/navcloud/binnacle/agent/testport"
	"github.com/navcloud/binnacle/alerting"
)

// A spot notice: the node says that it leaves, and its death pages nobody.
func TestASpotNoticeIsToldAndExcusesTheDeath(t *testing.T) {
	var taken atomic.Bool
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := map[string]string{
			"/latest/api/token":                          "token",
			"/latest/dynamic/instance-identity/document": `{"instanceId":"i-0abc","instanceType":"m7g.large","region":"eu-west-1","availabilityZone":"eu-west-1b"}`,
		}[r.URL.Path]
		if r.URL.Path == "/latest/meta-data/spot/instance-action" && taken.Load() {
			answer = `{"action":"terminate","time":"2026-11-30T08:00:00Z"}`
		}
		w.Header().Set("X-aws-ec2-metadata-token-ttl-seconds", "300")
		if answer == "" {
			w.WriteHeader(http.StatusNotFound)
		}
		_, _ = w.Write([]byte(answer))
	}))
	defer s.Close()
	cfg := parsed(t, "data: %s\nlisten: %s\nnode: {name: here}\ncollect: off\nrules: off\nstore: off\nroute: {mode: shadow}\n", t.TempDir(), testport.Free(t))
	a, end := run(t, cfg, func(a *Agent) { a.where = whereabouts{root: onEC2(t, "Amazon EC2"), metadata: s.URL} })
	defer end()
	until := func(what string, is func() bool) {
		t.Helper()
		for deadline := time.Now().Add(3 * time.Minute); !is(); time.Sleep(20 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%s: not within three minutes; status says %q", what, a.Status().Leaving)
			}
		}
	}
	until("it knows its instance", func() bool { return a.instanceID() == "i-0abc" })
	taken.Store(true)
	until("it says that it leaves", func() bool {
		return strings.Contains(a.Status().Leaving, "here leaves: AWS takes the spot instance back")
	})
	until("its alarm is with the router", func() bool { return len(a.route.leaving()) > 0 })
	g, _, err := a.graph(t.Context(), new(fileGraph))
	if err != nil {
		t.Fatal(err)
	}
	if e, ok := g.Place(map[string]string{alerting.LabelEntity: "host:here"}); !ok || e.Excused == "" {
		t.Errorf("the host is %+v, %v; want it excused", e, ok)
	}
	taken.Store(false) // the notice is taken back
	until("it says no more that it leaves", func() bool { return a.Status().Leaving == "" })
}
