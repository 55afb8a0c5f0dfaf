package agent

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
	"testing"
	"time"

	"github.com/go-openapi/strfmt"
	"github.com/prometheus/alertmanager/api/v2/models"

	"github.com/navcloud/binnacle/agent/testport"
)

// theProgram is the path of a program of others, without which the test skips.
func theProgram(t *testing.T, name string) string {
	t.Helper()
	if os.Getenv("BINNACLE_REAL") == "" {
		t.Skip("programs of others are started only where BINNACLE_REAL is set")
	}
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skip(err)
	}
	return path
}

// tells runs a program to its end, and returns what it printed and its code of exit.
func tells(t *testing.T, stdin, name string, args ...string) (string, int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.Output()
	code := cmd.ProcessState.ExitCode()
	if code < 0 {
		t.Fatal(err)
	}
	return string(out), code
}

// server runs a program of others until the test ends.
func server(t *testing.T, name string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("%s:\n%.8000s", name, log.String())
		}
	})
}

// eventually waits for a state, as long as a machine that is busy may take.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Fatal("not within 2 minutes: " + what)
}

func answerOf(t *testing.T, url string) string {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		return err.Error()
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// clientsAgent is an agent as clients of Prometheus and Alertmanager meet it, below a path.
func clientsAgent(t *testing.T) (a *Agent, statsd string) {
	t.Helper()
	statsd = testport.Free(t)
	cfg := parsed(t, "data: %s\nlisten: %s\ninterval: 1s\nweb: {route_prefix: /ops/binnacle}\ncollect: {riak: off, rabbitmq: off, statsd: {listen: ['udp://%s']}}\nrules: {packs: []}\nroute: {mode: shadow}\n",
		t.TempDir(), testport.Free(t), statsd)
	a, end := run(t, cfg)
	t.Cleanup(end)
	return a, statsd
}

// TestRealAmtool is a session of a person with Alertmanager's own tool, at the address and below its path.
func TestRealAmtool(t *testing.T) {
	amtool := theProgram(t, "amtool")
	for n, below := range []string{"", "/ops/binnacle"} {
		a, _ := clientsAgent(t) // its own: like alarms would be one problem
		at := "http://" + a.config().Listen + below
		rule := fmt.Sprintf("Rule%d", n)
		am := func(stdin string, args ...string) (string, int) {
			return tells(t, stdin, amtool, append([]string{"--alertmanager.url=" + at}, args...)...)
		}
		wants := func(code int, want string, args ...string) string {
			t.Helper()
			out, got := am("", args...)
			if got != code || !strings.Contains(out, want) {
				t.Fatalf("amtool %q ends with %d and says %q; want %d, %q", args, got, out, code, want)
			}
			return out
		}
		wants(0, "", "alert", "add", rule, fmt.Sprintf("instance=web-%d", n), "severity=critical", "--annotation=summary=bad")
		eventually(t, "the alarm", func() bool {
			out, _ := am("", "alert", "query", "alertname="+rule)
			return strings.Contains(out, rule)
		})
		wants(0, rule, "alert", "query", "alertname=~Rule.*", "instance!=db-9", "-o", "json")
		wants(0, "", "alert", "query", "nosuch=x")
		id := strings.TrimSpace(wants(0, "-", "silence", "add", "alertname="+rule, "-c", "for the test", "-a", "ann", "-d", "1h"))
		eventually(t, "the silence", func() bool {
			out, _ := am("", "silence", "query", "-q")
			return strings.Contains(out, id)
		})
		wants(0, id, "silence", "query", "alertname="+rule, "-o", "json")
		wants(0, "", "silence", "expire", id)
		eventually(t, "its end", func() bool {
			out, _ := am("", "silence", "query", "--expired", "-q")
			return strings.Contains(out, id)
		})
		wants(0, "", "silence", "expire", id) // once more changes nothing
		openAPI(t, at+"/api/v2", id)
	}
}

// openAPI holds live answers to the models of Alertmanager's specification: no field more, none missing.
func openAPI(t *testing.T, base, silence string) {
	t.Helper()
	valid := func(path string, into interface{ Validate(strfmt.Registry) error }) {
		t.Helper()
		dec := json.NewDecoder(strings.NewReader(answerOf(t, base+path)))
		dec.DisallowUnknownFields()
		if err := dec.Decode(into); err != nil {
			t.Errorf("%s: %v", path, err)
		} else if err := into.Validate(strfmt.Default); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	valid("/status", new(models.AlertmanagerStatus))
	valid("/alerts", new(models.GettableAlerts))
	valid("/alerts/groups", new(models.AlertGroups))
	valid("/silences", new(models.GettableSilences))
	valid("/silence/"+silence, new(models.GettableSilence))
}

// TestRealPromtool reads what the agent exposes after the oddest of names, and asks it in PromQL.
func TestRealPromtool(t *testing.T) {
	promtool := theProgram(t, "promtool")
	a, statsd := clientsAgent(t)
	at := "http://" + a.config().Listen
	conn, err := net.Dial("udp", statsd)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, line := range []string{
		"two.h:1|h|#a:1", "two.h:1|h|#a:2", "qt:1|h|#quantile:0.5", "dup.name:1|g", "dup_name:2|g", "x_total:1|g", "x:1|c", "z:1|h", "z_count:3|g", "w_bucket:1|g", "le.x:1|g|#le:5",
		`ut:1|g|#k:"q"\b`, "nan:1|g|#__name__:evil", "1digit:1|g", "é:1|g", "lab:1|g|#1a:b,a-b:c", "s_total:1|h", "r:1|h", "r_sum:2|c", "last.of.all:1|c",
	} {
		if _, err := conn.Write([]byte(line)); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "the last line", func() bool { return strings.Contains(answerOf(t, at+"/metrics"), "last_of_all_total") })
	if out, code := tells(t, answerOf(t, at+"/metrics"), promtool, "check", "metrics"); code != 0 && code != 3 { // 3: advice
		t.Errorf("promtool check metrics ends with %d: %s", code, out)
	}
	eventually(t, "an answer to promtool", func() bool {
		out, code := tells(t, "", promtool, "query", "instant", at, "last_of_all_total")
		return code == 0 && strings.Contains(out, "last_of_all_total")
	})
	for _, args := range [][]string{{"query", "series", "--match=dup_name", at}, {"query", "labels", at, "job"}, {"query", "range", "--start=0", "--end=60", "--step=30s", at, "vector(1)"}} {
		if out, code := tells(t, "", promtool, args...); code != 0 {
			t.Errorf("promtool %q ends with %d: %s", args, code, out)
		}
	}
}

// TestRealPrometheus runs an unmodified Prometheus against the agent: it scrapes it, federates from it, writes to it, and sends
// its alarms.
func TestRealPrometheus(t *testing.T) {
	prometheus := theProgram(t, "prometheus")
	a, _ := clientsAgent(t)
	dir, port := t.TempDir(), testport.Free(t)
	at := a.config().Listen
	config := fmt.Sprintf(`
global: {scrape_interval: 1s, evaluation_interval: 1s, external_labels: {region: eu}}
rule_files: [%s]
alerting: {alertmanagers: [{path_prefix: /ops/binnacle, static_configs: [{targets: ['%s']}]}]}
remote_write: [{url: 'http://%s/api/v1/write'}]
scrape_configs:
- {job_name: binnacle, metrics_path: /ops/binnacle/metrics, static_configs: [{targets: ['%s']}]}
- {job_name: federate, metrics_path: /federate, params: {'match[]': ['{__name__=~"binnacle_.*"}']}, static_configs: [{targets: ['%s']}]}
`, filepath.Join(dir, "rules.yml"), at, at, at, at)
	for name, text := range map[string]string{
		"prometheus.yml": config, "rules.yml": "groups: [{name: g, rules: [{alert: FromPrometheus, expr: 'up{job=\"binnacle\"} == 1', labels: {severity: page}}]}]\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	server(t, prometheus, "--config.file="+filepath.Join(dir, "prometheus.yml"), "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+port)
	eventually(t, "Prometheus finds both targets healthy", func() bool {
		return strings.Count(answerOf(t, "http://"+port+"/api/v1/targets?state=active"), `"health":"up"`) == 2
	})
	eventually(t, "the alarm of Prometheus' rule", func() bool {
		return strings.Contains(answerOf(t, "http://"+at+"/api/v2/alerts"), `"alertname":"FromPrometheus"`)
	})
	eventually(t, "what Prometheus writes", func() bool {
		return strings.Contains(answerOf(t, "http://"+at+"/api/v1/query?query=up%7Bjob%3D%22binnacle%22%2Cregion%3D%22eu%22%7D"), `"job":"binnacle"`)
	})
}

// TestRealAlertmanager runs an unmodified Alertmanager with the agent as one of its receivers.
func TestRealAlertmanager(t *testing.T) {
	alertmanager, amtool := theProgram(t, "prometheus-alertmanager"), theProgram(t, "amtool")
	a, _ := clientsAgent(t)
	dir, port := t.TempDir(), testport.Free(t)
	config := fmt.Sprintf("route: {receiver: hook, group_wait: 1s, group_interval: 1s, repeat_interval: 1h}\nreceivers: [{name: hook, webhook_configs: [{url: 'http://%s/api/v1/alertmanager'}]}]\n", a.config().Listen)
	if err := os.WriteFile(filepath.Join(dir, "am.yml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	server(t, alertmanager, "--config.file="+filepath.Join(dir, "am.yml"), "--storage.path="+filepath.Join(dir, "data"), "--web.listen-address="+port, "--cluster.listen-address=")
	eventually(t, "Alertmanager takes an alarm", func() bool {
		_, code := tells(t, "", amtool, "--alertmanager.url=http://"+port, "alert", "add", "ViaWebhook", "instance=db-1", "severity=critical")
		return code == 0
	})
	eventually(t, "the alarm by its webhook", func() bool {
		return strings.Contains(answerOf(t, "http://"+a.config().Listen+"/api/v2/alerts"), `"alertname":"ViaWebhook"`)
	})
	eventually(t, "its notification in the history", func() bool {
		return strings.Contains(answerOf(t, "http://"+a.config().Listen+"/api/v1/history?kind=theirs"), "ViaWebhook")
	})
}
