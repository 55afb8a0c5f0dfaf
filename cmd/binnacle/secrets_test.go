package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/navcloud/binnacle/agent"
	"github.com/navcloud/binnacle/agent/secret"
	"github.com/navcloud/binnacle/alerting"
	"github.com/navcloud/binnacle/alerting/alertingtest"
	"github.com/navcloud/binnacle/alerting/intake"
)

// sink keeps what is written to it by many.
type sink struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *sink) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *sink) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// planted are secrets by where they are put: some stand in the configuration, some come from outside in texts.
var planted = map[string]string{
	"routing key":          "0123456789abcdef0123456789abc001",
	"url of remote write":  "planted-remote-write-002",
	"password of redis":    "planted-redis-003",
	"password of mysql":    "planted-mysql-004",
	"password of jolokia":  "planted-jolokia-005",
	"basic auth of scrape": "planted-scrape-006",
	"env of a program":     "planted-exec-env-007",
	"webhook":              "planted-webhook-url-008",
	"plugin's password":    "planted-plugin-009",
	"plugin's perfdata":    "planted-perf-010",
	"log line":             "planted-log-line-011",
	"url in a label":       "planted-label-url-012",
	"bearer":               "planted.bearer.013abcdef",
	"key of AWS":           "AKIAPLANTED014ABCDEF",
	"token of GitHub":      "ghp_planted015abcdefghijklmn",
	"JSON web token":       "eyJwbGFudGVk016.eyJzdWIiOiIx016.sig016abc",
	"private key":          "MIIplanted017base64",
	"query of a runbook":   "planted-runbook-018",
	"heartbeat's output":   "planted-heartbeat-019",
	"note of a person":     "planted-note-020",
	"name of a deploy":     "planted-deploy-021",
	"comment of a silence": "planted-silence-022",
}

