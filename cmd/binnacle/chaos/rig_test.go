package chaos

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/navcloud/binnacle/agent/testport"
	"github.com/navcloud/binnacle/alerting/alertingtest"
)

// long says whether the long form runs. It skips the test where none does.
func long(t *testing.T) bool {
	t.Helper()
	switch os.Getenv("BINNACLE_CHAOS") {
	case "long":
		return true
	case "short":
		return false
	}
	t.Skip("the program is broken only where BINNACLE_CHAOS is short or long: make test, make chaos")
	return false
}

// patience is how long a state may take that is promised within a time: so long where make chaos has a machine to itself, and as
// long as a busy one needs in make test. How long it took is in the log.
func patience(t *testing.T, promise time.Duration) time.Duration {
	t.Helper()
	if long(t) {
		return promise
	}
	return max(promise, slow)
}

var built struct {
	once sync.Once
	path string
	err  error
}

// program builds the program once.
func program(t *testing.T) string {
	t.Helper()
	built.once.Do(func() {
		dir, err := os.MkdirTemp("", "binnacle-chaos-*")
		if err != nil {
			built.err = err
			return
		}
		built.path = filepath.Join(dir, "binnacle")
		out, err := exec.Command("go", "build", "-o", built.path, "github.com/navcloud/binnacle/cmd/binnacle").CombinedOutput()
		if err != nil {
			built.err = fmt.Errorf("%w: %s", err, out)
		}
	})
	if built.err != nil {
		t.Fatal(built.err)
	}
	return built.path
}

func TestMain(m *testing.M) {
	code := m.Run()
	if built.path != "" {
		_ = os.RemoveAll(filepath.Dir(built.path))
	}
	os.Exit(code)
}

// rig is an agent as a process of its own, with a pager that keeps what it is sent.
type rig struct {
	t      *testing.T
	binary string // of another revision; empty: of this one
	pd     *alertingtest.PagerDuty
	data   string
	config string
	listen string
	statsd string
	log    string
	cmd    *exec.Cmd
}

// The waits of these tests are short; what is promised comes on top of them.
const order = `order: {wait: {symptom_with_cause: 0s, symptom_alone: 1s, cause_alone: 1s, roll_up: 1s, low: 2s, most: 5s}, start: {listen_p1: 2s, listen: 3s, listen_resolve: 10s}, resolve: {quiet: 3s, after_cause: 3s, after_acked: 3s}}`

const waits = 5 * time.Second // of order, at most: listening after the start and the wait of a symptom

func newRig(t *testing.T, data string, more string) *rig {
	t.Helper()
	pd := alertingtest.NewPagerDuty()
	t.Cleanup(pd.Close)
	return newNode(t, "chaos", pd, data, more)
}

// newNode is newRig for one of several that have one pager.
func newNode(t *testing.T, name string, pd *alertingtest.PagerDuty, data string, more string) *rig {
	t.Helper()
	r := &rig{t: t, pd: pd, data: data, listen: testport.Free(t), statsd: testport.Free(t)}
	dir := t.TempDir()
	r.config, r.log = filepath.Join(dir, "binnacle.yaml"), filepath.Join(dir, "log")
	rules := filepath.Join(dir, "rules.yaml")
	r.write(rules, `groups:
- name: chaos
  interval: 1s
  rules:
  - alert: Trip
    expr: max by (n) (trip) > 0
    labels: {severity: critical, kind: symptom, layer: symptom, entity: 'service:t{{ $labels.n }}', service: 't{{ $labels.n }}', impact: users, priority: P1}
    annotations: {summary: 'Trip {{ $labels.n }}', guidance: Look.}
`)
	r.write(r.config, fmt.Sprintf(`data: %s
listen: %s
node: {name: %s}
interval: 1s
deadline: 500ms
collect: {statsd: {listen: ['udp://%s']}, riak: off, rabbitmq: off}
rules: {interval: 1s, files: ['%s']}
route:
  pagerduty: {routing_key: %s, events_url: '%s'}
  %s
%s
`, data, r.listen, name, r.statsd, rules, alertingtest.RoutingKey, r.pd.URL(), order, more))
	t.Cleanup(func() {
		if r.cmd != nil {
			r.kill()
		}
		if t.Failed() {
			b, _ := os.ReadFile(r.log)
			t.Logf("the agent's log:\n%s", b[max(0, len(b)-6000):])
		}
	})
	return r
}

