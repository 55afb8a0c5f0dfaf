package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/navcloud/binnacle/agent/capacity"
)

// plan is a report of two pools, one of them urgent.
func plan() capacity.Report {
	day := 24 * time.Hour
	disk := capacity.Answer{
		Pool: capacity.Pool{Name: "disk", Title: "Disk", Unit: "bytes", Kind: capacity.Fills, Action: "make room"}, Labels: map[string]string{"node": "riak-1", "mountpoint": "/"},
		Use: 80 << 30, Limit: 100 << 30, Peak: 90 << 30, Until: capacity.Until{P10: 5 * day, P50: 9 * day, P90: 17 * day, Horizon: 90 * day, Within: 0.99}, Lead: 14 * day,
	}
	disk.Buffer.Now, disk.Buffer.Peak = 1.25, 1.11
	balancer := capacity.Answer{
		Pool: capacity.Pool{Name: "balancer", Title: "Connections of the balancer", Unit: "streams", Kind: capacity.Demand}, Labels: map[string]string{"stack": "prod"},
		Use: 4000, Limit: 10000, Lacks: "not enough history: 5 hours", Until: capacity.Until{P10: capacity.Never, P50: capacity.Never, P90: capacity.Never},
	}
	balancer.Buffer.Now = 2.5
	return capacity.Report{At: time.Now(), Answers: []capacity.Answer{disk, balancer}, Note: "Made up for a test.", Scaling: capacity.Scaling{Words: "not enough history (0 measurements)"}}
}

func TestCapacityInAPipe(t *testing.T) {
	report := plan()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if err := json.NewEncoder(w).Encode(report); err != nil {
			t.Error(err)
		}
	}))
	defer srv.Close()
	show := func() (string, error) {
		var out strings.Builder
		root := newRoot()
		root.SetArgs([]string{"capacity", "--url", srv.URL, "--width", "80"})
		root.SetOut(&out)
		err := root.Execute()
		return out.String(), err
	}
	out, err := show()
	if err != exitError(1) {
		t.Errorf("error = %v; want exit 1 while something is urgent", err)
	}
	for _, want := range []string{
		"2 pools, as of", "! Made up for a test.\n",
		"! disk    riak-1 /  80 GiB  100 GiB  ×1.25  ×1.11    –          full in 9 days (5 to 17)\n",
		"balancer  prod      4\u202f000   10\u202f000   ×2.50",
		"not enough history: 5 hours\n", "! Disk riak-1 /: full in 9 days (5 to 17). 80 GiB of 100 GiB;", "make room.\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if strings.ContainsAny(out, "\x1b#") {
		t.Errorf("a pipe gets more than plain text:\n%q", out)
	}
	report.Answers = report.Answers[1:]
	if _, err := show(); err != nil {
		t.Errorf("error = %v; want none while nothing is urgent", err)
	}
	report.Answers = nil
	if out, err := show(); err != nil || !strings.Contains(out, "No pool with a limit is known.") {
		t.Errorf("without pools: %v\n%s", err, out)
	}
}

func TestCapacityOfNobody(t *testing.T) {
	var out strings.Builder
	root := newRoot()
	root.SetArgs([]string{"capacity", "--url", "http://127.0.0.1:1"})
	root.SetOut(&out)
	if err := root.Execute(); err != exitError(3) || !strings.HasPrefix(out.String(), "UNKNOWN - no agent answers") {
		t.Errorf("%v: %s", err, out.String())
	}
}

func TestBar(t *testing.T) {
	for buffer, want := range map[float64]string{0: "..........", 1.25: "########..", 0.5: "##########", 100: ".........."} {
		if got := bar(buffer); got != want {
			t.Errorf("bar(%v) = %s; want %s", buffer, got, want)
		}
	}
}