// TestNoSecretIsShownAnywhere plants secrets in the configuration and in what comes from outside, and looks for them in
// all that leaves: log, pages, pager, status, figures, bundle and the files of the data folder.
func TestNoSecretIsShownAnywhere(t *testing.T) {
	pd := alertingtest.NewPagerDuty()
	defer pd.Close()
	hook := &sink{}
	hooked := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(hook, r.Body) }))
	defer hooked.Close()
	dir, log, out := t.TempDir(), &sink{}, map[string]string{}
	plugin, logFile := filepath.Join(dir, "plugin"), filepath.Join(dir, "app.log")
	for path, text := range map[string]string{
		plugin:  "#!/bin/sh\necho \"CRITICAL - password=" + planted["plugin's password"] + " env $SECRET|'token=" + planted["plugin's perfdata"] + "'=1\"; exit 2\n",
		logFile: "",
	} {
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(dir, "c.yaml")
	if err := os.WriteFile(file, []byte(secretConfig(dir, plugin, logFile, pd.URL(), hooked.URL)), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := agent.LoadConfig(file)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ready, done := make(chan string, 1), make(chan error, 1)
	sent := make(chan alerting.Action, 100)
	go func() {
		done <- agent.Run(ctx, cfg, agent.Hooks{
			Log:   agentLog(log),
			Ready: func(addr string) { ready <- addr },
			Sent:  func(a alerting.Action, _ alerting.Result) { sent <- a },
		})
	}()
	var url string
	select {
	case addr := <-ready:
		url = "http://" + addr
	case err := <-done:
		t.Fatal(err)
	}
	plant(t, url, logFile)
	for a := range sent { // the webhook has its copy later
		if a.Page.Rule == "Leaks" {
			break
		}
	}
	for _, rule := range []string{"plugin", "app_errors_total", "HeartbeatFailed"} {
		for begin := time.Now(); !strings.Contains(crawlOne(t, url, "/api/v1/view"), `"Rule":"`+rule+`"`) || hook.text() == ""; time.Sleep(100 * time.Millisecond) {
			if time.Since(begin) > 5*time.Minute {
				t.Fatalf("no problem of %s:\n%s", rule, log.text())
			}
		}
	}
	for path, text := range crawl(t, url) {
		out["page "+path] = text
	}
	for _, e := range gatherSupport(&remote{url: url}, &overrides{config: file}) {
		out["bundle "+e.name] = string(e.text)
	}
	cancel()
	<-done                                                                                                                                                 // its error is that of the destination that nobody serves
	out["log"], out["webhook"], out["pagerduty"] = log.text(), hook.text(), strings.ReplaceAll(fmt.Sprintf("%+v", pd.Pages()), planted["routing key"], "") // it opens the door
	_ = filepath.WalkDir(filepath.Join(dir, "data"), func(path string, d fs.DirEntry, err error) error {
		if b, rerr := os.ReadFile(path); err == nil && rerr == nil && !d.IsDir() {
			out["file "+path] = string(b)
		}
		return nil
	})
	if len(out) < 30 || out["webhook"] == "" || out["bundle metrics.txt"] == "" {
		t.Errorf("only %d places were searched, the webhook has %d bytes", len(out), len(out["webhook"]))
	}
	for place, text := range out {
		for name, value := range planted {
			if at := strings.Index(text, value); at >= 0 {
				t.Errorf("%s: the %s is shown: %q", place, name, text[max(0, at-80):min(len(text), at+len(value)+20)])
			}
		}
	}
}

func secretConfig(dir, plugin, logFile, pd, hook string) string {
	return fmt.Sprintf(`data: %[1]s/data
listen: 127.0.0.1:0
interval: 1s
deadline: 500ms
node: {name: n1}
collect:
  riak: off
  rabbitmq: off
  host_systemd: off
  statsd: off
  redis: {url: 'redis://127.0.0.1:1', user: u, password: '%[6]s'}
  mysql: {url: 'tcp://127.0.0.1:1', user: u, password: '%[7]s'}
  jolokia: {url: 'http://127.0.0.1:1/', user: u, password: '%[8]s'}
  scrape: {jobs: [{job_name: j, basic_auth: {username: u, password: '%[9]s'}, static_configs: [{targets: ['127.0.0.1:1']}]}]}
  exec: {plugin: {command: ['%[2]s'], interval: 1s, retry_interval: 1s, attempts: 1, env: {SECRET: '%[10]s'}}}
  logs: {app: {files: ['%[3]s'], patterns: [{name: app_errors_total, match: ERROR, alarm: critical}]}}
ship: {remote_write: {url: 'http://u:%[11]s@127.0.0.1:1/w'}}
rules: {packs: [self], interval: 1s}
intake: {heartbeats: {backup: {every: 24h, priority: P1}}}
route:
  order: {wait: {symptom_with_cause: 0s, symptom_alone: 0s, cause_alone: 0s, roll_up: 0s, foreign: 0s, low: 0s}}
  routes: [{match: ['alertname=~".+"'], to: [pagerduty, hook]}]
  pagerduty: {routing_key: %[12]s, events_url: '%[4]s'}
  pagers: {hook: {webhook: {url: '%[5]s/%[13]s'}}}
`, dir, plugin, logFile, pd, hook, planted["password of redis"], planted["password of mysql"], planted["password of jolokia"], planted["basic auth of scrape"],
		planted["env of a program"], planted["url of remote write"], planted["routing key"], planted["webhook"])
}

// plant sends what others say.
func plant(t *testing.T, url, logFile string) {
	t.Helper()
	post := func(path string, in any) {
		if err := intake.Post(t.Context(), http.DefaultClient, url, path, in, nil); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	f, err := os.OpenFile(logFile, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	for !strings.Contains(crawlOne(t, url, "/metrics"), `logs_files{log="app",node="n1"} 1`) {
		time.Sleep(50 * time.Millisecond) // until its end is known: what is written from there on is news
	}
	if _, err := fmt.Fprintf(f, "ERROR login failed: password=%s\n", planted["log line"]); err != nil {
		t.Fatal(err)
	}
	_ = f.Close()
	post("/api/v2/alerts", []map[string]any{{
		"labels": map[string]string{
			"alertname": "Leaks", "severity": "critical", "impact": "users", "entity": "service:leaks", "instance": "https://ann:" + planted["url in a label"] + "@shop.example/",
		},
		"annotations": map[string]string{
			"summary":     "it sent Authorization: Bearer " + planted["bearer"] + " and " + planted["key of AWS"],
			"description": "-----BEGIN RSA PRIVATE KEY-----\n" + planted["private key"] + "\n-----END RSA PRIVATE KEY-----\n" + planted["token of GitHub"],
			"runbook_url": "https://wiki.example/x?token=" + planted["query of a runbook"],
			"guidance":    "use " + planted["JSON web token"],
		},
	}})
	post(intake.PathHeartbeat, intake.HeartbeatPing{Name: "backup", State: "1", Text: "mysqldump --password=" + planted["heartbeat's output"]})
	post(intake.PathDeploys, map[string]any{"service": "shop", "version": "v1", "text": "https://u:" + planted["name of a deploy"] + "@git.example/x"})
	post(intake.PathSilence, map[string]any{"matchers": []string{"alertname=Other"}, "for": "1h", "by": "ann", "comment": "password=" + planted["comment of a silence"]})
}

var links = regexp.MustCompile(`(?:href|src|hx-get|sse-connect|action)="(/[^"#]*)`)

// crawl reads all pages that the first one leads to, and what programs read.
func crawl(t *testing.T, url string) map[string]string {
	t.Helper()
	seen := map[string]string{}
	todo := []string{"/", "/metrics", "/-/status", "/api/v1/view", "/api/v2/alerts", "/api/v2/silences", "/api/v1/heartbeats", "/federate?match[]={__name__=~\".+\"}", "/api/v1/series?match[]={__name__=~\".+\"}"}
	client := &http.Client{Timeout: 2 * time.Minute}
	for len(todo) > 0 && len(seen) < 300 {
		path := strings.ReplaceAll(todo[0], "&amp;", "&")
		todo = todo[1:]
		if _, ok := seen[path]; ok || strings.Contains(path, "/events") || strings.Contains(path, "/assets/") {
			continue
		}
		resp, err := client.Get(url + path)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		b, _ := io.ReadAll(io.LimitReader(resp.Body, 8<<20))
		_ = resp.Body.Close()
		seen[path] = string(b)
		for _, m := range links.FindAllStringSubmatch(string(b), -1) {
			todo = append(todo, m[1])
		}
	}
	return seen
}

func crawlOne(t *testing.T, url, path string) string {
	t.Helper()
	resp, err := http.Get(url + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// agentLog is the log as the program makes it.
func agentLog(w io.Writer) *slog.Logger {
	return slog.New(secret.Handler(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug})))
}