func (r *rig) write(path, text string) {
	r.t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

// start starts the agent, before which words may come, such as those that bound it.
func (r *rig) start(before ...string) {
	r.t.Helper()
	log, err := os.OpenFile(r.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		r.t.Fatal(err)
	}
	defer log.Close()
	binary := r.binary
	if binary == "" {
		binary = program(r.t)
	}
	words := append(before, binary, "run", "--config", r.config)
	r.cmd = exec.Command(words[0], words[1:]...)
	r.cmd.Stdout, r.cmd.Stderr = log, log
	if err := r.cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) kill() {
	_ = r.cmd.Process.Kill() // it may have ended
	_ = r.cmd.Wait()
	r.cmd = nil
}

// stop ends the agent as an operator does.
func (r *rig) stop() {
	r.t.Helper()
	if err := r.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		r.t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- r.cmd.Wait() }()
	select {
	case err := <-done:
		if err != nil {
			r.t.Errorf("the agent ended with %v", err)
		}
	case <-time.After(3 * time.Minute):
		r.t.Error("the agent does not end")
		_ = r.cmd.Process.Kill()
		<-done
	}
	r.cmd = nil
}

// alarm is one of somebody else's, a P1 on a service of its own.
type alarm struct {
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
	StartsAt    time.Time         `json:"startsAt"`
	EndsAt      time.Time         `json:"endsAt"`
}

func p1(name string, begun time.Time) alarm {
	return alarm{
		Labels: map[string]string{
			"alertname": name, "entity": "node:" + name, "service": name, "severity": "critical", "kind": "symptom", "impact": "users", "priority": "P1", "source": "chaos",
		},
		Annotations: map[string]string{"summary": "test"}, StartsAt: begun, EndsAt: time.Now().Add(10 * time.Minute),
	}
}

var client = &http.Client{Timeout: 20 * time.Second}

// post sends alarms as an Alertmanager does, and says whether they were taken.
func (r *rig) post(all ...alarm) bool {
	body, err := json.Marshal(all)
	if err != nil {
		r.t.Fatal(err)
	}
	resp, err := client.Post("http://"+r.listen+"/api/v2/alerts", "application/json", bytes.NewReader(body))
	if err != nil {
		return false
	}
	_, _ = io.Copy(io.Discard, resp.Body) // the connection is used again
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// trip raises a gauge that a rule of the agent's own pages for.
func (r *rig) trip(n string) {
	c, err := net.Dial("udp", r.statsd)
	if err != nil {
		r.t.Fatal(err)
	}
	defer c.Close()
	_, _ = fmt.Fprintf(c, "trip:1|g|#n:%s", n) // refused while the agent starts
}

// incidents counts what was opened for a word in the key.
func (r *rig) incidents(word string) (n int) {
	for _, i := range r.pd.Incidents() {
		if strings.Contains(i.Key, word) {
			n++
		}
	}
	return n
}

// within waits for a state, and does something meanwhile, twice a second. It returns how long it took.
func (r *rig) within(limit time.Duration, what string, holds func() bool, meanwhile func()) time.Duration {
	r.t.Helper()
	begun := time.Now()
	for !holds() {
		if time.Since(begun) > limit {
			r.t.Errorf("%s: not within %v", what, limit)
			return time.Since(begun)
		}
		if meanwhile != nil {
			meanwhile()
		}
		time.Sleep(200 * time.Millisecond)
	}
	return time.Since(begun)
}

// pages waits until a P1 that somebody posts is paged.
func (r *rig) pages(name string, limit time.Duration) time.Duration {
	r.t.Helper()
	begun := time.Now()
	return r.within(limit, "the page of "+name, func() bool { return r.incidents(name) > 0 }, func() { r.post(p1(name, begun)) })
}

// trips waits until a P1 of the agent's own rule is paged.
func (r *rig) trips(n string, limit time.Duration) time.Duration {
	r.t.Helper()
	return r.within(limit, "the page of trip "+n, func() bool { return r.incidents("service:t"+n+":") > 0 }, func() { r.trip(n) })
}

// status is what the agent says of itself.
func (r *rig) status() string {
	resp, err := client.Get("http://" + r.listen + "/-/status")
	if err != nil {
		return err.Error()
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body) // what there is
	return string(b)
}
