package services

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"runtime"
	"strconv"
	"strings"

	"github.com/navcloud/binnacle/agent/metric"
)

// What Nginx says of itself. Source: nginx.org, ngx_http_stub_status_module, read 30 November 2026. It knows no status codes and no upstream: those
// are in its logs. Connections that it threw out for want of room are missing here as well, since they were handled.
var (
	nginxConnections = &metric.Desc{Name: "nginx_connections", Help: "Connections: active, of which reading, writing and waiting (idle); the look itself is among active and writing"}
	nginxAccepted    = &metric.Desc{Name: "nginx_connections_accepted_total", Kind: metric.Counter, Help: "Connections accepted"}
	nginxHandled     = &metric.Desc{Name: "nginx_connections_handled_total", Kind: metric.Counter, Help: "Connections handled; equal to accepted unless a limit was reached"}
	nginxRequests    = &metric.Desc{Name: "nginx_requests_total", Kind: metric.Counter, Help: "Requests"}
	nginxLimit       = &metric.Desc{Name: "nginx_worker_connections_limit", Help: "Most connections of all workers, from /etc/nginx/nginx.conf of this machine; a request that is passed on takes two"}
)

// Nginx is asked by its page stub_status.
var Nginx = system{
	name: "nginx", schemes: map[string]string{"http": "80", "https": "443"},
	found: "http://127.0.0.1/nginx_status",
	missing: "add `location = /nginx_status { stub_status; allow 127.0.0.1; deny all; }` to its server of port 80, " +
		`or name where it has one: collect.nginx: {url: "http://127.0.0.1:8080/nginx_status"}`,
	descs: []*metric.Desc{nginxConnections, nginxAccepted, nginxHandled, nginxRequests, nginxLimit},
	look:  lookNginx,
}.spec()

func lookNginx(ctx context.Context, t *target, b *batch) error {
	a, err := t.page(ctx, t.at("/nginx_status"), nil)
	if err != nil {
		return ofServer(err, a, "nginx")
	}
	if a.code != http.StatusOK || !strings.HasPrefix(string(a.body), "Active connections:") {
		err := a.unexpected()
		if strings.HasPrefix(a.server, "nginx") {
			err = notOpened("%s: no stub_status at %s", a.status, t.at("/nginx_status"))
		}
		return err
	}
	if err := nginxStatus(string(a.body), b); err != nil {
		return err
	}
	if limit, ok := nginxConfigured(t); ok && t.near() {
		b.add(nginxLimit, limit)
	}
	return nil
}

// ofServer keeps an error that asks for credentials only where the answer is of the system that was looked for: on its port may
// be another.
func ofServer(err error, a answer, name string) error {
	if a.server != "" && !strings.HasPrefix(strings.ToLower(a.server), name) {
		return fmt.Errorf("%s by %.40s, which is not %s", a.status, a.server, name)
	}
	return err
}

// nginxStatus reads the page. Tengine has a fourth column, so the columns are found by their names.
func nginxStatus(text string, b *batch) error {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	if len(lines) < 4 {
		return fmt.Errorf("stub_status: want four lines, have %.100q", text)
	}
	names, values := strings.Fields(strings.TrimPrefix(lines[1], "server ")), strings.Fields(lines[2])
	for i, name := range names {
		d := map[string]*metric.Desc{"accepts": nginxAccepted, "handled": nginxHandled, "requests": nginxRequests}[name]
		if d == nil || i >= len(values) {
			continue
		}
		v, err := strconv.ParseFloat(values[i], 64)
		if err != nil {
			return fmt.Errorf("stub_status: %s: want a number, have %.20q", name, values[i])
		}
		b.add(d, v)
	}
	words := strings.Fields(strings.Replace(lines[0], "Active connections", "active", 1) + " " + lines[3])
	for i := 0; i+1 < len(words); i += 2 {
		state := strings.ToLower(strings.TrimSuffix(words[i], ":"))
		v, err := strconv.ParseFloat(words[i+1], 64)
		if err != nil {
			return fmt.Errorf("stub_status: %s: want a number, have %.20q", state, words[i+1])
		}
		switch state {
		case "active", "reading", "writing", "waiting":
			b.add(nginxConnections, v, "state", state)
		}
	}
	return nil
}

var nginxSetting = regexp.MustCompile(`(?m)^\s*(worker_processes|worker_connections)\s+(\w+)\s*;|[{;]\s*(worker_connections)\s+(\d+)\s*;`)

// nginxConfigured is the product of workers and connections in the main file. ok is false where that cannot be read, or
// says neither.
func nginxConfigured(t *target) (limit float64, ok bool) {
	text, err := t.env.Root.Read("etc/nginx/nginx.conf")
	if err != nil {
		return 0, false
	}
	workers, connections := 1.0, 512.0 // Nginx's own
	for _, m := range nginxSetting.FindAllStringSubmatch(text, -1) {
		name, value := m[1]+m[3], m[2]+m[4]
		v, err := strconv.ParseFloat(value, 64)
		switch {
		case name == "worker_processes" && value == "auto":
			workers = float64(runtime.NumCPU())
		case err != nil:
		case name == "worker_processes":
			workers = v
		default:
			connections = v
		}
		ok = true
	}
	return workers * connections, ok
}
